//! Inspecting a graph.

use crate::common::{all_names, names};
use tidemill::prelude::*;

#[test]
fn program_i1_the_default_graph_is_an_object() {
    let graph = Graph::new();
    let _default = graph.as_default();
    constant(1);
    let printed = format!("{:?}", default_graph());
    assert!(printed.starts_with("Graph(graph ") && printed.ends_with(", 1 nodes)"), "{printed}");
    assert_eq!(default_graph(), graph);
}

#[test]
fn program_i2_tensors_and_operations_know_each_other() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = constant(2).named("a");
    let b = constant(3).named("b");
    let c = a + b;
    assert_eq!(a.to_string(), r#"Tensor("a:0", shape=(), dtype=int32)"#);
    assert_eq!(c.to_string(), r#"Tensor("add:0", shape=(), dtype=int32)"#);
    assert_eq!(format!("{:?}", c.op()), r#"Operation("add", type=AddV2)"#);
    assert_eq!(a.consumers(), [c.op()]);
    assert!(c.consumers().is_empty());
    assert!(a.op().inputs().is_empty());
    assert_eq!(c.op().inputs(), [a, b]);
    assert_eq!(c.op().outputs(), [c]);
    assert_eq!(all_names(&graph), ["a", "b", "add"]);
    let tensors: Vec<Tensor> = graph.operations().iter().flat_map(|op| op.outputs()).collect();
    assert_eq!(tensors, [a, b, c]);
}

#[test]
fn program_i2_an_operation_prints_as_a_node_def() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = constant(2).named("a");
    let b = constant(3).named("b");
    let c = a + b;
    insta::assert_snapshot!(a.op(), @r#"
    name: "a"
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
    "#);
    insta::assert_snapshot!(c.op(), @r#"
    name: "add"
    op: "AddV2"
    input: "a"
    input: "b"
    attr {
      key: "T"
      value {
        type: DT_INT32
      }
    }
    "#);
}

#[test]
fn program_i3_a_variable_is_several_operations() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let a = constant(2).named("a");
    let b = variable("b", []).dtype(DType::I32).get();
    let c = a + b;
    assert_eq!(all_names(&graph), ["a", "b/Initializer/zeros", "b", "b/Assign", "b/read", "add"]);
    assert!(b.op().inputs().is_empty());
    let inputs: Vec<String> = c.op().inputs().into_iter().map(Tensor::name).collect();
    assert_eq!(inputs, ["a:0", "b/read:0"]);
}

#[test]
fn control_inputs_are_seen_in_the_node_def() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let first = no_op().named("first");
    let after = control_dependencies([first], no_op);
    assert_eq!(after.to_string(), "name: \"NoOp\"\nop: \"NoOp\"\ninput: \"^first\"\n");
    assert_eq!(names(after.control_inputs()), ["first"]);
}

#[test]
fn what_has_a_name_is_found_by_it() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1).named("x");
    let v = get_variable("v", [], zeros());
    assert_eq!(graph.operation("x"), Ok(x.op()));
    assert_eq!(graph.tensor("x:0"), Ok(x));
    assert_eq!(graph.tensor("x"), Ok(x));
    assert_eq!(Inspect::variable(&graph, "v"), Ok(v));
    assert_eq!(graph.tensor("v/read:0"), Ok(v.read()));
}

#[test]
fn consumers_are_listed_in_the_order_in_which_they_were_made() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1.0_f32).named("x");
    let _ = (x * x, square(x), x + 1.0);
    assert_eq!(names(x.consumers()), ["mul", "Square", "add"]);
}

#[test]
fn the_writers_of_a_variable_are_consumers_of_its_storage() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], zeros());
    let write = assign_add(v, 1.0);
    let storage = v.op().output(0);
    assert_eq!(names(storage.consumers()), ["v/Assign", "v/read", "AssignAdd"]);
    assert_eq!(write.op().inputs()[0], storage);
}

#[test]
fn what_is_known_of_a_tensor_is_known_before_a_run() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?, 3]);
    let y = matmul(x, constant([[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    assert_eq!((y.dtype(), y.shape()), (Some(DType::F32), shape![?, 2]));
    assert_eq!(reduce_sum(y, 0).shape(), shape![2]);
    assert_eq!(transpose(y, &[1, 0]).shape(), shape![2, ?]);
}

#[test]
fn a_node_knows_the_line_that_made_it() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let base = line!();
    let x = constant(1.0_f32);
    let y = x + x;
    let place = |op: Operation| op.location().map(|at| (at.line() - base, at.column()));
    assert_eq!(place(x.op()), Some((1, 13)));
    assert_eq!(place(y.op()), Some((2, 13)));
    assert_eq!(x.op().location().map(|at| at.file()), Some(file!()));
}

#[test]
fn a_graph_prints_in_the_dot_language() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let _ = constant(2).named("two") + constant(3).named("three");
    let dot = graph.to_dot();
    assert!(dot.starts_with("digraph"), "{dot}");
    assert!(["two", "three", "add", "AddV2"].iter().all(|part| dot.contains(part)), "{dot}");
}
