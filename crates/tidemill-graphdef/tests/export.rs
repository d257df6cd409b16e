//! Graphs converted to messages and back.

use tidemill_formats::proto::{AnyValue, Message};
use tidemill_graph::Graph;
use tidemill_graphdef::{ExportError, import_graph_def, to_graph_def};
use tidemill_ops::{HostOutput, constant, get_variable, host_call, placeholder, reduce_sum, zeros};
use tidemill_value::shape;

#[test]
fn a_graph_reads_back_from_the_bytes_of_its_message() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?, 2]);
    let w = get_variable("w", [2, 1], zeros());
    let y = tidemill_ops::matmul(x, w) + constant(f32::NAN);
    let total = reduce_sum(y, ..);
    tidemill_graph::control_dependencies([total], || tidemill_ops::no_op());
    let bytes = to_graph_def(&graph).unwrap().encode_to_vec();

    let again = Graph::new();
    let _again = again.as_default();
    import_graph_def(&bytes).unwrap();
    let of_nodes = |graph: &Graph| {
        let text = graph.to_text();
        text.lines().filter(|line| !line.starts_with('@')).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(of_nodes(&again), of_nodes(&graph));
}

#[test]
fn attributes_that_follow_from_inputs_or_have_their_default_are_written() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f64>([2, 2]);
    let _ = tidemill_ops::matmul(x, x);
    let message = to_graph_def(&graph).unwrap();
    let attr = |name: &str| message.node[1].attr[name].value.clone();
    assert_eq!(attr("T"), Some(AnyValue::Type(2)));
    assert_eq!(attr("transpose_a"), Some(AnyValue::B(false)));
}

#[test]
fn a_graph_with_errors_is_not_exported() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let _ = constant([1.0_f32, 2.0]) + constant([1.0_f32, 2.0, 3.0]);
    assert!(matches!(to_graph_def(&graph), Err(ExportError::Invalid(_))));
}

#[test]
fn a_function_of_the_host_program_has_no_message() {
    let graph = Graph::new();
    let _default = graph.as_default();
    host_call([constant(1)], [HostOutput::new::<i32>([])], |inputs| Ok(inputs.to_vec()));
    let error = to_graph_def(&graph).unwrap_err();
    assert_eq!(
        error.to_string(),
        "node `HostCall` (HostCall) calls a function of the host program"
    );
}
