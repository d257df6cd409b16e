//! Runs a plan.

use smallvec::SmallVec;
use tidemill_graph::{Draw, Host, KernelCx, KernelError, NodeId, Operand};
use tidemill_kernels::pool::{self, Context};
use tidemill_value::{Recycler, Value, recycle};

use crate::ahead::{Ahead, Turn};
use crate::call::Caller;
use crate::error::RunError;
use crate::feeds::Feeder;
use crate::fetch::Fetched;
use crate::memory::Tally;
use crate::plan::{Plan, Step};
use crate::store::{Held, Store, Use};
use crate::sync::{Mutex, MutexGuard};
use crate::watch::Watch;

/// A plan with the cells of one session that it uses.
pub(crate) struct BoundPlan {
    pub(crate) plan: Plan,
    /// The cells of the plan's variables, and after them those of its counts of random draws.
    uses: Vec<Use>,
    /// What runs that have ended leave to those to come.
    states: Mutex<Vec<RunState>>,
}

/// What belongs to one run.
struct RunState {
    slots: Vec<Option<Value>>,
    /// How often the nodes that draw random numbers ran before.
    draws: Vec<u64>,
    memory: Recycler,
    ahead: Ahead,
}

/// Why a run took no effect.
pub(crate) enum Failure {
    /// A value does not fit its feed, or there is none that a variable can start with.
    Error(Box<RunError>),
    /// Variables have no value that the run would read: their numbers in the plan.
    Uninitialized(Missing),
    /// A kernel failed.
    Kernel { node: NodeId, source: KernelError },
    /// A variable that a body takes has no value, which it needs.
    Unset { parameter: usize },
    /// In body number `body` of the node `call`.
    Inside { call: NodeId, body: usize, failure: Box<Failure> },
    /// It was asked to end.
    Interrupted,
    /// A step gave numbers that are not finite.
    NonFinite(Box<crate::numerics::NonFinite<NodeId>>),
}

impl Failure {
    /// This failure, which happened in a body of a node.
    pub(crate) fn inside(self, call: NodeId, body: usize) -> Failure {
        match self {
            Failure::Interrupted => self,
            failure => Failure::Inside { call, body, failure: Box::new(failure) },
        }
    }
}

/// What a run has of its session.
pub(crate) struct RunCx<'a> {
    pub(crate) store: &'a Store<Value>,
    pub(crate) host: &'a dyn Host,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    /// The values that variables start with by themselves, by their numbers in a plan.
    pub(crate) starts: &'a dyn Fn(&Plan, Missing) -> Result<Starts, Failure>,
}

/// Variables without a value, by their numbers in a plan.
pub(crate) type Missing = SmallVec<[usize; 4]>;
/// Values of variables, by their numbers in a plan.
pub(crate) type Starts = Vec<(usize, Value)>;

impl BoundPlan {
    /// A plan with the cells that `cell` has for its variables and its random nodes.
    pub(crate) fn new(plan: Plan, cell: impl Fn(NodeId) -> u32) -> Self {
        let variables = plan.variables.iter().map(|v| (v.usage.node, v.usage.written));
        let counts = plan.random.iter().map(|&node| (node, true));
        let uses = variables.chain(counts).map(|(node, written)| Use { cell: cell(node), written });
        BoundPlan { uses: uses.collect(), states: Mutex::default(), plan }
    }

    /// Adds the plan to a tally, with what its runs left.
    pub(crate) fn count(&self, tally: &mut Tally) {
        tally.plan(&self.plan);
        for state in self.states().iter() {
            let memory = state.memory.idle_bytes() + state.ahead.idle_bytes();
            tally.idle_run(state.slots.capacity(), size_of::<RunState>() + memory);
        }
    }

