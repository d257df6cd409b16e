//! The fallible nodes that wait for a branch.

use rustc_hash::FxHashMap;
use tidemill_graph::{BodyPath, Effect, Execution, GraphReader, Guarded, NodeId, Subgraph};

use crate::lower::signature::Signature;

/// The branches that need a parameter.
pub(crate) enum Need {
    Nobody,
    One(usize),
    Several,
}

impl Need {
    pub(crate) fn of_branches(branches: &[BodyPath], parameter: usize) -> Need {
        let mut needing = (0..branches.len()).filter(|&branch| branches[branch].needs(parameter));
        match (needing.next(), needing.next()) {
            (None, _) => Need::Nobody,
            (Some(branch), None) => Need::One(branch),
            (Some(_), Some(_)) => Need::Several,
        }
    }
}

/// The nodes of a path that may fail the run and that only one branch needs, by data or control.
/// The graph decides this, so it does not depend on rewriting. `lowered` maps nodes of the graph to
/// those of the subgraph.
pub(crate) fn guarded(
    graph: &GraphReader<'_>,
    signature: &Signature,
    path: &[NodeId],
    (subgraph, lowered): (&Subgraph, &FxHashMap<NodeId, NodeId>),
) -> Vec<Guarded> {
    let is_branch = |id: NodeId| matches!(graph.node(id).op.execution, Execution::Branch(_));
    if !path.iter().any(|&id| is_branch(id)) {
        return Vec::new();
    }
    type User = Option<(NodeId, usize)>;
    let mut users: FxHashMap<NodeId, User> = signature.roots().map(|root| (root, None)).collect();
    let needs = |users: &mut FxHashMap<NodeId, User>, node: NodeId, user: User| {
        let known = users.entry(node).or_insert(user);
        if *known != user {
            *known = None;
        }
    };
    let mut guarded = Vec::new();
    for &id in path.iter().rev() {
        let node = graph.node(id);
        let is_constant = node.op.execution == Execution::Constant;
        let may_wait = node.op.is_pure() || is_constant || node.op.effect == Effect::Assert;
        let user = users.get(&id).copied().flatten().filter(|_| may_wait);
        let own = lowered.get(&id).copied();
        if let (Some((call, branch)), Some(node)) = (user, own)
            && subgraph.must_keep(subgraph.node(node))
        {
            guarded.push(Guarded { node, call, branch });
        }
        for &control in &node.control_inputs {
            needs(&mut users, control, user);
        }
        let call = own.filter(|_| is_branch(id)).map(|call| (call, subgraph.node(call).paths()));
        for (i, input) in node.inputs.iter().enumerate() {
            if signature.is_fed(*input) {
                continue;
            }
            let taken = call.zip(i.checked_sub(1));
            let user = match taken.map(|((call, paths), i)| (call, Need::of_branches(paths, i))) {
                Some((_, Need::Nobody)) => continue,
                Some((call, Need::One(branch))) => Some((call, branch)),
                Some((_, Need::Several)) | None => user,
            };
            needs(&mut users, input.node, user);
        }
    }
    guarded.sort_unstable_by_key(|guarded| guarded.node);
    guarded.dedup();
    guarded
}
