//! Initial values that depend on other variables.

use crate::common::{Outcome, counted, in_both_modes, number};
use tidemill::RunError;
use tidemill::prelude::*;

#[test]
fn a_chain_is_initialized_from_its_beginning() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = get_variable("a", [], 2.0);
    let b = get_variable("b", [], a * 10.0);
    let c = get_variable("c", [], b + a);
    let init = global_variables_initializer();
    for session in in_both_modes() {
        session.run(init)?;
        assert_eq!([a, b, c].map(|v| number(&session, v)), [2.0, 20.0, 22.0]);
    }
    Ok(())
}

#[test]
fn a_diamond_is_initialized_from_its_top() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let top = get_variable("top", [], 3.0);
    let left = get_variable("left", [], top + 1.0);
    let right = get_variable("right", [], top * 2.0);
    let bottom = get_variable("bottom", [], left * right);
    for session in in_both_modes() {
        session.run(global_variables_initializer())?;
        assert_eq!(number(&session, bottom), 24.0);
    }
    Ok(())
}

#[test]
fn initializing_again_starts_from_initial_values_not_from_what_was_learned() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = get_variable("a", [], 2.0);
    let b = get_variable("b", [], a * 10.0);
    let init = global_variables_initializer();
    let session = Session::new();
    session.run(init)?;
    session.run((assign(a, 100.0), assign(b, 100.0)))?;
    session.run(init)?;
    assert_eq!([a, b].map(|v| number(&session, v)), [2.0, 20.0]);
    Ok(())
}

#[test]
fn of_a_part_of_the_variables_the_others_keep_their_values() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = get_variable("a", [], 2.0);
    let b = get_variable("b", [], a * 10.0);
    let c = get_variable("c", [], a + b);
    let (init_b, init_bc) = (variables_initializer([b]), variables_initializer([b, c]));
    for session in in_both_modes() {
        assert!(matches!(session.run(init_b), Err(RunError::Uninitialized(_))));
        session.run(assign(a, 5.0))?;
        session.run(init_b)?;
        assert_eq!(number(&session, b), 50.0);
        session.run((assign(a, 1.0), assign(b, 0.0)))?;
        session.run(init_bc)?;
        assert_eq!([a, b, c].map(|v| number(&session, v)), [1.0, 10.0, 11.0]);
    }
    Ok(())
}

#[test]
fn the_order_of_the_list_does_not_matter() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = get_variable("a", [], 2.0);
    let b = get_variable("b", [], a * 10.0);
    for session in in_both_modes() {
        session.run(variables_initializer([b, a]))?;
        assert_eq!([a, b].map(|v| number(&session, v)), [2.0, 20.0]);
    }
    Ok(())
}

#[test]
fn what_is_missing_is_initialized_in_order() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = get_variable("a", [], 2.0);
    let b = get_variable("b", [], a * 10.0);
    let c = get_variable("c", [], b + a);
    graph.finalize();
    for session in in_both_modes() {
        session.init_missing()?;
        assert_eq!([a, b, c].map(|v| number(&session, v)), [2.0, 20.0, 22.0]);
    }
    Ok(())
}

#[test]
fn the_initial_value_of_another_variable_can_be_used_directly() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = get_variable("a", [], normal(0.0, 1.0));
    let b = get_variable("b", [], a.initial_value() * 2.0);
    let init = global_variables_initializer();
    let session = Session::new();
    session.run(init)?;
    assert_eq!(number(&session, b), 2.0 * number(&session, a));
    let session = Session::new();
    session.init_missing()?;
    assert_eq!(number(&session, b), 2.0 * number(&session, a));
    Ok(())
}

#[test]
fn a_shared_initial_value_is_drawn_once() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let uniform = Distribution::Uniform { min: 0.0, max: 1.0 };
    let drawn = random(uniform, [], DType::F32, None);
    let a = get_variable("a", [], drawn);
    let b = get_variable("b", [], a + drawn);
    let session = Session::new();
    session.run(global_variables_initializer())?;
    assert_eq!(number(&session, b), 2.0 * number(&session, a));
    Ok(())
}

#[test]
fn effects_of_an_initial_value_happen_once() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = get_variable("a", [], 2.0);
    let (x, runs) = counted(a * 10.0);
    let b = get_variable("b", [], x);
    let session = Session::new();
    session.run(global_variables_initializer())?;
    assert_eq!((number(&session, b), runs.take()), (20.0, 1));
    Ok(())
}

#[test]
fn an_initial_value_may_be_fed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let start = placeholder::<f32>(shape![2]);
    let v = get_variable("v", [2], start);
    let init = global_variables_initializer();
    let session = Session::new();
    assert!(matches!(session.run(init), Err(RunError::Unfed(_))));
    session.run_with(init, feeds![start => [1.0_f32, 2.0]])?;
    assert_eq!(session.run(v)?.to_string(), "[1.0, 2.0]");
    Ok(())
}

#[test]
fn a_variable_that_starts_with_itself_is_an_error() -> Outcome {
    let text = "v: float32_ref[] = VariableV2() dtype=float32 shape=[]\n\
                read: float32[] = Identity(v)\n\
                assign: float32_ref[] = Assign(v, read)\n\
                @variable v initial=read initializer=assign read=read\n\
                @collection variables v\n";
    let graph = Graph::from_text(text, &tidemill_ops::lookup)?;
    let error = Session::with_graph(&graph).init_missing().unwrap_err();
    assert!(matches!(error, RunError::Uninitialized(_)), "{error}");
    Ok(())
}