    fn states(&self) -> MutexGuard<'_, Vec<RunState>> {
        self.states.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Runs a plan: all of it, or, if it fails, without any effect on variables and counts.
///
/// `feed` puts the values of the plan's feeds in their places, `fetch` takes what the run returns.
pub(crate) fn run<R>(
    cx: &RunCx<'_>,
    bound: &BoundPlan,
    feed: impl FnOnce(&mut Feeder<'_>) -> Result<(), RunError>,
    watch: &mut impl Watch,
    fetch: impl FnOnce(&mut Fetched<'_>) -> R,
) -> Result<R, Failure> {
    let idle = bound.states().pop();
    let mut state = idle.unwrap_or_else(|| RunState {
        slots: vec![None; bound.plan.slots],
        draws: vec![0; bound.plan.random.len()],
        memory: Recycler::new(),
        ahead: Ahead::default(),
    });
    let RunState { slots, draws, memory, ahead } = &mut state;
    let installed = memory.install();
    let result = run_in(cx, bound, (slots, draws, ahead), feed, watch, fetch);
    // The memory of what a failed run leaves is for runs of this plan, and freed if they have no use
    // for it.
    slots.iter_mut().for_each(free);
    drop(installed);
    bound.states().push(state);
    result
}

fn run_in<R>(
    cx: &RunCx<'_>,
    bound: &BoundPlan,
    (slots, draws, ahead): (&mut [Option<Value>], &mut [u64], &mut Ahead),
    feed: impl FnOnce(&mut Feeder<'_>) -> Result<(), RunError>,
    watch: &mut impl Watch,
    fetch: impl FnOnce(&mut Fetched<'_>) -> R,
) -> Result<R, Failure> {
    let plan = &bound.plan;
    ahead.reset(plan);
    feed(&mut Feeder { feeds: &plan.feeds, slots }).map_err(|e| Failure::Error(Box::new(e)))?;
    let (mut held, as_declared) = match begin(cx, bound, slots, draws, watch, Starts::new()) {
        Err(Failure::Uninitialized(missing)) => {
            let starts = (cx.starts)(plan, missing)?;
            begin(cx, bound, slots, draws, watch, starts)?
        }
        begun => begun?,
    };
    let (steps, commit) = plan.steps.split_at(plan.commit_start);
    let (threads, cancellation) = (cx.threads, watch.cancellation());
    pool::with_context(&Context { threads, cancellation: cancellation.as_ref() }, || {
        for (position, step) in steps.iter().enumerate() {
            if step.lazy.is_some() {
                continue;
            }
            watch.before(plan, position, slots)?;
            match &step.turn {
                Some(turn) if threads > 1 && !watch.looks_at_steps() => {
                    run_turn(cx, plan, (step, turn), slots, draws, ahead, watch)?;
                }
                _ => run_step(cx, plan, step, slots, draw(cx.seed, step, draws), watch)?,
            }
            watch.after(plan, position, slots)?;
            clear(step, slots);
        }
        Ok(())
    })?;
    // What cannot fail can, where an assignment gave a variable another shape than it was declared
    // with.
    if plan.overwrites && as_declared {
        held.take(|i| plan.variables.get(i).is_some_and(|variable| variable.start.is_some()));
    }
    // From here on the run cannot be interrupted.
    pool::with_context(&Context { threads, cancellation: None }, || {
        for (i, step) in commit.iter().enumerate() {
            let position = plan.commit_start + i;
            watch.before_commit(position);
            run_step(cx, plan, step, slots, draw(cx.seed, step, draws), watch)?;
            watch.after_commit(plan, position, slots);
            clear(step, slots);
        }
        Ok(())
    })?;
    held.commit(|i| match plan.variables.get(i) {
        Some(variable) => value(plan, slots, variable.end?),
        None => Some(Value::from(draws[i - plan.variables.len()].wrapping_add(1))),
    });
    let (places, constants) = (plan.fetches.iter(), &plan.constants[..]);
    Ok(fetch(&mut Fetched { places, slots, constants }))
}

/// Takes hold of what the plan uses, and hands the values at the start of the run to the slots; for
/// variables without one, those of `starts`. Says whether variables have the shapes that they were
/// declared with.
fn begin<'a>(
    cx: &RunCx<'a>,
    bound: &'a BoundPlan,
    slots: &mut [Option<Value>],
    draws: &mut [u64],
    watch: &impl Watch,
    starts: Starts,
) -> Result<(Held<'a, Value>, bool), Failure> {
    let variables = &bound.plan.variables;
    let mut missing = Missing::new();
    let mut as_declared = true;
    let take = |i: usize, start: Option<&Value>| match variables.get(i) {
        Some(variable) => {
            let own = || starts.iter().find(|(of, _)| *of == i).map(|(_, value)| value);
            let start = start.or_else(own);
            if start.is_none() && variable.usage.first_reader.is_some() {
                missing.push(i);
            }
            if let Some(slot) = variable.start {
                slots[slot as usize] = start.cloned();
            }
            if let (Some(shape), Some(value)) = (&variable.shape, start) {
                as_declared &= value.shape() == shape;
            }
        }
        None => {
            let count = start.and_then(Value::as_scalar);
            draws[i - variables.len()] = count.unwrap_or_default();
        }
    };
    let held = cx.store.begin(&bound.uses, take, || watch.is_interrupted());
    let held = held.ok_or(Failure::Interrupted)?;
    if missing.is_empty() { Ok((held, as_declared)) } else { Err(Failure::Uninitialized(missing)) }
}

/// Runs a step with those that can run in its turn, unless it ran in the turn of another.
fn run_turn(
    cx: &RunCx<'_>,
    plan: &Plan,
    (step, turn): (&Step, &Turn),
    slots: &mut [Option<Value>],
    draws: &[u64],
    ahead: &mut Ahead,
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    let seed = cx.seed;
    ahead.run(plan, turn, slots, &|step: &Step| draw(seed, step, draws));
    match ahead.take(turn) {
        Some(result) => result.map_err(|source| Failure::Kernel { node: step.node, source }),
        None => run_step(cx, plan, step, slots, draw(seed, step, draws), watch),
    }
}

/// What numbers a step draws, if it does.
fn draw(session_seed: u64, step: &Step, draws: &[u64]) -> Draw {
    let count = step.random.map_or(0, |i| draws[i as usize]);
    Draw { session_seed, key: step.node.index() as u64, count }
}

#[inline]
pub(crate) fn run_step(
    cx: &RunCx<'_>,
    plan: &Plan,
    step: &Step,
    slots: &mut [Option<Value>],
    draw: Draw,
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    if let Some(call) = &step.call {
        return call.run(Caller { cx, plan, step, draw }, slots, watch);
    }
    let result = step.kernel.run(&mut KernelCx {
        slots,
        constants: &plan.constants,
        inputs: &step.inputs,
        outputs: &step.outputs,
        draw,
        host: cx.host,
    });
    result.map_err(|source| Failure::Kernel { node: step.node, source })
}

/// Frees the memory of the values that nothing needs after a step, for those to come.
#[inline]
pub(crate) fn clear(step: &Step, slots: &mut [Option<Value>]) {
    for &slot in &step.clear {
        free(&mut slots[slot as usize]);
    }
}

/// A number stays until another value takes its place: it holds no memory.
#[inline]
pub(crate) fn free(slot: &mut Option<Value>) {
    if slot.as_ref().is_some_and(|value| !value.is_scalar())
        && let Some(value) = slot.take()
    {
        recycle(value);
    }
}

fn value(plan: &Plan, slots: &[Option<Value>], operand: Operand) -> Option<Value> {
    match operand.is_constant() {
        true => plan.constants.get(operand.index()).cloned(),
        false => slots.get(operand.index()).cloned().flatten(),
    }
}
