//! Graphs of files with nodes that are not understood.

use tidemill::prelude::*;
use tidemill::proto::{GraphDef, Message};
use tidemill::{
    ImportError, ImportOptions, RunError, TextMessage, import_graph_def, import_graph_def_with,
    to_graph_def,
};

use crate::common::Outcome;

const FLOAT: &str = "attr { key: 'T' value { type: DT_FLOAT } }";

/// A placeholder `x`, and the nodes of this text.
fn message(nodes: &str) -> GraphDef {
    let input = "node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } }";
    GraphDef::from_text(&format!("{input} {nodes} versions {{ producer: 2300 }}")).unwrap()
}

/// `unknown`, of an unknown operation, on the way to `z` but not to `y`.
fn with_an_unknown_operation() -> GraphDef {
    message(&format!(
        "node {{ name: 'y' op: 'Neg' input: 'x' {FLOAT} }}
         node {{ name: 'unknown' op: 'NoSuchOp' input: 'x' input: '^y' device: '/gpu:0'
                 attr {{ key: 'mystery' value {{ list {{ f: 2.5 f: 3 }} }} }} {FLOAT} }}
         node {{ name: 'z' op: 'AddV2' input: 'unknown:1' input: 'y' {FLOAT} }}"
    ))
}

/// Imports a message into the default graph of a new session.
fn session_of(message: &GraphDef) -> Result<Session, ImportError> {
    import_graph_def(message)?;
    Ok(Session::new())
}

fn written(graph: &Graph, name: &str) -> tidemill::proto::NodeDef {
    let message = to_graph_def(graph).unwrap();
    message.node.into_iter().find(|node| node.name == name).unwrap()
}

fn node_of(message: &GraphDef, name: &str) -> tidemill::proto::NodeDef {
    message.node.iter().find(|node| node.name == name).unwrap().clone()
}

/// Each node is written again as the message has it.
fn assert_kept(message: &GraphDef, names: &[&str]) {
    for name in names {
        assert_eq!(written(&default_graph(), name), node_of(message, name));
    }
}

#[test]
fn only_what_needs_an_unknown_operation_does_not_run() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let message = with_an_unknown_operation();
    let session = session_of(&message)?;
    let y: f32 = session.run_with("y", [("x", 2.0_f32)])?;
    assert_eq!(y, -2.0);
    let error = session.run_with::<_, _, f32>("z", [("x", 2.0_f32)]).unwrap_err();
    assert!(matches!(error, RunError::NoKernel(_)), "{error}");
    let text = error.to_string();
    for part in ["`unknown`", "NoSuchOp", "producer version is 2300", "input_map", file!()] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let fed: f32 = session.run_with("z", [("x", 2.0_f32), ("unknown:1", 5.0)])?;
    assert_eq!(fed, 3.0);
    assert_kept(&message, &["unknown", "z"]);
    Ok(())
}

#[test]
fn a_gradient_fails_only_where_it_crosses_an_unknown_operation() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    session_of(&with_an_unknown_operation())?;
    let [x, y, z] = ["x:0", "y:0", "z:0"].map(|name| graph.tensor(name).unwrap());
    assert_eq!(gradients(y, [x]).len(), 1);
    let crossing = gradients(z, [x])[0];
    let error = Session::new().run_with::<_, _, f32>(crossing.unwrap(), [("x", 2.0_f32)]);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("NoSuchOp") && text.contains("unknown"), "{text}");
    Ok(())
}
