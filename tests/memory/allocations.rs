//! Allocations during runs.

use crate::{MEMORY, Outcome};
use tidemill::ops::HostOutput;
use tidemill::prelude::*;
use tidemill::{Arguments, Callable, Cancellation};

/// The number of allocations of a run, once it has run several times before.
fn steady_calls<F: Fetch, A: Arguments>(
    callable: &Callable<F>,
    arguments: impl Fn() -> A,
) -> usize {
    for _ in 0..5 {
        drop(callable.call(arguments()).unwrap());
    }
    // A compute thread that joins for the first time sets itself up, at a time that the system
    // chooses.
    let calls = (0..5).map(|_| MEMORY.calls_in(|| callable.call(arguments()).unwrap()).0);
    calls.min().unwrap()
}

pub(crate) fn in_the_steady_state_a_run_asks_for_no_memory_but_that_of_what_it_returns() -> Outcome
{
    let graph = Graph::new();
    let _default = graph.as_default();
    let options = SessionOptions { threads: Some(1), ..SessionOptions::default() };
    let session = Session::with_options(&graph, options);

    // Numbers.
    let (a, b) = (placeholder::<f32>([]), placeholder::<f32>([]));
    let (m, c) = (get_variable("m", [], zeros()), get_variable("c", [], zeros()));
    let loss = square(b - (m * a + c));
    let train = GradientDescent::new(1e-3).minimize(loss);
    let chain = (0..100).fold(a, |y, _| y * 0.99 + 0.01);

    // Arrays: element by element, broadcast, reduced, in another layout, in place.
    let x = placeholder::<f32>([64, 32]);
    let weights = get_variable("weights", [32], ones());
    let scaled = tanh(x * weights) + exp(-x) / (1.0 + square(x));
    let error = reduce_mean(square(reduce_sum(scaled, 1) - 1.0), ..);
    let train_weights = GradientDescent::new(1e-3).minimize(error);
    // Sixty-four variables, more than any list holds in place.
    let many: Vec<Variable> =
        (0..64).map(|i| get_variable(&format!("v{i}"), [8], ones())).collect();
    let count = many.iter().map(|&v| assign_add(v, [1.0_f32; 8]).op());
    let count = group(count.collect::<Vec<_>>());
    session.init_missing()?;

    assert_eq!(steady_calls(&session.callable(&[a], chain)?, || (0.5_f32,)), 0);
    let step = session.callable(&[a, b], (loss, train))?;
    assert_eq!(steady_calls(&step, || (0.5_f32, 1.5_f32)), 0);
    let input = Value::full(0.25_f32.into(), [64, 32])?;
    let step = session.callable(&[x], (error, train_weights))?;
    assert_eq!(steady_calls(&step, || (&input,)), 0);
    assert_eq!(steady_calls(&session.callable(&[], count)?, || ()), 0);
    let (images, labels) = (placeholder::<f32>([32, 20]), placeholder::<i32>([32]));
    let hidden = relu(matmul(images, get_variable("w1", [20, 16], ones())) + 0.1);
    let logits = matmul(hidden, get_variable("w2", [16, 10], ones()));
    let loss = reduce_mean(sparse_softmax_cross_entropy_with_logits(labels, logits), ..);
    let train = GradientDescent::new(1e-3).minimize(loss);
    session.init_missing()?;
    let (image, label) =
        (Value::full(0.25_f32.into(), [32, 20])?, Value::full(3_i32.into(), [32])?);
    let step = session.callable(&[images, labels], (loss, train))?;
    assert_eq!(steady_calls(&step, || (&image, &label)), 0);
    // A returned array is new: its elements, and the handle that shares them.
    assert!(steady_calls(&session.callable(&[x], scaled)?, || (&input,)) <= 2);

    layers_of_any_size_take_their_memory_from_runs_before()?;
    plans_for_shapes_share_their_memory()?;
    runs_that_fail_leave_no_more_memory_than_the_last_of_them()?;
    results_that_are_dropped_leave_the_memory_of_one_run_for_the_next()?;
    steps_that_run_at_once_take_their_memory_from_runs_before()?;
    a_step_on_rows_of_a_table_takes_memory_for_the_rows_alone()?;
    an_update_takes_no_more_than_its_variables_and_activations()
}

/// A layer, as a function of its input.
type Layer = fn(Tensor) -> Tensor;

