//! Runs with a time limit, with cancellation, checked for NaN, traced.

use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Outcome, number, relative};
use tidemill::prelude::*;
use tidemill::{Cancellation, RunOptions};

fn in_fresh_graph() -> (Session, tidemill::DefaultGraph) {
    let graph = Graph::new();
    let guard = graph.as_default();
    (Session::new(), guard)
}

/// A chain of this many steps of a millisecond each.
fn slow_chain(steps: usize) -> Tensor {
    (0..steps).fold(constant(0.0_f32), |x, _| {
        host_call([x], [HostOutput::new::<f32>([])], |inputs| {
            thread::sleep(Duration::from_millis(1));
            Ok(inputs.to_vec())
        })[0]
    })
}

#[test]
fn a_run_that_takes_too_long_ends_and_changes_nothing() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let state = get_variable("state", [], zeros());
    let slow = slow_chain(10_000);
    let write = assign(state, slow + 1.0);
    session.init_missing()?;
    let timeout = Some(Duration::from_millis(20));
    let options = RunOptions { timeout, ..RunOptions::default() };
    let begin = Instant::now();
    let result = session.run_with_options(write, feeds![], &options);
    assert!(begin.elapsed() < Duration::from_secs(5));
    let error = result.map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the run took longer than its timeout of 20ms; it has changed nothing"
    );
    assert_eq!(error.code(), tidemill::Code::DeadlineExceeded);
    assert_eq!(number(&session, state), 0.0);
    Ok(())
}

#[test]
fn another_thread_cancels_a_run() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let state = get_variable("state", [], zeros());
    let write = assign(state, slow_chain(10_000) + 1.0);
    session.init_missing()?;
    let cancellation = Cancellation::new();
    let options = RunOptions { cancellation: Some(cancellation.clone()), ..RunOptions::default() };
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(10));
            cancellation.cancel();
        });
        session.run_with_options(write, feeds![], &options).map(|_| ())
    });
    assert!(matches!(result, Err(RunError::Cancelled)));
    assert_eq!(number(&session, state), 0.0);
    Ok(())
}

#[test]
fn a_long_kernel_is_cancelled_between_its_parts() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let x = placeholder::<f32>([4096, 4096]);
    let product = matmul(matmul(x, x), matmul(x, x));
    let ones = Value::full(1.0_f32.into(), [4096, 4096])?;
    let callable = session.callable(&[x], product)?;
    let timeout = Some(Duration::from_millis(5));
    let options = RunOptions { timeout, ..RunOptions::default() };
    let result = callable.call_with_options((&ones,), &options).map(|_| ());
    assert!(matches!(result, Err(RunError::Timeout { .. })));
    Ok(())
}

#[test]
fn a_run_that_waits_for_a_variable_can_be_cancelled() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let state = get_variable("state", [], zeros());
    let (slow, quick) = (assign(state, slow_chain(100)), assign(state, 7.0));
    session.init_missing()?;
    thread::scope(|scope| {
        let waiting = scope.spawn(|| session.run(slow).map(|_| ()));
        thread::sleep(Duration::from_millis(20));
        let timeout = Some(Duration::from_millis(1));
        let options = RunOptions { timeout, ..RunOptions::default() };
        let result = session.run_with_options(quick, feeds![], &options).map(|_| ());
        assert!(matches!(result, Err(RunError::Timeout { .. })));
        waiting.join().unwrap()
    })?;
    assert_eq!(number(&session, state), 0.0);
    Ok(())
}

#[test]
fn a_run_cancelled_before_it_starts_does_nothing() {
    let (session, _default) = in_fresh_graph();
    let (x, count) = crate::common::counted(1.0_f32);
    let cancellation = Cancellation::new();
    cancellation.cancel();
    let options = RunOptions { cancellation: Some(cancellation), ..RunOptions::default() };
    let result = session.run_with_options(x, feeds![], &options).map(|_| ());
    assert!(matches!(result, Err(RunError::Cancelled)));
    assert_eq!(count.take(), 0);
}

#[track_caller]
fn non_finite<F: Fetch>(session: &Session, fetches: F, feeds: tidemill::Feeds) -> RunError {
    let options = RunOptions { check_numerics: true, ..RunOptions::default() };
    let error = session.run_with_options(fetches, feeds, &options).map(|_| ()).unwrap_err();
    assert!(matches!(error, RunError::NonFinite(_)), "{error}");
    error
}

