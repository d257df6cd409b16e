//! Assertions that only one branch needs, and variables whose shapes change.

use crate::common::{Outcome, in_both_modes};
use tidemill::custom::NodeBuilder;
use tidemill::prelude::*;
use tidemill::{import_graph_def, to_graph_def};
use tidemill_ops::ops::assign::ASSIGN;

fn own_graph() -> tidemill::DefaultGraph {
    Graph::new().as_default()
}

/// NaN, unknown before the run.
fn nan() -> Tensor {
    log(placeholder_with_default(-1.0_f32, []))
}

#[test]
fn a_check_that_one_branch_needs_runs_where_that_is_taken() -> Outcome {
    let _graph = own_graph();
    let c = placeholder::<bool>([]);
    let checked = check_numerics(nan(), "it is checked");
    let y = cond(c, || checked * 2.0, || constant(1.0_f32));
    for session in in_both_modes() {
        assert_eq!(session.run_with(y, feeds![c => false])?.to_string(), "1.0");
        let error = session.run_with(y, feeds![c => true]).unwrap_err().to_string();
        assert!(error.contains("it is checked"), "{error}");
    }
    Ok(())
}

#[test]
fn an_assertion_that_one_branch_needs_by_control_runs_where_that_is_taken() -> Outcome {
    let _graph = own_graph();
    let (c, x) = (placeholder::<bool>([]), placeholder::<f32>([]));
    let assertion = assert(greater(x, 0.0), [x]);
    let asserted = control_dependencies([assertion], || identity(x));
    let y = cond(c, || asserted * 2.0, || constant(1.0_f32));
    for session in in_both_modes() {
        assert_eq!(session.run_with(y, feeds![c => false, x => -1.0])?.to_string(), "1.0");
        assert_eq!(session.run_with(y, feeds![c => true, x => 2.0])?.to_string(), "4.0");
        assert!(session.run_with(y, feeds![c => true, x => -1.0]).is_err());
    }
    Ok(())
}

#[test]
fn an_assertion_that_one_branch_needs_by_way_of_others_runs_where_that_is_taken() -> Outcome {
    let _graph = own_graph();
    let (c, x) = (placeholder::<bool>([]), placeholder::<f32>([]));
    let assertion = assert(greater(x, 0.0), [x]);
    // The constant is created under the control dependency, too.
    let doubled = control_dependencies([assertion], || x * 2.0);
    let y = exp(doubled) + 1.0;
    let z = cond(c, || y * 3.0, || constant(1.0_f32));
    for session in in_both_modes() {
        assert_eq!(session.run_with(z, feeds![c => false, x => -1.0])?.to_string(), "1.0");
        assert!(session.run_with(z, feeds![c => true, x => -1.0]).is_err());
    }
    Ok(())
}

#[test]
fn a_failure_in_a_body_whose_gradient_runs_too_names_the_node() {
    let _graph = own_graph();
    let x = placeholder::<f32>([]);
    let y = cond(greater(x, 0.0), || square(check_numerics(exp(x), "too large")), || x * 1.0);
    let gradient = gradients([y], [x])[0].unwrap();
    for session in in_both_modes() {
        let error = session.run_with((y, gradient), feeds![x => 1e3]).unwrap_err().to_string();
        assert!(error.contains("too large") && error.contains("CheckNumerics"), "{error}");
    }
}

#[test]
fn a_body_built_after_an_unchecked_assignment_does_not_rely_on_the_declared_shape() -> Outcome {
    let _graph = own_graph();
    let v = get_variable("v", [2], constant([1.0_f32, 2.0]));
    let value = placeholder::<f32>(shape![?]);
    let assigned = assign_any(v, value);
    let y = cond(constant(true), || reduce_sum(square(v), ..), || constant(0.0_f32));
    let gradient = gradients([y], [v])[0].unwrap();
    for session in in_both_modes() {
        session.init_missing()?;
        session.run_with(assigned, feeds![value => vec![1.0_f32, 2.0, 3.0]])?;
        assert_eq!(session.run(gradient)?.to_string(), "[2.0, 4.0, 6.0]");
    }
    Ok(())
}

