//! From a subgraph to a flat program over slots.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tidemill_graph::{
    Attr, Execution, Fact, GraphReader, Kernel, KernelCx, KernelError, Node, NodeId, NodeView,
    OpError, Operand, Subgraph, TensorId,
};
use tidemill_value::{Shape, Value};

use crate::ahead::{Lookahead, Turn};
use crate::call::{Call, LazySteps};
use crate::fuse::fuse;
use crate::prune::VariableUse;
use crate::schedule::{OfBranch, Schedule, Task, Writes, schedule};

/// What runs of one signature execute. A plan never changes, and any number of runs can use it
/// at once.
pub(crate) struct Plan {
    /// What is known of the tensors that are fed, in the order of the signature.
    pub(crate) feeds: Vec<Feed>,
    pub(crate) constants: Vec<Value>,
    pub(crate) steps: Vec<Step>,
    /// Of the body of a loop, the number of steps that need run only the first time.
    pub(crate) prologue: usize,
    /// From this step on, nothing can fail, and variables may be overwritten in place.
    pub(crate) commit_start: usize,
    /// Whether the steps from there on overwrite values that variables have at the start.
    pub(crate) overwrites: bool,
    /// Whether it initializes variables.
    pub(crate) initializes: bool,
    /// Where the values to return are, in the order of the signature.
    pub(crate) fetches: Vec<Operand>,
    pub(crate) variables: Vec<PlannedVariable>,
    /// The nodes that draw random numbers, ascending.
    pub(crate) random: Vec<NodeId>,
    /// The number of values that a run holds at once.
    pub(crate) slots: usize,
    /// The positions of the steps that can run with others at once, by their numbers.
    pub(crate) ahead: Vec<usize>,
    /// How many variables of the graph might not have their declared shapes, which the plan allows for.
    pub(crate) reshaped: usize,
}

/// A tensor that is fed.
pub(crate) struct Feed {
    pub(crate) fact: Fact,
    /// Where its value goes, if anything needs it.
    pub(crate) slot: Option<u32>,
}

/// A variable that a run reads or writes.
pub(crate) struct PlannedVariable {
    pub(crate) usage: VariableUse,
    /// Where the value at the start of the run goes, if anything needs it.
    pub(crate) start: Option<u32>,
    /// Where the value is that it has after the run, if it is written.
    pub(crate) end: Option<Operand>,
    /// The shape that it was declared with, if it is known.
    pub(crate) shape: Option<Shape>,
}

/// One kernel call.
pub(crate) struct Step {
    pub(crate) kernel: Box<dyn Kernel>,
    /// What it runs in place of a kernel, if it runs bodies.
    pub(crate) call: Option<Box<Call>>,
    pub(crate) inputs: SmallVec<[Operand; 3]>,
    pub(crate) outputs: SmallVec<[u32; 1]>,
    /// The slots that nothing needs after the step.
    pub(crate) clear: SmallVec<[u32; 2]>,
    /// The node of the graph that it computes.
    pub(crate) node: NodeId,
    /// The number of the node among those that draw random numbers.
    pub(crate) random: Option<u32>,
    /// All nodes that it computes, where it was joined from several steps.
    pub(crate) joined: Vec<NodeId>,
    /// Whether it takes and gives single numbers, and cannot fail.
    pub(crate) numbers: bool,
    /// The branch that alone needs it, and runs it.
    pub(crate) lazy: Option<OfBranch>,
    /// What it has to do with others that run at once, if it has.
    pub(crate) turn: Option<Box<Turn>>,
}

impl Step {
    /// The type of the operation that it computes, `Fused` of several, or `Check` if it only tells
    /// whether a write that comes later will fail.
    pub(crate) fn op(&self, graph: &GraphReader<'_>) -> &'static str {
        match (self.joined.is_empty(), self.inputs.first()) {
            (false, _) => "Fused",
            (true, Some(&Operand::NONE)) => "Check",
            _ => graph.node(self.node).op.name,
        }
    }
}

/// A node for which there is no kernel.
#[derive(Debug)]
pub(crate) struct NoKernel {
    pub(crate) node: NodeId,
    pub(crate) source: Box<OpError>,
}

/// How a plan is compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    pub(crate) writes: Writes,
    /// Whether steps that compute single numbers are joined, and others can run at once.
    pub(crate) regroups: bool,
    /// Whether it is the plan of a body, whose steps run one after the other.
    pub(crate) is_body: bool,
}

