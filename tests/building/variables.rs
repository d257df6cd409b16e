//! Variables: their values, their initializers, and how they are shared.

use crate::common::{Outcome, all_names, counted, in_both_modes, number};
use tidemill::prelude::*;
use tidemill::{Code, RunError, global_variables};

/// The names of the variables without a value that a run would need.
fn null_variables(error: RunError) -> Vec<String> {
    let RunError::Uninitialized(variables) = error else { panic!("{error}") };
    variables.into_iter().map(|null| null.variable.name).collect()
}

#[test]
fn constants_placeholders_and_variables_have_no_ancestors() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], zeros());
    for op in [constant(1).op(), placeholder::<f32>([]).op(), v.op()] {
        assert!(op.inputs().is_empty() && op.control_inputs().is_empty());
    }
}

#[test]
fn a_shape_says_how_many_numbers_a_variable_holds() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let scalar = get_variable("scalar", [], ones());
    let matrix = get_variable("matrix", [3, 8], ones());
    assert_eq!((scalar.shape(), matrix.shape()), (shape![], shape![3, 8]));
    let session = Session::new();
    session.init_missing()?;
    let values = session.run([scalar, matrix])?;
    assert_eq!(values.map(|value| value.elements()), [1, 24]);
    Ok(())
}

#[test]
fn the_name_of_a_variable_is_taken_once() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let first = get_variable("v", [], zeros());
    let second = get_variable("v", [], zeros());
    assert!(!first.op().is_invalid());
    assert!(second.op().is_invalid());
    assert!(graph.check().is_err());
}

#[test]
fn the_name_of_a_variable_is_taken_once_even_if_its_node_has_another() {
    let graph = Graph::new();
    let _default = graph.as_default();
    constant(1.0_f32).named("v");
    let first = get_variable("v", [], zeros());
    assert_eq!(first.name(), "v_1:0");
    assert!(get_variable("v", [], zeros()).op().is_invalid());
    let shared = variable_scope_with("", Reuse::Always, || get_variable("v", [], zeros()));
    assert_eq!(shared, first);
}

#[test]
fn a_new_variable_is_null_in_every_session() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    for session in in_both_modes() {
        let error = session.run(v + 1.0).unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert_eq!(null_variables(error), ["v"]);
    }
}

#[test]
fn all_null_variables_are_found_before_anything_runs() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, runs) = counted(1.0_f32);
    let (a, b) = (get_variable("a", [], ones()), get_variable("b", [], ones()));
    let sum = x + b + a;
    assert_eq!(null_variables(Session::new().run(sum).unwrap_err()), ["a", "b"]);
    assert_eq!(runs.take(), 0);
}

#[test]
fn an_assignment_has_the_assigned_value() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let write = assign(v, constant(7.0_f32));
    for session in in_both_modes() {
        assert_eq!(number(&session, write), 7.0);
    }
    Ok(())
}

#[test]
fn an_assignment_writes_only_when_it_runs() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let write = assign(v, 7.0);
    for session in in_both_modes() {
        session.run(v.initializer())?;
        assert_eq!(number(&session, v), 1.0);
        session.run(write)?;
        assert_eq!(number(&session, v), 7.0);
    }
    Ok(())
}

#[test]
fn an_assignment_does_not_read_its_variable() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = variable("v", []).get();
    let write = assign(v, 7.0);
    assert_eq!(number(&Session::new(), write), 7.0);
    Ok(())
}

#[test]
fn an_assignment_depends_on_its_value() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, runs) = counted(7.0_f32);
    let v = variable("v", []).get();
    let session = Session::new();
    session.run(assign(v, x))?;
    assert_eq!(runs.take(), 1);
    Ok(())
}

#[test]
fn reading_a_variable_never_assigns_to_it() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, runs) = counted(7.0_f32);
    let v = get_variable("v", [], x);
    let _write = assign(v, x);
    assert!(Session::new().run(v).is_err());
    assert_eq!(runs.take(), 0);
}

#[test]
fn a_value_lasts_from_run_to_run() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], zeros());
    let count = assign_add(v, 1.0);
    for session in in_both_modes() {
        session.run(v.initializer())?;
        for i in 1..=5 {
            assert_eq!(number(&session, count), i as f32);
            assert_eq!(number(&session, v), i as f32);
        }
    }
    Ok(())
}

#[test]
fn an_initializer_adds_nodes_and_no_value() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let session = Session::new();
    let v = get_variable("v", [], constant_initializer(3.0));
    assert_eq!(all_names(&graph), ["v/Initializer/Const", "v", "v/Assign", "v/read"]);
    assert!(session.run(v).is_err());
}

#[test]
fn the_operation_that_initializes_all_knows_the_variables_there_are() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let early = get_variable("early", [], ones());
    let init = global_variables_initializer();
    let late = get_variable("late", [], ones());
    let session = Session::new();
    session.run(init)?;
    assert_eq!(number(&session, early), 1.0);
    assert_eq!(null_variables(session.run(late).unwrap_err()), ["late"]);
    session.run(global_variables_initializer())?;
    assert_eq!(number(&session, late), 1.0);
    assert_eq!(global_variables(), [early, late]);
    Ok(())
}

#[test]
fn without_an_initializer_floats_start_with_glorots_distribution() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = variable("v", [20, 30]).get();
    assert_eq!(v.dtype(), Some(DType::F32));
    let session = Session::new();
    session.init_missing()?;
    let value = session.run(v)?;
    let limit = (6.0_f32 / 50.0).sqrt();
    let elements = value.as_slice::<f32>()?;
    assert!(elements.iter().all(|x| x.abs() <= limit));
    assert!(
        elements.iter().any(|x| *x > limit / 2.0) && elements.iter().any(|x| *x < -limit / 2.0)
    );
    Ok(())
}