#[test]
fn an_assertion_that_is_fetched_targeted_or_needed_elsewhere_runs() -> Outcome {
    let _graph = own_graph();
    let c = placeholder::<bool>([]);
    let checked = check_numerics(nan(), "it is checked");
    let y = cond(c, || checked * 2.0, || constant(1.0_f32));
    let both = cond(c, || checked * 2.0, || checked * 3.0);
    let beside = checked + 1.0;
    let (x, assertion) = {
        let x = placeholder_with_default(-1.0_f32, []);
        (x, assert(greater(x, 0.0), [x]))
    };
    let asserted = control_dependencies([assertion], || identity(x));
    let z = cond(c, || asserted * 2.0, || constant(1.0_f32));
    for session in in_both_modes() {
        let off = || feeds![c => false];
        assert!(session.run_with((y, checked), off()).is_err());
        assert!(session.run_with((y, checked.op()), off()).is_err());
        assert!(session.run_with((y, beside), off()).is_err());
        assert!(session.run_with(both, off()).is_err());
        assert!(session.run_with((z, assertion), off()).is_err());
        session.run_with(z, off())?;
    }
    Ok(())
}

/// A placeholder and an assertion that what is fed for it is positive.
fn asserted() -> (Tensor, Operation) {
    let x = placeholder::<f32>([]);
    (x, assert(greater(x, 0.0), [x]))
}

#[test]
fn an_assertion_that_an_operation_inside_a_branch_depends_on_runs_where_that_is_taken() -> Outcome {
    let _graph = own_graph();
    let (i, (x, assertion)) = (placeholder::<i32>([]), asserted());
    let grouped = group([assertion]);
    let checked = identity(check_numerics(log(x), "it is checked"));
    let controlled = |by: Operation| control_dependencies([by], || constant(1.0_f32));
    let of_cond = cond(equal(i, 0), || controlled(assertion), || constant(2.0_f32));
    let of_else = cond(equal(i, 1), || constant(2.0_f32), || controlled(grouped));
    let branches: [&dyn Fn() -> Tensor; 2] = [&|| controlled(checked.op()), &|| constant(2.0_f32)];
    let of_switch = switch_case(i, branches);
    for session in in_both_modes() {
        for y in [of_cond, of_else, of_switch] {
            assert_eq!(session.run_with(y, feeds![i => 1, x => -1.0])?.to_string(), "2.0");
            assert_eq!(session.run_with(y, feeds![i => 0, x => 3.0])?.to_string(), "1.0");
            assert!(session.run_with(y, feeds![i => 0, x => -1.0]).is_err());
        }
    }
    Ok(())
}

#[test]
fn an_assertion_that_an_operation_two_branches_deep_depends_on_runs_where_the_outer_is_taken()
-> Outcome {
    let _graph = own_graph();
    let (c, d, (x, assertion)) = (placeholder::<bool>([]), placeholder::<bool>([]), asserted());
    let controlled = || control_dependencies([assertion], || constant(1.0_f32));
    let in_branch = cond(c, || cond(d, controlled, || constant(2.0_f32)), || constant(3.0_f32));
    let in_loop = cond(
        c,
        || while_loop(constant(0.0_f32), |x| less(x, 1.0), |x| x + controlled()),
        || constant(3.0_f32),
    );
    let around = cond(
        c,
        || {
            control_dependencies([assertion], || {
                cond(d, || constant(1.0_f32), || constant(2.0_f32))
            })
        },
        || constant(3.0_f32),
    );
    for session in in_both_modes() {
        for y in [in_branch, in_loop, around] {
            let run = |taken: bool, positive: f32| {
                session.run_with(y, feeds![c => taken, d => true, x => positive])
            };
            assert_eq!(run(false, -1.0)?.to_string(), "3.0");
            assert_eq!(run(true, 1.0)?.to_string(), "1.0");
            assert!(run(true, -1.0).is_err());
        }
    }
    Ok(())
}

#[test]
fn an_assertion_that_an_operation_inside_a_branch_depends_on_runs_if_it_is_needed_elsewhere()
-> Outcome {
    let _graph = own_graph();
    let (c, (x, assertion)) = (placeholder::<bool>([]), asserted());
    let controlled = || control_dependencies([assertion], || constant(1.0_f32));
    let of_one = cond(c, controlled, || constant(2.0_f32));
    let of_both = cond(c, controlled, || controlled() + 1.0);
    let of_itself = control_dependencies([assertion], || cond(c, controlled, || constant(2.0_f32)));
    let beside = control_dependencies([assertion], || identity(x));
    let other = cond(c, || constant(1.0_f32), controlled);
    for session in in_both_modes() {
        let off = || feeds![c => false, x => -1.0];
        assert_eq!(session.run_with(of_one, off())?.to_string(), "2.0");
        assert!(session.run_with(of_both, off()).is_err());
        assert!(session.run_with(of_itself, off()).is_err());
        assert!(session.run_with((of_one, assertion), off()).is_err());
        assert!(session.run_with((of_one, beside), off()).is_err());
        assert!(session.run_with((of_one, other), off()).is_err());
    }
    Ok(())
}

