//! From a subgraph to a flat program over slots.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tidemill_graph::{
    Attr, Execution, Fact, Instr, Kernel, KernelCx, KernelError, NodeId, NodeView, OpError,
    Operand, Region, Subgraph, TensorId,
};
use tidemill_rewrite::RewriteLog;
use tidemill_value::{Shape, Value};

use crate::lower::guard::OfBranch;
use crate::lower::prune::VariableUse;
use crate::plan::candidate::{Candidate, Function};
use crate::plan::follow::follow;
use crate::plan::join::join;
use crate::plan::lookahead::Lookahead;
use crate::plan::schedule::{Schedule, Task, Writes, schedule};
use crate::plan::slots::{Slots, plan_inputs};
use crate::plan::step::{Action, Call, Feed, Plan, PlannedVariable, Routine, Source, Step};
use crate::sync::Mutex;

/// A node for which there is no kernel.
#[derive(Debug)]
pub(crate) struct NoKernel {
    pub(crate) node: NodeId,
    pub(crate) source: Box<OpError>,
}

/// The mode of compiling a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    pub(crate) writes: Writes,
    /// True if steps that compute single numbers are joined, and others can run at once.
    pub(crate) regroups: bool,
    /// True for the plan of a body, whose steps run one after the other.
    pub(crate) is_body: bool,
}

/// Compiles a path whose subgraph may have been rewritten.
///
/// # Errors
/// [`NoKernel`] if a node's kernel cannot be made.
pub(crate) fn compile(
    subgraph: &Subgraph,
    variables: Vec<VariableUse>,
    random: Vec<NodeId>,
    mode: Mode,
) -> Result<Plan, NoKernel> {
    compile_with(subgraph, variables, random, mode, None)
}

/// Compiles the path through a body; for a loop, given the feeds that do not change.
///
/// # Errors
/// [`NoKernel`] if a node's kernel cannot be made.
fn compile_body(
    subgraph: &Subgraph,
    mode: Mode,
    unchanging: Option<&[NodeId]>,
) -> Result<Plan, NoKernel> {
    let draws = subgraph.instrs().filter(|(_, instr)| instr.draws());
    let mut random: Vec<NodeId> = draws.map(|(_, instr)| instr.origin).collect();
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
    let constants = place_constants(subgraph, &mut slots);
    let feeds = subgraph.feeds.iter().map(|&feed| plan_feed(subgraph, feed, &mut slots)).collect();
    let starts = plan_starts(subgraph, &mut slots);
    let mut planner = Planner { subgraph, schedule: &schedule, random: &random, slots, mode };
    let mut candidates = planner.candidates(&lookahead)?;
    let slots = planner.slots;
    let strands = lookahead.assign(candidates.iter_mut().map(|candidate| &mut candidate.step));
    let Arranged { mut steps, prologue, commit_start } = arrange(candidates, &schedule, mode);
    let ahead = positions_of_members(&steps[..commit_start], strands);
    tell_branches(&mut steps[..commit_start]);
    let variables = plan_variables(subgraph, variables, &starts, &slots);
    let overwritten = |v: &PlannedVariable| v.usage.written && v.start.is_some();
    Ok(Plan {
        overwrites: commit_start < steps.len() && variables.iter().any(overwritten),
        initializes: variables.iter().any(|variable| variable.usage.initialized),
        feeds,
        constants,
        steps,
        prologue,
        commit_start,
        variables,
        fetches: subgraph.fetches.iter().map(|&fetch| slots.operand(fetch)).collect(),
        random,
        slots: slots.count as usize,
        ahead,
        reshaped: 0,
        rewrites: RewriteLog::default(),
    })
}

/// The constants of a subgraph, which take no slots.
fn place_constants(subgraph: &Subgraph, slots: &mut Slots) -> Vec<Value> {
    let mut constants = Vec::new();
    for (id, instr) in subgraph.instrs() {
        if let (Execution::Constant, Some(Attr::Tensor(value))) =
            (instr.op.execution, instr.attrs.get("value"))
        {
            slots.place(TensorId::new(id, 0), Operand::constant(constants.len() as u32));
            constants.push(value.clone());
        }
    }
    constants
}

fn plan_feed(subgraph: &Subgraph, id: NodeId, slots: &mut Slots) -> Feed {
    let tensor = TensorId::new(id, 0);
    let slot = slots.is_needed(tensor).then(|| slots.allocate(tensor));
    Feed { fact: subgraph.fact(tensor).clone(), slot }
}

/// The slots of variables at the start and their declared shapes, by the nodes of the variables.
type VariableStarts = FxHashMap<NodeId, (u32, Option<Shape>)>;

