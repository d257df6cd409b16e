use std::collections::BTreeMap;

use tidemill_formats::proto::{
    AnyValue, AttrValue, DataType, GraphDef, ListValue, Message, NodeDef, TensorProto, VersionDef,
};
use tidemill_graph::{Attr, BuildErrors, Graph, GraphReader, Node, NodeId};

use crate::functions::{self, Functions, Inside, references};
use crate::import::notes;

/// The producer version of TensorFlow 2.21.
const PRODUCER: i32 = 2474;

/// The maximum size of a protocol buffer message.
const MAX_BYTES: usize = i32::MAX as usize;

/// The error of a graph that has no `GraphDef`.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Builder calls failed, so the graph is incomplete.
    #[error("the graph has errors:\n{0}")]
    Invalid(#[from] BuildErrors),
    /// A node calls a function of the host program, which cannot be written to a file.
    #[error("node `{node}` ({op}) calls a function of the host program")]
    HostFunction {
        /// The name of the node.
        node: String,
        /// Its operation type.
        op: &'static str,
    },
    /// A body takes a reference variable, which TensorFlow's functions do not support.
    #[error(
        "node `{node}` ({op}) passes a variable to a function, which only works for resource \
         variables: make it by `variable(..).resource(true)`"
    )]
    RefVariable {
        /// The name of the node.
        node: String,
        /// Its operation type.
        op: &'static str,
    },
    /// The message exceeds the maximum size.
    #[error(
        "the GraphDef would have {bytes} bytes, but the limit is {MAX_BYTES}: the largest node is \
         `{node}`, with {node_bytes}"
    )]
    TooLarge {
        /// The size of the message in bytes.
        bytes: usize,
        /// The name of the largest node.
        node: String,
        /// The size of that node in bytes.
        node_bytes: usize,
    },
}

tidemill_value::debug_as_report!(ExportError);

/// The `GraphDef` of a graph: all nodes, with all of their attributes. For an imported graph, it
/// writes back the parts of the original message that the runtime does not use: devices, attributes
/// that begin with `_`, the function library, versions.
///
/// It does not contain variables, collections, seeds or source lines.
///
/// # Errors
/// [`ExportError`]
pub fn to_graph_def(graph: &Graph) -> Result<GraphDef, ExportError> {
    graph.check()?;
    let reader = graph.read();
    let (kept, imported_versions) = notes::kept(&reader);
    let mut functions = Functions::new(kept);
    let nodes = reader.nodes();
    let nodes = nodes.map(|(id, node)| to_node_def(&reader, id, node, None, &mut functions));
    let nodes = nodes.collect::<Result<_, _>>()?;
    let versions = VersionDef { producer: PRODUCER, ..VersionDef::default() };
    let graph_def = GraphDef {
        node: nodes,
        library: functions.into_library(),
        versions: imported_versions.or(Some(versions)),
    };
    check_size(graph_def)
}

/// The message, if it does not exceed the maximum size.
pub(crate) fn check_size(graph_def: GraphDef) -> Result<GraphDef, ExportError> {
    match graph_def.encoded_len() {
        bytes if bytes > MAX_BYTES => {
            let largest = graph_def.node.iter().max_by_key(|node| node.encoded_len());
            let (node, node_bytes) = largest
                .map_or_else(Default::default, |node| (node.name.clone(), node.encoded_len()));
            Err(ExportError::TooLarge { bytes, node, node_bytes })
        }
        _ => Ok(graph_def),
    }
}

/// A node of a graph, or of the body of a function.
pub(crate) fn to_node_def(
    reader: &GraphReader<'_>,
    id: NodeId,
    node: &Node,
    inside: Option<&Inside>,
    functions: &mut Functions,
) -> Result<NodeDef, ExportError> {
    let inputs = references(reader, &node.inputs, inside);
    let controls = node.control_inputs.iter().map(|control| format!("^{}", reader.name(*control)));
    let too_large = |bytes| {
        let node = reader.name(id).to_owned();
        ExportError::TooLarge { bytes, node, node_bytes: bytes }
    };
    let types = functions::types_with_handles(reader, id, node)?;
    let attr = |(name, attr): (&str, Attr)| {
        // Before its bytes are in memory twice.
        if let Attr::Tensor(value) = &attr
            && let bytes = TensorProto::content_len(value)
            && bytes > MAX_BYTES
        {
            return Err(too_large(bytes));
        }
        if let Some(types) = types.iter().find(|(of, _)| *of == name) {
            return Ok((name.to_owned(), AttrValue { value: Some(types.1.clone()) }));
        }
        if let Some(value) = functions.attr(&attr)? {
            return Ok((name.to_owned(), AttrValue { value: Some(value) }));
        }
        let host_function =
            || ExportError::HostFunction { node: reader.name(id).to_owned(), op: node.op.name };
        let value = Some(to_any_value(&attr).ok_or_else(host_function)?);
        Ok((name.to_owned(), AttrValue { value }))
    };
    let mut attrs: BTreeMap<String, AttrValue> =
        reader.all_attrs(node).into_iter().map(attr).collect::<Result<_, ExportError>>()?;
    let note = reader.node_note(id);
    let kept = note.into_iter().flat_map(|note| &note.attrs);
    attrs.extend(kept.filter_map(|(name, bytes)| {
        Some((name.clone(), AttrValue::decode(bytes.as_slice()).ok()?))
    }));
    Ok(NodeDef {
        name: reader.name(id).to_owned(),
        op: node.op.name.to_owned(),
        input: inputs.into_iter().chain(controls).collect(),
        device: note.map(|note| note.device.to_string()).unwrap_or_default(),
        attr: attrs,
    })
}

/// The attribute in a message; a function of the host program has none.
fn to_any_value(attr: &Attr) -> Option<AnyValue> {
    let number = |dtype| i32::from(DataType::from(dtype));
    let list = |list| Some(AnyValue::List(list));
    match attr {
        Attr::Int(x) => Some(AnyValue::I(*x)),
        Attr::Float(x) => Some(AnyValue::F(*x)),
        Attr::Bool(x) => Some(AnyValue::B(*x)),
        Attr::Str(x) => Some(AnyValue::S(x.to_vec())),
        Attr::Type(x) => Some(AnyValue::Type(number(*x))),
        Attr::Shape(x) => Some(AnyValue::Shape(x.into())),
        Attr::Tensor(x) => Some(AnyValue::Tensor(x.into())),
        Attr::Ints(x) => list(ListValue { i: x.to_vec(), ..ListValue::default() }),
        Attr::Strs(x) => {
            let strings = x.iter().map(|string| string.to_vec()).collect();
            list(ListValue { s: strings, ..ListValue::default() })
        }
        Attr::Types(x) => {
            let types = x.iter().map(|dtype| number(*dtype)).collect();
            list(ListValue { r#type: types, ..ListValue::default() })
        }
        Attr::Shapes(x) => {
            list(ListValue { shape: x.iter().map(Into::into).collect(), ..ListValue::default() })
        }
        Attr::Function(_) | Attr::Body(_) | Attr::Bodies(_) | Attr::Paths(_) => None,
    }
}
