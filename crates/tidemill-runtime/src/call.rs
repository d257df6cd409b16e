//! Runs the plans of bodies: the taken branch of a conditional, and loops.

use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};
use tidemill_graph::{
    BodyPath, Draw, Execution, KernelError, Node, NodeId, Operand, Select, TensorId,
};
use tidemill_value::{ByteString, DType, Scalar, Value, recycle};

use crate::executor::{Failure, RunCx, clear, free, run_step};
use crate::memory::Tally;
use crate::plan::{Mode, NoKernel, Plan, Step, compile_body};
use crate::sync::{Mutex, MutexGuard};
use crate::watch::Watch;

/// What a step that runs bodies runs.
pub(crate) enum Call {
    Branch {
        select: Select,
        branches: Vec<Routine>,
        /// The node, in its subgraph.
        id: NodeId,
        /// The steps around it that only one branch needs: their positions, and the branch.
        lazy: Vec<(usize, usize)>,
    },
    Loop {
        condition: Box<Routine>,
        body: Box<Routine>,
    },
}

/// The positions of steps that only one branch needs, and the number of that, by the node.
pub(crate) type LazySteps = FxHashMap<NodeId, Vec<(usize, usize)>>;

/// The plan of a body.
pub(crate) struct Routine {
    plan: Plan,
    results: Vec<Source>,
    /// The parameters that are variables whose values are needed from the start.
    needed: Vec<usize>,
    /// What runs that have ended leave to those to come.
    frames: Mutex<Vec<Frame>>,
}

/// Where a routine has one of its results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    /// In a place that nothing needs any more.
    Move(Operand),
    Copy(Operand),
    /// Where it was given: it never changes.
    Parameter,
}

/// What belongs to one run of a routine.
#[derive(Default)]
struct Frame {
    slots: Vec<Option<Value>>,
    /// Of a loop, what the next time takes.
    state: Vec<Option<Value>>,
}

/// The step that runs routines.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) cx: &'a RunCx<'a>,
    pub(crate) plan: &'a Plan,
    pub(crate) step: &'a Step,
    pub(crate) draw: Draw,
}

impl Call {
    /// The routines of a node of a subgraph, if it runs bodies.
    ///
    /// # Errors
    /// [`NoKernel`] where the kernel of a node cannot be made.
    pub(crate) fn compile(id: NodeId, node: &Node, mode: Mode) -> Result<Option<Call>, NoKernel> {
        match (node.op.execution, node.paths()) {
            (Execution::Branch(select), paths) => {
                let branches = paths.iter().map(|path| Routine::compile(path, mode, false));
                let branches = branches.collect::<Result<_, _>>()?;
                Ok(Some(Call::Branch { select, branches, id, lazy: Vec::new() }))
            }
            (Execution::Loop, [condition, body]) => Ok(Some(Call::Loop {
                condition: Box::new(Routine::compile(condition, mode, false)?),
                body: Box::new(Routine::compile(body, mode, true)?),
            })),
            _ => Ok(None),
        }
    }

    /// What it runs.
    pub(crate) fn routines(&self) -> SmallVec<[&Routine; 2]> {
        match self {
            Call::Branch { branches, .. } => branches.iter().collect(),
            Call::Loop { condition, body } => smallvec![&**condition, &**body],
        }
    }

    /// Takes the steps that only one branch of this node needs out of those of all nodes.
    pub(crate) fn take_lazy(&mut self, steps: &mut LazySteps) {
        if let Call::Branch { id, lazy, .. } = self {
            *lazy = steps.remove(id).unwrap_or_default();
        }
    }

    pub(crate) fn run(
        &self,
        caller: Caller<'_>,
        slots: &mut [Option<Value>],
        watch: &mut impl Watch,
    ) -> Result<(), Failure> {
        watch.enter();
        match self {
            Call::Branch { select, branches, lazy, .. } => {
                let node = caller.step.node;
                let index = selected(*select, peek(&caller, slots), branches.len())
                    .map_err(|source| Failure::Kernel { node, source })?;
                for &(position, branch) in lazy {
                    let (plan, step) = (caller.plan, &caller.plan.steps[position]);
                    if branch == index {
                        watch.before(plan, position, slots)?;
                        run_step(caller.cx, plan, step, slots, caller.draw, watch)?;
                        watch.after(plan, position, slots)?;
                    }
                    clear(step, slots);
                }
                let result = branches[index].call(caller.of_body(index, 0), slots, watch);
                result.map_err(|failure| failure.inside(node, index))?;
            }
            Call::Loop { condition, body } => run_loop(caller, condition, body, slots, watch)?,
        }
        watch.leave();
        Ok(())
    }
}

