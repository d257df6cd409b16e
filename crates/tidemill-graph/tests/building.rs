//! Nodes built by `NodeBuilder`: bound types, dropped attributes, and rejected nodes.

#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::ops::*;
use common::*;
use tidemill_graph::{
    Attr, BuildError, BuildErrorKind, Graph, NodeBuilder, OpDef, OpError, TensorRef,
};
use tidemill_value::{DType, shape};

/// The error of the only call that failed.
fn only_error(graph: &Graph) -> BuildError {
    let errors = graph.check().expect_err("a call failed");
    let errors: Vec<&BuildError> = errors.errors().collect();
    let [error] = errors[..] else { panic!("there is more than one error: {errors:?}") };
    error.clone()
}

fn message(graph: &Graph) -> String {
    only_error(graph).kind.to_string()
}

fn attributes(name: &'static str, attr: impl Into<Attr>) -> TensorRef {
    NodeBuilder::new(&ATTRIBUTES).attr(name, attr).build().output(0)
}

#[test]
fn outputs_have_the_types_that_inputs_bind() {
    let graph = Graph::new();
    let _default = graph.as_default();
    for dtype in [DType::F32, DType::I64] {
        let sum = add(placeholder(dtype, shape![?, 2]), placeholder(dtype, shape![3, 1]));
        assert_eq!(fact(&graph, sum), format!("{dtype}[3, 2]"));
        assert_eq!(stored_attrs(&graph, sum), [""; 0]);
    }
}

#[test]
fn a_type_attribute_that_no_input_binds_is_stored() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder(DType::F32, shape![2]);
    let cast = NodeBuilder::new(&CAST).input(x).attr("DstT", DType::I32).build().output(0);
    assert_eq!(fact(&graph, cast), "int32[2]");
    assert_eq!(stored_attrs(&graph, cast), ["DstT=int32"]);
}

#[test]
fn a_list_of_one_type_stores_its_length() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder(DType::F64, shape![?, 2]);
    let sum = NodeBuilder::new(&ADD_N).inputs([x, x, x]).build().output(0);
    assert_eq!(stored_attrs(&graph, sum), ["N=3"]);
    assert_eq!(fact(&graph, sum), "float64[?, 2]");
    let joined = NodeBuilder::new(&CONCAT).inputs([x, x]).input(constant(0)).build().output(0);
    assert_eq!(stored_attrs(&graph, joined), ["N=2"]);
    assert_eq!(graph.read().node(tensor_id(joined).node).inputs.len(), 3);
}

#[test]
fn a_list_of_mixed_types_stores_them() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let two = constant(2);
    let data = [two, placeholder(DType::String, shape![..])];
    let print = NodeBuilder::new(&PRINT).input(two).inputs(data).build().output(0);
    assert_eq!(stored_attrs(&graph, print), ["U=[I32, String]"]);
    assert_eq!(fact(&graph, print), "int32[]");
    let nothing = NodeBuilder::new(&PRINT).input(two).inputs([two; 0]).build().output(0);
    assert_eq!(stored_attrs(&graph, nothing), ["U=[]"]);
}

#[test]
fn an_attribute_counts_the_outputs() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder(DType::F32, shape![?, 6]);
    let split = NodeBuilder::new(&SPLIT).input(constant(1)).input(x).attr("num_split", 3_i64);
    let split = split.build();
    let facts: Vec<String> = (0..3).map(|slot| fact(&graph, split.output(slot))).collect();
    assert_eq!(facts, ["float32[?, 2]"; 3]);
}

#[test]
fn attributes_equal_to_their_default_are_dropped() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let dropped = [
        ("int", Attr::from(0_i64)),
        ("float", Attr::from(0.0_f32)),
        ("bool", Attr::from(false)),
        ("str", Attr::from("")),
        ("type", Attr::from(DType::F32)),
        ("shape", Attr::from(shape![..])),
        ("ints", Attr::from(Vec::<i64>::new())),
    ];
    for (name, attr) in dropped {
        let node = id(attributes(name, attr).operation());
        assert_eq!(graph.read().node(node).attrs.iter().len(), 0, "{name}");
    }
    let negative_zero = id(attributes("float", -0.0_f32).operation());
    let reader = graph.read();
    let stored = reader.node(negative_zero).attrs.get("float").expect("-0 is not the default");
    assert!(stored.same(&Attr::from(-0.0_f32)));
}

#[test]
fn attributes_are_sorted_by_name() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let node = NodeBuilder::new(&NO_OP).attr("b", 1_i64).attr("c", 2_i64).attr("a", 3_i64).build();
    let reader = graph.read();
    let names: Vec<&str> = reader.node(id(node)).attrs.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn small_integer_constants_are_looked_into() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let random = NodeBuilder::new(&RANDOM).input(constant([2, 3])).attr("dtype", DType::F64);
    assert_eq!(fact(&graph, random.build().output(0)), "float64[2, 3]");
}

#[test]
fn a_missing_attribute_is_an_error() {
    let graph = Graph::new();
    let _default = graph.as_default();
    assert!(is_poison(node(&CAST, &[constant(1)])));
    assert!(matches!(
        only_error(&graph).kind,
        BuildErrorKind::Op(OpError::MissingAttr { name: "DstT" })
    ));
}

#[test]
fn an_attribute_of_another_kind_is_an_error() {
    let graph = Graph::new();
    let _default = graph.as_default();
    assert!(is_poison(attributes("int", 1.5_f32)));
    assert_eq!(message(&graph), "there is no attribute `int` of kind float");
}

