//! A graph as shown by Graphviz and TensorFlow, and warnings about it.

mod common;

use common::ops::*;
use common::*;
use tidemill_graph::{Graph, NodeBuilder, TensorRef, control_dependencies};
use tidemill_value::{ByteString, DType, Value, shape};

fn node_def(graph: &Graph, tensor: TensorRef) -> String {
    graph.read().node_def(tensor_id(tensor).node)
}

/// An attribute of a `NodeDef`.
fn attr(key: &str, value: &str) -> String {
    let value: String = value.lines().map(|line| format!("    {line}\n")).collect();
    format!("attr {{\n  key: \"{key}\"\n  value {{\n{value}  }}\n}}\n")
}

/// The attributes of a `Const` node whose value has these elements.
fn const_attrs(dtype: &str, shape: &str, elements: &str) -> String {
    let indented: String = elements.lines().map(|element| format!("  {element}\n")).collect();
    let tensor =
        format!("tensor {{\n  dtype: {dtype}\n  tensor_shape {{{shape}\n  }}\n{indented}}}");
    attr("dtype", &format!("type: {dtype}")) + &attr("value", &tensor)
}

#[test]
fn edges_are_drawn_as_values_controls_and_targets() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let variable = variable(&graph, "w", [1.0_f32, 2.0]);
    let x = placeholder(DType::F32, shape![?, 2]);
    add(x, TensorRef::new(graph.key(), variable.read));
    let assign = TensorRef::new(
        graph.key(),
        tidemill_graph::TensorId::new(variable.initializer().unwrap(), 0),
    );
    control_dependencies([assign.operation()], no_op);
    let expected = r#"digraph {
    0 [ label = "w\nVariableV2" ]
    1 [ label = "w/initial\nConst" ]
    2 [ label = "w/Assign\nAssign" ]
    3 [ label = "w/Identity\nIdentity" ]
    4 [ label = "Placeholder\nPlaceholder" ]
    5 [ label = "add\nAddV2" ]
    6 [ label = "NoOp\nNoOp" ]
    0 -> 2 [ style = dashed ]
    1 -> 2 [ label = "float32[2]" ]
    0 -> 3 [ label = "float32_ref[2]" ]
    4 -> 5 [ label = "float32[?, 2]" ]
    3 -> 5 [ label = "float32[2]" ]
    2 -> 6 [ style = dotted ]
}
"#;
    assert_eq!(graph.to_dot(), expected);
}

