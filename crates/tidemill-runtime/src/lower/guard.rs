//! The fallible nodes that wait for a branch.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_graph::{Effect, Execution, GraphReader, Guarded, NodeId, Region, Subgraph};

use crate::lower::signature::Signature;

/// The branches that need a parameter.
pub(crate) enum Need {
    Nobody,
    One(usize),
    Several,
}

impl Need {
    pub(crate) fn of_branches(branches: &[Arc<Region>], parameter: usize) -> Need {
        let mut needing = (0..branches.len()).filter(|&branch| branches[branch].needs(parameter));
        match (needing.next(), needing.next()) {
            (None, _) => Need::Nobody,
            (Some(branch), None) => Need::One(branch),
            (Some(_), Some(_)) => Need::Several,
        }
    }
}

/// A branch: the node that runs it, and its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct OfBranch {
    pub(crate) node: NodeId,
    pub(crate) branch: usize,
}

/// For each node, the branch that needs it, as far as is known; `None` if others do, too.
///
/// Branches that are always taken together, such as a branch and its gradient, count as the first.
pub(crate) struct Users<'a> {
    subgraph: &'a Subgraph,
    users: FxHashMap<NodeId, Option<OfBranch>>,
}

impl<'a> Users<'a> {
    /// The nodes belong to the subgraph or to its graph; those that run branches, to the subgraph.
    pub(crate) fn new(subgraph: &'a Subgraph) -> Self {
        Users { subgraph, users: FxHashMap::default() }
    }

    pub(crate) fn needs(&mut self, node: NodeId, user: Option<OfBranch>) {
        let known = self.users.entry(node).or_insert(user);
        let both = known.zip(user).filter(|(l, r)| are_taken_together(self.subgraph, *l, *r));
        *known = both.map(|(left, right)| left.min(right));
    }

    pub(crate) fn of(&self, node: NodeId) -> Option<OfBranch> {
        self.users.get(&node).copied().flatten()
    }
}

fn are_taken_together(subgraph: &Subgraph, left: OfBranch, right: OfBranch) -> bool {
    let [l, r] = [left, right].map(|of| subgraph.instr(of.node));
    left == right
        || (left.branch == right.branch
            && l.op.execution == r.op.execution
            && l.inputs.first() == r.inputs.first()
            && l.regions.len() == r.regions.len())
}

/// The nodes of a path that may fail the run or are control inputs, and that only one branch needs, by
/// data or control. The graph decides this, so it does not depend on rewriting. The run itself needs
/// `roots`. `lowered` maps nodes of the graph to those of the subgraph.
pub(crate) fn guarded(
    graph: &GraphReader<'_>,
    signature: &Signature,
    roots: impl Iterator<Item = NodeId>,
    path: &[NodeId],
    (subgraph, lowered): (&Subgraph, &FxHashMap<NodeId, NodeId>),
) -> Vec<Guarded> {
    let is_branch = |id: NodeId| matches!(graph.node(id).op.execution, Execution::Branch(_));
    if !path.iter().any(|&id| is_branch(id)) {
        return Vec::new();
    }
    let mut users = Users::new(subgraph);
    roots.for_each(|root| users.needs(root, None));
    let mut controls = FxHashSet::default();
    let mut guarded = Vec::new();
    for &id in path.iter().rev() {
        let node = graph.node(id);
        let is_constant = node.op.execution == Execution::Constant;
        let may_wait = node.op.is_pure() || is_constant || node.op.effect == Effect::Assert;
        let user = users.of(id).filter(|_| may_wait);
        let own = lowered.get(&id).copied();
        if let (Some(OfBranch { node: call, branch }), Some(node)) = (user, own)
            && (controls.contains(&id) || subgraph.must_keep(subgraph.instr(node)))
        {
            guarded.push(Guarded { node, call, branch });
        }
        for &control in &node.control_inputs {
            controls.insert(control);
            let branch = graph.branch_of_control(id, control);
            let branch = own.zip(branch).map(|(node, branch)| OfBranch { node, branch });
            users.needs(control, branch.or(user));
        }
        let call = own.filter(|_| is_branch(id)).map(|call| (call, &subgraph.instr(call).regions));
        for (i, input) in node.inputs.iter().enumerate() {
            if signature.is_fed(*input) {
                continue;
            }
            let taken = call.zip(i.checked_sub(1));
            let user =
                match taken.map(|((call, branches), i)| (call, Need::of_branches(branches, i))) {
                    Some((_, Need::Nobody)) => continue,
                    Some((node, Need::One(branch))) => Some(OfBranch { node, branch }),
                    Some((_, Need::Several)) | None => user,
                };
            users.needs(input.node, user);
        }
    }
    guarded.sort_unstable_by_key(|guarded| guarded.node);
    guarded.dedup();
    guarded
}
