//! Conditionals and loops: which bodies run, when, and with which values.

use crate::common::{Outcome, in_both_modes, number};
use tidemill::prelude::*;

fn own_graph() -> tidemill::DefaultGraph {
    Graph::new().as_default()
}

#[test]
fn a_cond_gives_what_the_branch_gives_that_is_taken() -> Outcome {
    let _graph = own_graph();
    let x = placeholder::<f32>([]);
    let y = cond(greater(x, 0.0), || x * 2.0, || x - 1.0);
    for session in in_both_modes() {
        assert_eq!(session.run_with(y, feeds![x => 3.0])?.to_string(), "6.0");
        assert_eq!(session.run_with(y, feeds![x => -3.0])?.to_string(), "-4.0");
    }
    Ok(())
}

#[test]
fn a_loop_runs_as_long_as_its_condition_holds() -> Outcome {
    let _graph = own_graph();
    let limit = placeholder::<i64>([]);
    let (count, sum) = while_loop(
        (constant(0_i64), constant(0_i64)),
        |(i, _)| less(i, limit),
        |(i, sum)| (i + 1, sum + i),
    );
    for session in in_both_modes() {
        let (count, sum) = session.run_with((count, sum), feeds![limit => 10_i64])?;
        assert_eq!((count.to_string(), sum.to_string()), ("10".to_owned(), "45".to_owned()));
    }
    Ok(())
}

#[test]
fn a_loop_without_iterations_gives_what_it_begins_with() -> Outcome {
    let _graph = own_graph();
    let x = placeholder::<f32>([2]);
    let (_, y) = while_loop((constant(5), x), |(i, _)| less(i, 5), |(i, y)| (i + 1, y * 2.0));
    for session in in_both_modes() {
        assert_eq!(session.run_with(y, feeds![x => [1.0_f32, 2.0]])?.to_string(), "[1.0, 2.0]");
    }
    Ok(())
}

#[test]
fn loops_three_deep_count_what_nested_loops_count() -> Outcome {
    let _graph = own_graph();
    let n = placeholder::<i32>([]);
    let inner = |total: Tensor| {
        while_loop((constant(0), total), |(k, _)| less(k, n), |(k, total)| (k + 1, total + 1)).1
    };
    let middle = |total: Tensor| {
        while_loop((constant(0), total), |(j, _)| less(j, n), |(j, total)| (j + 1, inner(total))).1
    };
    let (_, total) = while_loop(
        (constant(0), constant(0)),
        |(i, _)| less(i, n),
        |(i, total)| (i + 1, middle(total)),
    );
    for session in in_both_modes() {
        assert_eq!(session.run_with(total, feeds![n => 4])?.to_string(), "64");
        assert_eq!(session.run_with(total, feeds![n => 0])?.to_string(), "0");
    }
    Ok(())
}

#[test]
fn a_cond_in_a_while_in_a_cond_takes_its_branch_in_each_iteration() -> Outcome {
    let _graph = own_graph();
    let (go, n) = (placeholder::<bool>([]), placeholder::<i32>([]));
    let steps = cond(
        go,
        || {
            let collatz =
                |x: Tensor| cond(equal(floor_mod(x, 2), 0), || floor_div(x, 2), || x * 3 + 1);
            while_loop(
                (n, constant(0)),
                |(x, _)| greater(x, 1),
                |(x, steps)| (collatz(x), steps + 1),
            )
            .1
        },
        || constant(-1),
    );
    for session in in_both_modes() {
        assert_eq!(session.run_with(steps, feeds![go => true, n => 27])?.to_string(), "111");
        assert_eq!(session.run_with(steps, feeds![go => false, n => 27])?.to_string(), "-1");
    }
    Ok(())
}

#[test]
fn branches_may_differ_in_shape() -> Outcome {
    let _graph = own_graph();
    let (p, x) = (placeholder::<bool>([]), placeholder::<f32>([2]));
    let y = cond(p, || concat([x, x], 0), || x * 3.0);
    assert_eq!(y.shape().to_string(), "[?]");
    for session in in_both_modes() {
        let run = |taken: bool| session.run_with(y, feeds![p => taken, x => [1.0_f32, 2.0]]);
        assert_eq!(run(true)?.to_string(), "[1.0, 2.0, 1.0, 2.0]");
        assert_eq!(run(false)?.to_string(), "[3.0, 6.0]");
    }
    Ok(())
}