fn plan_starts(subgraph: &Subgraph, slots: &mut Slots) -> VariableStarts {
    let is_variable = |instr: &Instr| instr.op.execution == Execution::Variable;
    let variables = subgraph.instrs().filter(|(_, instr)| is_variable(instr));
    let start = |(id, instr): (NodeId, &Instr)| {
        let tensor = TensorId::new(id, 0);
        let shape = subgraph.fact(tensor).shape.known();
        (instr.origin, (slots.allocate(tensor), shape))
    };
    variables.map(start).collect()
}

fn plan_variables(
    subgraph: &Subgraph,
    variables: Vec<VariableUse>,
    starts: &VariableStarts,
    slots: &Slots,
) -> Vec<PlannedVariable> {
    let commits: FxHashMap<NodeId, TensorId> =
        subgraph.commits.iter().map(|commit| (commit.variable, commit.value)).collect();
    let planned = variables.into_iter().map(|usage| PlannedVariable {
        start: starts.get(&usage.node).map(|(slot, _)| *slot),
        shape: starts.get(&usage.node).and_then(|(_, shape)| shape.clone()),
        end: commits.get(&usage.node).map(|&value| slots.operand(value)),
        usage,
    });
    planned.collect()
}

/// Makes steps of scheduled nodes.
struct Planner<'a> {
    subgraph: &'a Subgraph,
    schedule: &'a Schedule,
    /// The nodes that draw random numbers, ascending.
    random: &'a [NodeId],
    slots: Slots,
    mode: Mode,
}

impl Planner<'_> {
    /// A step for each task, in the order of the schedule.
    fn candidates(&mut self, lookahead: &Lookahead) -> Result<Vec<Candidate>, NoKernel> {
        let tasks = self.schedule.order.iter().enumerate();
        let candidate = |(position, &task): (usize, &Task)| {
            self.slots.reuses = !lookahead.follows(position);
            match task {
                Task::Run(id) => self.run(id, position),
                Task::Check(id) => self.check(id),
            }
        };
        tasks.map(candidate).collect()
    }

    fn run(&mut self, id: NodeId, position: usize) -> Result<Candidate, NoKernel> {
        let Planner { subgraph, schedule, random, slots, mode } = self;
        let instr = subgraph.instr(id);
        let origin = instr.origin;
        let inside = |inner: NoKernel| NoKernel { node: origin, ..inner };
        let action = match compile_call(id, instr, *mode).map_err(inside)? {
            Some(call) => Action::Call(Box::new(call)),
            None => match kernel_of(subgraph, id) {
                // The branch that needs it may never be taken.
                Err(error) if mode.is_body && instr.op.execution == Execution::Opaque => {
                    Action::Kernel(Box::new(move |_: &mut KernelCx<'_>| {
                        Err(KernelError::Op(error.source.clone()))
                    }))
                }
                kernel => Action::Kernel(kernel?),
            },
        };
        let mut clear = SmallVec::new();
        let inputs = plan_inputs(instr, position, slots, &mut clear);
        let tensors = (0..instr.outputs.len()).map(|slot| TensorId::new(id, slot as u32));
        let outputs: SmallVec<[u32; 1]> = tensors.clone().map(|t| slots.allocate(t)).collect();
        clear.extend(tensors.zip(&outputs).filter(|(t, _)| !slots.is_needed(*t)).map(|(_, &s)| s));
        slots.free.extend(clear.iter().copied());
        let is_drawing = |_: &usize| instr.draws();
        let random = random.binary_search(&origin).ok().filter(is_drawing).map(|i| i as u32);
        let mut facts = instr.inputs.iter().map(|&input| subgraph.fact(input));
        let dtype = instr.inputs.first().map(|&input| subgraph.fact(input).dtype);
        let is_numeric = !subgraph.must_keep(instr)
            && facts.all(is_number)
            && instr.outputs.iter().all(is_number);
        let scalar = instr.op.scalar.zip(dtype).filter(|_| is_numeric);
        let lazy = schedule.lazy.get(&id).copied();
        let step = Step { action, inputs, outputs, clear, node: origin, random, lazy, turn: None };
        Ok(Candidate {
            step,
            scalar,
            function: Function::of(subgraph, instr),
            is_certain: !subgraph.must_keep(instr),
        })
    }

    /// The check of a later write.
    fn check(&self, id: NodeId) -> Result<Candidate, NoKernel> {
        let instr = self.subgraph.instr(id);
        let written = instr.op.written();
        let others = instr.inputs.iter().skip(written).map(|&input| self.slots.operand(input));
        let step = Step {
            action: Action::Check(kernel_of(self.subgraph, id)?),
            inputs: std::iter::repeat_n(Operand::NONE, written).chain(others).collect(),
            outputs: SmallVec::new(),
            clear: SmallVec::new(),
            node: instr.origin,
            random: None,
            lazy: None,
            turn: None,
        };
        Ok(Candidate { step, scalar: None, function: None, is_certain: false })
    }
}

