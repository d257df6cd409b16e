//! Names of nodes and scopes: the lists are those of TensorFlow 2.21 for the same calls.

mod common;

use common::ops::NO_OP;
use common::*;
use tidemill_graph::{
    BuildErrorKind, Graph, NodeBuilder, Reuse, absolute_scope, current_variable_scope, name_scope,
    scoped, variable_scope, variable_scope_with,
};

/// The names of the nodes that `build` adds to a new graph.
fn names_of(build: impl FnOnce()) -> Vec<String> {
    let graph = Graph::new();
    let _default = graph.as_default();
    build();
    names(&graph)
}

/// Adds a constant of that name.
fn c(name: &'static str) {
    named_constant(name, 1.0_f32);
}

#[test]
fn names_are_numbered_within_the_graph() {
    let built = names_of(|| {
        let (a, b) = (constant(1), constant(2));
        c("cool_const");
        c("cool_const");
        add(a, b);
        neg(add(a, b));
    });
    let expected = ["Const", "Const_1", "cool_const", "cool_const_1", "add", "add_1", "Neg"];
    assert_eq!(built, expected);
}

#[test]
fn names_that_differ_in_case_are_equal() {
    let built = names_of(|| ["Foo", "foo", "FOO", "foo_1"].into_iter().for_each(c));
    assert_eq!(built, ["Foo", "foo_1", "FOO_2", "foo_1_1"]);
}

#[test]
fn a_number_that_was_asked_for_is_skipped() {
    let built = names_of(|| ["a_1", "a", "a", "a_1"].into_iter().for_each(c));
    assert_eq!(built, ["a_1", "a", "a_2", "a_1_1"]);
}

#[test]
fn scopes_and_nodes_share_their_names() {
    let built = names_of(|| {
        c("x");
        name_scope("x", || c("x"));
        c("x_1");
        c("x");
    });
    assert_eq!(built, ["x", "x_1/x", "x_1_1", "x_2"]);
    let built = names_of(|| {
        c("p/q");
        name_scope("p", || c("q"));
        c("p");
    });
    assert_eq!(built, ["p/q", "p/q_1", "p_1"]);
}

#[test]
fn name_scopes_nest_open_again_and_can_be_left() {
    let built = names_of(|| {
        name_scope("a", || {
            c("x");
            c("x");
            name_scope("b", || c("x"));
            name_scope("b", || c("x"));
        });
        name_scope("a", || c("x"));
        name_scope("a/", || c("x"));
        name_scope("a", || {
            name_scope("", || c("x"));
            name_scope("", || c("x"));
            name_scope("a/", || c("y"));
            name_scope("q", || {});
        });
        ["a", "A", "a_1"].into_iter().for_each(c);
    });
    let expected = [
        "a/x", "a/x_1", "a/b/x", "a/b_1/x", "a_1/x", "a/x_2", "x", "x_1", "a/y", "a_3", "A_4",
        "a_1_1",
    ];
    assert_eq!(built, expected);
}

#[test]
fn variable_scopes_of_one_name_share_the_prefix_of_variables_but_not_of_nodes() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let prefix = || current_variable_scope(graph.key()).prefix;
    for _ in 0..2 {
        variable_scope("s", || {
            c("x");
            assert_eq!(prefix(), "s/");
            variable_scope("t", || {
                c("x");
                assert_eq!(prefix(), "s/t/");
            });
        });
    }
    assert_eq!(names(&graph), ["s/x", "s/t/x", "s_1/x", "s_1/t/x"]);
}

#[test]
fn a_name_scope_does_not_prefix_variables() {
    let graph = Graph::new();
    let _default = graph.as_default();
    name_scope("n", || {
        variable_scope("s", || {
            c("x");
            assert_eq!(current_variable_scope(graph.key()).prefix, "s/");
        });
    });
    assert_eq!(names(&graph), ["n/s/x"]);
}

#[test]
fn reuse_is_inherited_by_inner_scopes() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let reuse = || current_variable_scope(graph.key()).reuse;
    assert_eq!(reuse(), Reuse::Never);
    variable_scope_with("a", Reuse::Always, || {
        assert_eq!(reuse(), Reuse::Always);
        variable_scope("b", || assert_eq!(reuse(), Reuse::Always));
        variable_scope_with("c", Reuse::Never, || assert_eq!(reuse(), Reuse::Always));
        variable_scope_with("d", Reuse::Auto, || assert_eq!(reuse(), Reuse::Auto));
    });
    assert_eq!(reuse(), Reuse::Never);
}