#[test]
fn an_attribute_that_the_operation_does_not_know_is_kept() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let node = NodeBuilder::new(&NO_OP).attr("_class".to_owned(), "loc:@w").build();
    let reader = graph.read();
    assert!(reader.node(id(node)).attrs.get("_class").is_some());
}

#[test]
fn two_inputs_of_different_types_are_both_named() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = named_constant("weights", 1.5_f32);
    let line_of_x = line!() - 1;
    add(x, placeholder(DType::I32, shape![?]));
    let line_of_add = line!() - 1;
    let error = only_error(&graph);
    assert_eq!(
        error.kind.to_string(),
        "`x` is float32 and `y` is int32, but they must have the same type"
    );
    assert_eq!(error.location.line(), line_of_add);
    let notes: Vec<&str> = error.notes.iter().map(|note| note.text.as_str()).collect();
    let expected = [
        "input `x`: `weights`, float32[]",
        "input `y`: `Placeholder`, int32[?]",
        "help: convert one of them, as in cast(y, DType::F32)",
    ];
    assert_eq!(notes, expected);
    let lines = error.notes.iter().map(|note| note.location.map(|location| location.line()));
    assert_eq!(lines.collect::<Vec<_>>(), [Some(line_of_x), Some(line_of_add), None]);
}

#[test]
fn the_items_of_a_list_are_named_by_their_number() {
    let graph = Graph::new();
    let _default = graph.as_default();
    NodeBuilder::new(&ADD_N).inputs([constant(1), constant(1.0_f32)]).build();
    let notes: Vec<String> = only_error(&graph).notes.into_iter().map(|note| note.text).collect();
    let expected = [
        "input `inputs[0]`: `Const`, int32[]",
        "input `inputs[1]`: `Const_1`, float32[]",
        "help: convert those that differ with cast",
    ];
    assert_eq!(notes, expected);
}

#[test]
fn a_type_that_the_operation_does_not_take_is_an_error() {
    let refused: [(&'static OpDef, &str); 2] = [
        (
            &NEG,
            "`x` is string, but must be float32, float64, float16, bfloat16, int8, int16, int32, \
                int64, uint8, uint16, uint32 or uint64",
        ),
        (&ASSERT, "`condition` is string, but must be bool"),
    ];
    for (op, expected) in refused {
        let graph = Graph::new();
        let _default = graph.as_default();
        let x = placeholder(DType::String, shape![]);
        let node = NodeBuilder::new(op).input(x);
        if op.inputs.len() == 2 {
            node.inputs([x]).build()
        } else {
            node.build()
        };
        assert_eq!(message(&graph), expected);
    }
}

#[test]
fn a_type_attribute_must_agree_with_the_input_and_be_allowed() {
    let graph = Graph::new();
    let _default = graph.as_default();
    NodeBuilder::new(&NEG).input(constant(1)).attr("T", DType::F32).build();
    assert_eq!(message(&graph), "`x` is int32, but must be float32");
    let graph = Graph::new();
    let _default = graph.as_default();
    NodeBuilder::new(&RANDOM).input(constant([1])).attr("dtype", DType::I32).build();
    assert_eq!(
        message(&graph),
        "`dtype` is int32, but must be float32, float64, float16 or bfloat16"
    );
}

#[test]
fn another_number_of_inputs_is_an_error() {
    let cases: [(&'static OpDef, usize, &str); 3] = [
        (&NEG, 0, "expected 1 inputs, but 0 were given"),
        (&NEG, 2, "expected 1 inputs, but 2 were given"),
        (&ADD, 1, "expected 2 inputs, but 1 were given"),
    ];
    for (op, count, expected) in cases {
        let graph = Graph::new();
        let _default = graph.as_default();
        let x = constant(1);
        assert!(is_poison(node(op, &vec![x; count])));
        assert_eq!(message(&graph), expected);
    }
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1);
    NodeBuilder::new(&NEG).inputs([x, x]).build();
    assert_eq!(message(&graph), "expected 1 inputs, but 2 were given");
}

#[test]
fn an_output_that_does_not_exist_is_an_error() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1);
    assert!(is_poison(neg(x.operation().output(7))));
    assert_eq!(message(&graph), "Const has no output 7: it has 1 outputs");
}

#[test]
fn only_a_variable_can_be_assigned_to() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let one = constant(1);
    node(&ASSIGN, &[one, one]);
    assert_eq!(message(&graph), "`ref` must be a variable");
}

#[test]
fn a_write_can_be_written_to_again() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let variable = TensorRef::new(
        graph.key(),
        tidemill_graph::TensorId::new(variable(&graph, "w", 1).node, 0),
    );
    let one = constant(1);
    let assigned = node(&ASSIGN, &[variable, one]);
    let added = node(&ASSIGN_ADD, &[assigned, one]);
    assert_eq!(fact(&graph, added), "int32_ref[]");
    assert!(is_poison(node(&ASSIGN, &[neg(added), one])));
}

#[test]
fn inputs_that_shape_inference_refuses_are_described() {
    let graph = Graph::new();
    let _default = graph.as_default();
    node(&MATMUL, &[placeholder(DType::F32, shape![2, 3]), constant([1.0_f32])]);
    let error = only_error(&graph);
    assert_eq!(error.kind.to_string(), "`b` must have 2 axes, but its shape is [1]");
    assert_eq!(error.notes.len(), 2);
}

#[test]
fn no_attribute_makes_a_node_of_any_size() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let split = NodeBuilder::new(&SPLIT).input(constant(0)).input(constant([1]));
    split.attr("num_split", i64::MAX).build();
    let expected = "9223372036854775807 outputs were requested, but a node has at most 65536";
    assert_eq!(message(&graph), expected);
}
