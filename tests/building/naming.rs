//! Names of nodes, scopes and variables, as TensorFlow 1 gives them.

use crate::common::{Outcome, all_names};
use tidemill::prelude::*;

#[test]
fn program_n1_names_are_made_unique_by_a_number() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = constant(0.0_f32);
    let b = constant(1.0_f32);
    let c = constant(0.0_f32).named("cool_const");
    let d = constant(1.0_f32).named("cool_const");
    let names = [a, b, c, d].map(Tensor::name);
    assert_eq!(names, ["Const:0", "Const_1:0", "cool_const:0", "cool_const_1:0"]);
}

#[test]
fn program_n2_scopes_prefix_names_and_nest() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = constant(0.0_f32);
    let b = constant(1.0_f32);
    variable_scope("first_scope", || {
        let c = a + b;
        let d = constant(2.0_f32).named("cool_const");
        let coef1 = get_variable("coef", [], constant_initializer(2.0));
        variable_scope("second_scope", || {
            let e = coef1 * d;
            let coef2 = get_variable("coef", [], constant_initializer(3.0));
            let f = constant(1.0_f32);
            let g = coef2 * f;
            let names = [c, d, e, f, g].map(Tensor::name);
            assert_eq!(
                names,
                [
                    "first_scope/add:0",
                    "first_scope/cool_const:0",
                    "first_scope/second_scope/mul:0",
                    "first_scope/second_scope/Const:0",
                    "first_scope/second_scope/mul_1:0",
                ]
            );
            let names = [coef1, coef2].map(Variable::name);
            assert_eq!(names, ["first_scope/coef:0", "first_scope/second_scope/coef:0"]);
        });
    });
}

#[test]
fn a_tensor_prints_its_name_shape_and_type() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let printed = |tensor: Tensor| tensor.to_string();
    assert_eq!(printed(constant(2)), r#"Tensor("Const:0", shape=(), dtype=int32)"#);
    assert_eq!(
        printed(constant(vec![1.0_f32, 2.0])),
        r#"Tensor("Const_1:0", shape=(2,), dtype=float32)"#
    );
    assert_eq!(
        printed(placeholder::<f64>(shape![?, 3])),
        r#"Tensor("Placeholder:0", shape=(?, 3), dtype=float64)"#
    );
    assert_eq!(
        printed(placeholder::<bool>(shape![..])),
        r#"Tensor("Placeholder_1:0", shape=<unknown>, dtype=bool)"#
    );
    assert_eq!(
        printed(constant("text").named("greeting")),
        r#"Tensor("greeting:0", shape=(), dtype=string)"#
    );
}

#[test]
fn a_variable_prints_as_one() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("weights", [3, 8], zeros());
    assert_eq!(v.to_string(), r#"Variable("weights:0", shape=(3, 8), dtype=float32)"#);
    assert_eq!(
        v.op().output(0).to_string(),
        r#"Tensor("weights:0", shape=(3, 8), dtype=float32_ref)"#
    );
}

#[test]
fn nodes_made_by_operators_have_the_names_that_tensorflow_gives_them() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1.0_f32).named("x");
    let (p, q) = (constant(true).named("p"), constant(false).named("q"));
    let nodes = [x + x, x - x, x * x, x / x, x % x, -x, p & q, p | q, !p];
    let names = nodes.map(|node| node.op().name());
    assert_eq!(names, ["add", "sub", "mul", "truediv", "mod", "Neg", "and", "or", "LogicalNot"]);
}

#[test]
fn a_number_beside_a_tensor_becomes_a_constant_named_below_the_operation() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1.0_f32).named("x");
    let _ = x + 1.0;
    let _ = 1.0 - x;
    let _ = x + 2.0;
    assert_eq!(all_names(&graph), ["x", "add/y", "add", "sub/x", "sub", "add_1/y", "add_1"]);
}

#[test]
fn names_that_differ_in_case_alone_are_told_apart_by_a_number() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let names = ["Foo", "foo", "FOO"].map(|name| constant(1).named(name).name());
    assert_eq!(names, ["Foo:0", "foo_1:0", "FOO_2:0"]);
}

#[test]
fn a_second_name_scope_of_a_name_is_another_scope() {
    let graph = Graph::new();
    let _default = graph.as_default();
    for _ in 0..2 {
        name_scope("layer", || constant(1));
    }
    name_scope("layer/", || constant(1));
    assert_eq!(all_names(&graph), ["layer/Const", "layer_1/Const", "layer/Const_1"]);
}

#[test]
fn a_second_variable_scope_of_a_name_has_the_same_prefix_for_variables() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = variable_scope("layer", || get_variable("v", [], zeros()));
    let (w, sum) = variable_scope("layer", || (get_variable("w", [], zeros()), v + 1.0));
    assert_eq!([v.name(), w.name()], ["layer/v:0", "layer/w:0"]);
    assert_eq!(sum.name(), "layer_1/add:0");
}

#[test]
fn a_name_scope_leaves_the_names_of_variables_alone() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = name_scope("layer", || get_variable("v", [], zeros()));
    assert_eq!(v.name(), "v:0");
}

#[test]
fn an_empty_name_scope_leaves_all_scopes() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let outside = name_scope("layer", || name_scope("", || constant(1)));
    assert_eq!(outside.name(), "Const:0");
}

#[test]
fn a_node_keeps_its_value_under_another_name() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(2);
    let sum = x + 1;
    x.named("two");
    assert_eq!(x.name(), "two:0");
    assert_eq!(sum.op().inputs()[0], x);
    assert_eq!(Session::new().run(("two", sum))?.1.to_string(), "3");
    Ok(())
}

#[test]
fn operations_inside_a_body_on_tensors_of_several_graphs_have_names_of_their_own() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let outermost = placeholder_with_default([1.0_f32, 2.0], [2]);
    let y = cond(
        constant(true),
        || {
            let between = outermost * 10.0;
            cond(
                constant(true),
                || {
                    let inner = outermost * 100.0;
                    let all = [inner, between, outermost, inner];
                    let taken = all.map(|x| gather(x, [1, 0], 0));
                    let names = taken.map(Tensor::name);
                    assert_eq!(
                        names,
                        ["GatherV2:0", "GatherV2_1:0", "GatherV2_2:0", "GatherV2_3:0"]
                    );
                    taken.into_iter().reduce(|sum, x| sum + x).unwrap()
                },
                || constant([0.0_f32, 0.0]),
            )
        },
        || constant([0.0_f32, 0.0]),
    );
    graph.check()?;
    assert_eq!(Session::new().run(y)?.to_string(), "[422.0, 211.0]");
    Ok(())
}

#[test]
fn an_output_is_numbered_behind_a_colon() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let outputs = [HostOutput::new::<f32>([]), HostOutput::new::<i32>([])];
    let both = host_call([1.0_f32], outputs, |_| Ok(vec![1.0_f32.into(), 2.into()]));
    assert_eq!(both[0].name(), "HostCall:0");
    assert_eq!(both[1].name(), "HostCall:1");
    assert_eq!(both[1].index(), 1);
}
