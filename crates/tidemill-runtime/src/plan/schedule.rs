//! The order in which the nodes of a subgraph run.

use std::cmp::Reverse;

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_graph::{Execution, Fact, Fallible, Guarded, Instr, NodeId, Subgraph};
use tidemill_value::Value;

use crate::lower::guard::{Need, OfBranch, Users};

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
        let execution = subgraph.instr(*id).op.execution;
        matches!(execution, Execution::Kernel | Execution::Write | Execution::Opaque)
            || execution.inputs_before_bodies().is_some()
    };
    let ids = || subgraph.instrs().map(|(id, _)| id).filter(runs);
    let in_turn = |id: NodeId| match deferred[id.index()] {
        false => Some(Task::Run(id)),
        true => is_checked(subgraph, subgraph.instr(id)).then_some(Task::Check(id)),
    };
    let mut order: Vec<Task> = ids().filter_map(in_turn).collect();
    let lazy = lazy_nodes(subgraph);
    let delays = delayed_nodes(subgraph, &order, &lazy);
    if !lazy.is_empty() || !delays.is_empty() {
        order.sort_by_key(|task| {
            let id = task.node();
            match (lazy.get(&id), delays.get(&id)) {
                // What waits for a branch comes right before the node that runs the branch.
                (Some(of), _) => (of.node, of.branch + 1, Reverse(0), id),
                (None, Some(delay)) => (delay.before, 0, Reverse(delay.steps), id),
                (None, None) => (id, usize::MAX, Reverse(0), id),
            }
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

/// The place of a node that is not run in its turn: before another node, by so many steps at least.
struct Delay {
    before: NodeId,
    steps: u32,
}

/// The nodes to run right before the only node that needs them, because their output takes more memory
/// than their inputs. The node after them may then take it while it is in a cache, or be fused with them.
fn delayed_nodes(subgraph: &Subgraph, order: &[Task], lazy: &Lazy) -> FxHashMap<NodeId, Delay> {
    let mut delays: FxHashMap<NodeId, Delay> = FxHashMap::default();
    let is_candidate = |id: NodeId| {
        let instr = subgraph.instr(id);
        instr.op.is_pure() && is_larger_than_inputs(subgraph, instr) && !subgraph.must_keep(instr)
    };
    let tasks = order.iter().map(|task| task.node()).filter(|id| !lazy.contains_key(id));
    let candidates: FxHashSet<NodeId> = tasks.clone().filter(|&id| is_candidate(id)).collect();
    if candidates.is_empty() {
        return delays;
    }
    let mut is_needed_again = candidates_returned(subgraph, &candidates);
    let in_turn: FxHashSet<NodeId> = tasks.collect();
    for (reader, instr) in subgraph.instrs().rev() {
        for input in instr.inputs.iter().filter(|input| candidates.contains(&input.node)) {
            let steps = delays.get(&reader).map_or(0, |delay| delay.steps);
            let before = delays.get(&reader).map_or(reader, |delay| delay.before);
            let is_first = is_needed_again.insert(input.node);
            match is_first && in_turn.contains(&reader) {
                true => delays.insert(input.node, Delay { before, steps: steps + 1 }),
                false => delays.remove(&input.node),
            };
        }
    }
    delays
}

/// The candidates that the run returns.
fn candidates_returned(subgraph: &Subgraph, candidates: &FxHashSet<NodeId>) -> FxHashSet<NodeId> {
    let fetches = subgraph.fetches.iter().map(|fetch| fetch.node);
    let commits = subgraph.commits.iter().map(|commit| commit.value.node);
    fetches.chain(commits).filter(|node| candidates.contains(node)).collect()
}

/// Whether an instruction has one output, and it takes more memory than the inputs.
fn is_larger_than_inputs(subgraph: &Subgraph, instr: &Instr) -> bool {
    let bytes = |fact: &Fact| fact.shape.elements()?.checked_mul(fact.dtype.size());
    let [output] = &instr.outputs[..] else { return false };
    let inputs = instr.inputs.iter().map(|&input| bytes(subgraph.fact(input)));
    bytes(output).zip(inputs.sum::<Option<usize>>()).is_some_and(|(out, inputs)| out > inputs)
}

/// The nodes that only compute, or check, the inputs of one branch of a node. They need to run only
/// if that branch is taken.
fn lazy_nodes(subgraph: &Subgraph) -> Lazy {
    let mut lazy = Lazy::default();
    if !subgraph.instrs().any(|(_, instr)| matches!(instr.op.execution, Execution::Branch(_))) {
        return lazy;
    }
    let mut users = Users::new(subgraph);
    for tensor in subgraph.fetches.iter().chain(subgraph.commits.iter().map(|c| &c.value)) {
        users.needs(tensor.node, None);
    }
    for &Guarded { node, call, branch } in &subgraph.guarded {
        users.needs(node, Some(OfBranch { node: call, branch }));
    }
    for (id, instr) in subgraph.instrs().rev() {
        let may_wait = match subgraph.must_keep(instr) {
            // An operation fetched for itself has no user here.
            true => subgraph.guarded.binary_search_by_key(&id, |guarded| guarded.node).is_ok(),
            false => instr.op.is_pure(),
        };
        let user = users.of(id).filter(|_| may_wait);
        if let Some(user) = user {
            lazy.insert(id, user);
        }
        let branches = match instr.op.execution {
            Execution::Branch(_) => &instr.regions[..],
            _ => &[],
        };
        for (i, input) in instr.inputs.iter().enumerate() {
            let taken = i.checked_sub(1).filter(|_| !branches.is_empty());
            let user = match taken.map(|i| Need::of_branches(branches, i)) {
                Some(Need::Nobody) => continue,
                Some(Need::One(branch)) => Some(OfBranch { node: id, branch }),
                Some(Need::Several) | None => user,
            };
            users.needs(input.node, user);
        }
    }
    lazy
}

/// The nodes of the body of a loop that compute the same each time, unobservably: those that depend
/// only on constants and on parameters that do not change, and cannot fail.
fn unchanging_nodes(subgraph: &Subgraph, feeds: &[NodeId]) -> Vec<bool> {
    let mut unchanging = vec![false; subgraph.len()];
    for (id, instr) in subgraph.instrs() {
        let is_free = instr.op.is_pure() && !subgraph.must_keep(instr);
        unchanging[id.index()] = instr.op.execution == Execution::Constant
            || feeds.contains(&id)
            || (is_free && instr.inputs.iter().all(|input| unchanging[input.node.index()]));
    }
    unchanging
}

/// The nodes to defer until nothing can fail.
fn deferred(subgraph: &Subgraph) -> Vec<bool> {
    let mut can_wait = vec![true; subgraph.len()];
    for (id, instr) in subgraph.instrs().rev() {
        let is_checked = is_checked(subgraph, instr);
        let may_fail = may_lack_memory(instr) || (subgraph.must_keep(instr) && !is_checked);
        can_wait[id.index()] &= !may_fail;
        // The inputs of a check cannot wait; the variables are not among them.
        let first = if can_wait[id.index()] && is_checked { instr.op.written() } else { 0 };
        if !can_wait[id.index()] || is_checked {
            for input in &instr.inputs[first..] {
                can_wait[input.node.index()] = false;
            }
        }
    }
    let mut deferred = vec![false; subgraph.len()];
    for (id, instr) in subgraph.instrs() {
        let follows = instr.inputs.iter().any(|input| deferred[input.node.index()]);
        deferred[id.index()] =
            can_wait[id.index()] && (follows || instr.op.execution == Execution::Write);
    }
    deferred
}

/// True if a check in its turn tells whether a write fails. It knows the variables by their shapes.
fn is_checked(subgraph: &Subgraph, instr: &Instr) -> bool {
    let mut variables = instr.inputs.iter().take(instr.op.written());
    instr.op.execution == Execution::Write
        && instr.op.fallible == Fallible::Checked
        && variables.all(|&variable| subgraph.fact(variable).shape.is_known())
}

/// True if memory may be short for an output of a node. Writes use the memory of their variable.
fn may_lack_memory(instr: &Instr) -> bool {
    let is_certain = |fact: &Fact| {
        let bytes = fact.shape.elements().and_then(|count| count.checked_mul(fact.dtype.size()));
        bytes.is_some_and(|bytes| bytes <= Value::CERTAIN_BYTES)
    };
    instr.op.execution == Execution::Kernel && !instr.outputs.iter().all(is_certain)
}
