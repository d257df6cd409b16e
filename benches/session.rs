//! The cost of building and running graphs: `cargo bench --bench session`.

use divan::{Bencher, black_box};
use tidemill::prelude::*;

fn main() {
    divan::main();
}

/// A new default graph while `bench` runs, so that the cases do not add to each other's graphs.
fn in_fresh_graph(bench: impl FnOnce(Session)) {
    let graph = Graph::new();
    let _default = graph.as_default();
    bench(Session::new());
}

/// The placeholders, loss and training step of the tutorial on this many samples, and the feeds.
fn tutorial(session: &Session, samples: usize) -> (Tensor, Tensor, Tensor, Operation, Value) {
    let (m, b) = (get_variable("m", [], zeros()), get_variable("b", [], zeros()));
    let shape = if samples == 1 { shape![] } else { shape![samples] };
    let (x, y) = (placeholder::<f32>(&shape), placeholder::<f32>(&shape));
    let loss = reduce_mean(square(y - (m * x + b)), ..);
    let train = GradientDescent::new(1e-3).minimize(loss);
    session.run(global_variables_initializer()).unwrap();
    let input = Value::full(0.5_f32.into(), shape.known().unwrap()).unwrap();
    (x, y, loss, train, input)
}

mod run {
    use super::*;

    #[divan::bench(sample_size = 100)]
    fn fed_scalar_add(bencher: Bencher<'_, '_>) {
        in_fresh_graph(|session| {
            let x = placeholder::<f32>([]);
            let y = x + 1.0;
            bencher.bench(|| session.run_with(y, feeds![x => black_box(2.0_f32)]).unwrap());
        });
    }

    #[divan::bench(sample_size = 100)]
    fn fed_scalar_add_by_a_callable(bencher: Bencher<'_, '_>) {
        in_fresh_graph(|session| {
            let x = placeholder::<f32>([]);
            let add = session.callable(&[x], x + 1.0).unwrap();
            bencher.bench(|| add.call((black_box(2.0_f32),)).unwrap());
        });
    }

    #[divan::bench(sample_size = 100)]
    fn chain_of_100_by_a_callable(bencher: Bencher<'_, '_>) {
        in_fresh_graph(|session| {
            let x = placeholder::<f32>([]);
            let y = (0..100).fold(x, |y, _| y * 0.99 + 0.01);
            let chain = session.callable(&[x], y).unwrap();
            bencher.bench(|| chain.call((black_box(2.0_f32),)).unwrap());
        });
    }

    #[divan::bench(args = [1, 1024], sample_size = 100)]
    fn tutorial_step_by_a_callable(bencher: Bencher<'_, '_>, samples: usize) {
        in_fresh_graph(|session| {
            let (x, y, loss, train, input) = tutorial(&session, samples);
            let step = session.callable(&[x, y], (loss, train)).unwrap();
            bencher.bench(|| step.call((black_box(&input), black_box(&input))).unwrap());
        });
    }

    /// A training step (lookup, gradient and update) on 32 rows of 16 numbers, of a table with this
    /// many rows.
    #[divan::bench(args = [10_000, 100_000, 1_000_000], sample_size = 100)]
    fn embedding_step_by_a_callable(bencher: Bencher<'_, '_>, rows: usize) {
        in_fresh_graph(|session| {
            let table = get_variable("table", [rows, 16], zeros());
            let ids = placeholder::<i64>([32]);
            let loss = reduce_mean(square(embedding_lookup(table, ids) - 1.0), ..);
            let train = GradientDescent::new(0.1).minimize(loss);
            session.init_missing().unwrap();
            let step = session.callable(&[ids], (loss, train)).unwrap();
            let chosen: Vec<i64> = (0..32).map(|i| i * 7919 % rows as i64).collect();
            let chosen = Value::from(chosen);
            bencher.bench(|| step.call((black_box(&chosen),)).unwrap());
        });
    }

    #[divan::bench(sample_size = 100)]
    fn chain_of_100_scalar_multiply_adds(bencher: Bencher<'_, '_>) {
        in_fresh_graph(|session| {
            let x = placeholder::<f32>([]);
            let y = (0..100).fold(x, |y, _| y * 0.99 + 0.01);
            bencher.bench(|| session.run_with(y, feeds![x => black_box(2.0_f32)]).unwrap());
        });
    }

    #[divan::bench(args = [1, 1024], sample_size = 100)]
    fn tutorial_step(bencher: Bencher<'_, '_>, samples: usize) {
        in_fresh_graph(|session| {
            let (x, y, loss, train, input) = tutorial(&session, samples);
            bencher.bench(|| {
                let feeds = feeds![x => black_box(&input), y => black_box(&input)];
                session.run_with((loss, train), feeds).unwrap()
            });
        });
    }

    #[divan::bench]
    fn matmul_256(bencher: Bencher<'_, '_>) {
        in_fresh_graph(|session| {
            let (a, b) = (placeholder::<f32>([256, 256]), placeholder::<f32>([256, 256]));
            let product = matmul(a, b);
            let input = Value::full(0.5_f32.into(), [256, 256]).unwrap();
            bencher.bench(|| session.run_with(product, feeds![a => &input, b => &input]).unwrap());
        });
    }

    /// Eight branches of products and activations, each too small to be cut into tiles.
    #[divan::bench(args = [1, 2])]
    fn wide_graph(bencher: Bencher<'_, '_>, threads: usize) {
        let graph = Graph::new();
        let _default = graph.as_default();
        let options = SessionOptions { threads: Some(threads), ..SessionOptions::default() };
        let session = Session::with_options(&graph, options);
        let x = placeholder::<f32>([64, 64]);
        let branch = |i: u8| (0..4).fold(x * f32::from(i), |y, _| tanh(matmul(y, x)));
        let sum = session.callable(&[x], add_n((1..9).map(branch))).unwrap();
        let input = Value::full(0.01_f32.into(), [64, 64]).unwrap();
        bencher.bench(|| sum.call((black_box(&input),)).unwrap());
    }

    #[divan::bench(args = [100, 10_000, 1_000_000], sample_size = 100)]
    fn three_nodes_of_a_graph(bencher: Bencher<'_, '_>, nodes: usize) {
        in_fresh_graph(|session| {
            let x = placeholder::<f32>([]);
            let y = x * 2.0 + 1.0;
            (3..nodes).fold(y, |z, _| z + y);
            bencher.bench(|| session.run_with(y, feeds![x => black_box(2.0_f32)]).unwrap());
        });
    }
}

mod build {
    use super::*;

    fn chain(nodes: usize) -> (Tensor, Tensor) {
        let x = placeholder::<f32>([]);
        (x, (0..nodes).fold(x, |y, _| y + x))
    }

    #[divan::bench(args = [1_000, 10_000, 100_000, 1_000_000], sample_count = 5, sample_size = 1)]
    fn chain_of_scalar_adds(bencher: Bencher<'_, '_>, nodes: usize) {
        bencher.with_inputs(Graph::new).bench_refs(|graph| {
            let _default = graph.as_default();
            chain(nodes)
        });
    }

    #[divan::bench(args = [1_000, 10_000, 100_000, 1_000_000], sample_count = 5, sample_size = 1)]
    fn first_run_of_a_chain(bencher: Bencher<'_, '_>, nodes: usize) {
        let inputs = || {
            let graph = Graph::new();
            let (x, y) = {
                let _default = graph.as_default();
                chain(nodes)
            };
            (Session::with_graph(&graph), x, y)
        };
        bencher.with_inputs(inputs).bench_values(|(session, x, y)| {
            session.run_with(y, feeds![x => 1.0]).unwrap();
            session
        });
    }
}
