//! The order in which the nodes of a subgraph run.

use rustc_hash::FxHashMap;
use tidemill_graph::{Execution, Fact, Fallible, Guarded, Node, NodeId, Subgraph};
use tidemill_value::Value;

use crate::lower::guard::Need;

/// The treatment of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    Run(NodeId),
    /// Fail if its later run would.
    Check(NodeId),
}

impl Task {
    pub(crate) fn node(self) -> NodeId {
        match self {
            Task::Run(id) | Task::Check(id) => id,
        }
    }
}

/// The tasks, in order.
#[derive(Debug, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) order: Vec<Task>,
    /// In the body of a loop, tasks before this position run only the first time.
    pub(crate) prologue: usize,
    /// From this position on, nothing can fail, and variables may be overwritten in place.
    pub(crate) commit_start: usize,
    /// For each node that only one branch of another node needs, that node and the number of the
    /// branch. These nodes come right before it.
    pub(crate) lazy: Lazy,
}

/// The only branch that needs a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct OfBranch {
    pub(crate) node: NodeId,
    pub(crate) branch: usize,
}

pub(crate) type Lazy = FxHashMap<NodeId, OfBranch>;

/// The time at which variables are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Writes {
    /// As late as possible, in place.
    Late,
    /// In their turn, to copies. Each write can still fail the run.
    InTurn,
}

/// Orders the nodes of a subgraph. In the body of a loop, whose feeds `unchanging` do not change,
/// nodes that need to run only the first time come first.
///
/// Effects, and nodes that can fail, keep the order of the graph. Infallible writes, and nodes that
/// can wait for them, go last if possible: by then nothing can fail any more. So do writes for
/// which a check in their turn has found that they will not fail.
pub(crate) fn schedule(
    subgraph: &Subgraph,
    writes: Writes,
    unchanging: Option<&[NodeId]>,
) -> Schedule {
    let deferred = match writes {
        Writes::Late => deferred(subgraph),
        Writes::InTurn => vec![false; subgraph.len()],
    };
    let runs = |id: &NodeId| {
        let execution = subgraph.node(*id).op.execution;
        matches!(execution, Execution::Kernel | Execution::Write)
            || execution.inputs_before_bodies().is_some()
    };
    let ids = || subgraph.nodes().map(|(id, _)| id).filter(runs);
    let in_turn = |id: NodeId| match deferred[id.index()] {
        false => Some(Task::Run(id)),
        true => is_checked(subgraph, subgraph.node(id)).then_some(Task::Check(id)),
    };
    let mut order: Vec<Task> = ids().filter_map(in_turn).collect();
    let lazy = lazy_nodes(subgraph);
    if !lazy.is_empty() {
        order.sort_by_key(|task| match lazy.get(&task.node()) {
            Some(of) => (of.node, of.branch, task.node()),
            None => (task.node(), usize::MAX, task.node()),
        });
    }
    let commit_start = order.len();
    order.extend(ids().filter(|id| deferred[id.index()]).map(Task::Run));
    let mut prologue = 0;
    if let Some(feeds) = unchanging {
        let unchanging = unchanging_nodes(subgraph, feeds);
        let is_unchanging =
            |task: &Task| unchanging[task.node().index()] && !lazy.contains_key(&task.node());
        prologue = order.iter().filter(|task| is_unchanging(task)).count();
        order.sort_by_key(|task| !is_unchanging(task));
    }
    Schedule { order, prologue, commit_start, lazy }
}

