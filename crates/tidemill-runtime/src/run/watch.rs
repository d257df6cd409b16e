//! Monitors a running plan.

use std::time::Instant;

use tidemill_graph::NodeId;
use tidemill_kernels::pool::Cancellation;
use tidemill_value::Value;

use crate::plan::step::{Plan, Step};
use crate::report::numerics::{NonFinite, ValueRange};
use crate::report::trace::Event;
use crate::run::failure::Failure;
use crate::session::options::RunOptions;

/// Monitors a running plan, and may end the run until it commits its writes.
pub(crate) trait Watch {
    /// The handle that can cancel the run.
    fn cancellation(&self) -> Option<Cancellation>;

    /// True if the run was asked to end.
    fn is_interrupted(&self) -> bool;

    /// True if each step must run in its turn, alone.
    fn looks_at_steps(&self) -> bool;

    fn before(
        &mut self,
        plan: &Plan,
        position: usize,
        slots: &[Option<Value>],
    ) -> Result<(), Failure>;

    fn after(
        &mut self,
        plan: &Plan,
        position: usize,
        slots: &[Option<Value>],
    ) -> Result<(), Failure>;

    /// Called when a step begins to run steps of its own.
    fn enter(&mut self);

    /// Called when they are done.
    fn leave(&mut self);

    fn before_commit(&mut self, position: usize);

    fn after_commit(&mut self, plan: &Plan, position: usize, slots: &[Option<Value>]);
}

/// Watches a run that is taking effect, which nothing can end any more.
pub(crate) struct Committing<'a, W>(pub(crate) &'a mut W);

impl<W: Watch> Watch for Committing<'_, W> {
    #[inline]
    fn cancellation(&self) -> Option<Cancellation> {
        None
    }

    #[inline]
    fn is_interrupted(&self) -> bool {
        false
    }

    #[inline]
    fn looks_at_steps(&self) -> bool {
        self.0.looks_at_steps()
    }

    #[inline]
    fn before(&mut self, _: &Plan, position: usize, _: &[Option<Value>]) -> Result<(), Failure> {
        self.0.before_commit(position);
        Ok(())
    }

    #[inline]
    fn after(
        &mut self,
        plan: &Plan,
        position: usize,
        slots: &[Option<Value>],
    ) -> Result<(), Failure> {
        self.0.after_commit(plan, position, slots);
        Ok(())
    }

    #[inline]
    fn enter(&mut self) {
        self.0.enter();
    }

    #[inline]
    fn leave(&mut self) {
        self.0.leave();
    }

    #[inline]
    fn before_commit(&mut self, position: usize) {
        self.0.before_commit(position);
    }

    #[inline]
    fn after_commit(&mut self, plan: &Plan, position: usize, slots: &[Option<Value>]) {
        self.0.after_commit(plan, position, slots);
    }
}

/// Watches nothing.
pub(crate) struct Unwatched;

impl Watch for Unwatched {
    #[inline]
    fn cancellation(&self) -> Option<Cancellation> {
        None
    }

    #[inline]
    fn is_interrupted(&self) -> bool {
        false
    }

    #[inline]
    fn looks_at_steps(&self) -> bool {
        false
    }

    #[inline]
    fn before(&mut self, _: &Plan, _: usize, _: &[Option<Value>]) -> Result<(), Failure> {
        Ok(())
    }

    #[inline]
    fn after(&mut self, _: &Plan, _: usize, _: &[Option<Value>]) -> Result<(), Failure> {
        Ok(())
    }

    #[inline]
    fn enter(&mut self) {}

    #[inline]
    fn leave(&mut self) {}

    #[inline]
    fn before_commit(&mut self, _: usize) {}

    #[inline]
    fn after_commit(&mut self, _: &Plan, _: usize, _: &[Option<Value>]) {}
}

/// Monitors a run as its options request.
pub(crate) struct Watcher {
    cancellation: Option<Cancellation>,
    /// The inputs of the current step, if its outputs are checked for NaN and infinity.
    numerics: Option<Vec<Option<Value>>>,
    trace: Option<Trace>,
    /// The number of nested steps under way.
    depth: usize,
    pub(crate) steps: u64,
}

