//! A session under load from several threads.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Outcome, number};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tidemill::prelude::*;
use tidemill::{Cancellation, RunOptions};

const THREADS: usize = 8;

#[test]
fn eight_threads_of_a_thousand_additions_add_up() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (total, array) = (get_variable("total", [], zeros()), get_variable("array", [16], zeros()));
    let add = group([assign_add(total, 1.0).op(), assign_add(array, [1.0_f32; 16]).op()]);
    let session = Session::new();
    session.init_missing()?;
    let callable = session.callable(&[], add)?;
    thread::scope(|scope| {
        for i in 0..THREADS {
            let (session, callable) = (&session, &callable);
            scope.spawn(move || {
                for _ in 0..1000 {
                    // Half of the threads call, half run.
                    match i % 2 {
                        0 => callable.call(()).unwrap(),
                        _ => session.run(add).unwrap(),
                    }
                }
            });
        }
    });
    assert_eq!(number(&session, total), 8000.0);
    assert_eq!(session.run(array)?, Value::from([8000.0_f32; 16]));
    Ok(())
}

#[test]
fn readers_beside_a_writer_see_one_state_of_a_hundred_variables() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let variables: Vec<Variable> =
        (0..100).map(|i| get_variable(&format!("v{i}"), [4], zeros())).collect();
    let writes = variables.iter().map(|&v| assign_add(v, [1.0_f32; 4]).op());
    let step = group(writes.collect::<Vec<_>>());
    let session = Session::new();
    session.init_missing()?;
    let (read, write) = (session.callable(&[], variables)?, session.callable(&[], step)?);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut last = 0.0;
                    while !done.load(Ordering::Relaxed) {
                        let state = read.call(()).unwrap();
                        let first = state[0].as_slice::<f32>().unwrap()[0];
                        let whole = Value::from([first; 4]);
                        assert!(state.iter().all(|value| *value == whole));
                        assert!(first >= last, "{first} after {last}");
                        last = first;
                    }
                    last
                })
            })
            .collect();
        for _ in 0..2000 {
            write.call(()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| assert!(reader.join().unwrap() <= 2000.0));
    });
    Ok(())
}

/// A training step whose every node can be made to fail, by number.
#[test]
fn a_fault_at_any_step_of_a_training_leaves_all_variables_as_they_were() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let fault = placeholder::<i32>([]).named("fault");
    let checks = Cell::new(0);
    let fallible = |x: Tensor| {
        checks.update(|checks| checks + 1);
        let number = checks.get();
        let outputs = host_call([x, fault], [HostOutput::new::<f32>(x.shape())], move |inputs| {
            match inputs[1].to_scalar::<i32>()? == number {
                true => Err("a fault".into()),
                false => Ok(vec![inputs[0].clone()]),
            }
        });
        outputs[0]
    };
    let [weights, mean, spread] =
        ["weights", "mean", "spread"].map(|name| get_variable(name, [100], ones()));
    let steps = get_variable("steps", [], zeros());
    let gradient = fallible(square(fallible(weights + 0.0)) + 1.0);
    let mean_now = assign_add(mean, fallible((gradient - mean) * 0.1));
    let spread_now = assign_add(spread, fallible((square(gradient) - spread) * 0.001));
    let step = fallible(fallible(mean_now + 0.0) / (sqrt(spread_now) + 1e-8) * 0.001);
    let updated = assign_sub(weights, step);
    let counted = control_dependencies([updated], || assign_add(steps, 1.0));
    let table = get_variable("table", [8, 4], ones());
    let rows = gather(table, [3, 3, 0], 0);
    let scattered = scatter_sub(table, [3, 3, 0], fallible(rows * 0.1));
    let noise = random(Distribution::Uniform { min: 0.0, max: 1.0 }, [], DType::F32, None);
    let train = group([
        fallible(updated + 0.0).op(),
        fallible(counted + 0.0).op(),
        scattered.op(),
        noise.op(),
    ]);
    let session = Session::new();
    session.init_missing()?;
    let state = [weights, mean, spread, steps, table];
    for _ in 0..3 {
        session.run_with(train, feeds![fault => 0])?;
        let before = session.run(state)?;
        for number in 1..=checks.get() {
            let result = session.run_with(train, feeds![fault => number]);
            assert!(matches!(result, Err(RunError::Kernel(_))), "fault {number}");
            let after = session.run(state)?;
            assert!(before.iter().zip(&after).all(|(l, r)| l.bits_eq(r)), "fault {number}");
        }
    }
    Ok(())
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    graph.set_random_seed(3);
    let x = placeholder::<f32>([300, 200]);
    let weights = get_variable("weights", [200, 150], uniform(-0.1, 0.1));
    let hidden = tanh(matmul(x, weights));
    let loss = reduce_mean(square(softmax(hidden) - 0.01), ..);
    let train = GradientDescent::new(0.5).minimize(loss);
    let mut rng = StdRng::seed_from_u64(5);
    let input: Vec<f32> = (0..300 * 200).map(|_| rng.random()).collect();
    let input = Value::from(input).reshape([300, 200])?;
    let results = [1, 2, 3, 4].map(|threads| -> Result<_, RunError> {
        let options = SessionOptions { threads: Some(threads), ..SessionOptions::default() };
        let session = Session::with_options(&graph, options);
        session.init_missing()?;
        let step = session.callable(&[x], (loss, train))?;
        let losses =
            (0..5).map(|_| Ok(step.call((&input,))?.0)).collect::<Result<Vec<_>, RunError>>()?;
        Ok((losses, session.run(weights)?))
    });
    let [one, others @ ..] = results;
    let (losses, weights) = one?;
    for other in others {
        let (other_losses, other_weights) = other?;
        assert!(losses.iter().zip(&other_losses).all(|(l, r)| l.bits_eq(r)));
        assert!(weights.bits_eq(&other_weights));
    }
    Ok(())
}

