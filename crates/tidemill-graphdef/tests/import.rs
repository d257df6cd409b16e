//! Importing valid and invalid messages.

mod common;

use common::{float, graph_def, input, node, text_of, with, wrong};
use tidemill_formats::proto::{AnyValue, DataType, Message};
use tidemill_graph::Graph;
use tidemill_graphdef::{
    ImportError, ImportErrorKind, ImportOptions, import_graph_def, import_graph_def_with,
};
use tidemill_ops::{Tensor, constant, placeholder};
use tidemill_value::Value;

#[test]
fn nodes_keep_their_names_whatever_scope_is_open() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let imported = tidemill_graph::name_scope("scope", || {
        import_graph_def(graph_def([input("x"), node("a/y", "Neg", &["x:0"])])).unwrap()
    });
    assert_eq!(imported.tensor("a/y").unwrap().name(), "a/y:0");
    assert_eq!(imported.operations().len(), 2);
}

#[test]
fn a_prefix_is_made_unique() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let options = ImportOptions { prefix: "import".to_owned(), ..ImportOptions::default() };
    let message = graph_def([input("x"), node("y", "Neg", &["x"])]);
    let names = [(); 2]
        .map(|()| import_graph_def_with(&message, &options).unwrap().tensor("y:0").unwrap().name());
    assert_eq!(names, ["import/y:0", "import_1/y:0"]);
}

#[test]
fn mapped_inputs_are_taken_from_the_graph() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let own = placeholder::<f32>([2]).named("own");
    let message = graph_def([input("x"), node("y", "Neg", &["x"]), node("z", "Neg", &["y", "^x"])]);
    let options = |name: &str, tensor: Tensor| ImportOptions {
        prefix: "p".to_owned(),
        input_map: vec![(name.to_owned(), tensor)],
    };
    let imported = import_graph_def_with(&message, &options("x:0", own)).unwrap();
    let y = imported.operation("y").unwrap();
    assert_eq!(y.inputs(), [own]);
    assert_eq!(imported.operation("z").unwrap().control_inputs()[0].name(), "p/x");

    let unused = import_graph_def_with(&message, &options("x:1", own)).unwrap_err();
    assert_eq!(unused.to_string(), "the input map names tensors that no node takes: x:1");
    let elsewhere = Graph::new();
    let _elsewhere = elsewhere.as_default();
    let foreign = import_graph_def_with(&message, &options("x", own)).unwrap_err();
    assert!(matches!(foreign, ImportError::InvalidMapping { .. }), "{foreign}");
}

#[test]
fn mapped_inputs_reach_loops_and_may_replace_what_the_message_lacks() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let own = placeholder::<f32>([]).named("own");
    let flow = |name: &str, op: &str, inputs: &[&str]| with(node(name, op, inputs), "T", float());
    let enter = |name: &str, input: &str, is_constant| {
        let enter = with(flow(name, "Enter", &[input]), "is_constant", AnyValue::B(is_constant));
        with(enter, "frame_name", AnyValue::S(b"loop".to_vec()))
    };
    let message = graph_def([
        input("x"),
        input("y"),
        enter("enter", "x", false),
        enter("constant", "y", true),
        flow("merge", "Merge", &["enter", "next"]),
        flow("less", "Less", &["merge", "constant"]),
        node("loop_cond", "LoopCond", &["less"]),
        flow("switch", "Switch", &["merge", "loop_cond"]),
        flow("body", "AddV2", &["switch:1", "constant"]),
        flow("next", "NextIteration", &["body"]),
        flow("exit", "Exit", &["switch"]),
        node("z", "AddV2", &["exit", "absent:1", "^absent"]),
    ]);
    let options = |names: &[&str]| ImportOptions {
        prefix: "p".to_owned(),
        input_map: names.iter().map(|name| ((*name).to_owned(), own)).collect(),
    };
    let names = ["x", "absent:1", "^absent"];
    let imported = import_graph_def_with(&message, &options(&names)).unwrap();
    let inputs = |name: &str| imported.operation(name).unwrap().inputs();
    assert_eq!(inputs("loop"), [own, imported.tensor("y").unwrap()]);
    assert_eq!(inputs("z"), [imported.tensor("exit").unwrap(), own]);
    assert_eq!(imported.operation("z").unwrap().control_inputs(), [own.op()]);
    for (names, missing) in [(["x", "absent"], "absent:1"), (["x", "absent:1"], "^absent")] {
        let error = import_graph_def_with(&message, &options(&names)).unwrap_err().to_string();
        assert_eq!(error, format!("node `z` (AddV2): its input `{missing}` does not exist"));
    }
    let inside = import_graph_def_with(&message, &options(&["x", "absent:1", "^absent", "body"]));
    let expected = "the input map names tensors that no node takes: body:0";
    assert_eq!(inside.unwrap_err().to_string(), expected);
}

#[test]
fn nodes_may_stand_in_any_order() {
    let forwards = [input("x"), node("y", "Neg", &["x"]), node("z", "AddV2", &["x", "y"])];
    let mut backwards = forwards.clone();
    backwards.reverse();
    assert_eq!(text_of(graph_def(backwards)), text_of(graph_def(forwards)));
}

