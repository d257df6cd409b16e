//! Records that a graph keeps of single nodes.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::{NodeId, TensorId};

/// The parts of a file's node that the runtime does not use, kept for export.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct NodeNote {
    /// The device assigned to it.
    pub device: Arc<str>,
    /// Attributes unknown to its operation, by name, in the bytes of the file.
    pub attrs: Vec<(String, Vec<u8>)>,
    /// For an opaque node of a function: the names that the function uses for its outputs, each with
    /// the number of tensors that it stands for.
    pub outputs: Vec<(String, usize)>,
}

/// Nodes that do what others do, and more: their first outputs are those of the others.
#[derive(Clone, Default)]
pub(crate) struct Extensions {
    /// For each such node, the first of its chain.
    pub(crate) origin: FxHashMap<NodeId, NodeId>,
    /// For each node that others extend, the last of its chain.
    pub(crate) latest: FxHashMap<NodeId, NodeId>,
}

impl Extensions {
    pub(crate) fn origin(&self, node: NodeId) -> NodeId {
        self.origin.get(&node).copied().unwrap_or(node)
    }

    pub(crate) fn latest(&self, node: NodeId) -> NodeId {
        self.latest.get(&self.origin(node)).copied().unwrap_or(node)
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.origin.keys().copied()
    }
}

/// Rows and their indices: their dense sum is zeros with each row added at its index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Slices {
    pub values: TensorId,
    pub indices: TensorId,
    pub dense_shape: TensorId,
}

/// The number of the only branch that needs a control input, by node and control input.
pub(crate) type BranchControls = FxHashMap<(NodeId, NodeId), usize>;