struct Trace {
    begin: Instant,
    events: Vec<Event>,
}

impl Watcher {
    pub(crate) fn new(options: &RunOptions) -> Self {
        let begin = Instant::now();
        let deadline = options.timeout.and_then(|timeout| begin.checked_add(timeout));
        let cancellation = match (options.cancellation.clone(), deadline) {
            (cancellation, None) => cancellation,
            (cancellation, Some(deadline)) => {
                Some(cancellation.unwrap_or_default().with_deadline(deadline))
            }
        };
        Watcher {
            cancellation,
            numerics: options.check_numerics.then(Vec::new),
            trace: options.trace.then(|| Trace { begin, events: Vec::new() }),
            depth: 0,
            steps: 0,
        }
    }

    /// The events of the steps, if the run is traced.
    pub(crate) fn into_events(self) -> Option<Vec<Event>> {
        self.trace.map(|trace| trace.events)
    }

    fn start(&mut self, position: usize) {
        self.steps += 1;
        if let Some(trace) = &mut self.trace
            && self.depth == 0
        {
            trace.events.push(Event::begin(position, trace.begin.elapsed()));
        }
    }

    fn end(&mut self, plan: &Plan, position: usize, slots: &[Option<Value>]) {
        if self.depth == 0
            && let Some(trace) = &mut self.trace
            && let Some(event) = trace.events.last_mut()
        {
            let outputs = plan.steps[position].outputs.iter();
            let bytes = outputs.filter_map(|&slot| slots[slot as usize].as_ref()).map(Value::bytes);
            event.end(trace.begin.elapsed(), bytes.sum());
        }
    }
}

impl Watch for Watcher {
    fn cancellation(&self) -> Option<Cancellation> {
        self.cancellation.clone()
    }

    fn is_interrupted(&self) -> bool {
        self.cancellation.as_ref().is_some_and(Cancellation::is_cancelled)
    }

    fn looks_at_steps(&self) -> bool {
        self.numerics.is_some() || self.trace.is_some()
    }

    fn before(
        &mut self,
        plan: &Plan,
        position: usize,
        slots: &[Option<Value>],
    ) -> Result<(), Failure> {
        if self.is_interrupted() {
            return Err(Failure::Interrupted);
        }
        if let Some(inputs) = &mut self.numerics {
            let values = plan.steps[position].inputs.iter().map(|operand| {
                if operand.is_constant() {
                    plan.constants.get(operand.index()).cloned()
                } else {
                    slots[operand.index()].clone()
                }
            });
            inputs.clear();
            inputs.extend(values);
        }
        self.start(position);
        Ok(())
    }

    fn after(
        &mut self,
        plan: &Plan,
        position: usize,
        slots: &[Option<Value>],
    ) -> Result<(), Failure> {
        self.end(plan, position, slots);
        // An interrupted kernel has not computed all of its output.
        if self.is_interrupted() {
            return Err(Failure::Interrupted);
        }
        match &self.numerics {
            Some(inputs) => check(&plan.steps[position], inputs, slots)
                .map_err(|found| Failure::NonFinite(Box::new(found))),
            None => Ok(()),
        }
    }

    fn enter(&mut self) {
        self.depth += 1;
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn before_commit(&mut self, position: usize) {
        self.start(position);
    }

    fn after_commit(&mut self, plan: &Plan, position: usize, slots: &[Option<Value>]) {
        self.end(plan, position, slots);
    }
}

/// Checks the outputs of a finished step for NaN and infinity.
fn check(
    step: &Step,
    inputs: &[Option<Value>],
    slots: &[Option<Value>],
) -> Result<(), NonFinite<NodeId>> {
    for (output, &slot) in step.outputs.iter().enumerate() {
        let range = slots[slot as usize].as_ref().and_then(ValueRange::of);
        if let Some(values) = range.filter(|range| !range.is_finite()) {
            let inputs = inputs.iter().map(|input| ValueRange::of(input.as_ref()?)).collect();
            return Err(NonFinite { node: step.node, output, values, inputs });
        }
    }
    Ok(())
}
