//! From a graph to a `GraphDef`.

mod error;
mod nodes;

use tidemill_formats::proto::{GraphDef, Message, VersionDef};
use tidemill_graph::Graph;

use crate::import::notes;
pub use error::ExportError;
use error::MAX_BYTES;
use nodes::{Functions, to_node_def};

/// The producer version of TensorFlow 2.21.
const PRODUCER: i32 = 2474;

/// The `GraphDef` of a graph: all nodes, with all of their attributes. For an imported graph, it
/// writes back the parts of the original message that the runtime does not use: devices, attributes
/// that begin with `_`, the function library, versions.
///
/// It contains the nodes of variables, but not their values, and no collections, source lines or
/// graph-level seed. The seeds of operations are attributes, which it contains.
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