#[test]
fn an_assertion_that_an_operation_inside_a_loop_depends_on_runs_before_the_loop() -> Outcome {
    let _graph = own_graph();
    let (n, (x, assertion)) = (placeholder::<f32>([]), asserted());
    let controlled = || control_dependencies([assertion], || constant(1.0_f32));
    let in_body = while_loop(constant(0.0_f32), |i| less(i, n), |i| i + controlled());
    let in_test = while_loop(constant(0.0_f32), |i| less(i, n * controlled()), |i| i + 1.0);
    let mapped = reduce_sum(map_fn(fill([1], n), |n| n * controlled()), ..);
    for session in in_both_modes() {
        for y in [in_body, in_test, mapped] {
            assert_eq!(session.run_with(y, feeds![n => 2.0, x => 1.0])?.to_string(), "2.0");
            assert!(session.run_with(y, feeds![n => 2.0, x => -1.0]).is_err());
            assert!(session.run_with(y, feeds![n => 0.0, x => -1.0]).is_err());
        }
    }
    Ok(())
}

#[test]
fn an_assertion_waits_for_the_branch_that_depends_on_it_beside_a_gradient_too() -> Outcome {
    let _graph = own_graph();
    let (c, (x, assertion)) = (placeholder::<bool>([]), asserted());
    let y = cond(c, || control_dependencies([assertion], || exp(exp(x))), || x * 2.0);
    let gradient = gradients([y], [x])[0].unwrap();
    for session in in_both_modes() {
        let (_, slope) = session.run_with((y, gradient), feeds![c => false, x => -1.0])?;
        assert_eq!(slope.to_string(), "2.0");
        assert!(session.run_with((y, gradient), feeds![c => true, x => -1.0]).is_err());
    }
    Ok(())
}

#[test]
fn a_check_that_a_branch_and_its_gradient_need_runs_where_the_branch_is_taken() -> Outcome {
    let _graph = own_graph();
    let (c, x) = (placeholder::<bool>([]), placeholder::<f32>([]));
    let checked = check_numerics(log(x), "it is checked");
    let y = cond(c, || square(exp(checked)), || constant(1.0_f32));
    let by_x = gradients([y], [x])[0].unwrap();
    let by_check = gradients([y], [checked])[0].unwrap();
    let again = cond(c, || checked * 1.0, || constant(1.0_f32));
    let opposite = cond(c, || constant(1.0_f32), || checked * 1.0);
    for session in in_both_modes() {
        let fetches = (y, by_x, by_check, again);
        let values = session.run_with(fetches, feeds![c => false, x => -1.0])?;
        let found: (f32, f32, f32, f32) = values.into_scalars()?;
        assert_eq!(found, (1.0, 0.0, 0.0, 1.0));
        let values = session.run_with(fetches, feeds![c => true, x => 1.0])?;
        let found: (f32, f32, f32, f32) = values.into_scalars()?;
        assert_eq!(found, (1.0, 2.0, 2.0, 0.0));
        assert!(session.run_with(fetches, feeds![c => true, x => -1.0]).is_err());
        assert!(session.run_with([y, opposite], feeds![c => false, x => -1.0]).is_err());
    }
    Ok(())
}

#[test]
fn a_graph_read_from_a_file_runs_the_assertions_that_its_branches_depend_on() -> Outcome {
    let message = {
        let _graph = own_graph();
        let (c, (x, assertion)) = (placeholder::<bool>([]), asserted());
        let then = || control_dependencies([assertion], || x * 1.0);
        let _ = cond(c, then, || constant(2.0_f32));
        to_graph_def(&default_graph())?
    };
    let _graph = own_graph();
    import_graph_def(&message)?;
    for session in in_both_modes() {
        let y = |c: bool, x: f32| {
            session.run_with("cond:0", feeds!["Placeholder:0" => c, "Placeholder_1:0" => x])
        };
        assert_eq!(y(true, 1.0)?.to_string(), "1.0");
        assert_eq!(y(false, 1.0)?.to_string(), "2.0");
        assert!(y(true, -1.0).is_err() && y(false, -1.0).is_err());
    }
    Ok(())
}

#[test]
fn what_may_fail_waits_for_its_branch_even_where_the_branch_does_nothing_with_it() -> Outcome {
    let _graph = own_graph();
    let (c, i) = (placeholder::<bool>([]), placeholder::<i32>([]));
    let picked = gather(constant([1.0_f32, 2.0]), i, 0);
    let y = cond(c, || select(constant(true), constant(3.0_f32), picked), || constant(1.0_f32));
    for session in in_both_modes() {
        assert_eq!(session.run_with(y, feeds![c => false, i => 7])?.to_string(), "1.0");
        assert!(session.run_with(y, feeds![c => true, i => 7]).is_err());
    }
    Ok(())
}

