//! Runs a plan.

use std::sync::{Arc, MutexGuard, RwLockReadGuard, RwLockWriteGuard};

use smallvec::SmallVec;
use tidemill_graph::{Draw, Host, KernelCx, KernelError, NodeId, Operand};
use tidemill_value::Value;

use crate::plan::{Plan, Step};
use crate::store::{self, Cell, Counter};

/// A plan with the variables and counters of one session that it uses.
pub(crate) struct BoundPlan {
    pub(crate) plan: Plan,
    /// In the order of the plan's variables, which is that in which they are locked.
    pub(crate) cells: Vec<Arc<Cell>>,
    /// In the order of the plan's random nodes.
    pub(crate) counters: Vec<Arc<Counter>>,
}

/// Why a run took no effect.
pub(crate) enum Failure {
    /// Variables have no value that the run would read: their numbers in the plan.
    Uninitialized(Vec<usize>),
    /// A kernel failed.
    Kernel { node: NodeId, source: KernelError },
}

type Slots = Vec<Option<Value>>;

/// Runs a plan: all of it, or, if it fails, without any effect on variables and counters.
///
/// `feeds` are the values of the plan's feeds, in their order.
pub(crate) fn run(
    bound: &BoundPlan,
    feeds: SmallVec<[Value; 4]>,
    host: &dyn Host,
    session_seed: u64,
) -> Result<SmallVec<[Value; 4]>, Failure> {
    let plan = &bound.plan;
    let mut locks = Locks::acquire(bound);
    let missing = locks.missing(plan);
    if !missing.is_empty() {
        return Err(Failure::Uninitialized(missing));
    }
    let mut slots: Slots = vec![None; plan.slots];
    for (feed, value) in plan.feeds.iter().zip(feeds) {
        if let Some(slot) = feed.slot {
            slots[slot as usize] = Some(value);
        }
    }
    locks.load(plan, &mut slots);
    let draw = |node, count| Draw { session_seed, node, count };
    for (position, step) in plan.steps.iter().enumerate() {
        if position == plan.commit_start {
            locks.release_written(plan);
        }
        let count = step.random.map_or(0, |i| *locks.counters[i as usize]);
        run_step(plan, step, &mut slots, draw(step.node, count), host)
            .map_err(|source| Failure::Kernel { node: step.node, source })?;
        for &slot in &step.clear {
            slots[slot as usize] = None;
        }
    }
    locks.commit(plan, &mut slots);
    Ok(plan.fetches.iter().filter_map(|&fetch| value(plan, &slots, fetch)).collect())
}

fn run_step(
    plan: &Plan,
    step: &Step,
    slots: &mut [Option<Value>],
    draw: Draw,
    host: &dyn Host,
) -> Result<(), KernelError> {
    step.kernel.run(&mut KernelCx {
        slots,
        constants: &plan.constants,
        inputs: &step.inputs,
        outputs: &step.outputs,
        draw,
        host,
    })
}

fn value(plan: &Plan, slots: &[Option<Value>], operand: Operand) -> Option<Value> {
    match operand.is_constant() {
        true => plan.constants.get(operand.index()).cloned(),
        false => slots.get(operand.index()).cloned().flatten(),
    }
}

/// The locks of a run: on the variables it writes, exclusive until its end; on those it only
/// reads, shared until their values are taken; on its counters of random draws.
struct Locks<'a> {
    cells: SmallVec<[Lock<'a>; 4]>,
    counters: SmallVec<[MutexGuard<'a, u64>; 2]>,
}

enum Lock<'a> {
    Read(RwLockReadGuard<'a, Option<Value>>),
    Write(RwLockWriteGuard<'a, Option<Value>>),
    Released,
}

impl<'a> Locks<'a> {
    /// Takes all locks in the order of the nodes, so that two runs never wait for each other.
    fn acquire(bound: &'a BoundPlan) -> Self {
        let cells = bound.plan.variables.iter().zip(&bound.cells);
        let cells = cells.map(|(variable, cell)| match variable.usage.written {
            true => Lock::Write(store::write(cell)),
            false => Lock::Read(store::read(cell)),
        });
        let cells = cells.collect();
        Locks { cells, counters: bound.counters.iter().map(|c| store::lock(c)).collect() }
    }

    /// The variables without the value that the run would read.
    fn missing(&self, plan: &Plan) -> Vec<usize> {
        let is_missing = |i: &usize| {
            plan.variables[*i].usage.first_reader.is_some() && self.cells[*i].value().is_none()
        };
        (0..plan.variables.len()).filter(is_missing).collect()
    }

    /// Hands the values at the start of the run to the slots.
    fn load(&mut self, plan: &Plan, slots: &mut Slots) {
        for (variable, lock) in plan.variables.iter().zip(&mut self.cells) {
            if let Some(slot) = variable.start {
                slots[slot as usize] = lock.value().clone();
            }
            if matches!(lock, Lock::Read(_)) {
                *lock = Lock::Released;
            }
        }
    }

    /// Leaves the slots as the only owners of variables that will be overwritten, so that they
    /// can be overwritten in place.
    fn release_written(&mut self, plan: &Plan) {
        for (variable, lock) in plan.variables.iter().zip(&mut self.cells) {
            if let (Lock::Write(cell), Some(_)) = (lock, variable.start) {
                **cell = None;
            }
        }
    }

    /// Gives the variables their new values, and counts the draws.
    fn commit(&mut self, plan: &Plan, slots: &mut Slots) {
        for (variable, lock) in plan.variables.iter().zip(&mut self.cells) {
            if let (Lock::Write(cell), Some(end)) = (lock, variable.end) {
                **cell = value(plan, slots, end);
            }
        }
        for counter in &mut self.counters {
            **counter += 1;
        }
    }
}

impl Lock<'_> {
    fn value(&self) -> &Option<Value> {
        match self {
            Lock::Read(cell) => cell,
            Lock::Write(cell) => cell,
            Lock::Released => &None,
        }
    }
}