#[test]
fn names_are_escaped_in_dot() {
    let graph = Graph::new();
    NodeBuilder::new(&NO_OP).graph(graph.key()).exact_name("a\\b").build();
    assert!(graph.to_dot().contains(r#"label = "a\\b\nNoOp""#));
}

#[test]
fn the_node_def_of_an_addition_is_that_of_tensorflow() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = named_constant("a", 2);
    let c = add(a, named_constant("b", 3));
    let expected = r#"name: "add"
op: "AddV2"
input: "a"
input: "b"
attr {
  key: "T"
  value {
    type: DT_INT32
  }
}
"#;
    assert_eq!(node_def(&graph, c), expected);
    let expected = r#"name: "a"
op: "Const"
attr {
  key: "dtype"
  value {
    type: DT_INT32
  }
}
attr {
  key: "value"
  value {
    tensor {
      dtype: DT_INT32
      tensor_shape {
      }
      int_val: 2
    }
  }
}
"#;
    assert_eq!(node_def(&graph, a), expected);
}

#[test]
fn floats_print_in_a_node_def_as_python_prints_them() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let floats = [
        (0.1_f32, "0.1"),
        (1e-7, "1e-07"),
        (1e16, "1e+16"),
        (1e15, "1000000000000000.0"),
        (123456789.0, "123456790.0"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (f32::NAN, "nan"),
        (f32::NEG_INFINITY, "-inf"),
        (-0.0, "-0.0"),
        (3.4e38, "3.4e+38"),
        (1.0 / 3.0, "0.33333334"),
        (1.5e-45, "1e-45"),
    ];
    for (float, printed) in floats {
        let expected = const_attrs("DT_FLOAT", "", &format!("float_val: {printed}"));
        let node_def = node_def(&graph, constant(float));
        assert!(node_def.ends_with(&expected), "{float}: {node_def}");
    }
    let node_def = node_def(&graph, constant(1.0_f64 / 3.0));
    assert!(node_def.contains("double_val: 0.3333333333333333\n"), "{node_def}");
}

#[test]
fn elements_are_listed_in_the_field_of_their_type() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let fields = [
        (Value::scalar(true), "bool_val: true"),
        (Value::scalar(1_u8), "int_val: 1"),
        (Value::scalar(-1_i8), "int_val: -1"),
        (Value::scalar(1_i16), "int_val: 1"),
        (Value::scalar(1_u16), "int_val: 1"),
        (Value::scalar(1_i64), "int64_val: 1"),
        (Value::scalar(1_u32), "uint32_val: 1"),
        (Value::scalar(1_u64), "uint64_val: 1"),
    ];
    for (value, field) in fields {
        let expected = const_attrs(value.dtype().proto_name(), "", field);
        assert!(node_def(&graph, constant(value)).ends_with(&expected), "{field}");
    }
    let strings = [&b"a\xff\n\"'\\\x00"[..], "é".as_bytes(), b"\xff\x01"];
    let strings: Vec<ByteString> = strings.map(ByteString::from).into();
    let expected = "string_val: \"a\\377\\n\\\"\\'\\\\\\000\"\n\
                    string_val: \"\\303\\251\"\n\
                    string_val: \"\\377\\001\"";
    let shape = "\n    dim {\n      size: 3\n    }";
    let node_def = node_def(&graph, constant(Value::list(strings)));
    assert!(node_def.ends_with(&const_attrs("DT_STRING", shape, expected)), "{node_def}");
}

#[test]
fn equal_elements_at_the_end_of_a_tensor_are_listed_once() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let zeros = Value::from_vec([3, 2], vec![0.0_f32; 6]).expect("six elements");
    let shape = "\n    dim {\n      size: 3\n    }\n    dim {\n      size: 2\n    }";
    let expected = const_attrs("DT_FLOAT", shape, "float_val: 0.0");
    assert!(node_def(&graph, constant(zeros)).ends_with(&expected));
    let expected = const_attrs(
        "DT_FLOAT",
        "\n    dim {\n      size: 4\n    }",
        "float_val: 0.0\nfloat_val: -0.0\nfloat_val: 0.0",
    );
    assert!(node_def(&graph, constant([0.0_f32, -0.0, 0.0, 0.0])).ends_with(&expected));
    let expected = const_attrs("DT_FLOAT", "\n    dim {\n    }", "");
    assert!(node_def(&graph, constant(Vec::<f32>::new())).ends_with(&expected));
}

#[test]
fn the_node_def_of_a_matrix_product_has_its_defaults() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let variable = variable(&graph, "w", Value::zeros(DType::F32, [3, 2]).expect("small"));
    let x = placeholder(DType::F32, shape![?, 3]);
    let y = node(&MATMUL, &[x, TensorRef::new(graph.key(), variable.read)]);
    let expected = "name: \"MatMul\"\nop: \"MatMul\"\ninput: \"Placeholder\"\n\
                    input: \"w/Identity\"\n"
        .to_owned()
        + &attr("T", "type: DT_FLOAT")
        + &attr("grad_a", "b: false")
        + &attr("grad_b", "b: false")
        + &attr("transpose_a", "b: false")
        + &attr("transpose_b", "b: false");
    assert_eq!(node_def(&graph, y), expected);
    let shape = "shape {\n  dim {\n    size: -1\n  }\n  dim {\n    size: 3\n  }\n}";
    let expected = "name: \"Placeholder\"\nop: \"Placeholder\"\n".to_owned()
        + &attr("dtype", "type: DT_FLOAT")
        + &attr("shape", shape);
    assert_eq!(node_def(&graph, x), expected);
    let shape = "shape {\n  dim {\n    size: 3\n  }\n  dim {\n    size: 2\n  }\n}";
    let expected = "name: \"w\"\nop: \"VariableV2\"\n".to_owned()
        + &attr("container", "s: \"\"")
        + &attr("dtype", "type: DT_FLOAT")
        + &attr("shape", shape)
        + &attr("shared_name", "s: \"\"");
    assert_eq!(graph.read().node_def(variable.node), expected);
}