/// An assignment that does not check shapes.
fn assign_any(variable: Variable, value: Tensor) -> Tensor {
    let node = NodeBuilder::new(&ASSIGN).input(variable).input(value).attr("validate_shape", false);
    node.build().output(0).into()
}

#[test]
fn the_shape_of_a_variable_is_what_an_unchecked_assignment_made_it() -> Outcome {
    let _graph = own_graph();
    let v = get_variable("v", [2], constant([1.0_f32, 2.0]));
    let value = placeholder::<f32>(shape![..]);
    let before = (shape(v), size(v), v * constant([1.0_f32]));
    let sessions = in_both_modes();
    for session in &sessions {
        session.init_missing()?;
        // These plans know nothing of the assignment.
        assert_eq!(session.run(before.0)?.to_string(), "[2]");
    }
    let assigned = assign_any(v, value);
    let after = (shape(v), reduce_sum(v, ..), rank(v), zeros_like(v), reduce_mean(v, 0));
    for session in &sessions {
        session.run_with(assigned, feeds![value => [[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]]])?;
        let (shape, size, same) = session.run(before)?;
        assert_eq!((shape.to_string(), size.to_string()), ("[2, 3]".into(), "6".into()));
        assert_eq!(same.shape().to_string(), "[2, 3]");
        let (shape, sum, rank, zeros, mean) = session.run(after)?;
        assert_eq!(shape.to_string(), "[2, 3]");
        assert_eq!(sum.to_string(), "21.0");
        assert_eq!(rank.to_string(), "2");
        assert_eq!(zeros.to_string(), "[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]");
        assert_eq!(mean.to_string(), "[2.5, 3.5, 4.5]");
    }
    Ok(())
}

#[test]
fn an_unchecked_assignment_is_seen_by_callables_bodies_and_later_reads() -> Outcome {
    let _graph = own_graph();
    let v = get_variable("v", [2], constant([1.0_f32, 2.0]));
    let c = placeholder::<bool>([]);
    let branch = cond(c, || shape(v.read()) * 2, || constant([0]));
    let looped =
        while_loop((constant(0), v.read()), |(i, _)| less(i, 2), |(i, x)| (i + 1, x * 2.0)).1;
    let of_loop = shape(looped);
    let sessions = in_both_modes();
    let mut callables = Vec::new();
    for session in &sessions {
        session.init_missing()?;
        let callable = session.callable(&[c], (branch, of_loop))?;
        assert_eq!(callable.call((true,))?.0.to_string(), "[4]");
        callables.push(callable);
    }
    let value = placeholder::<f32>(shape![?]);
    let assigned = assign_any(v, value);
    let within = control_dependencies([assigned], || size(v));
    for (session, callable) in sessions.iter().zip(callables) {
        let within = session.run_with(within, feeds![value => vec![1.0_f32; 5]])?;
        assert_eq!(within.to_string(), "5");
        let (branch, of_loop) = callable.call((true,))?;
        assert_eq!((branch.to_string(), of_loop.to_string()), ("[10]".into(), "[5]".into()));
    }
    Ok(())
}

#[test]
fn an_assignment_that_checks_shapes_still_does_beside_one_that_does_not() -> Outcome {
    let _graph = own_graph();
    let v = get_variable("v", [2], constant([1.0_f32, 2.0]));
    let value = placeholder::<f32>(shape![..]);
    let _unchecked = assign_any(v, value);
    let (checked, added) = (assign(v, value), assign_add(v, value));
    for session in in_both_modes() {
        session.init_missing()?;
        assert!(session.run_with(checked, feeds![value => vec![1.0_f32; 3]]).is_err());
        assert!(session.run_with(added, feeds![value => vec![1.0_f32; 3]]).is_err());
        assert_eq!(session.run(v)?.to_string(), "[1.0, 2.0]");
    }
    Ok(())
}