/// How much memory the process holds, in KiB, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Runs, cancels, grows and finalizes from eight threads for `duration`; returns the number of
/// runs.
fn chaos(duration: Duration) -> u64 {
    let end = Instant::now() + duration;
    let mut runs = 0;
    while Instant::now() < end {
        runs += chaos_round(end);
    }
    runs
}

fn chaos_round(end: Instant) -> u64 {
    let graph = Graph::new();
    let session = {
        let _default = graph.as_default();
        let options =
            SessionOptions { warn_to: Sink::function(|_| {}), ..SessionOptions::default() };
        Arc::new(Session::with_options(&graph, options))
    };
    let (x, variables, total, step) = {
        let _default = graph.as_default();
        let x = placeholder::<f32>([64]);
        let variables: Vec<Variable> =
            (0..8).map(|i| get_variable(&format!("v{i}"), [64], zeros())).collect();
        let total = add_n(variables.iter().map(|&v| v * x).collect::<Vec<_>>());
        let step = group(variables.iter().map(|&v| assign_add(v, x).op()).collect::<Vec<_>>());
        (x, variables, total, step)
    };
    session.init_missing().unwrap();
    let until = end.min(Instant::now() + Duration::from_secs(2));
    let worker = |seed: u64| {
        let _default = graph.as_default();
        let mut rng = StdRng::seed_from_u64(seed);
        let mut runs = 0;
        while Instant::now() < until {
            runs += 1;
            let input = [rng.random::<f32>(); 64];
            match rng.random_range(0..100) {
                0..40 => drop(session.run_with(total, feeds![x => input]).unwrap()),
                40..70 => session.run_with(step, feeds![x => input]).unwrap(),
                70..85 => {
                    let state = session.run(&variables).unwrap();
                    assert!(state.iter().all(|value| *value == state[0]));
                }
                85..95 => {
                    let cancellation = Cancellation::new();
                    if rng.random() {
                        cancellation.cancel();
                    }
                    let timeout = Some(Duration::from_micros(rng.random_range(0..50)));
                    let cancellation = Some(cancellation);
                    let options = RunOptions { timeout, cancellation, ..RunOptions::default() };
                    let result = session.run_with_options(step, feeds![x => input], &options);
                    let expected = matches!(
                        result,
                        Ok(_) | Err(RunError::Cancelled | RunError::Timeout { .. })
                    );
                    assert!(expected);
                }
                95..99 => {
                    let doubled = total * 2.0;
                    let result = session.run_with(doubled, feeds![x => input]);
                    assert!(matches!(result, Ok(_) | Err(RunError::Invalid { .. })));
                }
                _ if rng.random_range(0..1000) == 0 => graph.finalize(),
                _ => {}
            }
        }
        runs
    };
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..THREADS as u64).map(|seed| scope.spawn(move || worker(seed))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    })
}

#[test]
fn chaos_of_a_few_seconds_neither_hangs_nor_breaks_a_promise() {
    assert!(chaos(Duration::from_secs(3)) > 100);
}

/// The command is in docs/reliability.md.
#[test]
#[ignore = "takes ten minutes"]
fn chaos_of_ten_minutes_holds_no_more_memory_at_the_end_than_after_the_first() {
    let mut runs = chaos(Duration::from_secs(60));
    let first = resident();
    runs += chaos(Duration::from_secs(540));
    let last = resident();
    println!("{runs} runs; {first:?} KiB after the first minute, {last:?} KiB at the end");
    if let (Some(first), Some(last)) = (first, last) {
        assert!(last <= first + first / 4 + 16 * 1024);
    }
}