#[test]
fn inputs_of_a_node_def_name_outputs_and_controls() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder(DType::F32, shape![..]);
    assert!(node_def(&graph, x).ends_with(&attr("shape", "shape {\n  unknown_rank: true\n}")));
    let split = NodeBuilder::new(&SPLIT).input(constant(1)).input(x).attr("num_split", 3_i64);
    let second = split.build().output(1);
    let y = control_dependencies([x.operation()], || node(&IDENTITY, &[second]));
    let expected = "name: \"Identity\"\nop: \"Identity\"\ninput: \"Split:1\"\n\
                    input: \"^Placeholder\"\n"
        .to_owned()
        + &attr("T", "type: DT_FLOAT");
    assert_eq!(node_def(&graph, y), expected);
}

#[test]
fn lists_in_a_node_def_are_those_of_tensorflow() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder(DType::F32, shape![1, 1]);
    let squeeze = |axes: Vec<i64>| {
        NodeBuilder::new(&SQUEEZE).input(x).attr("squeeze_dims", axes).build().output(0)
    };
    let list = |list: &str| attr("T", "type: DT_FLOAT") + &attr("squeeze_dims", list);
    let expected = list("list {\n  i: 0\n  i: 1\n}");
    assert!(node_def(&graph, squeeze(vec![0, 1])).ends_with(&expected));
    assert!(node_def(&graph, squeeze(vec![])).ends_with(&list("list {\n}")));
    let print = NodeBuilder::new(&PRINT).input(x).inputs([x, constant(1)]).build().output(0);
    let expected = "name: \"Print\"\nop: \"Print\"\ninput: \"Placeholder\"\n\
                    input: \"Placeholder\"\ninput: \"Const\"\n"
        .to_owned()
        + &attr("T", "type: DT_FLOAT")
        + &attr("U", "list {\n  type: DT_FLOAT\n  type: DT_INT32\n}")
        + &attr("first_n", "i: -1")
        + &attr("message", "s: \"\"")
        + &attr("summarize", "i: 3");
    assert_eq!(node_def(&graph, print), expected);
}

#[test]
fn a_print_that_nothing_uses_is_remarked_upon() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let two = constant(2);
    NodeBuilder::new(&PRINT).input(two).inputs([two]).build();
    let line = line!() - 1;
    let lints = graph.lint();
    assert_eq!(lints.len(), 1);
    let (column, file) = (lints[0].location.column(), file!());
    let expected = format!(
        "`Print` is on no path: nothing uses its output\n  --> {file}:{line}:{column}\n  \
         help: use the tensor that print returns, or tie it in by control_dependencies"
    );
    assert_eq!(lints[0].to_string(), expected);
}

#[test]
fn an_assertion_that_nothing_runs_after_is_remarked_upon() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let holds = constant(true);
    NodeBuilder::new(&ASSERT).input(holds).inputs([holds]).name("check").build();
    let lints: Vec<String> = graph.lint().iter().map(ToString::to_string).collect();
    assert_eq!(lints.len(), 1);
    assert!(lints[0].starts_with("`check` is on no path: nothing runs after it\n"));
    assert!(lints[0].ends_with("help: tie it in by control_dependencies"));
}

#[test]
fn a_print_or_assertion_that_is_used_is_not_remarked_upon() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let two = constant(2);
    let print = NodeBuilder::new(&PRINT).input(two).inputs([two]).build();
    neg(print.output(0));
    let holds = constant(true);
    let assert = NodeBuilder::new(&ASSERT).input(holds).inputs([holds]).build();
    control_dependencies([assert], no_op);
    assert_eq!(graph.lint(), []);
}