/// Forward and backward, on the ways that kernels have for small and for large operands. Machines
/// without fused multiply-add have a product of another library, which takes memory of its own.
fn layers_of_any_size_take_their_memory_from_runs_before() -> Outcome {
    fn filter<const N: usize>(extents: [usize; N]) -> Tensor {
        constant(Value::full(0.1_f32.into(), extents).unwrap())
    }
    let layers: [(&str, Layer); 9] = [
        ("convolution", |x| conv2d(x, filter([3, 3, 8, 24]), Conv::SAME)),
        ("few filters", |x| conv2d(x, filter([3, 3, 8, 4]), Conv::SAME)),
        ("groups", |x| conv2d(x, filter([3, 3, 4, 8]), Conv::SAME)),
        ("a filter for each channel", |x| {
            depthwise_conv2d_native(x, filter([3, 3, 8, 2]), Conv::SAME)
        }),
        ("pools", |x| max_pool(avg_pool(x, [2, 2], Conv::VALID), [2, 2], Conv::SAME)),
        ("batch norm", |x| {
            let options = FusedBatchNorm::default();
            fused_batch_norm(x, filter([8]), filter([8]), options).0
        }),
        ("product", |x| matmul(reshape(x, shape![?, 64]), filter([64, 48]))),
        ("softmax", softmax),
        ("sums", |x| reduce_sum(x, [0, 2]) + reduce_mean(cumsum(x, 1), [0, 1])),
    ];
    for (name, layer) in layers {
        for size in [4_usize, 24] {
            let graph = Graph::new();
            let _default = graph.as_default();
            let options = SessionOptions { threads: Some(1), ..SessionOptions::default() };
            let session = Session::with_options(&graph, options);
            let x = placeholder::<f32>([2, size, size, 8]);
            let loss = reduce_sum(square(layer(x)), ..);
            let gradient = gradients([loss], [x])[0].unwrap();
            let step = session.callable(&[x], (loss, reduce_sum(gradient, ..)))?;
            let input = Value::full(0.25_f32.into(), [2, size, size, 8])?;
            assert_eq!(steady_calls(&step, || (&input,)), 0, "{name}, {size}");
        }
    }
    Ok(())
}

/// Batches of many sizes leave no more memory than one of them takes.
fn plans_for_shapes_share_their_memory() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let options = SessionOptions { threads: Some(1), ..SessionOptions::default() };
    let session = Session::with_options(&graph, options);
    let x = placeholder::<f32>(shape![?, 64]);
    let total = session.callable(&[x], reduce_sum(tanh(x * 2.0) + exp(-x), ..))?;
    let run = |rows: usize| -> Result<usize, RunError> {
        let input = Value::full(0.25_f32.into(), [rows, 64]).unwrap();
        for _ in 0..4 {
            drop(total.call((&input,))?);
        }
        assert_eq!(steady_calls(&total, || (&input,)), 0);
        drop(input);
        Ok(MEMORY.in_use())
    };
    let before = run(4096)?;
    for rows in 4080..4096 {
        run(rows)?;
    }
    let after = run(4096)?;
    assert!(after < before + 256 * 1024, "{} bytes more", after - before);
    Ok(())
}

/// Their feeds, and the values that they had computed.
fn runs_that_fail_leave_no_more_memory_than_the_last_of_them() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let session = Session::new();
    let x = placeholder::<f32>([1024]);
    let fails = host_call([x + 1.0], [HostOutput::new::<f32>([1024])], |_| Err("a fault".into()));
    let step = session.callable(&[x], (tanh(x), fails[0]))?;
    let cancellation = Cancellation::new();
    cancellation.cancel();
    let cancelled = RunOptions { cancellation: Some(cancellation), ..RunOptions::default() };
    let fail = |times: usize| {
        for _ in 0..times {
            let result = step.call((vec![0.5_f32; 1024],));
            assert!(matches!(result, Err(RunError::Kernel(_))));
            let result = step.call_with_options((vec![0.5_f32; 1024],), &cancelled);
            assert!(matches!(result, Err(RunError::Cancelled)));
        }
        MEMORY.in_use()
    };
    let before = fail(5);
    assert_eq!(fail(100), before);
    Ok(())
}