fn kernel_of(subgraph: &Subgraph, id: NodeId) -> Result<Box<dyn Kernel>, NoKernel> {
    let Instr { op, attrs, inputs, outputs, origin, .. } = subgraph.instr(id);
    let facts = subgraph.facts(inputs);
    let view = NodeView::new(op, attrs, &facts, outputs);
    let no_kernel = |source: OpError| NoKernel { node: *origin, source: source.into() };
    op.kernel_of(&view).map_err(no_kernel)
}

fn is_number(fact: &Fact) -> bool {
    fact.shape.rank() == Some(0)
}

/// The steps in the order in which they run.
struct Arranged {
    steps: Vec<Step>,
    prologue: usize,
    commit_start: usize,
}

/// Joins steps if that is allowed, but not across the borders of the prologue and the commit.
fn arrange(candidates: Vec<Candidate>, schedule: &Schedule, mode: Mode) -> Arranged {
    let mut candidates = candidates.into_iter();
    let mut part = |length: usize| {
        let part = candidates.by_ref().take(length);
        match mode.regroups {
            true => join(follow(part)),
            false => part.map(|candidate| candidate.step).collect(),
        }
    };
    let mut steps = part(schedule.prologue);
    let prologue = steps.len();
    steps.extend(part(schedule.commit_start - schedule.prologue));
    let commit_start = steps.len();
    steps.extend(part(usize::MAX));
    Arranged { steps, prologue, commit_start }
}

/// The positions of the steps in strands, by their numbers there.
fn positions_of_members(steps: &[Step], count: usize) -> Vec<usize> {
    let mut positions = vec![0; count];
    for (position, step) in steps.iter().enumerate() {
        if let Some(turn) = &step.turn {
            positions[turn.number as usize] = position;
        }
    }
    positions
}

/// Tells the steps that run branches which steps wait for these.
fn tell_branches(steps: &mut [Step]) {
    let mut waiting: FxHashMap<NodeId, Vec<(usize, usize)>> = FxHashMap::default();
    for (position, step) in steps.iter().enumerate() {
        if let Some(OfBranch { node, branch }) = step.lazy {
            waiting.entry(node).or_default().push((position, branch));
        }
    }
    for step in steps {
        if let Action::Call(call) = &mut step.action
            && let Call::Branch { id, lazy, .. } = &mut **call
        {
            *lazy = waiting.remove(id).unwrap_or_default();
        }
    }
}

/// The bodies that an instruction runs, if any.
///
/// # Errors
/// [`NoKernel`] if the kernel of a node cannot be made.
fn compile_call(id: NodeId, instr: &Instr, mode: Mode) -> Result<Option<Call>, NoKernel> {
    match (instr.op.execution, &instr.regions[..]) {
        (Execution::Branch(select), regions) => {
            let branches = regions.iter().map(|region| compile_routine(region, mode));
            let branches = branches.collect::<Result<_, _>>()?;
            Ok(Some(Call::Branch { select, branches, id, lazy: Vec::new() }))
        }
        (Execution::Loop, [condition, body]) => Ok(Some(Call::Loop {
            condition: Box::new(compile_routine(condition, mode)?),
            body: Box::new(compile_routine(body, mode)?),
        })),
        _ => Ok(None),
    }
}

/// The plan of a body.
fn compile_routine(region: &Region, mode: Mode) -> Result<Routine, NoKernel> {
    let subgraph = &region.subgraph;
    let is_kept = |i: usize| subgraph.is_unchanging(i);
    let kept = (0..subgraph.feeds.len()).filter(|&i| is_kept(i)).map(|i| subgraph.feeds[i]);
    let kept: Vec<NodeId> = kept.collect();
    let plan = compile_body(subgraph, mode, subgraph.repeats.then_some(&kept))?;
    let once = plan.steps[..plan.prologue].iter().flat_map(|step| &step.outputs).copied();
    let feeds = plan.feeds.iter().enumerate().filter(|(i, _)| is_kept(*i));
    let once: Vec<u32> = once.chain(feeds.filter_map(|(_, feed)| feed.slot)).collect();
    let source = |(i, &operand): (usize, &Operand)| {
        let is_elsewhere = |other: &Operand| other.index() == operand.index();
        match () {
            () if is_kept(i) => Source::Parameter,
            () if operand.is_constant()
                || once.contains(&(operand.index() as u32))
                || plan.fetches[i + 1..].iter().any(is_elsewhere) =>
            {
                Source::Copy(operand)
            }
            () => Source::Move(operand),
        }
    };
    let results = plan.fetches.iter().enumerate().map(source).collect();
    let needed = (0..region.reads.len()).filter(|&i| region.reads[i]).collect();
    Ok(Routine { plan, results, needed, frames: Mutex::default() })
}