#[test]
fn without_an_initializer_integers_start_with_zero() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = variable("v", [2]).dtype(DType::I64).get();
    let session = Session::new();
    session.init_missing()?;
    assert_eq!(session.run(v)?.to_string(), "[0, 0]");
    Ok(())
}

#[test]
fn a_variable_starts_with_a_number_a_value_or_a_tensor() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let number = get_variable("number", [2], 3.0);
    let value = get_variable("value", [2], Value::from([1, 2]));
    let tensor = get_variable("tensor", shape![..], constant(vec![1.5_f64]));
    assert_eq!(value.dtype(), Some(DType::I32));
    assert_eq!((tensor.dtype(), tensor.shape()), (Some(DType::F64), shape![1]));
    let session = Session::new();
    session.init_missing()?;
    let values = session.run([number, value, tensor])?.map(|value| value.to_string());
    assert_eq!(values, ["[3.0, 3.0]", "[1, 2]", "[1.5]"]);
    Ok(())
}

#[test]
fn initializing_again_overwrites_what_was_learned() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let init = global_variables_initializer();
    let session = Session::new();
    session.run(init)?;
    session.run(assign(v, 7.0))?;
    session.run(init)?;
    assert_eq!(number(&session, v), 1.0);
    Ok(())
}

#[test]
fn initializing_what_is_missing_keeps_what_was_learned() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let learned = get_variable("learned", [], ones());
    let session = Session::new();
    session.run(assign(learned, 7.0))?;
    let missing = get_variable("missing", [], learned * 2.0);
    session.init_missing()?;
    assert_eq!([number(&session, learned), number(&session, missing)], [7.0, 14.0]);
    session.init_missing()?;
    assert_eq!([number(&session, learned), number(&session, missing)], [7.0, 14.0]);
    Ok(())
}

#[test]
fn the_variables_without_a_value_can_be_listed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = get_variable("a", [], ones());
    let _b = get_variable("b", [2], ones());
    let missing = report_uninitialized_variables();
    for session in in_both_modes() {
        assert_eq!(session.run(missing)?.to_string(), r#"["a", "b"]"#);
        session.run(a.initializer())?;
        assert_eq!(session.run(missing)?.to_string(), r#"["b"]"#);
        session.init_missing()?;
        assert_eq!(session.run(missing)?.to_string(), "[]");
        session.run((a.initializer(), missing))?;
    }
    Ok(())
}

#[test]
fn of_no_variables_none_is_without_a_value() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let missing = Session::new().run(report_uninitialized_variables())?;
    assert_eq!((missing.dtype(), missing.to_string()), (DType::String, "[]".to_owned()));
    Ok(())
}

#[test]
fn a_variable_is_shared_by_keeping_its_handle() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let same = v;
    let session = Session::new();
    session.run(assign(same, 5.0))?;
    assert_eq!(number(&session, v), 5.0);
    assert_eq!(graph.variables(), [v]);
    Ok(())
}

#[test]
fn a_scope_that_reuses_gives_the_variable_there_is() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let layer = |reuse| variable_scope_with("layer", reuse, || get_variable("v", [2], zeros()));
    let v = layer(Reuse::Never);
    assert_eq!(v.name(), "layer/v:0");
    assert!(layer(Reuse::Never).op().is_invalid());
    assert_eq!([layer(Reuse::Always), layer(Reuse::Auto)], [v, v]);
    assert_eq!(graph.variables(), [v]);
}

#[test]
fn inside_a_scope_that_reuses_so_do_all_scopes() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let nested = || variable_scope("inner", || get_variable("v", [], zeros()));
    let first = variable_scope("outer", nested);
    let again = variable_scope_with("outer", Reuse::Always, nested);
    assert_eq!(first, again);
}

#[test]
fn an_automatic_scope_makes_what_is_missing() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let layer = || variable_scope_with("layer", Reuse::Auto, || get_variable("v", [], zeros()));
    let first = layer();
    assert!(!first.op().is_invalid());
    assert_eq!(layer(), first);
}

#[test]
fn a_variable_does_not_depend_on_the_control_dependencies_around_it() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, runs) = counted(1.0_f32);
    let v = control_dependencies([x], || get_variable("v", [], ones()));
    let session = Session::new();
    session.run(v.initializer())?;
    session.run(v)?;
    assert_eq!(runs.take(), 0);
    Ok(())
}

#[test]
fn a_variable_of_any_type_can_be_assigned() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let session = Session::new();
    let flag = get_variable("flag", [], true);
    let text = get_variable("text", [], "before");
    let count = variable("count", []).dtype(DType::I64).get();
    session.init_missing()?;
    session.run((assign(flag, false), assign(text, "after"), assign_sub(count, 3)))?;
    let values = session.run([flag, text, count])?.map(|value| value.to_string());
    assert_eq!(values, ["false", "\"after\"", "-3"]);
    Ok(())
}

#[test]
fn a_large_variable_is_updated_in_place_without_changing_what_was_fetched() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [1000], zeros());
    let add = assign_add(v, fill([1000], 1.0_f32));
    for session in in_both_modes() {
        session.run(v.initializer())?;
        let before = session.run(v)?;
        let (during, after) = session.run((v, add))?;
        let sums = [before, during, after].map(|value| value.as_slice::<f32>().unwrap()[999]);
        assert_eq!(sums, [0.0, 0.0, 1.0]);
        assert_eq!(session.run(v)?.as_slice::<f32>()?[0], 1.0);
    }
    Ok(())
}
