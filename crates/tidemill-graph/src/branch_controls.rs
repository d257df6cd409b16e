//! Control inputs that one branch of a node needs, and not the node itself.

use smallvec::SmallVec;

use crate::{Graph, GraphReader, NodeId, OperationRef, Referent};

/// Adds the control inputs of branches to those of their node, and returns the ones that only one
/// branch needs.
pub(crate) fn merge(
    controls: &mut SmallVec<[NodeId; 2]>,
    of_branches: &[(OperationRef, usize)],
) -> SmallVec<[(NodeId, usize); 2]> {
    let mut of_one: SmallVec<[(NodeId, usize); 2]> = SmallVec::new();
    for &(operation, branch) in of_branches {
        let Referent::Node(id) = operation.referent() else { continue };
        if controls.contains(&id) {
            of_one.retain(|(known, other)| *known != id || *other == branch);
        } else {
            controls.push(id);
            of_one.push((id, branch));
        }
    }
    of_one
}

impl Graph {
    pub(crate) fn note_branch_controls(&self, node: NodeId, of_one: &[(NodeId, usize)]) {
        if of_one.is_empty() {
            return;
        }
        let entries = of_one.iter().map(|&(control, branch)| ((node, control), branch));
        self.write().branch_controls.extend(entries);
    }
}

impl GraphReader<'_> {
    /// The number of the only branch of `node` that needs its control input `control`; `None` if
    /// several do, or the node itself. An extension has the branches of its origin.
    pub fn branch_of_control(&self, node: NodeId, control: NodeId) -> Option<usize> {
        let node = self.extension_origin(node);
        self.state().branch_controls.get(&(node, control)).copied()
    }
}
