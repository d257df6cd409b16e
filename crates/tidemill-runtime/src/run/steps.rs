//! Runs the steps of plans: those of a run, and those of the bodies that it runs.

use std::ops::Range;

use tidemill_graph::{Draw, Host, Kernel, KernelCx, KernelError, Operand, Select};
use tidemill_value::{ByteString, DType, Memory, Scalar, Value};

use crate::plan::step::{Action, Call, Frame, Plan, Routine, Source, Step};
use crate::run::ahead::Ahead;
use crate::run::failure::Failure;
use crate::run::watch::Watch;

/// The steps of a plan, as one run sees them.
#[derive(Clone, Copy)]
pub(crate) struct Sequence<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) host: &'a dyn Host,
    pub(crate) draws: Draws<'a>,
    pub(crate) memory: &'a Memory,
}

/// The source of the numbers that steps draw.
#[derive(Clone, Copy)]
pub(crate) enum Draws<'a> {
    /// The number of earlier runs of each node that draws.
    Counts { seed: u64, counts: &'a [u64] },
    /// The draw of the step that runs this body.
    Within(Draw),
}

impl Draws<'_> {
    #[inline]
    pub(crate) fn of(&self, step: &Step) -> Draw {
        let key = step.node.index() as u64;
        match *self {
            Draws::Counts { seed, counts } => {
                let count = step.random.map_or(0, |i| counts[i as usize]);
                Draw { session_seed: seed, key, count }
            }
            Draws::Within(draw) => Draw { key: mix(draw.key, key), ..draw },
        }
    }
}

/// Runs the steps of a plan at these positions, one after the other, except those that wait for a
/// branch. Given `ahead`, steps run at once if they can.
pub(crate) fn run_steps(
    sequence: Sequence<'_>,
    positions: Range<usize>,
    slots: &mut [Option<Value>],
    mut ahead: Option<&mut Ahead>,
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    let first = positions.start;
    for (i, step) in sequence.plan.steps[positions].iter().enumerate() {
        if step.lazy.is_some() {
            continue;
        }
        run_in_turn(sequence, first + i, step, slots, ahead.as_deref_mut(), watch)?;
    }
    Ok(())
}

#[inline]
fn run_in_turn(
    sequence: Sequence<'_>,
    position: usize,
    step: &Step,
    slots: &mut [Option<Value>],
    ahead: Option<&mut Ahead>,
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    watch.before(sequence.plan, position, slots)?;
    match (&step.turn, ahead) {
        (Some(turn), Some(ahead)) => {
            ahead.run(sequence.plan, turn, slots, sequence.memory, &|step: &Step| {
                sequence.draws.of(step)
            });
            match ahead.take(turn) {
                Some(result) => result.map_err(|source| failed(step, source))?,
                None => run_step(sequence, step, slots, watch)?,
            }
        }
        _ => run_step(sequence, step, slots, watch)?,
    }
    watch.after(sequence.plan, position, slots)?;
    clear(sequence.memory, step, slots);
    Ok(())
}

#[inline]
fn run_step(
    sequence: Sequence<'_>,
    step: &Step,
    slots: &mut [Option<Value>],
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    let mut cx = |kernel: &dyn Kernel, check: bool| {
        let mut cx = KernelCx {
            slots: &mut *slots,
            constants: &sequence.plan.constants,
            inputs: &step.inputs,
            outputs: &step.outputs,
            memory: sequence.memory,
            draw: sequence.draws.of(step),
            host: sequence.host,
        };
        let result = if check { kernel.check(&cx) } else { kernel.run(&mut cx) };
        result.map_err(|source| failed(step, source))
    };
    match &step.action {
        Action::Kernel(kernel) => cx(&**kernel, false),
        Action::Fused(fused) => cx(&*fused.kernel, false),
        Action::Check(kernel) => cx(&**kernel, true),
        Action::Call(call) => run_call(sequence, step, call, slots, watch),
    }
}

fn failed(step: &Step, source: KernelError) -> Failure {
    Failure::Kernel { node: step.node, source }
}

/// Recycles the memory of the values that nothing needs after a step.
#[inline]
fn clear(memory: &Memory, step: &Step, slots: &mut [Option<Value>]) {
    for &slot in &step.clear {
        free(memory, &mut slots[slot as usize]);
    }
}

/// Recycles the memory of a value. A number has none, and stays until another value takes its
/// place.
#[inline]
pub(crate) fn free(memory: &Memory, slot: &mut Option<Value>) {
    if slot.as_ref().is_some_and(|value| !value.is_scalar())
        && let Some(value) = slot.take()
    {
        memory.recycle(value);
    }
}

