//! The part of a message that some of its nodes need.

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::{GraphDef, NodeDef};

use super::error::FreezeError;
use crate::import::node_of;

/// The part of a graph that `outputs` (names of nodes or tensors) need: TensorFlow's
/// `extract_sub_graph`. Nodes keep their order; the library and the versions are kept.
///
/// # Errors
/// [`FreezeError`], if a named or needed node does not exist.
pub fn extract_sub_graph<S: AsRef<str>>(
    graph_def: &GraphDef,
    outputs: &[S],
) -> Result<GraphDef, FreezeError> {
    let nodes: FxHashMap<&str, &NodeDef> =
        graph_def.node.iter().map(|node| (node.name.as_str(), node)).collect();
    let mut needed: FxHashSet<&str> = FxHashSet::default();
    let mut pending: Vec<&str> = outputs.iter().map(|output| node_of(output.as_ref())).collect();
    while let Some(name) = pending.pop() {
        let node = nodes.get(name).ok_or_else(|| FreezeError::NoNode { name: name.to_owned() })?;
        if needed.insert(&node.name) {
            pending.extend(node.input.iter().map(|input| node_of(input)));
        }
    }
    let is_needed = |node: &&NodeDef| needed.contains(node.name.as_str());
    Ok(GraphDef {
        node: graph_def.node.iter().filter(is_needed).cloned().collect(),
        library: graph_def.library.clone(),
        versions: graph_def.versions.clone(),
    })
}