#[test]
fn defaults_may_be_absent_and_notes_and_devices_are_passed_over() {
    let bare = node("y", "MatMul", &["x", "x"]);
    let mut full = with(bare.clone(), "T", float());
    full = with(full, "transpose_a", AnyValue::B(false));
    full = with(full, "_output_shapes", AnyValue::S(b"whatever".to_vec()));
    full.device = "/job:nowhere".to_owned();
    assert_eq!(text_of(graph_def([input("x"), full])), text_of(graph_def([input("x"), bare])));
}

#[test]
fn a_message_may_be_given_as_bytes() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let bytes = graph_def([input("x")]).encode_to_vec();
    assert!(import_graph_def(&bytes).unwrap().tensor("x").is_ok());
    let error = import_graph_def(&bytes[..bytes.len() - 1]).unwrap_err();
    assert!(matches!(error, ImportError::Decode(_)), "{error}");
}

#[test]
fn a_chain_of_any_length_is_imported() {
    const LENGTH: usize = 100_000;
    let link = |i: usize| node(&format!("n{}", i + 1), "Neg", &[&format!("n{i}")]);
    let chain = (0..LENGTH).rev().map(link).chain([input("n0")]);
    let graph = Graph::new();
    let _default = graph.as_default();
    let imported = import_graph_def(graph_def(chain)).unwrap();
    assert_eq!(imported.operations().len(), LENGTH + 1);
}

#[test]
fn what_is_wrong_with_the_wires_is_said() {
    let x = || input("x");
    let cases = [
        (vec![x(), x()], "x", "another node has the same name"),
        (vec![node("y", "Neg", &["w"])], "y", "its input `w` does not exist"),
        (vec![x(), node("y", "Neg", &["x", "^w"])], "y", "its input `^w` does not exist"),
        (
            vec![x(), node("y", "Neg", &["^x", "x"])],
            "y",
            "its input `x` comes after a control input",
        ),
        (vec![node("y", "Neg", &["y"])], "y", "it depends on itself: y"),
        (
            vec![node("a", "Neg", &["b"]), node("b", "Neg", &["a", "^a"])],
            "a",
            "it depends on itself: a ← b",
        ),
        (
            vec![x(), node("y", "Neg", &["x:1"])],
            "y",
            "Placeholder has no output 1: it has 1 outputs",
        ),
        (
            vec![x(), node("y", "Neg", &["x", "x"])],
            "y",
            "its type and attributes call for 1 inputs, but it has 2",
        ),
        (vec![x(), node("_y", "Neg", &["x"])], "_y", "`_y` cannot be a name"),
        (
            vec![node("y", "Switch", &[])],
            "y",
            "no `Merge` joins the branches that it leads to, as in `cond`",
        ),
    ];
    for (nodes, name, message) in cases {
        let (node, text) = wrong(graph_def(nodes));
        assert!(node == name && text.starts_with(message), "{node}: {text}");
    }
}

#[test]
fn what_is_wrong_with_attributes_is_said() {
    let neg =
        |name: &str, value: AnyValue| vec![input("x"), with(node("y", "Neg", &["x"]), name, value)];
    let pack = |count: i64| {
        vec![input("x"), with(node("y", "Pack", &["x", "x"]), "N", AnyValue::I(count))]
    };
    let shape = |size: i64| {
        let dim = tidemill_formats::proto::Dim { size, name: String::new() };
        let shape =
            tidemill_formats::proto::TensorShapeProto { dim: vec![dim], unknown_rank: false };
        vec![with(input("y"), "shape", AnyValue::Shape(shape))]
    };
    let cases = [
        (neg("T", AnyValue::I(1)), "the attribute `T` must be of kind type, but is of kind int"),
        (neg("T", AnyValue::Type(77)), "the attribute `T`: unknown data type number 77"),
        (neg("T", AnyValue::Type(DataType::Int32.into())), "`x` is float32, but must be int32"),
        (pack(3), "its type and attributes call for 3 inputs, but it has 2"),
        (pack(-1), "its type and attributes call for 18446744073709551615 inputs"),
        (vec![input("x"), node("y", "Pack", &["x"])], "the attribute `N` is missing"),
        (shape(-5), "the attribute `shape`: a shape has an axis of extent -5"),
        (vec![node("y", "Const", &[])], "the attribute `value` is missing"),
    ];
    for (nodes, message) in cases {
        let (node, text) = wrong(graph_def(nodes));
        assert!(node == "y" && text.starts_with(message), "{node}: {text}");
    }
}

#[test]
fn constants_that_leave_out_more_than_memory_holds_are_refused() {
    let splat = |name: &str| {
        let value = tidemill_formats::proto::TensorProto {
            tensor_shape: Some((&tidemill_value::Shape::from([100_000_000])).into()),
            ..(&Value::from(1.0_f32)).into()
        };
        let constant = with(node(name, "Const", &[]), "dtype", float());
        with(constant, "value", AnyValue::Tensor(value))
    };
    let (node, text) = wrong(graph_def(["a", "b", "y", "z"].map(splat)));
    assert!(node == "y" && text.contains("filling in the rest would take"), "{node}: {text}");
}

#[test]
fn a_name_that_the_graph_has_is_an_error() {
    let graph = Graph::new();
    let _default = graph.as_default();
    constant(1).named("x");
    let error = import_graph_def(graph_def([input("x")])).unwrap_err();
    assert_eq!(error.to_string(), "node `x` (Placeholder): the name `x` is taken");
    let ImportError::Node { kind, .. } = error else { panic!("{error}") };
    assert!(matches!(*kind, ImportErrorKind::Build(_)));
}
