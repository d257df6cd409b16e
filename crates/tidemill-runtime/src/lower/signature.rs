use smallvec::SmallVec;
use tidemill_graph::{NodeId, TensorId};

/// What a run is asked for. Runs of one signature share a plan.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Signature {
    /// The tensors that are fed, ascending, each once.
    pub(crate) feeds: SmallVec<[TensorId; 4]>,
    /// The tensors to return, in order.
    pub(crate) fetches: SmallVec<[TensorId; 4]>,
    /// The operations to run without returning anything, in order.
    pub(crate) targets: SmallVec<[NodeId; 2]>,
    /// Whether each step is to be looked at, and can fail the run.
    pub(crate) checked: bool,
}

impl Signature {
    pub(crate) fn is_fed(&self, tensor: TensorId) -> bool {
        self.feeds.binary_search(&tensor).is_ok()
    }

    /// The nodes that the run begins from, walking backwards.
    pub(crate) fn roots(&self) -> impl Iterator<Item = NodeId> {
        let unfed = self.fetches.iter().filter(|fetch| !self.is_fed(**fetch));
        unfed.map(|fetch| fetch.node).chain(self.targets.iter().copied())
    }
}