/// Compiles a path whose subgraph may have been rewritten.
///
/// # Errors
/// [`NoKernel`] where a node's kernel cannot be made.
pub(crate) fn compile(
    subgraph: &Subgraph,
    variables: Vec<VariableUse>,
    random: Vec<NodeId>,
    mode: Mode,
) -> Result<Plan, NoKernel> {
    compile_with(subgraph, variables, random, mode, None)
}

/// Compiles the path through a body; of a loop, with the feeds that do not change.
///
/// # Errors
/// [`NoKernel`] where a node's kernel cannot be made.
pub(crate) fn compile_body(
    subgraph: &Subgraph,
    mode: Mode,
    unchanging: Option<&[NodeId]>,
) -> Result<Plan, NoKernel> {
    let draws = subgraph.nodes().filter(|(_, node)| node.draws());
    let mut random: Vec<NodeId> = draws.map(|(id, _)| subgraph.origin(id)).collect();
    random.sort_unstable();
    let mode = Mode { writes: Writes::InTurn, is_body: true, ..mode };
    compile_with(subgraph, Vec::new(), random, mode, unchanging)
}

fn compile_with(
    subgraph: &Subgraph,
    variables: Vec<VariableUse>,
    random: Vec<NodeId>,
    mode: Mode,
    unchanging: Option<&[NodeId]>,
) -> Result<Plan, NoKernel> {
    let schedule = schedule(subgraph, mode.writes, unchanging);
    let lookahead = match mode.regroups && !mode.is_body {
        true => Lookahead::new(subgraph, &schedule.order[..schedule.commit_start], &schedule.lazy),
        false => Lookahead::default(),
    };
    let mut slots = Slots::new(subgraph, &schedule, unchanging.unwrap_or_default());
    let mut constants = Vec::new();
    for (id, node) in subgraph.nodes() {
        if let (Execution::Constant, Some(Attr::Tensor(value))) =
            (node.op.execution, node.attrs.get("value"))
        {
            slots.place(TensorId::new(id, 0), Operand::constant(constants.len() as u32));
            constants.push(value.clone());
        }
    }
    let feeds = subgraph.feeds.iter().map(|&feed| plan_feed(subgraph, feed, &mut slots)).collect();
    let starts = plan_starts(subgraph, &mut slots);
    let mut steps = Vec::with_capacity(schedule.order.len());
    for (position, &task) in schedule.order.iter().enumerate() {
        slots.reuses = !lookahead.follows(position);
        steps.push(match task {
            Task::Run(id) => Step {
                lazy: schedule.lazy.get(&id).copied(),
                ..plan_step(subgraph, id, position, &random, &mut slots, mode)?
            },
            Task::Check(id) => plan_check(subgraph, id, &slots)?,
        });
    }
    let mut ahead = vec![0; lookahead.assign(&mut steps)];
    let commit = steps.split_off(schedule.commit_start);
    let mut rest = steps.split_off(schedule.prologue);
    if mode.regroups {
        (steps, rest) = (fuse(steps), fuse(rest));
    }
    let prologue = steps.len();
    steps.extend(rest);
    for (position, step) in steps.iter().enumerate() {
        if let Some(turn) = &step.turn {
            ahead[turn.number()] = position;
        }
    }
    let commit_start = steps.len();
    let mut lazy = LazySteps::default();
    for (position, step) in steps.iter().enumerate() {
        if let Some(OfBranch { node, branch }) = step.lazy {
            lazy.entry(node).or_default().push((position, branch));
        }
    }
    for call in steps.iter_mut().filter_map(|step| step.call.as_mut()) {
        call.take_lazy(&mut lazy);
    }
    steps.extend(if mode.regroups { fuse(commit) } else { commit });
    let commits: FxHashMap<NodeId, TensorId> =
        subgraph.commits.iter().map(|commit| (commit.variable, commit.value)).collect();
    let planned = variables.into_iter().map(|usage| PlannedVariable {
        start: starts.get(&usage.node).map(|(slot, _)| *slot),
        shape: starts.get(&usage.node).and_then(|(_, shape)| shape.clone()),
        end: commits.get(&usage.node).map(|&value| slots.operand(value)),
        usage,
    });
    let planned: Vec<_> = planned.collect();
    let overwritten = |v: &PlannedVariable| v.usage.written && v.start.is_some();
    Ok(Plan {
        overwrites: commit_start < steps.len() && planned.iter().any(overwritten),
        initializes: planned.iter().any(|variable| variable.usage.initialized),
        feeds,
        constants,
        steps,
        prologue,
        commit_start,
        variables: planned,
        fetches: subgraph.fetches.iter().map(|&fetch| slots.operand(fetch)).collect(),
        random,
        slots: slots.count as usize,
        ahead,
        reshaped: 0,
    })
}

