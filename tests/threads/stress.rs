//! A session under load from several threads.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::common::{Outcome, number};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tidemill::prelude::*;

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

/// A training step in which any node can be made to fail, by number.
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