/// Runs the bodies of a step.
fn run_call(
    sequence: Sequence<'_>,
    step: &Step,
    call: &Call,
    slots: &mut [Option<Value>],
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    watch.enter();
    let caller = Caller { sequence, step, draw: sequence.draws.of(step) };
    match call {
        Call::Branch { select, branches, lazy, .. } => {
            let index = selected(*select, caller.selector(slots), branches.len());
            let index = index.map_err(|source| failed(step, source))?;
            for &(position, branch) in lazy {
                let waiting = &sequence.plan.steps[position];
                match branch == index {
                    true => run_in_turn(sequence, position, waiting, slots, None, watch)?,
                    false => clear(sequence.memory, waiting, slots),
                }
            }
            run_branch(&branches[index], caller.of_body(index, 0), slots, watch)
                .map_err(|failure| failure.inside(step.node, index))?;
        }
        Call::Loop { condition, body } => run_loop(caller, condition, body, slots, watch)?,
    }
    watch.leave();
    Ok(())
}

/// A step that runs bodies, in the sequence around it.
#[derive(Clone, Copy)]
struct Caller<'a> {
    sequence: Sequence<'a>,
    step: &'a Step,
    draw: Draw,
}

impl<'a> Caller<'a> {
    /// The same step, running body number `index`, for a loop the `iteration`-th time.
    fn of_body(self, index: usize, iteration: u64) -> Self {
        let Draw { session_seed, key, count } = self.draw;
        let key = mix(key, index as u64);
        let count = if iteration == 0 { count } else { mix(count, iteration) };
        Caller { draw: Draw { session_seed, key, count }, ..self }
    }

    /// The steps of a body that it runs.
    fn body(self, routine: &'a Routine) -> Sequence<'a> {
        let draws = Draws::Within(self.draw);
        Sequence { plan: &routine.plan, draws, ..self.sequence }
    }

    fn memory(self) -> &'a Memory {
        self.sequence.memory
    }

    /// The value that says which branch to run.
    fn selector<'s>(&self, slots: &'s [Option<Value>]) -> Option<&'s Value>
    where
        'a: 's,
    {
        let operand = *self.step.inputs.first()?;
        match operand.is_constant() {
            true => self.sequence.plan.constants.get(operand.index()),
            false => slots.get(operand.index())?.as_ref(),
        }
    }

    /// Takes an input of the step from its slot, or clones it if it is still needed.
    fn take(&self, slots: &mut [Option<Value>], operand: Operand) -> Option<Value> {
        match (operand.is_constant(), operand.is_last_use()) {
            (true, _) => self.sequence.plan.constants.get(operand.index()).cloned(),
            (false, true) => slots.get_mut(operand.index())?.take(),
            (false, false) => slots.get(operand.index())?.clone(),
        }
    }
}

/// A hash of two numbers, unique as far as 64 bits allow: the finalizer of SplitMix64 (Steele, Lea
/// and Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(left: u64, right: u64) -> u64 {
    let mut x = left.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(right).wrapping_add(1);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn selected(
    select: Select,
    selector: Option<&Value>,
    branches: usize,
) -> Result<usize, KernelError> {
    let selector = selector.ok_or(KernelError::Internal("a selector has no value"))?;
    Ok(match select {
        Select::Truth => usize::from(!is_true(selector)?),
        Select::Index => {
            let index = usize::try_from(selector.to_scalar::<i32>()?).unwrap_or(usize::MAX);
            index.min(branches - 1)
        }
    })
}

/// True if a value is a number other than zero, a string that is not empty, or an array that has
/// elements.
fn is_true(value: &Value) -> Result<bool, KernelError> {
    if value.shape().rank() > 0 {
        return Ok(value.elements() > 0);
    }
    if value.dtype() == DType::String {
        return Ok(value.as_slice::<ByteString>()?.iter().any(|text| !text.is_empty()));
    }
    Ok(match value.number() {
        Some(Scalar::Bool(x)) => x,
        Some(number) => number.adopt(DType::F64).is_ok_and(|x| x != Scalar::F64(0.0)),
        None => value.as_scalar::<bool>().unwrap_or(false),
    })
}

/// Runs a branch, which takes the inputs of the step after the first.
fn run_branch(
    routine: &Routine,
    caller: Caller<'_>,
    slots: &mut [Option<Value>],
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    let mut frame = enter(routine);
    for (feed, &operand) in routine.plan.feeds.iter().zip(&caller.step.inputs[1..]) {
        if let Some(slot) = feed.slot {
            frame.slots[slot as usize] = caller.take(slots, operand);
        }
    }
    let result = run_routine(routine, caller, &mut frame.slots, 0, watch);
    if result.is_ok() {
        for (&source, &slot) in routine.results.iter().zip(&caller.step.outputs) {
            slots[slot as usize] = result_of(routine, source, &mut frame.slots);
        }
    }
    leave(caller.memory(), routine, frame);
    result
}