/// A number that two numbers have to themselves, as far as 64 bits allow: the finalizer of
/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(left: u64, right: u64) -> u64 {
    let mut x = left.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(right).wrapping_add(1);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Caller<'_> {
    /// The same step as it runs body number `index`, a loop for the `iteration`-th time.
    fn of_body(self, index: usize, iteration: u64) -> Self {
        let Draw { session_seed, key, count } = self.draw;
        let key = mix(key, index as u64);
        let count = if iteration == 0 { count } else { mix(count, iteration) };
        Caller { draw: Draw { session_seed, key, count }, ..self }
    }

    /// What numbers a step of a body draws.
    fn draw_of(&self, step: &Step) -> Draw {
        Draw { key: mix(self.draw.key, step.node.index() as u64), ..self.draw }
    }
}

/// The value that says which branch to run.
fn peek<'a>(caller: &'a Caller<'_>, slots: &'a [Option<Value>]) -> Option<&'a Value> {
    let operand = *caller.step.inputs.first()?;
    match operand.is_constant() {
        true => caller.plan.constants.get(operand.index()),
        false => slots.get(operand.index())?.as_ref(),
    }
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

/// Whether a value is a number other than zero, a text that is not empty, or an array that has
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

/// Takes an input of a step from where it is, or clones it if it is needed further.
fn take(plan: &Plan, slots: &mut [Option<Value>], operand: Operand) -> Option<Value> {
    match (operand.is_constant(), operand.is_last_use()) {
        (true, _) => plan.constants.get(operand.index()).cloned(),
        (false, true) => slots.get_mut(operand.index())?.take(),
        (false, false) => slots.get(operand.index())?.clone(),
    }
}

/// Runs a body as long as a condition holds.
fn run_loop(
    caller: Caller<'_>,
    condition: &Routine,
    body: &Routine,
    slots: &mut [Option<Value>],
    watch: &mut impl Watch,
) -> Result<(), Failure> {
    let mut test = condition.frame();
    let mut frame = body.frame();
    let inputs = caller.step.inputs.iter();
    frame.state.extend(inputs.map(|&operand| take(caller.plan, slots, operand)));
    let result = iterate(caller, (condition, &mut test), (body, &mut frame), watch);
    if result.is_ok() {
        for (&slot, value) in caller.step.outputs.iter().zip(&mut frame.state) {
            slots[slot as usize] = value.take();
        }
    }
    condition.leave(test);
    body.leave(frame);
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
        let goes_on = condition.test(caller.of_body(0, iteration), test, &frame.state, watch);
        if !goes_on.map_err(|failure| failure.inside(node, 0))? {
            break;
        }
        let result = body.repeat(caller.of_body(1, iteration), frame, iteration == 0, watch);
        result.map_err(|failure| failure.inside(node, 1))?;
    }
    Ok(())
}