#[test]
fn a_loop_assigns_to_a_variable_in_each_iteration_and_reads_what_it_assigned() -> Outcome {
    let _graph = own_graph();
    let v = get_variable("v", [], constant_initializer(1.0));
    let last = while_loop(
        (constant(0), constant(0.0_f32)),
        |(i, _)| less(i, 5),
        |(i, _)| {
            // The read gives the value at the start of the iteration.
            let before = v + 0.0;
            assign(v, v * 2.0);
            (i + 1, before)
        },
    )
    .1;
    for session in in_both_modes() {
        session.init_missing()?;
        assert_eq!(session.run(last)?.to_string(), "16.0");
        assert_eq!(number(&session, v), 32.0);
    }
    Ok(())
}

#[test]
fn only_the_branch_that_is_taken_writes_its_variable() -> Outcome {
    let _graph = own_graph();
    let (p, v) = (placeholder::<bool>([]), get_variable("v", [], zeros()));
    let update = cond(p, || assign_add(v, 1.0).op(), || assign_add(v, 10.0).op());
    for session in in_both_modes() {
        session.init_missing()?;
        session.run_with(update, feeds![p => true])?;
        assert_eq!(number(&session, v), 1.0);
        session.run_with(update, feeds![p => false])?;
        assert_eq!(number(&session, v), 11.0);
    }
    Ok(())
}

#[test]
fn a_print_inside_a_loop_prints_in_each_iteration_in_order() -> Outcome {
    let _graph = own_graph();
    let n = while_loop(
        constant(0),
        |i| less(i, 3),
        |i| {
            let _ = print(i, [i]);
            let _ = print(i * 10, [i * 10]);
            i + 1
        },
    );
    let (sink, lines) = Sink::lines();
    let options = SessionOptions { print_to: sink, ..SessionOptions::default() };
    Session::with_options(&default_graph(), options).run(n)?;
    assert_eq!(lines.take(), ["[0]", "[0]", "[1]", "[10]", "[2]", "[20]"]);
    Ok(())
}

#[test]
fn what_only_one_branch_needs_is_computed_only_where_that_is_taken() -> Outcome {
    let _graph = own_graph();
    let x = placeholder::<i32>([]);
    // Built outside, and it fails for zero.
    let quotient = floor_div(36, x);
    let y = cond(not_equal(x, 0), || quotient * 2, || constant(0));
    for session in in_both_modes() {
        assert_eq!(session.run_with(y, feeds![x => 9])?.to_string(), "8");
        assert_eq!(session.run_with(y, feeds![x => 0])?.to_string(), "0");
        // A value that something else needs as well is computed.
        assert!(session.run_with((y, quotient), feeds![x => 0]).is_err());
    }
    Ok(())
}

/// Values and gradients of a loop and of the same steps one after the other must be equal.
fn check_against_unrolled(
    step: impl Fn(Tensor, Tensor) -> Tensor,
    steps: i32,
    x: [f64; 2],
) -> Outcome {
    let _graph = own_graph();
    let (start, factor) = (placeholder::<f64>([2]), placeholder::<f64>([2]));
    let looped = while_loop(
        (constant(0), start),
        |(i, _)| less(i, steps),
        |(i, y)| (i + 1, step(y, factor)),
    )
    .1;
    let unrolled = (0..steps).fold(start, |y, _| step(y, factor));
    let derivatives = |y: Tensor| {
        let first = gradients([y], [start, factor]);
        let second = gradients(first.iter().copied().flatten(), [start, factor]);
        let of_x = |gradient: Option<Tensor>| gradient.unwrap_or(zeros_like(start));
        first.into_iter().chain(second).map(of_x).collect::<Vec<Tensor>>()
    };
    let (of_loop, of_unrolled) = (derivatives(looped), derivatives(unrolled));
    default_graph().check()?;
    for session in in_both_modes() {
        let feeds = feeds![start => x, factor => [0.5_f64, 1.5]];
        let (left, right, grads, expected) =
            session.run_with((looped, unrolled, of_loop.clone(), of_unrolled.clone()), feeds)?;
        assert_eq!(left.to_string(), right.to_string());
        for (grad, expected) in grads.iter().zip(&expected) {
            let pairs = grad.as_slice::<f64>()?.iter().zip(expected.as_slice::<f64>()?);
            for (grad, expected) in pairs {
                let error = (grad - expected).abs();
                assert!(error <= 1e-12 * expected.abs(), "{grad} is not {expected}");
            }
        }
    }
    Ok(())
}