fn plan_feed(subgraph: &Subgraph, id: NodeId, slots: &mut Slots) -> Feed {
    let tensor = TensorId::new(id, 0);
    let slot = slots.is_needed(tensor).then(|| slots.allocate(tensor));
    Feed { fact: subgraph.fact(tensor).clone(), slot }
}

/// The slots of the values that variables have at the start, and their shapes, by the variables'
/// nodes.
fn plan_starts(subgraph: &Subgraph, slots: &mut Slots) -> FxHashMap<NodeId, (u32, Option<Shape>)> {
    let variables = subgraph.nodes().filter(|(_, node)| node.op.execution == Execution::Variable);
    let start = |(id, _)| {
        let tensor = TensorId::new(id, 0);
        let shape = subgraph.fact(tensor).shape.known();
        (subgraph.origin(id), (slots.allocate(tensor), shape))
    };
    variables.map(start).collect()
}

fn plan_step(
    subgraph: &Subgraph,
    id: NodeId,
    position: usize,
    random: &[NodeId],
    slots: &mut Slots,
    mode: Mode,
) -> Result<Step, NoKernel> {
    let node = subgraph.node(id);
    let origin = subgraph.origin(id);
    let facts = subgraph.input_facts(node);
    let inside = |inner: NoKernel| NoKernel { node: origin, ..inner };
    let call = Call::compile(id, node, mode).map_err(inside)?;
    let kernel = match call {
        Some(_) => Box::new(NotAKernel),
        None => kernel_of(subgraph, id, &facts)?,
    };
    let call = call.map(Box::new);
    let mut clear = SmallVec::new();
    let inputs = plan_inputs(node, position, slots, &mut clear);
    let tensors = (0..node.outputs.len()).map(|slot| TensorId::new(id, slot as u32));
    let outputs: SmallVec<[u32; 1]> = tensors.clone().map(|t| slots.allocate(t)).collect();
    clear.extend(tensors.zip(&outputs).filter(|(t, _)| !slots.is_needed(*t)).map(|(_, &s)| s));
    slots.free.extend(clear.iter().copied());
    let random = random.binary_search(&origin).ok().filter(|_| node.draws()).map(|i| i as u32);
    let numbers = call.is_none()
        && !subgraph.must_keep(node)
        && facts.iter().chain(&node.outputs).all(is_number);
    let (joined, lazy, turn) = (Vec::new(), None, None);
    Ok(Step {
        kernel,
        call,
        inputs,
        outputs,
        clear,
        node: origin,
        random,
        joined,
        numbers,
        lazy,
        turn,
    })
}

/// The check of a write that comes later.
fn plan_check(subgraph: &Subgraph, id: NodeId, slots: &Slots) -> Result<Step, NoKernel> {
    let node = subgraph.node(id);
    let kernel = Check(kernel_of(subgraph, id, &subgraph.input_facts(node))?);
    let written = node.op.written();
    let others = node.inputs.iter().skip(written).map(|&input| slots.operand(input));
    Ok(Step {
        kernel: Box::new(kernel),
        call: None,
        inputs: std::iter::repeat_n(Operand::NONE, written).chain(others).collect(),
        outputs: SmallVec::new(),
        clear: SmallVec::new(),
        node: subgraph.origin(id),
        random: None,
        joined: Vec::new(),
        numbers: false,
        lazy: None,
        turn: None,
    })
}

fn kernel_of(subgraph: &Subgraph, id: NodeId, facts: &[Fact]) -> Result<Box<dyn Kernel>, NoKernel> {
    let node = subgraph.node(id);
    let view = NodeView::new(node.op, &node.attrs, facts, &node.outputs);
    let no_kernel = |source: OpError| NoKernel { node: subgraph.origin(id), source: source.into() };
    node.op.kernel_of(&view).map_err(no_kernel)
}

