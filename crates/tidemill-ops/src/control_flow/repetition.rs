use std::sync::Arc;

use tidemill_graph::{
    Fact, Graph, Location, NodeBuilder, OpError, OperationRef, TensorRef, Trace, at_location,
    default_graph, trace,
};
use tidemill_value::PartialShape;

use super::{Structure, call, captured_by, collect, fact_of, failed, outputs, poison, replace};
use crate::Tensor;
use crate::functions::{less, logical_and};
use crate::ops::constant::constant;
use crate::ops::control_flow::{STATELESS_WHILE, WHILE};

/// Calls `body` repeatedly, first with `state` and then with its own results, as long as
/// `condition` holds. Returns the last results.
///
/// Each function is called once, to build its body of the graph, which a run executes as often as
/// needed. An iteration begins when the previous one has ended. Effects inside happen once per
/// iteration, in creation order. A read of a variable inside gives its value in that iteration.
///
/// ```
/// use tidemill_ops::{constant, less, while_loop};
/// // The least power of 2 that is not below 1000.
/// let (exponent, power) = while_loop(
///     (constant(0), constant(1)),
///     |(_, power)| less(power, 1000),
///     |(exponent, power)| (exponent + 1, power * 2),
/// );
/// assert_eq!(power.shape().to_string(), "[]");
/// ```
///
/// # Errors
/// The results are invalid if the body returns other types, numbers or shapes of tensors than it
/// takes (see [`WhileLoop::shape_invariant`]), if the condition is not a single bool, or if a body
/// uses a node from outside that has an effect.
#[doc(alias = "While")]
#[track_caller]
pub fn while_loop<S: Structure + Clone>(
    state: S,
    condition: impl FnOnce(S) -> Tensor,
    body: impl FnOnce(S) -> S,
) -> S {
    WhileLoop::new().run(state, condition, body)
}

/// Options of a [`while_loop`].
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is built until `run`"]
pub struct WhileLoop {
    maximum_iterations: Option<i64>,
    invariants: Vec<(usize, PartialShape)>,
}

impl WhileLoop {
    /// A loop without an iteration limit, whose tensors keep their initial shapes.
    pub fn new() -> Self {
        WhileLoop::default()
    }

    /// Ends the loop after `limit` iterations, even if its condition still holds.
    pub fn maximum_iterations(mut self, limit: i64) -> Self {
        self.maximum_iterations = Some(limit);
        self
    }

    /// Sets the shape that tensor number `index` of the state has in all iterations, if it differs
    /// from the initial shape.
    ///
    /// ```
    /// use tidemill_ops::{WhileLoop, concat, constant, less};
    /// use tidemill_value::shape;
    /// let grown = WhileLoop::new().shape_invariant(1, shape![?]).run(
    ///     (constant(0), constant([1.0_f32])),
    ///     |(i, _)| less(i, 3),
    ///     |(i, x)| (i + 1, concat([x, x], 0)),
    /// );
    /// assert_eq!(grown.1.shape().to_string(), "[?]");
    /// ```
    pub fn shape_invariant(mut self, index: usize, shape: impl Into<PartialShape>) -> Self {
        self.invariants.push((index, shape.into()));
        self
    }

    /// Builds the loop (see [`while_loop`]).
    #[track_caller]
    pub fn run<S: Structure + Clone>(
        self,
        state: S,
        condition: impl FnOnce(S) -> Tensor,
        body: impl FnOnce(S) -> S,
    ) -> S {
        let location = Location::caller();
        let Some(limit) = self.maximum_iterations else {
            return self.build(location, state, condition, body);
        };
        let count = at_location(location, || constant(0_i64));
        let (_, state) = self.counting().build(
            location,
            (count, state),
            |(count, state)| {
                let goes_on = condition(state);
                at_location(location, || logical_and(less(count, limit), goes_on))
            },
            |(count, state)| {
                let state = body(state);
                (at_location(location, || count + 1), state)
            },
        );
        state
    }

    /// The same loop with one tensor before the others.
    fn counting(mut self) -> Self {
        self.invariants.iter_mut().for_each(|(index, _)| *index += 1);
        self
    }

    fn build<S: Structure + Clone>(
        self,
        location: Location,
        state: S,
        condition: impl FnOnce(S) -> Tensor,
        body: impl FnOnce(S) -> S,
    ) -> S {
        let graph = default_graph();
        let (state, tensors) = collect(state);
        let facts = match self.facts(&tensors) {
            Ok(facts) => facts,
            Err(failure) => return poison(state, failure),
        };
        let operation = |tensors: &[TensorRef]| {
            tensors.first().map_or_else(
                || {
                    OperationRef::new(
                        graph.key(),
                        tidemill_graph::Referent::Node(tidemill_graph::NodeId::FIRST),
                    )
                },
                |tensor| tensor.operation(),
            )
        };
        let inside = |tensors: &[TensorRef]| {
            replace(state.clone(), operation(tensors), tensors.iter().copied())
        };
        let test =
            trace(&graph, location, &facts, |tensors| vec![condition(inside(tensors)).into()]);
        let step = trace(&graph, location, &facts, |tensors| collect(body(inside(tensors))).1);
        let (test, step) = match (test, step) {
            (Ok(test), Ok(step)) => (test, step),
            (Err(failure), _) | (_, Err(failure)) => return poison(state, failure),
        };
        at_location(location, || outputs(state, repeat("while", &graph, &tensors, test, step)))
    }

    /// The facts that hold for the tensors of the state in all iterations.
    fn facts(&self, tensors: &[TensorRef]) -> Result<Vec<Fact>, OperationRef> {
        let mut facts = Vec::with_capacity(tensors.len());
        for (i, &tensor) in tensors.iter().enumerate() {
            let fact = fact_of(tensor).ok_or(tensor.operation())?;
            let invariant = self.invariants.iter().rev().find(|(index, _)| *index == i);
            let shape = invariant.map_or(&fact.shape, |(_, shape)| shape);
            if shape.relax(&fact.shape) != *shape {
                let kind = OpError::invalid(format!(
                    "the shape invariant of value {i} is {shape}, but the value begins as {fact}"
                ));
                return Err(failed(&default_graph(), "while", kind.into()));
            }
            facts.push(Fact { shape: shape.clone(), elements: None, ..fact });
        }
        Ok(facts)
    }
}

/// The node of a loop that begins with these tensors.
#[track_caller]
pub(super) fn repeat(
    name: &'static str,
    graph: &Graph,
    initial: &[TensorRef],
    test: Trace,
    step: Trace,
) -> OperationRef {
    let captured = captured_by(&[&test, &step]);
    let controls: Vec<OperationRef> = test.controls().chain(step.controls()).collect();
    let finish = |trace: Trace, name, repeats| trace.finish(name, &captured, repeats).map(Arc::new);
    let bodies =
        finish(test, "cond", false).and_then(|test| Ok([test, finish(step, "body", true)?]));
    match bodies {
        Ok(bodies) => {
            let node = call(graph, [&WHILE, &STATELESS_WHILE], &bodies).name(name);
            let node = node.inputs(initial.iter().chain(&captured).copied());
            let node = controls.into_iter().fold(node, NodeBuilder::control);
            let [test, step] = bodies;
            node.attr("cond", test).attr("body", step).build()
        }
        Err(kind) => failed(graph, name, *kind),
    }
}
