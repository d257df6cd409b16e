//! Tidemill, timed by the driver.

use std::hint::black_box;
use std::time::Instant;

use peer_protocol::{Case, Result, Runner, points, serve, timed, timed_parts};
use tidemill::IntoValue;
use tidemill::prelude::*;

const CASES: &[Case] = &[
    ("fed_add", || fed(|x| x + 1.0)),
    ("fed_add_run", fed_add_run),
    ("chain_100", || fed(|x| (0..100).fold(x, |y, _| y * 0.99 + 0.01))),
    ("three_of_10k", || fed(|x| three_nodes_of(x, 10_000))),
    ("three_of_1m", || fed(|x| three_nodes_of(x, 1_000_000))),
    ("step_1", || step(None)),
    ("step_1024", || step(Some(1024))),
    ("chain_10k", chain_10k),
];

fn main() -> Result<()> {
    serve("Tidemill", CASES, tutorial)
}

/// A prepared run, called with one value for each of `feeds`.
fn prepared<F: Fetch, V: IntoValue, const N: usize>(
    session: &Session,
    feeds: [Tensor; N],
    fetches: F,
) -> Result<impl Fn([V; N]) -> Result<F::Output> + use<F, V, N>> {
    let callable = session.callable(&feeds, fetches)?;
    Ok(move |values| Ok(callable.call(values)?))
}

/// The session of a new graph, which stays the default.
fn new_session() -> Session {
    reset_default_graph();
    Session::new()
}

fn fed(build: impl Fn(Tensor) -> Tensor) -> Result<Runner> {
    let session = new_session();
    let x = placeholder::<f32>([]);
    let y = build(x);
    Ok(Box::new(move |n| {
        let run = prepared(&session, [x], y)?;
        timed(n, || run([black_box(2.0_f32)]), |y| Ok(y.to_scalar()?))
    }))
}

fn fed_add_run() -> Result<Runner> {
    let session = new_session();
    let x = placeholder::<f32>([]);
    let y = x + 1.0;
    let run = move || Ok(session.run_with(y, feeds![x => black_box(2.0_f32)])?);
    Ok(Box::new(move |n| timed(n, &run, |y| Ok(y.to_scalar()?))))
}

fn three_nodes_of(x: Tensor, nodes: usize) -> Tensor {
    let y = x * 2.0 + 1.0;
    (0..nodes).fold(y, |z, _| z + y);
    y
}

/// The placeholders, the loss and the training step.
fn training(samples: Option<usize>) -> (Tensor, Tensor, Tensor, Operation, Variable, Variable) {
    let (m, b) = (get_variable("m", [], zeros()), get_variable("b", [], zeros()));
    let shape = samples.map_or(shape![], |n| shape![n]);
    let (x, y) = (placeholder::<f32>(&shape), placeholder::<f32>(&shape));
    let squares = square(y - (m * x + b));
    let loss = if samples.is_some() { reduce_mean(squares, ..) } else { squares };
    let train = GradientDescent::new(1e-3).minimize(loss);
    (x, y, loss, train, m, b)
}

fn step(samples: Option<usize>) -> Result<Runner> {
    let session = new_session();
    let (x, y, loss, train, ..) = training(samples);
    session.run(global_variables_initializer())?;
    let Some(samples) = samples else {
        return Ok(Box::new(move |n| {
            let run = prepared(&session, [x, y], (loss, train))?;
            timed(n, || run(black_box([0.5_f32; 2])), first_scalar)
        }));
    };
    let input = Value::full(0.5_f32.into(), [samples])?;
    Ok(Box::new(move |n| {
        let run = prepared(&session, [x, y], (loss, train))?;
        timed(n, || run(black_box([&input; 2])), first_scalar)
    }))
}

fn first_scalar((loss, ()): (Value, ())) -> Result<f32> {
    Ok(loss.to_scalar()?)
}

fn chain_10k() -> Result<Runner> {
    Ok(Box::new(|n| timed_parts(n, build_and_run_chain_10k)))
}

fn build_and_run_chain_10k() -> Result<(f32, Vec<f64>)> {
    let graph = Graph::new();
    let _default = graph.as_default();
    let start = Instant::now();
    let x = placeholder::<f32>([]);
    let y = (0..10_000).fold(x, |y, _| y + x);
    let built = start.elapsed();
    let value = Session::new().run_with(y, feeds![x => 1.0])?;
    let ran = start.elapsed() - built;
    Ok((value.to_scalar()?, vec![built.as_nanos() as f64, ran.as_nanos() as f64]))
}

fn tutorial(steps: u64, first: &mut dyn FnMut(f32)) -> Result<(f32, f32)> {
    let session = new_session();
    let (x, y, loss, train, m, b) = training(None);
    session.run(global_variables_initializer())?;
    let run = prepared(&session, [x, y], (loss, train))?;
    for (step, (input, target)) in (0..steps).zip(points()) {
        let (loss, ()) = run([input, target])?;
        if step == 0 {
            first(loss.to_scalar()?);
        }
    }
    Ok(session.run((m, b))?.into_scalars()?)
}
