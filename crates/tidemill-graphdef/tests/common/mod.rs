//! Messages to import.

use std::collections::BTreeMap;

use tidemill_formats::proto::{AnyValue, AttrValue, DataType, GraphDef, NodeDef};
use tidemill_graph::Graph;
use tidemill_graphdef::{ImportError, import_graph_def};

pub(crate) fn node(name: &str, op: &str, inputs: &[&str]) -> NodeDef {
    NodeDef {
        name: name.to_owned(),
        op: op.to_owned(),
        input: inputs.iter().map(|input| (*input).to_owned()).collect(),
        device: String::new(),
        attr: BTreeMap::new(),
    }
}

/// The node with one more attribute.
pub(crate) fn with(mut node: NodeDef, name: &str, value: AnyValue) -> NodeDef {
    node.attr.insert(name.to_owned(), AttrValue { value: Some(value) });
    node
}

/// The type attribute of `float32`.
pub(crate) fn float() -> AnyValue {
    AnyValue::Type(DataType::Float.into())
}

pub(crate) fn input(name: &str) -> NodeDef {
    with(node(name, "Placeholder", &[]), "dtype", float())
}

pub(crate) fn graph_def(nodes: impl IntoIterator<Item = NodeDef>) -> GraphDef {
    GraphDef { node: nodes.into_iter().collect(), ..GraphDef::default() }
}

/// The failing node of a message, and its error.
pub(crate) fn wrong(message: GraphDef) -> (String, String) {
    let graph = Graph::new();
    let _default = graph.as_default();
    match import_graph_def(message) {
        Err(ImportError::Node { node, kind, .. }) => (node, kind.to_string()),
        other => panic!("{other:?}"),
    }
}

/// The text of the graph of a message.
pub(crate) fn text_of(message: GraphDef) -> String {
    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(message).unwrap();
    graph.to_text()
}
