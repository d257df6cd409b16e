//! Runs a plan.

use tidemill_graph::{Host, NodeId, Operand};
use tidemill_kernels::pool::{self, Context};
use tidemill_value::{Memory, Value};

use crate::plan::step::Plan;
use crate::report::error::RunError;
use crate::run::ahead::Ahead;
use crate::run::failure::{Failure, Missing};
use crate::run::steps::{Draws, Sequence, free, run_steps};
use crate::run::store::{Held, Store, Use};
use crate::run::watch::{Committing, Watch};
use crate::session::feeder::Feeder;
use crate::session::fetch::Fetched;
use crate::sync::{Arc, Mutex, MutexGuard};

/// A plan with the cells of one session that it uses.
pub(crate) struct BoundPlan {
    pub(crate) plan: Plan,
    /// The cells of the plan's variables, and after them those of its counts of random draws.
    uses: Vec<Use>,
    /// Buffers that finished runs leave for later ones.
    states: Mutex<Vec<RunState>>,
    /// The memory of the plans of one signature, if there are several: what one leaves, another takes.
    pub(crate) shared: Option<SharedMemory>,
}

/// Memory that finished runs leave for later ones, of any of several plans.
pub(crate) type SharedMemory = Arc<Mutex<Vec<Memory>>>;

/// The values of one run.
struct RunState {
    slots: Vec<Option<Value>>,
    /// The number of earlier runs of each node that draws random numbers.
    draws: Vec<u64>,
    /// Its memory, unless plans share theirs.
    memory: Memory,
    ahead: Ahead,
}

/// The parts of its session that a run uses.
pub(crate) struct RunCx<'a> {
    pub(crate) store: &'a Store<Value>,
    pub(crate) host: &'a dyn Host,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    /// The initial values of self-starting variables, by their numbers in a plan.
    pub(crate) starts: &'a dyn Fn(&Plan, Missing) -> Result<Starts, Failure>,
}

/// Values of variables, by their numbers in a plan.
pub(crate) type Starts = Vec<(usize, Value)>;

impl BoundPlan {
    /// A plan with the cells that `cell` has for its variables and its random nodes.
    pub(crate) fn new(
        plan: Plan,
        shared: Option<SharedMemory>,
        cell: impl Fn(NodeId) -> u32,
    ) -> Self {
        let variables = plan.variables.iter().map(|v| (v.usage.node, v.usage.written));
        let counts = plan.random.iter().map(|&node| (node, true));
        let uses = variables.chain(counts).map(|(node, written)| Use { cell: cell(node), written });
        BoundPlan { uses: uses.collect(), states: Mutex::default(), plan, shared }
    }

    /// The bytes that each finished run leaves for later ones.
    pub(crate) fn idle_bytes(&self) -> Vec<usize> {
        let bytes = |state: &RunState| {
            let slots = state.slots.capacity() * size_of::<Option<Value>>();
            slots + size_of::<RunState>() + state.memory.idle_bytes() + state.ahead.idle_bytes()
        };
        self.states().iter().map(bytes).collect()
    }

    /// The bytes of memory that it shares with other plans.
    pub(crate) fn shared_bytes(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| lock(shared).iter().map(Memory::idle_bytes).sum())
    }

    fn states(&self) -> MutexGuard<'_, Vec<RunState>> {
        lock(&self.states)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs a plan: all of it, or, if it fails, without any effect on variables and counts.
///
/// `feed` puts the values of the plan's feeds in their places, `fetch` takes the results of the
/// run.
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
        memory: Memory::new(),
        ahead: Ahead::default(),
    });
    let RunState { slots, draws, memory, ahead } = &mut state;
    let shared = bound.shared.as_ref().map(|shared| lock(shared).pop().unwrap_or_default());
    let memory = shared.as_ref().unwrap_or(memory);
    let result = run_in(cx, bound, (slots, draws, memory, ahead), feed, watch, fetch);
    // The memory left by a failed run is for runs of this plan, and is freed if they have no use
    // for it.
    slots.iter_mut().for_each(|slot| free(memory, slot));
    memory.end_round();
    if let (Some(memory), Some(idle)) = (shared, &bound.shared) {
        lock(idle).push(memory);
    }
    bound.states().push(state);
    result
}

fn run_in<R>(
    cx: &RunCx<'_>,
    bound: &BoundPlan,
    (slots, draws, memory, ahead): (&mut [Option<Value>], &mut [u64], &Memory, &mut Ahead),
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
    let counts: &[u64] = draws;
    let draws = Draws::Counts { seed: cx.seed, counts };
    let sequence = Sequence { plan, host: cx.host, draws, memory };
    let (threads, cancellation) = (cx.threads, watch.cancellation());
    let ahead = (threads > 1 && !watch.looks_at_steps()).then_some(ahead);
    pool::with_context(&Context { threads, cancellation: cancellation.as_ref() }, || {
        run_steps(sequence, 0..plan.commit_start, slots, ahead, watch)
    })?;
    // A write classed as infallible can fail if an assignment changed the declared shape.
    if plan.overwrites && as_declared {
        held.take(|i| plan.variables.get(i).is_some_and(|variable| variable.start.is_some()));
    }
    // From here on the run cannot be interrupted.
    pool::with_context(&Context { threads, cancellation: None }, || {
        let commit = plan.commit_start..plan.steps.len();
        run_steps(sequence, commit, slots, None, &mut Committing(watch))
    })?;
    held.commit(|i| match plan.variables.get(i) {
        Some(variable) => value(plan, slots, variable.end?),
        None => Some(Value::from(counts[i - plan.variables.len()].wrapping_add(1))),
    });
    // The store shares the values of variables by now, so these are not lent.
    for place in plan.fetches.iter().filter(|place| !place.is_constant()) {
        if let Some(value) = &mut slots[place.index()] {
            memory.lend(value);
        }
    }
    let (places, constants) = (plan.fetches.iter(), &plan.constants[..]);
    Ok(fetch(&mut Fetched { places, slots, constants }))
}

/// Acquires the cells that the plan uses, and moves the values at the start of the run to the
/// slots; for variables without one, the values of `starts`. Returns whether variables have their
/// declared shapes.
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

fn value(plan: &Plan, slots: &[Option<Value>], operand: Operand) -> Option<Value> {
    match operand.is_constant() {
        true => plan.constants.get(operand.index()).cloned(),
        false => slots.get(operand.index()).cloned().flatten(),
    }
}