/// What stands for the kernel of a step that has none.
struct NotAKernel;

impl Kernel for NotAKernel {
    fn run(&self, _: &mut KernelCx<'_>) -> Result<(), KernelError> {
        Err(KernelError::Internal("a step that runs bodies has no kernel"))
    }
}

/// A kernel that only tells whether another will fail.
struct Check(Box<dyn Kernel>);

impl Kernel for Check {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        self.0.check(cx)
    }
}

fn is_number(fact: &Fact) -> bool {
    fact.shape.rank() == Some(0)
}

/// Where a node finds its inputs; adds the slots that nothing needs after it to `clear`.
fn plan_inputs(
    node: &Node,
    position: usize,
    slots: &Slots,
    clear: &mut SmallVec<[u32; 2]>,
) -> SmallVec<[Operand; 3]> {
    let occurrences = |input| node.inputs.iter().filter(|other| **other == input).count();
    node.inputs
        .iter()
        .map(|&input| {
            let operand = slots.operand(input);
            if operand.is_constant() || !slots.is_last_use(input, position) {
                return operand;
            }
            let slot = operand.index() as u32;
            if !clear.contains(&slot) {
                clear.push(slot);
            }
            // An input that the node takes twice must not be gone the second time.
            if occurrences(input) == 1 { operand.last_use() } else { operand }
        })
        .collect()
}

/// Assigns values to slots, which are used again when nothing needs their value any more.
struct Slots {
    /// The number of the first output of each node.
    first_output: Vec<u32>,
    operands: Vec<Option<Operand>>,
    /// The last position in the schedule that needs each tensor.
    last_use: Vec<Option<u32>>,
    free: Vec<u32>,
    count: u32,
    /// Whether values may be put where others were before.
    reuses: bool,
}

/// The position of what is needed after the last step.
const END: u32 = u32::MAX;

impl Slots {
    fn new(subgraph: &Subgraph, schedule: &Schedule, unchanging: &[NodeId]) -> Self {
        let mut first_output = Vec::with_capacity(subgraph.len());
        let mut count = 0u32;
        for (_, node) in subgraph.nodes() {
            first_output.push(count);
            count += node.outputs.len() as u32;
        }
        let mut slots = Slots {
            first_output,
            operands: vec![None; count as usize],
            last_use: vec![None; count as usize],
            free: Vec::new(),
            count: 0,
            reuses: true,
        };
        let mut outlives = vec![false; subgraph.len()];
        unchanging.iter().for_each(|id| outlives[id.index()] = true);
        for task in &schedule.order[..schedule.prologue] {
            outlives[task.node().index()] = true;
        }
        for (position, &task) in schedule.order.iter().enumerate() {
            // A write needs what its check needs, and comes later.
            let Task::Run(id) = task else { continue };
            for &input in &subgraph.node(id).inputs {
                let number = slots.number(input);
                // What was computed the first time is needed the next time.
                let again = outlives[input.node.index()] && position >= schedule.prologue;
                let last_use = if again { END } else { position as u32 };
                slots.last_use[number] = slots.last_use[number].max(Some(last_use));
            }
        }
        let commits = subgraph.commits.iter().map(|commit| commit.value);
        for tensor in subgraph.fetches.iter().copied().chain(commits) {
            let number = slots.number(tensor);
            slots.last_use[number] = Some(END);
        }
        slots
    }

    fn number(&self, tensor: TensorId) -> usize {
        (self.first_output[tensor.node.index()] + tensor.slot) as usize
    }

    fn is_needed(&self, tensor: TensorId) -> bool {
        self.last_use[self.number(tensor)].is_some()
    }

    fn is_last_use(&self, tensor: TensorId, position: usize) -> bool {
        self.last_use[self.number(tensor)] == Some(position as u32)
    }

    fn place(&mut self, tensor: TensorId, operand: Operand) {
        let number = self.number(tensor);
        self.operands[number] = Some(operand);
    }

    fn allocate(&mut self, tensor: TensorId) -> u32 {
        let free = if self.reuses { self.free.pop() } else { None };
        let slot = free.unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        self.place(tensor, Operand::slot(slot));
        slot
    }

    /// Where a tensor is. Every tensor has its place before a later node asks for it.
    fn operand(&self, tensor: TensorId) -> Operand {
        self.operands[self.number(tensor)].unwrap_or(Operand::slot(0))
    }
}