#[test]
fn gradients_of_a_loop_are_those_of_the_same_steps_unrolled() -> Outcome {
    check_against_unrolled(|y, w| tanh(y * w) + sin(y), 4, [0.3, -0.7])?;
    check_against_unrolled(|y, w| y * w * w, 3, [2.0, -1.0])?;
    check_against_unrolled(|y, _| square(y), 0, [2.0, -1.0])?;
    // A loop in a loop.
    check_against_unrolled(
        |y, w| while_loop((constant(0), y), |(j, _)| less(j, 2), |(j, z)| (j + 1, sin(z * w))).1,
        3,
        [0.4, 0.9],
    )?;
    // A branch in a loop.
    check_against_unrolled(
        |y, w| cond(greater(reduce_sum(y, ..), 0.5), || y * w, || exp(y) * w),
        4,
        [0.4, 0.9],
    )
}

#[test]
fn gradients_of_a_branch_are_those_of_the_one_that_is_taken() -> Outcome {
    let _graph = own_graph();
    let (p, x) = (placeholder::<bool>([]), placeholder::<f32>([]));
    let y = cond(p, || x * x * x, || constant(2.0_f32));
    let slope = gradients([y], [x])[0].unwrap();
    let curvature = gradients([slope], [x])[0].unwrap();
    for session in in_both_modes() {
        let run = |taken: bool| -> Result<(f32, f32), RunError> {
            let values = session.run_with((slope, curvature), feeds![p => taken, x => 3.0])?;
            Ok(values.into_scalars().unwrap())
        };
        assert_eq!(run(true)?, (27.0, 18.0));
        assert_eq!(run(false)?, (0.0, 0.0));
    }
    Ok(())
}

#[test]
fn a_gradient_runs_the_loop_once_with_its_effects() -> Outcome {
    let _graph = own_graph();
    let (x, v) = (placeholder::<f32>([]), get_variable("v", [], zeros()));
    let y = while_loop(
        (constant(0), x),
        |(i, _)| less(i, 3),
        |(i, y)| {
            let _ = print(i, [i]);
            assign_add(v, 1.0);
            (i + 1, y * y)
        },
    )
    .1;
    let slope = gradients([y], [x])[0].unwrap();
    let (sink, lines) = tidemill::Sink::lines();
    let options = SessionOptions { print_to: sink, ..SessionOptions::default() };
    let session = Session::with_options(&default_graph(), options);
    session.init_missing()?;
    let values = session.run_with((y, slope), feeds![x => 2.0])?.into_scalars()?;
    assert_eq!(values, (256.0_f32, 1024.0_f32));
    assert_eq!(lines.take(), ["[0]", "[1]", "[2]"]);
    assert_eq!(number(&session, v), 3.0);
    Ok(())
}

#[test]
fn a_gradient_flows_through_a_loop_to_a_variable_that_is_read_inside() -> Outcome {
    for is_resource in [false, true] {
        let _graph = own_graph();
        let start = constant_initializer(0.5);
        let w = variable("w", []).initializer(start).resource(is_resource).get();
        let y = while_loop(
            (constant(0), constant(3.0_f32)),
            |(i, _)| less(i, 4),
            |(i, y)| (i + 1, y * w),
        )
        .1;
        let slope = gradients([y], [w.read()])[0].unwrap();
        let train = GradientDescent::new(0.1).minimize(y);
        for session in in_both_modes() {
            session.init_missing()?;
            assert_eq!(number(&session, slope), 4.0 * 3.0 * 0.125);
            session.run(train)?;
            assert_eq!(number(&session, w), 0.5 - 0.15);
        }
    }
    Ok(())
}

