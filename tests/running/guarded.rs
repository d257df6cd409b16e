//! Assertions that only one branch needs, and variables whose shapes change.

use crate::common::{Outcome, in_both_modes};
use tidemill::custom::NodeBuilder;
use tidemill::prelude::*;
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