/// Runs a body as long as a condition holds.
fn run_loop(
    caller: Caller<'_>,
    condition: &Routine,
    body: &Routine,
    slots: &mut [Option<Value>],
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    let mut test = enter(condition);
    let mut frame = enter(body);
    let inputs = caller.step.inputs.iter();
    frame.state.extend(inputs.map(|&operand| caller.take(slots, operand)));
    let result = iterate(caller, (condition, &mut test), (body, &mut frame), watch);
    if result.is_ok() {
        for (&slot, value) in caller.step.outputs.iter().zip(&mut frame.state) {
            slots[slot as usize] = value.take();
        }
    }
    leave(caller.memory(), condition, test);
    leave(caller.memory(), body, frame);
    result
}

fn iterate(
    caller: Caller<'_>,
    (condition, test): (&Routine, &mut Frame),
    (body, frame): (&Routine, &mut Frame),
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    let node = caller.step.node;
    for iteration in 0.. {
        if watch.is_interrupted() {
            return Err(Failure::Interrupted);
        }
        let value = evaluate(condition, caller.of_body(0, iteration), test, &frame.state, watch)
            .map_err(|failure| failure.inside(node, 0))?;
        // A value of the wrong shape is an error of the loop, not of a node in its condition.
        if !holds(value).map_err(|source| failed(caller.step, source))? {
            break;
        }
        let is_first = iteration == 0;
        repeat(body, caller.of_body(1, iteration), frame, is_first, watch)
            .map_err(|failure| failure.inside(node, 1))?;
    }
    Ok(())
}

/// Whether the value of a condition is true.
fn holds(value: Option<Value>) -> Result<bool, KernelError> {
    let value = value.ok_or(KernelError::Internal("a condition has no value"))?;
    match value.as_scalar() {
        Some(holds) => Ok(holds),
        None => Ok(value.to_scalar()?),
    }
}

/// Evaluates the condition of a loop.
fn evaluate(
    condition: &Routine,
    caller: Caller<'_>,
    frame: &mut Frame,
    state: &[Option<Value>],
    watch: &mut impl Watch,
) -> Result<Option<Value>, Failure> {
    for (feed, value) in condition.plan.feeds.iter().zip(state) {
        if let Some(slot) = feed.slot {
            frame.slots[slot as usize].clone_from(value);
        }
    }
    run_routine(condition, caller, &mut frame.slots, 0, watch)?;
    let source = condition.results.first();
    let value = source.and_then(|&source| result_of(condition, source, &mut frame.slots));
    // The body may overwrite the inputs of the condition.
    for slot in condition.plan.feeds.iter().filter_map(|feed| feed.slot) {
        free(caller.memory(), &mut frame.slots[slot as usize]);
    }
    Ok(value)
}

/// Runs the body of a loop once, for the first time or again.
fn repeat(
    body: &Routine,
    caller: Caller<'_>,
    Frame { slots, state }: &mut Frame,
    is_first: bool,
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    let memory = caller.memory();
    let parameters = body.plan.feeds.iter().zip(&body.results).zip(state.iter_mut());
    for ((feed, source), value) in parameters {
        match (feed.slot, *source) {
            (Some(slot), Source::Parameter) if is_first => slots[slot as usize].clone_from(value),
            (_, Source::Parameter) => {}
            (Some(slot), _) => slots[slot as usize] = value.take(),
            (None, _) => value.take().into_iter().for_each(|value| memory.recycle(value)),
        }
    }
    let begin = if is_first { 0 } else { body.plan.prologue };
    run_routine(body, caller, slots, begin, watch)?;
    for (value, &source) in state.iter_mut().zip(&body.results) {
        if source != Source::Parameter {
            *value = result_of(body, source, slots);
        }
    }
    Ok(())
}

/// Runs the steps of a body, from one on.
fn run_routine(
    routine: &Routine,
    caller: Caller<'_>,
    slots: &mut [Option<Value>],
    begin: usize,
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    let plan = &routine.plan;
    for &parameter in &routine.needed {
        let slot = plan.feeds[parameter].slot;
        if slot.is_some_and(|slot| slots[slot as usize].is_none()) {
            return Err(Failure::Unset { parameter });
        }
    }
    run_steps(caller.body(routine), begin..plan.steps.len(), slots, None, watch)
}

fn result_of(routine: &Routine, source: Source, slots: &mut [Option<Value>]) -> Option<Value> {
    match source {
        Source::Move(operand) => slots.get_mut(operand.index())?.take(),
        Source::Copy(operand) if operand.is_constant() => {
            routine.plan.constants.get(operand.index()).cloned()
        }
        Source::Copy(operand) => slots.get(operand.index())?.clone(),
        Source::Parameter => None,
    }
}

fn enter(routine: &Routine) -> Frame {
    let idle = routine.frames().pop();
    idle.unwrap_or_else(|| Frame {
        slots: vec![None; routine.plan.slots],
        state: Vec::with_capacity(routine.plan.feeds.len()),
    })
}

fn leave(memory: &Memory, routine: &Routine, mut frame: Frame) {
    frame.slots.iter_mut().for_each(|slot| free(memory, slot));
    frame.state.drain(..).flatten().for_each(|value| memory.recycle(value));
    routine.frames().push(frame);
}
