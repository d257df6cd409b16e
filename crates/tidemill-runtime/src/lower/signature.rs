use std::collections::BTreeSet;

use smallvec::SmallVec;
use tidemill_graph::{GraphReader, NodeId, Role, TensorId};

/// The request of a run. Runs of the same signature share a plan.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Signature {
    /// The tensors that are fed, ascending, each once.
    pub(crate) feeds: SmallVec<[TensorId; 4]>,
    /// The tensors to return, in order.
    pub(crate) fetches: SmallVec<[TensorId; 4]>,
    /// The operations to run without returning anything, in order.
    pub(crate) targets: SmallVec<[NodeId; 2]>,
    /// True if each step is checked for NaN and infinity, which can fail the run.
    pub(crate) checked: bool,
}

impl Signature {
    pub(crate) fn is_fed(&self, tensor: TensorId) -> bool {
        self.feeds.binary_search(&tensor).is_ok()
    }

    /// The same signature, which also returns the outputs of the targets, after all others, so that
    /// they are computed even if they have no effect. For a group of operations these are the
    /// outputs of its members.
    pub(crate) fn with_outputs_of_targets(mut self, graph: &GraphReader<'_>) -> Self {
        let mut pending: Vec<NodeId> = self.targets.to_vec();
        let mut targets = BTreeSet::new();
        while let Some(id) = pending.pop() {
            let node = graph.node(id);
            if targets.insert(id) && node.outputs.is_empty() && node.op.is_pure() {
                pending.extend_from_slice(&node.control_inputs);
            }
        }
        for id in targets {
            let outputs = graph.node(id).outputs.iter().zip(0..);
            let values = outputs.filter(|(fact, _)| fact.role == Role::Value);
            self.fetches.extend(values.map(|(_, slot)| TensorId::new(id, slot)));
        }
        self
    }

    /// The nodes at which the run begins, walking backwards.
    pub(crate) fn roots(&self) -> impl Iterator<Item = NodeId> {
        let unfed = self.fetches.iter().filter(|fetch| !self.is_fed(**fetch));
        unfed.map(|fetch| fetch.node).chain(self.targets.iter().copied())
    }
}