#[test]
fn gradients_are_applied_only_where_the_branch_is_taken_that_applies_them() -> Outcome {
    let _graph = own_graph();
    let (p, w) = (placeholder::<bool>([]), get_variable("w", [2], ones()));
    let optimizer = Adam::new(0.5);
    let gradients = optimizer.compute_gradients(reduce_sum(square(w), ..), &Default::default());
    let update = cond(p, || optimizer.apply_gradients(&gradients, None), no_op);
    default_graph().check()?;
    for session in in_both_modes() {
        session.run(w.initializer())?;
        session.run_with(update, feeds![p => false])?;
        assert_eq!(session.run(w)?.to_string(), "[1.0, 1.0]");
        session.run_with(update, feeds![p => true])?;
        assert!(session.run(w)?.as_slice::<f32>()?.iter().all(|w| (w - 0.5).abs() < 1e-6));
    }
    Ok(())
}

#[test]
fn a_gradient_can_be_taken_inside_a_body() -> Outcome {
    let _graph = own_graph();
    // Newton's method for the root of x * x - 2.
    let root = while_loop(
        (constant(0), constant(1.0_f64)),
        |(i, _)| less(i, 8),
        |(i, x)| {
            let y = x * x - 2.0;
            (i + 1, x - y / gradients([y], [x])[0].unwrap())
        },
    )
    .1;
    for session in in_both_modes() {
        let root: f64 = session.run(root)?.to_scalar()?;
        assert!((root - 2.0_f64.sqrt()).abs() < 1e-15);
    }
    Ok(())
}

#[test]
fn inside_a_body_gradients_flow_to_tensors_and_variables_outside() -> Outcome {
    let _graph = own_graph();
    let (x, w) = (placeholder::<f32>([]), get_variable("w", [], constant_initializer(3.0)));
    let slopes = cond(
        greater(x, 0.0),
        || {
            let y = x * x * w;
            gradients([y], [x, w.read()]).into_iter().flatten().collect::<Vec<_>>()
        },
        || vec![zeros_like(x), zeros_like(x)],
    );
    default_graph().check()?;
    for session in in_both_modes() {
        session.init_missing()?;
        let values = session.run_with(slopes.clone(), feeds![x => 2.0])?;
        assert_eq!(values.iter().map(Value::to_string).collect::<Vec<_>>(), ["12.0", "4.0"]);
    }
    Ok(())
}

#[test]
fn branches_may_be_thirty_deep() -> Outcome {
    fn deeper(depth: i32, x: Tensor) -> Tensor {
        match depth {
            0 => x * x,
            _ => cond(greater(x, 0.0), || deeper(depth - 1, x + 1.0), || x),
        }
    }
    let _graph = own_graph();
    let x = placeholder::<f32>([]);
    let y = deeper(30, x);
    let slope = gradients([y], [x])[0].unwrap();
    for session in in_both_modes() {
        let values = session.run_with((y, slope), feeds![x => 1.0])?.into_scalars()?;
        assert_eq!(values, (961.0_f32, 62.0_f32));
    }
    Ok(())
}

#[test]
fn random_numbers_differ_from_iteration_to_iteration_and_come_again_with_the_seed() -> Outcome {
    let _graph = own_graph();
    let draws = |seed: Option<i64>| {
        while_loop(
            (constant(0), constant(0.0_f64), constant(0.0_f64)),
            |(i, ..)| less(i, 2),
            |(i, _, last)| {
                (
                    i + 1,
                    last,
                    random(Distribution::Uniform { min: 0.0, max: 1.0 }, [], DType::F64, seed),
                )
            },
        )
    };
    let (free, seeded) = (draws(None), draws(Some(3)));
    let run = || -> Result<Vec<f64>, Box<dyn std::error::Error>> {
        let options = SessionOptions { seed: Some(7), ..SessionOptions::default() };
        let session = Session::with_options(&default_graph(), options);
        let mut drawn = Vec::new();
        for _ in 0..2 {
            let ((_, a, b), (_, c, d)) = session.run((free, seeded))?;
            for value in [a, b, c, d] {
                drawn.push(value.to_scalar::<f64>()?);
            }
        }
        Ok(drawn)
    };
    let (first, again) = (run()?, run()?);
    assert_eq!(first, again);
    let mut different = first.clone();
    different.sort_by(f64::total_cmp);
    different.dedup();
    assert_eq!(different.len(), first.len());
    Ok(())
}