#[test]
fn the_first_node_that_gives_nan_is_named_with_what_it_took() {
    let (session, _default) = in_fresh_graph();
    let x = placeholder::<f32>([3]).named("x");
    let base = line!();
    let root = sqrt(x - 2.0).named("root");
    let total = reduce_sum(root * 3.0, ..);
    let error = non_finite(&session, total, feeds![x => [3.0_f32, 1.0, 6.0]]);
    insta::assert_snapshot!(relative(error, file!(), base), @r"
    `root` gives NaN: 1 NaN, 1 to 2 among 3 elements
      --> +1:16 (of type Sqrt)
      input: `sub`, float32[3], values: -1 to 4 among 3 elements (+1:21)
    ");
}

#[test]
fn infinity_is_found_even_where_constants_alone_give_it() {
    let (session, _default) = in_fresh_graph();
    let base = line!();
    let quotient = constant(1.0_f32) / constant(0.0_f32);
    let error = non_finite(&session, quotient * 0.5, feeds![]);
    insta::assert_snapshot!(relative(error, file!(), base), @r"
    `truediv` gives infinity: 1 infinite
      --> +1:20 (of type RealDiv)
      input: `Const`, float32[], values: 1 (+1:20)
      input: `Const_1`, float32[], values: 0 (+1:40)
    ");
}

#[test]
fn an_update_that_gives_nan_is_found_and_changes_nothing() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let weights = get_variable("weights", [2], ones());
    let x = placeholder::<f32>([2]);
    let train = GradientDescent::new(1e30).minimize(reduce_sum(square(weights * x), ..));
    session.init_missing()?;
    let error = non_finite(&session, train, feeds![x => [1e10_f32, 1.0]]);
    assert!(error.to_string().contains("of type ApplyGradientDescent"), "{error}");
    assert_eq!(session.run(weights)?, Value::from([1.0_f32, 1.0]));
    Ok(())
}

#[test]
fn a_run_without_nan_passes_and_gives_the_same_bits() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let x = placeholder::<f32>([3]);
    let y = reduce_sum(exp(x) * 2.0, ..);
    let options = RunOptions { check_numerics: true, ..RunOptions::default() };
    let checked = session.run_with_options(y, feeds![x => [0.5_f32, 1.0, -3.0]], &options)?;
    let plain = session.run_with(y, feeds![x => [0.5_f32, 1.0, -3.0]])?;
    assert!(checked.output.bits_eq(&plain));
    Ok(())
}

#[test]
fn a_trace_tells_what_the_steps_took() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let x = placeholder::<f32>([10]).named("x");
    let weights = get_variable("weights", [10], ones());
    let loss = reduce_sum(square(weights * x), ..).named("loss");
    let train = GradientDescent::new(0.1).minimize(loss);
    session.init_missing()?;
    let options = RunOptions { trace: true, ..RunOptions::default() };
    let run = session.run_with_options((loss, train), feeds![x => [1.0_f32; 10]], &options)?;
    let trace = run.trace.ok_or("there is a trace")?;
    assert_eq!(trace.steps.len() as u64, run.stats.steps);
    let square = trace.steps.iter().find(|step| step.op == "Square").ok_or("it squares")?;
    assert_eq!((square.name.as_str(), square.bytes), ("Square", 40));
    assert!(square.location.starts_with(concat!(file!(), ":")), "{}", square.location);
    assert!(trace.steps.is_sorted_by_key(|step| step.start));
    let update = trace.steps.last().ok_or("there are steps")?;
    assert_eq!(update.op, "ApplyGradientDescent");

    let table = trace.to_string();
    for column in ["op", "calls", "µs", "bytes", "Square", "ApplyGradientDescent"] {
        assert!(table.contains(column), "no {column} in\n{table}");
    }
    let json: serde_json::Value = serde_json::from_str(&trace.to_chrome_json())?;
    let events = json["traceEvents"].as_array().ok_or("a list of events")?;
    assert_eq!(events.len(), trace.steps.len());
    for key in ["name", "ph", "ts", "dur", "pid", "tid", "args"] {
        assert!(events.iter().all(|event| !event[key].is_null()), "no {key}");
    }
    Ok(())
}

#[test]
fn a_run_that_is_not_traced_has_no_trace() -> Outcome {
    let (session, _default) = in_fresh_graph();
    let run = session.run_with_options(constant(1), feeds![], &RunOptions::default())?;
    assert!(run.trace.is_none());
    assert_eq!(run.stats, tidemill::RunStats::default());
    Ok(())
}
