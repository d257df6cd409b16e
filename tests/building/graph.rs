//! Building a graph: every call adds a node, handles are pointers, nothing is computed.

use crate::common::{Outcome, all_names, counted, names};
use tidemill::prelude::*;

#[test]
fn equal_constants_are_nodes_of_their_own() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (first, second) = (constant(2), constant(2));
    assert_ne!(first, second);
    assert_eq!(all_names(&graph), ["Const", "Const_1"]);
}

#[test]
fn a_node_stays_when_its_handle_is_dropped_or_its_name_bound_again() {
    let graph = Graph::new();
    let _default = graph.as_default();
    constant(1);
    let x = constant(2);
    let x = constant(3) + x;
    assert_eq!(all_names(&graph), ["Const", "Const_1", "Const_2", "add"]);
    assert_eq!(names(x.op().inputs().into_iter().map(Tensor::op)), ["Const_2", "Const_1"]);
}

#[test]
fn copying_a_handle_adds_no_node() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let two = constant(2);
    let copies = [two; 3];
    assert_eq!(graph.len(), 1);
    assert!(copies.iter().all(|copy| *copy == two && copy.op() == two.op()));
}

#[test]
fn a_handle_outlives_its_copies() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let two = constant(2);
    {
        let copy = two;
        assert_eq!(copy.name(), "Const:0");
    }
    assert_eq!(Session::new().run(two)?.to_string(), "2");
    Ok(())
}

#[test]
fn an_operator_adds_the_node_that_its_function_adds() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (two, three) = (constant(2), constant(3));
    for sum in [two + three, add(two, three)] {
        assert_eq!(sum.op().op_type(), "AddV2");
        assert_eq!(sum.op().inputs(), [two, three]);
    }
    assert_eq!(graph.len(), 4);
}

#[test]
fn building_computes_nothing() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, count) = counted(1.0_f32);
    let _sum = x + x;
    let session = Session::new();
    assert_eq!(count.take(), 0);
    assert!(session.run(x * 2.0).is_ok());
    assert_eq!(count.take(), 1);
}

#[test]
fn a_builder_call_on_a_variable_adds_a_node_on_its_read() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], zeros());
    let sum = v + 1.0;
    assert_eq!(names(sum.op().inputs().into_iter().map(Tensor::op)), ["v/read", "add/y"]);
}

#[test]
fn a_variable_is_made_of_its_storage_its_start_an_assignment_and_a_read() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [2], zeros());
    let types: Vec<&str> = graph.operations().iter().map(|op| op.op_type()).collect();
    assert_eq!(all_names(&graph), ["v/Initializer/zeros", "v", "v/Assign", "v/read"]);
    assert_eq!(types, ["Const", "VariableV2", "Assign", "Identity"]);
    assert_eq!(v.op().name(), "v");
    assert_eq!(v.initial_value().op().name(), "v/Initializer/zeros");
    assert_eq!(v.initializer().name(), "v/Assign");
    assert_eq!(v.read().op().name(), "v/read");
}

#[test]
fn one_graph_serves_many_purposes() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (core, core_runs) = counted(3.0_f32);
    let (first, first_runs) = counted(core + 1.0);
    let (second, second_runs) = counted(core * 2.0);
    let session = Session::new();
    assert_eq!(session.run(first)?.to_string(), "4.0");
    assert_eq!([core_runs.take(), first_runs.take(), second_runs.take()], [1, 1, 0]);
    assert_eq!(session.run(second)?.to_string(), "6.0");
    assert_eq!([core_runs.take(), first_runs.take(), second_runs.take()], [1, 0, 1]);
    Ok(())
}

#[test]
fn a_graph_stands_in_for_the_default_one_while_its_guard_lives() {
    let (outer, inner) = (Graph::new(), Graph::new());
    let _default = outer.as_default();
    let a = constant(1);
    {
        let _default = inner.as_default();
        let b = constant(2);
        assert_eq!(b.graph(), Some(inner.clone()));
        // A node goes to the graph of its inputs, whatever the default graph is.
        assert_eq!((a + 1).graph(), Some(outer.clone()));
    }
    assert_eq!(constant(3).graph(), Some(outer.clone()));
    assert_eq!((outer.len(), inner.len()), (4, 1));
}

#[test]
fn nodes_made_under_control_dependencies_run_after_them() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let first = constant(1);
    let (second, nested) = control_dependencies([first], || {
        let second = constant(2);
        (second, control_dependencies([second.op()], || constant(3)))
    });
    assert_eq!(names(second.op().control_inputs()), ["Const"]);
    assert_eq!(names(nested.op().control_inputs()), ["Const", "Const_1"]);
    assert!(constant(4).op().control_inputs().is_empty());
}

#[test]
fn a_group_depends_on_all_its_members() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (a, b) = (constant(1), constant(2));
    let both = group([a, b]);
    assert_eq!(both.op_type(), "NoOp");
    assert_eq!(names(both.control_inputs()), ["Const", "Const_1"]);
    let tied = with_dependencies([both], a);
    assert_eq!(tied.op().inputs(), [a]);
    assert_eq!(tied.op().control_inputs(), [both]);
}

#[test]
fn a_finalized_graph_runs_but_does_not_grow() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let init = global_variables_initializer();
    graph.finalize();
    let length = graph.len();
    assert!(graph.is_finalized());
    assert!((v + 1.0).is_invalid());
    let session = Session::new();
    session.run(init)?;
    assert_eq!(session.run(v)?.to_string(), "1.0");
    assert_eq!(graph.len(), length);
    Ok(())
}

#[test]
fn a_session_keeps_its_graph_alive() -> Outcome {
    let graph = Graph::new();
    let (two, session) = {
        let _default = graph.as_default();
        (constant(2), Session::new())
    };
    drop(graph);
    assert_eq!(session.run(two)?.to_string(), "2");
    assert_eq!(two.name(), "Const:0");
    Ok(())
}

#[test]
fn collections_hold_handles_in_the_order_in_which_they_were_added() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let losses = [constant(1.0_f32), constant(2.0_f32)];
    losses.iter().for_each(|loss| graph.add_to_collection("losses", *loss));
    assert_eq!(graph.tensors_in("losses"), losses);
    let shown = variable("shown", []).collection("shown").get();
    let hidden = variable("hidden", []).trainable(false).get();
    assert_eq!(graph.variables_in("shown"), [shown]);
    assert_eq!(graph.variables(), [shown, hidden]);
    assert_eq!(graph.trainable_variables(), [shown]);
    assert!(graph.tensors_in("nothing").is_empty());
}
