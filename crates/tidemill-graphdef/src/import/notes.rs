//! The parts of a message that the runtime does not use. The graph keeps them for export.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use tidemill_formats::proto::{FunctionDefLibrary, Message, VersionDef};
use tidemill_graph::{Graph, GraphReader, NodeNote};

use super::attrs::NotedAttrs;
use super::net::NetNode;

/// The functions that nodes may call.
const LIBRARY: &str = "library";
/// The versions of TensorFlow that wrote a graph and that can read it.
const VERSIONS: &str = "versions";

/// The devices of nodes, each in memory once.
#[derive(Default)]
pub(super) struct Devices(FxHashSet<Arc<str>>);

impl Devices {
    /// The parts of a node to keep, if any. `attrs` are those that its operation does not have.
    pub(super) fn note(
        &mut self,
        node: &NetNode,
        mut attrs: NotedAttrs,
        prefix: &str,
    ) -> Option<NodeNote> {
        if !prefix.is_empty() {
            // It names other nodes, whose names may change.
            attrs.retain(|(name, _)| name != "_class");
        }
        let (device, outputs) = (node.device.as_str(), node.outputs.clone());
        if device.is_empty() && attrs.is_empty() && outputs.is_empty() {
            return None;
        }
        let device = match self.0.get(device) {
            Some(device) => Arc::clone(device),
            None => {
                let device: Arc<str> = device.into();
                self.0.insert(Arc::clone(&device));
                device
            }
        };
        Some(NodeNote { device, attrs, outputs })
    }
}

/// Keeps the library and the versions of a message with a graph, along with those that it has.
pub(super) fn keep(
    graph: &Graph,
    library: Option<FunctionDefLibrary>,
    versions: Option<VersionDef>,
) {
    if let Some(library) = library {
        // Concatenated messages decode as one.
        graph.note(LIBRARY, |kept| [kept, library.encode_to_vec()].concat());
    }
    if let Some(versions) = versions {
        graph.note(VERSIONS, |_| versions.encode_to_vec());
    }
}

/// The library and the versions that a graph keeps.
pub(crate) fn kept(graph: &GraphReader<'_>) -> (Option<FunctionDefLibrary>, Option<VersionDef>) {
    let library = graph.note(LIBRARY).and_then(|kept| FunctionDefLibrary::decode(kept).ok());
    let library = library.map(|mut library| {
        let mut names = FxHashSet::default();
        let name = |function: &tidemill_formats::proto::FunctionDef| {
            function.signature.as_ref().map(|signature| signature.name.clone())
        };
        library.function.retain(|function| names.insert(name(function)));
        library
    });
    let versions = graph.note(VERSIONS).and_then(|kept| VersionDef::decode(kept).ok());
    (library, versions)
}