#[test]
fn a_scope_ends_when_the_code_in_it_panics() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let failed = std::panic::catch_unwind(|| name_scope("a", || panic!("on purpose")));
    assert!(failed.is_err());
    c("x");
    assert_eq!(names(&graph), ["x"]);
}

#[test]
fn scopes_belong_to_one_graph() {
    let (graph, other) = (Graph::new(), Graph::new());
    let _default = graph.as_default();
    name_scope("a", || {
        NodeBuilder::new(&NO_OP).graph(other.key()).build();
        scoped(&other, "b", |name| {
            assert_eq!(name, "b");
            NodeBuilder::new(&NO_OP).graph(other.key()).build();
            c("x");
        });
    });
    assert_eq!(names(&other), ["NoOp", "b/NoOp"]);
    assert_eq!(names(&graph), ["a/x"]);
}

#[test]
fn an_absolute_scope_is_not_made_unique() {
    let graph = Graph::new();
    let _default = graph.as_default();
    c("w");
    name_scope("a", || absolute_scope(graph.key(), "w/", || c("zeros")));
    assert_eq!(names(&graph), ["w", "w/zeros"]);
}

#[test]
fn an_exact_name_knows_no_scope_and_no_number() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let exact = |name: &str| NodeBuilder::new(&NO_OP).exact_name(name).build();
    name_scope("a", || exact("x"));
    exact("X");
    assert_eq!(names(&graph), ["x", "X"]);
    exact("x");
    let errors = graph.check().expect_err("the name is taken");
    let kinds: Vec<&BuildErrorKind> = errors.errors().map(|error| &error.kind).collect();
    assert!(matches!(kinds[..], [BuildErrorKind::NameTaken { name }] if name == "x"));
}

#[test]
fn characters_that_tensorflow_refuses_are_refused() {
    for name in ["_a", "a b", "", "a:0", "-a", "/a", "ä", "^a"] {
        let graph = Graph::new();
        NodeBuilder::new(&NO_OP).graph(graph.key()).name(name).build();
        let errors = graph.check().expect_err("the name is refused");
        let kind = &errors.errors().next().expect("there is an error").kind;
        assert!(matches!(kind, BuildErrorKind::InvalidName { .. }), "{name}: {kind}");
    }
    for name in ["a//b", ".a", "A0>b", "a\\b"] {
        let graph = Graph::new();
        NodeBuilder::new(&NO_OP).graph(graph.key()).name(name).build();
        assert_eq!(names(&graph), [name]);
    }
}

#[test]
fn a_renamed_node_is_found_by_its_new_name_only() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (first, second) = (constant(1), constant(2));
    name_scope("a", || graph.rename(second.operation(), "two").expect("the name is valid"));
    assert_eq!(names(&graph), ["Const", "a/two"]);
    assert_eq!(graph.read().find("a/two"), Some(tensor_id(second).node));
    assert_eq!(graph.read().find("Const_1"), None);
    constant(3);
    assert_eq!(names(&graph), ["Const", "a/two", "Const_1"]);
    graph.rename(first.operation(), "Const_1").expect("the name is valid");
    assert_eq!(names(&graph), ["Const_1_1", "a/two", "Const_1"]);
}

#[test]
fn a_node_cannot_take_an_invalid_name_or_another_once_the_graph_is_finalized() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1).operation();
    let refused = graph.rename(x, "a b");
    assert!(matches!(refused, Err(BuildErrorKind::InvalidName { .. })));
    graph.finalize();
    assert!(matches!(graph.rename(x, "ok"), Err(BuildErrorKind::Finalized { .. })));
    assert_eq!(names(&graph), ["Const"]);
}

#[test]
fn a_reserved_name_is_taken() {
    let graph = Graph::new();
    let _default = graph.as_default();
    assert_eq!(graph.reserve_name("x"), "x");
    assert_eq!(name_scope("s", || graph.reserve_name("x")), "s/x");
    c("x");
    assert_eq!(names(&graph), ["x_1"]);
}

#[test]
fn a_name_that_is_much_like_another_leads_to_it() {
    let graph = Graph::new();
    let _default = graph.as_default();
    ["learning_rate", "layer/weights", "layer/biases"].into_iter().for_each(c);
    let reader = graph.read();
    assert_eq!(reader.near("learning_rat"), Some("learning_rate"));
    assert_eq!(reader.near("Learning_Rate"), Some("learning_rate"));
    assert_eq!(reader.near("layer/weight"), Some("layer/weights"));
    assert_eq!(reader.near("biases"), Some("layer/biases"));
    assert_eq!(reader.near("zzz"), None);
    assert_eq!(Graph::new().read().near("x"), None);
}