/// The nodes that only compute, or check, the inputs of one branch of a node. They need to run only
/// if that branch is taken.
fn lazy_nodes(subgraph: &Subgraph) -> Lazy {
    let mut lazy = Lazy::default();
    if !subgraph.nodes().any(|(_, node)| matches!(node.op.execution, Execution::Branch(_))) {
        return lazy;
    }
    // For each node, the branch that needs it, as far as is known; `None` if others do, too.
    let mut users: FxHashMap<NodeId, Option<OfBranch>> = FxHashMap::default();
    let needs = |users: &mut FxHashMap<_, _>, node: NodeId, user: Option<OfBranch>| {
        let known = users.entry(node).or_insert(user);
        if *known != user {
            *known = None;
        }
    };
    for tensor in subgraph.fetches.iter().chain(subgraph.commits.iter().map(|c| &c.value)) {
        needs(&mut users, tensor.node, None);
    }
    for &Guarded { node, call, branch } in &subgraph.guarded {
        needs(&mut users, node, Some(OfBranch { node: call, branch }));
    }
    for (id, node) in subgraph.nodes().rev() {
        let may_wait = match subgraph.must_keep(node) {
            // An operation fetched for itself has no user here.
            true => subgraph.guarded.binary_search_by_key(&id, |guarded| guarded.node).is_ok(),
            false => node.op.is_pure(),
        };
        let user = users.get(&id).copied().flatten().filter(|_| may_wait);
        if let Some(user) = user {
            lazy.insert(id, user);
        }
        let branches = match node.op.execution {
            Execution::Branch(_) => node.paths(),
            _ => &[],
        };
        for (i, input) in node.inputs.iter().enumerate() {
            let taken = i.checked_sub(1).filter(|_| !branches.is_empty());
            let user = match taken.map(|i| Need::of_branches(branches, i)) {
                Some(Need::Nobody) => continue,
                Some(Need::One(branch)) => Some(OfBranch { node: id, branch }),
                Some(Need::Several) | None => user,
            };
            needs(&mut users, input.node, user);
        }
    }
    lazy
}

/// The nodes of the body of a loop that compute the same each time, unobservably: those that depend
/// only on constants and on parameters that do not change, and cannot fail.
fn unchanging_nodes(subgraph: &Subgraph, feeds: &[NodeId]) -> Vec<bool> {
    let mut unchanging = vec![false; subgraph.len()];
    for (id, node) in subgraph.nodes() {
        let is_free = node.op.is_pure() && !subgraph.must_keep(node);
        unchanging[id.index()] = node.op.execution == Execution::Constant
            || feeds.contains(&id)
            || (is_free && node.inputs.iter().all(|input| unchanging[input.node.index()]));
    }
    unchanging
}

/// The nodes to defer until nothing can fail.
fn deferred(subgraph: &Subgraph) -> Vec<bool> {
    let mut can_wait = vec![true; subgraph.len()];
    for (id, node) in subgraph.nodes().rev() {
        let is_checked = is_checked(subgraph, node);
        let may_fail = may_lack_memory(node) || (subgraph.must_keep(node) && !is_checked);
        can_wait[id.index()] &= !may_fail;
        // The inputs of a check cannot wait; the variables are not among them.
        let first = if can_wait[id.index()] && is_checked { node.op.written() } else { 0 };
        if !can_wait[id.index()] || is_checked {
            for input in &node.inputs[first..] {
                can_wait[input.node.index()] = false;
            }
        }
    }
    let mut deferred = vec![false; subgraph.len()];
    for (id, node) in subgraph.nodes() {
        let follows = node.inputs.iter().any(|input| deferred[input.node.index()]);
        deferred[id.index()] =
            can_wait[id.index()] && (follows || node.op.execution == Execution::Write);
    }
    deferred
}

/// True if a check in its turn tells whether a write fails. It knows the variables by their shapes.
fn is_checked(subgraph: &Subgraph, node: &Node) -> bool {
    let mut variables = node.inputs.iter().take(node.op.written());
    node.op.execution == Execution::Write
        && node.op.fallible == Fallible::Checked
        && variables.all(|&variable| subgraph.fact(variable).shape.is_known())
}

/// True if memory may be short for an output of a node. Writes use the memory of their variable.
fn may_lack_memory(node: &Node) -> bool {
    let is_certain = |fact: &Fact| {
        let bytes = fact.shape.elements().and_then(|count| count.checked_mul(fact.dtype.size()));
        bytes.is_some_and(|bytes| bytes <= Value::CERTAIN_BYTES)
    };
    node.op.execution == Execution::Kernel && !node.outputs.iter().all(is_certain)
}
