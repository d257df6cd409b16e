//! Steps that run ahead of their turn, alongside another one.
//!
//! A kernel with much work cuts it into tiles and has all threads for itself. A kernel with little
//! work computes on one thread, and in a wide graph several of them can compute at once: when the
//! turn of one comes, later ones whose inputs are available run alongside it. Each keeps its turn,
//! in which its failure is reported, so that only the timing shows that it ran before.

use std::mem;

use smallvec::SmallVec;
use tidemill_graph::{Draw, Kernel, KernelCx, KernelError, NoHost};
use tidemill_kernels::pool;
use tidemill_value::{DType, Memory, Value};

use crate::plan::lookahead::MOST_STRANDS;
use crate::plan::step::{Action, Plan, Step, Strand, Turn};

/// A strand that takes more bytes than this is cut into tiles.
const MOST_BYTES: usize = 1 << 18;

/// True if the inputs of a strand are available, and small enough.
fn can_run(strand: &Strand, slots: &[Option<Value>], outcomes: &[Outcome]) -> bool {
    let bytes = |&(slot, _): &(u32, u32)| slots[slot as usize].as_ref().map_or(0, Value::bytes);
    strand.needs.iter().all(|&number| matches!(outcomes[number as usize], Outcome::Done))
        && strand.inputs.iter().map(bytes).sum::<usize>() <= MOST_BYTES
}

/// The outcome of a step.
#[derive(Default)]
enum Outcome {
    #[default]
    Waits,
    Done,
    Failed(KernelError),
}

/// The state of the strands of a run.
#[derive(Default)]
pub(crate) struct Ahead {
    outcomes: Vec<Outcome>,
    tasks: Vec<Task>,
}

/// A running strand.
#[derive(Default)]
struct Task {
    values: Vec<Option<Value>>,
    memory: Memory,
    /// Its outputs in the run before.
    outputs: Vec<(DType, usize)>,
    /// The number of its members that are done.
    done: usize,
    failure: Option<KernelError>,
}

impl Ahead {
    /// Prepares for a run of a plan.
    #[inline]
    pub(crate) fn reset(&mut self, plan: &Plan) {
        if !plan.ahead.is_empty() {
            self.outcomes.clear();
            self.outcomes.resize_with(plan.ahead.len(), Outcome::default);
        }
    }

    /// The bytes that it keeps for later runs.
    pub(crate) fn idle_bytes(&self) -> usize {
        let values = |task: &Task| task.values.capacity() * size_of::<Option<Value>>();
        self.tasks.iter().map(|task| values(task) + task.memory.idle_bytes()).sum()
    }

    /// Runs the strands of a step's turn at once, if the work is neither too little nor too much.
    pub(crate) fn run(
        &mut self,
        plan: &Plan,
        turn: &Turn,
        slots: &mut [Option<Value>],
        memory: &Memory,
        draw: &(dyn Fn(&Step) -> Draw + Sync),
    ) {
        let Ahead { outcomes, tasks } = self;
        let Some(leader) = turn.strands.first() else { return };
        if !can_run(leader, slots, outcomes) {
            return;
        }
        let ready = |strand: &&Strand| can_run(strand, slots, outcomes);
        let strands: SmallVec<[&Strand; MOST_STRANDS]> =
            turn.strands.iter().filter(ready).collect();
        if tasks.len() < strands.len() {
            tasks.resize_with(strands.len(), Task::default);
        }
        let tasks = &mut tasks[..strands.len()];
        for (task, strand) in tasks.iter_mut().zip(&strands) {
            task.take_inputs(memory, strand, slots);
        }
        pool::for_each_chunk_mut(tasks, 1, |i, task| {
            task.iter_mut().for_each(|task| task.run(plan, strands[i], draw));
        });
        for (task, strand) in tasks.iter_mut().zip(strands) {
            task.give_outputs(plan, strand, slots, outcomes);
        }
    }

    /// The outcome of a step, if it ran.
    pub(crate) fn take(&mut self, turn: &Turn) -> Option<Result<(), KernelError>> {
        match mem::take(&mut self.outcomes[turn.number as usize]) {
            Outcome::Waits => None,
            Outcome::Done => Some(Ok(())),
            Outcome::Failed(error) => Some(Err(error)),
        }
    }
}

impl Task {
    fn take_inputs(&mut self, memory: &Memory, strand: &Strand, slots: &[Option<Value>]) {
        self.values.resize(strand.places as usize, None);
        for &(slot, place) in &strand.inputs {
            self.values[place as usize].clone_from(&slots[slot as usize]);
        }
        for (dtype, elements) in self.outputs.drain(..) {
            self.memory.take_over(memory, dtype, elements);
        }
    }

    fn run(&mut self, plan: &Plan, strand: &Strand, draw: &dyn Fn(&Step) -> Draw) {
        self.done = 0;
        for member in &strand.members {
            let step = &plan.steps[plan.ahead[member.number as usize]];
            let result = kernel_of(step).run(&mut KernelCx {
                slots: &mut self.values,
                constants: &plan.constants,
                inputs: &member.inputs,
                outputs: &member.outputs,
                memory: &self.memory,
                draw: draw(step),
                host: &NoHost,
            });
            if let Err(error) = result {
                self.failure = Some(error);
                return;
            }
            self.done += 1;
        }
    }

    fn give_outputs(
        &mut self,
        plan: &Plan,
        strand: &Strand,
        slots: &mut [Option<Value>],
        outcomes: &mut [Outcome],
    ) {
        for member in &strand.members[..self.done] {
            let step = &plan.steps[plan.ahead[member.number as usize]];
            for (&slot, &place) in step.outputs.iter().zip(&member.outputs) {
                let value = self.values[place as usize].take();
                self.outputs.extend(value.iter().map(|value| (value.dtype(), value.elements())));
                slots[slot as usize] = value;
            }
            outcomes[member.number as usize] = Outcome::Done;
        }
        if let (Some(error), Some(member)) = (self.failure.take(), strand.members.get(self.done)) {
            outcomes[member.number as usize] = Outcome::Failed(error);
        }
        self.values.drain(..).flatten().for_each(|value| self.memory.recycle(value));
        self.memory.end_round();
    }
}

/// The kernel of a member of a strand. Steps that run bodies are in none.
fn kernel_of(step: &Step) -> &dyn Kernel {
    struct NoKernel;
    impl Kernel for NoKernel {
        fn run(&self, _: &mut KernelCx<'_>) -> Result<(), KernelError> {
            Err(KernelError::Internal("a step that runs bodies is in a strand"))
        }
    }
    match &step.action {
        Action::Kernel(kernel) | Action::Check(kernel) => &**kernel,
        Action::Fused(fused) => &*fused.kernel,
        Action::Call(_) => &NoKernel,
    }
}
