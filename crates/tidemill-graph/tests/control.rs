//! Control dependencies, and the nodes to which they apply.

mod common;

use common::ops::IDENTITY;
use common::*;
use tidemill_graph::{
    Graph, OperationRef, control_dependencies, has_control_dependencies, name_scope,
    without_control_dependencies,
};

/// The names of the control inputs of each node.
fn controls(graph: &Graph) -> Vec<(String, Vec<String>)> {
    let reader = graph.read();
    let name = |&id: &_| reader.name(id).to_owned();
    let control_inputs = |(id, node): (_, &tidemill_graph::Node)| {
        (name(&id), node.control_inputs.iter().map(name).collect())
    };
    reader.nodes().map(control_inputs).collect()
}

fn assert_controls(graph: &Graph, expected: &[(&str, &[&str])]) {
    let actual = controls(graph);
    let actual: Vec<(&str, Vec<&str>)> = actual
        .iter()
        .map(|(name, controls)| (&**name, controls.iter().map(|name| &**name).collect()))
        .collect();
    let expected: Vec<_> = expected.iter().map(|(name, names)| (*name, names.to_vec())).collect();
    assert_eq!(actual, expected);
}

#[test]
fn nodes_made_within_run_after_the_operations() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, y) = (named_constant("x", 1), named_constant("y", 2));
    control_dependencies([x.operation()], || {
        let z = node(&IDENTITY, &[y]);
        control_dependencies([y.operation(), z.operation()], || {
            no_op();
            without_control_dependencies(graph.key(), no_op);
            named_constant("k", 3);
        });
    });
    no_op();
    let expected: [(&str, &[&str]); 7] = [
        ("x", &[]),
        ("y", &[]),
        ("Identity", &["x"]),
        ("NoOp", &["x", "y", "Identity"]),
        ("NoOp_1", &[]),
        ("k", &["x", "y", "Identity"]),
        ("NoOp_2", &[]),
    ];
    assert_controls(&graph, &expected);
}

#[test]
fn an_operation_named_twice_is_one_control_input() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = no_op();
    control_dependencies([x, x], || control_dependencies([x], no_op));
    assert_controls(&graph, &[("NoOp", &[]), ("NoOp_1", &["NoOp"])]);
}

#[test]
fn no_operations_are_no_dependency() {
    let graph = Graph::new();
    let _default = graph.as_default();
    control_dependencies([] as [OperationRef; 0], || {
        assert!(!has_control_dependencies(graph.key()));
        no_op();
    });
    assert_controls(&graph, &[("NoOp", &[])]);
}

#[test]
fn name_scopes_within_keep_the_dependencies() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = no_op();
    control_dependencies([x], || {
        name_scope("a", || {
            assert!(has_control_dependencies(graph.key()));
            no_op();
        });
    });
    assert!(!has_control_dependencies(graph.key()));
    assert_controls(&graph, &[("NoOp", &[]), ("a/NoOp", &["NoOp"])]);
}

#[test]
fn dependencies_hold_for_the_graph_of_the_operations() {
    let graph = Graph::new();
    let x = {
        let _default = graph.as_default();
        constant(1)
    };
    // The default graph is another one here.
    let other = Graph::new();
    let _default = other.as_default();
    control_dependencies([x.operation()], || {
        neg(x);
        assert!(has_control_dependencies(graph.key()));
    });
    assert_controls(&graph, &[("Const", &[]), ("Neg", &["Const"])]);
}

#[test]
fn a_node_of_the_default_graph_cannot_run_after_one_of_another_graph() {
    let graph = Graph::new();
    let x = {
        let _default = graph.as_default();
        no_op()
    };
    let other = Graph::new();
    let _default = other.as_default();
    assert!(is_poison(control_dependencies([x], || constant(1))));
    let message = other.check().expect_err("two graphs meet").to_string();
    assert!(message.starts_with("tensors of two graphs cannot be combined"), "{message}");
}

#[test]
fn dependencies_end_when_the_code_within_panics() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = no_op();
    let failed = std::panic::catch_unwind(|| {
        control_dependencies([x], || panic!("on purpose"));
    });
    assert!(failed.is_err());
    assert!(!has_control_dependencies(graph.key()));
}