impl Routine {
    fn compile(path: &BodyPath, mode: Mode, repeats: bool) -> Result<Routine, NoKernel> {
        let subgraph = &path.subgraph;
        let is_kept =
            |i: usize| repeats && subgraph.fetches[i] == TensorId::new(subgraph.feeds[i], 0);
        let kept: Vec<NodeId> =
            (0..subgraph.feeds.len()).filter(|&i| is_kept(i)).map(|i| subgraph.feeds[i]).collect();
        let plan = compile_body(subgraph, mode, repeats.then_some(&kept))?;
        let once = plan.steps[..plan.prologue].iter().flat_map(|step| &step.outputs);
        let once: Vec<u32> = once
            .copied()
            .chain(
                plan.feeds
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| is_kept(*i))
                    .filter_map(|(_, f)| f.slot),
            )
            .collect();
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
        let needed = (0..path.reads.len()).filter(|&i| path.reads[i]).collect();
        Ok(Routine { plan, results, needed, frames: Mutex::default() })
    }

    /// Adds its plan to a tally, with what its runs left.
    pub(crate) fn count(&self, tally: &mut Tally) {
        tally.plan(&self.plan);
        for frame in self.frames().iter() {
            let places = frame.slots.capacity() + frame.state.capacity();
            tally.idle_run(places, size_of::<Frame>());
        }
    }

    fn frames(&self) -> MutexGuard<'_, Vec<Frame>> {
        self.frames.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn frame(&self) -> Frame {
        let idle = self.frames().pop();
        idle.unwrap_or_else(|| Frame {
            slots: vec![None; self.plan.slots],
            state: Vec::with_capacity(self.plan.feeds.len()),
        })
    }

    fn leave(&self, mut frame: Frame) {
        frame.slots.iter_mut().for_each(free);
        frame.state.drain(..).flatten().for_each(recycle);
        self.frames().push(frame);
    }

    /// Runs a branch, which takes the inputs of the step after the first.
    fn call(
        &self,
        caller: Caller<'_>,
        slots: &mut [Option<Value>],
        watch: &mut impl Watch,
    ) -> Result<(), Failure> {
        let mut frame = self.frame();
        for (feed, &operand) in self.plan.feeds.iter().zip(&caller.step.inputs[1..]) {
            if let Some(slot) = feed.slot {
                frame.slots[slot as usize] = take(caller.plan, slots, operand);
            }
        }
        let result = self.run(caller, &mut frame.slots, 0, watch);
        if result.is_ok() {
            for (&source, &slot) in self.results.iter().zip(&caller.step.outputs) {
                slots[slot as usize] = self.result(source, &mut frame.slots);
            }
        }
        self.leave(frame);
        result
    }

    /// Whether the condition of a loop holds.
    fn test(
        &self,
        caller: Caller<'_>,
        frame: &mut Frame,
        state: &[Option<Value>],
        watch: &mut impl Watch,
    ) -> Result<bool, Failure> {
        for (feed, value) in self.plan.feeds.iter().zip(state) {
            if let Some(slot) = feed.slot {
                frame.slots[slot as usize].clone_from(value);
            }
        }
        self.run(caller, &mut frame.slots, 0, watch)?;
        let value = self.results.first().and_then(|&source| self.result(source, &mut frame.slots));
        // What the condition looks at, the body may overwrite.
        for slot in self.plan.feeds.iter().filter_map(|feed| feed.slot) {
            free(&mut frame.slots[slot as usize]);
        }
        let fail = |source| Failure::Kernel { node: caller.step.node, source };
        let value = value.ok_or(fail(KernelError::Internal("a condition has no value")))?;
        match value.as_scalar() {
            Some(holds) => Ok(holds),
            None => value.to_scalar().map_err(|error| fail(error.into())),
        }
    }

    /// Runs the body of a loop once, for the first time or again.
    fn repeat(
        &self,
        caller: Caller<'_>,
        Frame { slots, state }: &mut Frame,
        is_first: bool,
        watch: &mut impl Watch,
    ) -> Result<(), Failure> {
        let parameters = self.plan.feeds.iter().zip(&self.results).zip(state.iter_mut());
        for ((feed, source), value) in parameters {
            match (feed.slot, *source) {
                (Some(slot), Source::Parameter) if is_first => {
                    slots[slot as usize].clone_from(value);
                }
                (_, Source::Parameter) => {}
                (Some(slot), _) => slots[slot as usize] = value.take(),
                (None, _) => value.take().into_iter().for_each(recycle),
            }
        }
        let begin = if is_first { 0 } else { self.plan.prologue };
        self.run(caller, slots, begin, watch)?;
        for (value, &source) in state.iter_mut().zip(&self.results) {
            if source != Source::Parameter {
                *value = self.result(source, slots);
            }
        }
        Ok(())
    }

    fn run(
        &self,
        caller: Caller<'_>,
        slots: &mut [Option<Value>],
        begin: usize,
        watch: &mut impl Watch,
    ) -> Result<(), Failure> {
        let plan = &self.plan;
        for &parameter in &self.needed {
            let slot = plan.feeds[parameter].slot;
            if slot.is_some_and(|slot| slots[slot as usize].is_none()) {
                return Err(Failure::Unset { parameter });
            }
        }
        for (position, step) in plan.steps.iter().enumerate().skip(begin) {
            if step.lazy.is_some() {
                continue;
            }
            watch.before(plan, position, slots)?;
            run_step(caller.cx, plan, step, slots, caller.draw_of(step), watch)?;
            watch.after(plan, position, slots)?;
            clear(step, slots);
        }
        Ok(())
    }

    fn result(&self, source: Source, slots: &mut [Option<Value>]) -> Option<Value> {
        match source {
            Source::Move(operand) => slots.get_mut(operand.index())?.take(),
            Source::Copy(operand) if operand.is_constant() => {
                self.plan.constants.get(operand.index()).cloned()
            }
            Source::Copy(operand) => slots.get(operand.index())?.clone(),
            Source::Parameter => None,
        }
    }
}