/// Results of 256 KiB, dropped one by one, and many together while no run follows.
fn results_that_are_dropped_leave_the_memory_of_one_run_for_the_next() -> Outcome {
    const COUNT: usize = 1 << 16;
    const BYTES: usize = COUNT * size_of::<f32>();
    let graph = Graph::new();
    let _default = graph.as_default();
    let options = SessionOptions { threads: Some(1), ..SessionOptions::default() };
    let session = Session::with_options(&graph, options);
    let x = placeholder::<f32>([]);
    let weights = get_variable("weights", [COUNT], ones());
    session.init_missing()?;
    let step = session.callable(&[x], (weights * x, assign_add(weights, weights * x)))?;
    let call = || step.call((0.5_f32,)).unwrap();
    for _ in 0..5 {
        drop(call());
    }
    let before = MEMORY.in_use();
    let (peak, results) = MEMORY.peak_in(call);
    // Of the variable, whose last value the program holds, there are two.
    assert!(peak - before < BYTES + BYTES / 2, "{} bytes", peak - before);
    drop(results);
    let kept: Vec<_> = (0..20).map(|_| call()).collect();
    assert!(MEMORY.in_use() > before + 19 * 2 * BYTES);
    drop(kept);
    let left = MEMORY.in_use() - before;
    assert!(left < BYTES / 2, "{left} bytes");
    Ok(())
}

/// Branches that two threads compute.
fn steps_that_run_at_once_take_their_memory_from_runs_before() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let options = SessionOptions { threads: Some(2), ..SessionOptions::default() };
    let session = Session::with_options(&graph, options);
    let x = placeholder::<f32>([128, 32]);
    let branch = |i: u8| tanh(tanh(x * f32::from(i)) + square(x));
    let sum = reduce_sum(add_n((1..9).map(branch)), ..);
    let input = Value::full(0.25_f32.into(), [128, 32])?;
    assert_eq!(steady_calls(&session.callable(&[x], sum)?, || (&input,)), 0);
    Ok(())
}

/// Eight rows of 60,000.
fn a_step_on_rows_of_a_table_takes_memory_for_the_rows_alone() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let table = get_variable("table", [60_000, 16], zeros());
    let ids = placeholder::<i64>([8]);
    let loss = reduce_mean(square(embedding_lookup(table, ids) - 1.0), ..);
    let train = GradientDescent::new(0.1).minimize(loss);
    let session = Session::new();
    session.init_missing()?;
    let step = session.callable(&[ids], (loss, train))?;
    let chosen = Value::from([5_i64, 59_999, 0, 5, 17, 4, 3, 2]);
    let before = MEMORY.in_use();
    let (peak, _) = MEMORY.peak_in(|| step.call((&chosen,)).unwrap());
    assert!(peak - before < 64 * 1024, "{} bytes", peak - before);
    assert_eq!(steady_calls(&step, || (&chosen,)), 0);
    Ok(())
}

/// Variables, two slots, a gradient, and updates in place.
fn an_update_takes_no_more_than_its_variables_and_activations() -> Outcome {
    const PARAMETERS: usize = 1_000_000;
    const BYTES: usize = PARAMETERS * size_of::<f32>();
    let graph = Graph::new();
    let _default = graph.as_default();
    let before = MEMORY.in_use();
    let [weights, mean, spread] =
        ["weights", "mean", "spread"].map(|name| get_variable(name, [PARAMETERS], zeros()));
    let x = placeholder::<f32>([]);
    let gradient = square(weights) + x;
    let mean_now = assign_add(mean, (gradient - mean) * 0.1);
    let spread_now = assign_add(spread, (square(gradient) - spread) * 0.001);
    let step = mean_now / (sqrt(spread_now) + 1e-8) * 0.001;
    let update = assign_sub(weights, step).op();
    let session = Session::new();
    session.init_missing()?;
    let train = session.callable(&[x], update)?;
    for _ in 0..3 {
        train.call((1.0_f32,))?;
    }
    let (peak, ()) = MEMORY.peak_in(|| train.call((1.0_f32,)).unwrap());
    // Besides the three variables, the changes of both slots, the step, and the root that divides
    // it are live at once.
    let limit = (3 + 4) * BYTES;
    let taken = peak - before;
    assert!((3 * BYTES..=limit + limit / 10).contains(&taken), "{taken} bytes of {limit}");
    Ok(())
}