#[test]
fn an_assignment_checks_the_declared_shape_whatever_the_same_run_has_written_before() -> Outcome {
    let _graph = own_graph();
    let v = get_variable("v", [2], zeros());
    let resource = variable("resource", [2]).initializer(zeros()).resource(true).get();
    let value = placeholder::<f32>(shape![?]);
    let unchecked = assign_any(v, value);
    let checked = control_dependencies([unchecked], || assign(v, ones_like(v.read())));
    let declared = control_dependencies([unchecked], || assign(v, constant([3.0_f32, 4.0])));
    let twice = control_dependencies([assign(resource, value)], || assign(resource, value + 1.0));
    for session in in_both_modes() {
        session.init_missing()?;
        for _ in 0..3 {
            for length in [3, 2] {
                let run =
                    |fetch: Tensor| session.run_with(fetch, feeds![value => vec![5.0_f32; length]]);
                assert_eq!(run(checked).is_ok(), length == 2);
                assert_eq!(run(declared)?, Value::from([3.0_f32, 4.0]));
                assert_eq!(run(twice).is_ok(), length == 2);
            }
        }
    }
    Ok(())
}

#[test]
fn an_unchecked_assignment_within_a_loop_changes_the_shape_it_reads_next() -> Outcome {
    let _graph = own_graph();
    let v = get_variable("v", [1], constant([1.0_f32]));
    let sizes = while_loop(
        (constant(0), constant(0)),
        |(i, _)| less(i, 3),
        |(i, sum)| {
            let sum = sum + size(v);
            let assigned = control_dependencies([sum.op()], || {
                let longer = concat([v.read(), constant([1.0_f32])], 0);
                assign_any(v, longer)
            });
            control_dependencies([assigned.op()], || (i + 1, identity(sum)))
        },
    );
    for session in in_both_modes() {
        session.init_missing()?;
        assert_eq!(session.run(sizes.1)?.to_string(), "6");
        assert_eq!(session.run(shape(v))?.to_string(), "[4]");
    }
    Ok(())
}

#[test]
fn a_value_that_contradicts_a_shape_fails_even_if_it_was_written_to_a_variable_of_any_shape()
-> Outcome {
    let _graph = own_graph();
    let v = get_variable("v", [3], zeros());
    let total = get_variable("total", [], zeros());
    let written = assign(v, v + 1.0);
    let _unchecked = assign_any(v, placeholder::<f32>(shape![..]));
    let assigned = assign(total, written);
    let reshaped = shape(reshape(written, [2]));
    for session in in_both_modes() {
        session.init_missing()?;
        for _ in 0..3 {
            assert!(session.run(assigned).is_err());
            assert!(session.run(reshaped).is_err());
            assert_eq!(session.run((v, total))?, ([0.0_f32; 3].into(), 0.0_f32.into()));
        }
    }
    Ok(())
}

#[test]
fn a_step_whose_only_failure_would_be_its_shape_goes_once_that_is_known() -> Outcome {
    let _graph = own_graph();
    let y = shape(fill([4096, 4096], 1.0_f32));
    let z = shape(reduce_sum(tile(fill([64, 64], 1.0_f32), [2, 1]), [0]));
    let session = Session::new();
    assert_eq!(session.run(y)?.to_string(), "[4096, 4096]");
    let explained = session.explain((y, z), &[])?;
    assert!(explained.steps.is_empty(), "{explained}");
    Ok(())
}

#[test]
fn what_one_branch_inside_a_loop_needs_runs_in_the_iterations_in_which_that_is_taken() -> Outcome {
    let _graph = own_graph();
    let n = placeholder::<i32>([]);
    let sum_of = |term: fn(Tensor) -> Tensor| {
        let step = |(i, sum): (Tensor, Tensor)| (i + 1, sum + term(i));
        while_loop((constant(-1), constant(0)), |(i, _)| less(i, n), step).1
    };
    let quotients = sum_of(|i| {
        let quotient = floor_div(6, i);
        cond(greater(i, 0), || quotient, || constant(0))
    });
    let by_data = sum_of(|i| {
        let checked = check_numerics(log(cast(i, DType::F32)), "it is checked");
        cond(greater(i, 0), || cast(sign(exp(checked)), DType::I32), || constant(0))
    });
    let by_control = sum_of(|i| {
        let assertion = assert(greater(i, 0), [i]);
        let then = || control_dependencies([assertion], || constant(1));
        cond(greater(i, 0), then, || constant(0))
    });
    let by_nobody = sum_of(|i| {
        let _ = assert(greater(i, 0), [i]);
        cond(greater(i, 0), || constant(1), || constant(0))
    });
    for session in in_both_modes() {
        let run = |sum: Tensor| session.run_with(sum, feeds![n => 4]);
        assert_eq!(run(quotients)?.to_string(), "11");
        assert_eq!(run(by_data)?.to_string(), "3");
        assert_eq!(run(by_control)?.to_string(), "3");
        assert!(run(by_nobody).is_err());
    }
    Ok(())
}
