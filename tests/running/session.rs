//! Sessions: requests and results of runs, and the state that a session keeps.

use std::collections::{BTreeMap, HashMap};

use crate::common::{Outcome, number, printing_session};
use tidemill::prelude::*;
use tidemill::{Code, RunError};

#[test]
fn a_session_sees_nodes_made_before_and_after_it() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let two = constant(2);
    let session = Session::new();
    let sum = two + 3;
    assert_eq!(session.run(two)?.to_string(), "2");
    assert_eq!(session.run(sum)?.to_string(), "5");
    let product = sum * 2;
    assert_eq!(session.run(product)?.to_string(), "10");
    assert_eq!(session.graph(), &graph);
    Ok(())
}

#[test]
fn what_is_returned_has_the_form_of_what_is_fetched() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (two, three) = (constant(2), constant(3));
    let sum = two + three;
    let v = get_variable("v", [], ones());
    let session = Session::new();
    session.run(v.initializer())?;
    let [a, b] = session.run([two, sum])?;
    assert_eq!([a.to_string(), b.to_string()], ["2", "5"]);
    let list: Vec<Value> = session.run(vec![three, two])?;
    assert_eq!(format!("{list:?}"), "[Value(int32[]: 3), Value(int32[]: 2)]");
    let (x, (y, [z], ()), w) = session.run((sum, (v, [two], ()), "Const_1"))?;
    assert_eq!([x, y, z, w].map(|value| value.to_string()), ["5", "1.0", "2", "3"]);
    Ok(())
}

#[test]
fn maps_and_options_can_be_fetched() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (two, three) = (constant(2), constant(3));
    let session = Session::new();
    let named = session.run(BTreeMap::from([("two", two), ("three", three)]))?;
    assert_eq!([named["two"].to_string(), named["three"].to_string()], ["2", "3"]);
    let nested = session.run(HashMap::from([(7, (two, [three]))]))?;
    assert_eq!(nested[&7].1[0].to_string(), "3");
    let (some, none) = session.run((Some(two), None::<Tensor>))?;
    assert_eq!((some.map(|value| value.to_string()), none.is_some()), (Some("2".into()), false));
    Ok(())
}

#[test]
fn an_operation_gives_nothing() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let init: Operation = global_variables_initializer();
    let session = Session::new();
    let (): () = session.run(init)?;
    let (value, ()) = session.run((v, v.initializer()))?;
    assert_eq!(value.to_string(), "1.0");
    Ok(())
}

#[test]
fn a_tensor_can_be_fetched_and_fed_by_its_name() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]).named("x");
    let _doubled = (x * 2.0).named("doubled");
    let session = Session::new();
    assert_eq!(session.run_with("doubled:0", feeds!["x:0" => 4.0])?.to_string(), "8.0");
    assert_eq!(session.run_with(["doubled", "x"], feeds!["x" => 1.0])?[0].to_string(), "2.0");
    Ok(())
}

#[test]
fn a_variable_can_be_fetched_by_its_name() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let session = Session::new();
    session.run(v.initializer())?;
    assert_eq!(session.run("v:0")?.to_string(), "1.0");
    Ok(())
}

#[test]
fn the_same_tensor_can_be_fetched_many_times() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1) + 1;
    let values = Session::new().run([x; 5])?;
    assert!(values.iter().all(|value| value.to_string() == "2"));
    Ok(())
}

#[test]
fn sessions_of_one_graph_have_their_own_variables() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], zeros());
    let add = assign_add(v, 1.0);
    let (first, second) = (Session::new(), Session::new());
    first.run(v.initializer())?;
    assert_eq!(second.run(v).unwrap_err().code(), Code::FailedPrecondition);
    second.run(v.initializer())?;
    first.run(add)?;
    first.run(add)?;
    second.run(add)?;
    assert_eq!([number(&first, v), number(&second, v)], [2.0, 1.0]);
    Ok(())
}

#[test]
fn a_session_of_a_graph_needs_no_default() -> Outcome {
    let graph = Graph::new();
    let two = {
        let _default = graph.as_default();
        constant(2)
    };
    assert_eq!(Session::with_graph(&graph).run(two)?.to_string(), "2");
    Ok(())
}

#[test]
fn the_default_session_evaluates_tensors_and_runs_operations() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]);
    let v = get_variable("v", [], ones());
    let session = Session::new();
    let _session = session.as_default();
    v.initializer().run(feeds![])?;
    assert_eq!((x * 2.0).eval(feeds![x => 4.0])?.to_string(), "8.0");
    assert_eq!(v.eval(feeds![])?.to_string(), "1.0");
    Ok(())
}

#[test]
fn default_sessions_nest() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], zeros());
    let (outer, inner) = (Session::new(), Session::new());
    outer.run(assign(v, 1.0))?;
    inner.run(assign(v, 2.0))?;
    let _outer = outer.as_default();
    {
        let _inner = inner.as_default();
        assert_eq!(v.eval(feeds![])?.to_string(), "2.0");
    }
    assert_eq!(v.eval(feeds![])?.to_string(), "1.0");
    Ok(())
}

#[test]
fn closing_a_session_leaves_the_others_alone() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let (first, second) = (Session::new(), Session::new());
    first.run(v.initializer())?;
    second.run(v.initializer())?;
    first.close();
    assert!(matches!(first.run(v), Err(RunError::Closed)));
    assert_eq!(number(&second, v), 1.0);
    Ok(())
}

#[test]
fn a_session_stays_usable_after_an_error() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<i32>([]);
    let quotient = floor_div(6, x);
    let session = Session::new();
    assert!(session.run(quotient).is_err());
    assert!(session.run_with(quotient, feeds![x => 0]).is_err());
    assert!(session.run_with(quotient, feeds![x => [1, 2]]).is_err());
    assert_eq!(session.run_with(quotient, feeds![x => 2])?.to_string(), "3");
    Ok(())
}

#[test]
fn a_plan_is_for_the_tensors_that_are_fed_and_fetched() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder_with_default(1.0_f32, shape![..]);
    let sum = reduce_sum(x * 2.0, ..);
    let session = Session::new();
    for _ in 0..2 {
        assert_eq!(session.run(sum)?.to_string(), "2.0");
        assert_eq!(session.run_with(sum, feeds![x => [1.0_f32, 2.0]])?.to_string(), "6.0");
        assert_eq!(session.run_with(sum, feeds![x => [[1.0_f32; 3]; 2]])?.to_string(), "12.0");
        assert_eq!(session.run((sum, x))?.1.to_string(), "1.0");
    }
    Ok(())
}

#[test]
fn an_explanation_lists_what_a_run_would_do() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]).named("x");
    let y = square(x).named("y");
    let (session, lines) = printing_session();
    let _unused = print(y, [y]);
    let explanation = session.explain(y, &[x])?;
    assert_eq!(explanation.steps, [("y".to_owned(), "Square")]);
    assert_eq!(explanation.to_string(), "y = Square\n");
    assert!(lines.take().is_empty());
    Ok(())
}
