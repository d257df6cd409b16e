use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidemill_graph::{
    Body, BuildErrorKind, Fact, Grads, Graph, Inferred, Location, Node, NodeId, OpError,
    OperationRef, Parameter, ParameterKind, TensorId, TensorRef, beside, parameter, trace,
};
use tidemill_ops::{
    Tensor, constant, empty_tensor_list, greater, tensor_list_pop_back, tensor_list_push_back,
};
use tidemill_value::{DType, PartialShape};

use super::call::{CallGradient, Failed, bodies_of, tensor_in, zeros};
use super::reverse::{Needs, Reverse};

/// The most rounds of inferring the shapes of gradients.
const ROUNDS: usize = 4;

/// The gradients of the inputs of a loop: a loop that runs through the iterations from the last to
/// the first.
pub(super) fn gradient(call: &CallGradient<'_>) -> Result<Grads, Failed> {
    let (_, latest) = call.latest();
    // As in TensorFlow, everything that goes into a loop is connected with everything that comes
    // out.
    let connected = |i: usize| call.wanted[i].then(|| call.zeros_like_input(i));
    let inputs = 0..call.node.inputs.len();
    let Some((reverse, active)) = differentiate(call, &latest)? else {
        return Ok(inputs.map(connected).collect());
    };
    let body = bodies_of(&latest)[1];
    let is_kept = |i: usize| is_passed_on(body, i) && !reverse.parameters[i].kind.is_variable();
    // The zeros in place of a missing gradient have the shape of the value.
    let is_missing = |i: &usize| {
        let fact = reverse.fact(parameter_of(&reverse, *i));
        reverse.gradients[*i].is_none() && !fact.shape.is_known()
    };
    let missing: Vec<usize> = active.iter().copied().filter(is_missing).collect();
    let needs = reverse.needs(&missing, is_kept, |_, _| true);
    let forward = beside(call.graph, || keep(call, &latest, &reverse, &needs))?;
    let backward = Backward { call, reverse: &reverse, needs: &needs, active: &active };
    let node = backward.build(&forward)?;
    let gradient = |i: usize| match active.iter().position(|&other| other == i) {
        Some(slot) => call.wanted[i].then(|| node.output(1 + slot as u32)),
        None => connected(i),
    };
    Ok(inputs.map(gradient).collect())
}

/// True if a body returns a parameter unchanged.
fn is_passed_on(body: &Body, i: usize) -> bool {
    body.results()[i] == TensorId::new(body.parameters()[i].node, 0)
}

fn parameter_of(reverse: &Reverse, i: usize) -> TensorId {
    TensorId::new(reverse.parameters[i].node, 0)
}

/// The body with its gradients, and the numbers of the values that have one in any iteration.
fn differentiate(
    call: &CallGradient<'_>,
    latest: &Node,
) -> Result<Option<(Reverse, Vec<usize>)>, Failed> {
    let body = bodies_of(latest)[1];
    let count = call.node.outputs.len();
    let facts = body.parameter_facts();
    // A value that never changes has no gradient but its own.
    let may_have =
        |i: usize| facts[i].is_differentiable() && (!is_passed_on(body, i) || call.wanted[i]);
    let mut wanted = vec![false; body.parameters().len()];
    (0..count).for_each(|i| wanted[i] = may_have(i));
    let mut active: Vec<usize> =
        (0..count).filter(|&i| wanted[i] && call.grads[i].is_some()).collect();
    if active.is_empty() {
        return Ok(None);
    }
    loop {
        let reverse = Reverse::new(call, body, &active, &wanted)?;
        let has_gradient = |i: &usize| active.contains(i) || reverse.gradients[*i].is_some();
        let all: Vec<usize> = (0..count).filter(has_gradient).collect();
        if all.len() == active.len() {
            return Ok(Some((reverse, active)));
        }
        active = all;
    }
}

/// The loop extended by the values that its gradient needs.
struct Forward {
    /// The number of iterations.
    count: TensorRef,
    /// For each value that is kept, the list of its values in all iterations.
    lists: Vec<TensorRef>,
    node: OperationRef,
}

/// Extends the loop: it counts its iterations, and appends the kept values of each to lists.
fn keep(
    call: &CallGradient<'_>,
    latest: &Node,
    reverse: &Reverse,
    needs: &Needs,
) -> Result<Forward, Failed> {
    let kept: Vec<Fact> = needs.kept.iter().map(|&tensor| reverse.fact(tensor)).collect();
    let facts: Vec<Fact> = std::iter::once(Fact::new(DType::I32, PartialShape::scalar()))
        .chain(kept.iter().map(list_fact))
        .collect();
    let bodies = bodies_of(latest);
    let (condition, body) = (bodies[0], bodies[1]);
    let test = condition.reopen();
    let added = parameters(call, &test, &facts)?;
    let taken = with_added(condition.parameters(), &added);
    let test = Body::new(condition.name().to_owned(), test, taken, condition.results().to_vec());
    let graph = &reverse.graph;
    let added = parameters(call, graph, &facts)?;
    let mut results = reverse.results.clone();
    {
        let _default = graph.as_default();
        let mut tensors =
            added.iter().map(|&id| Tensor::from(tensor_in(graph, TensorId::new(id, 0))));
        let count = tensors.next().map(|count| count + 1);
        let pushed = tensors
            .zip(&needs.kept)
            .map(|(list, &kept)| tensor_list_push_back(list, Tensor::from(tensor_in(graph, kept))));
        for tensor in count.into_iter().chain(pushed) {
            let id = TensorRef::from(tensor).id();
            results.push(id.map_err(|_| TensorRef::from(tensor).operation())?);
        }
    }
    let taken = with_added(&reverse.parameters, &added);
    let body = Body::new(body.name().to_owned(), graph.clone(), taken, results);
    let body = body.without_effects_of(&reverse.backward);
    let lists = kept.iter().map(|fact| empty_tensor_list(fact.shape.clone(), fact.dtype));
    let inputs: Vec<TensorRef> =
        std::iter::once(constant(0)).chain(lists).map(TensorRef::from).collect();
    let node = call.extend(latest, &inputs, vec![Arc::new(test), Arc::new(body)])?;
    let first = latest.outputs.len() as u32;
    let lists = (0..kept.len() as u32).map(|i| node.output(first + 1 + i)).collect();
    Ok(Forward { count: node.output(first), lists, node })
}

/// The parameters of a body, and the values that it takes besides them.
fn with_added(own: &[Parameter], added: &[NodeId]) -> Vec<(NodeId, ParameterKind)> {
    let added = added.iter().map(|&node| (node, ParameterKind::Value));
    own.iter().map(|parameter| (parameter.node, parameter.kind)).chain(added).collect()
}

fn list_fact(elements: &Fact) -> Fact {
    let list = Inferred::list_of(Fact { elements: None, ..elements.clone() });
    list.into_fact(DType::Variant, Default::default())
}

fn parameters(
    call: &CallGradient<'_>,
    graph: &Graph,
    facts: &[Fact],
) -> Result<Vec<NodeId>, Failed> {
    let add = |fact: &Fact| parameter(graph, "kept", fact).map_err(|kind| call.fail(kind));
    facts.iter().map(add).collect()
}

/// The loop that computes the gradients.
struct Backward<'a> {
    call: &'a CallGradient<'a>,
    reverse: &'a Reverse,
    needs: &'a Needs,
    active: &'a [usize],
}

impl Backward<'_> {
    fn build(&self, forward: &Forward) -> Result<OperationRef, Failed> {
        let call = self.call;
        let grads: Vec<TensorRef> =
            self.active.iter().map(|&i| self.first_gradient(i, forward)).collect();
        let state: Vec<TensorRef> = std::iter::once(forward.count)
            .chain(grads)
            .chain(forward.lists.iter().copied())
            .collect();
        let fact = |&tensor: &TensorRef| Tensor::from(tensor).fact();
        let facts: Option<Vec<Fact>> = state.iter().map(fact).collect();
        let mut facts = facts.ok_or_else(|| state[0].operation())?;
        for fact in &mut facts {
            fact.elements = None;
        }
        for (fact, &i) in facts[1..].iter_mut().zip(self.active) {
            fact.shape = self.reverse.fact(parameter_of(self.reverse, i)).shape;
        }
        for _ in 0..ROUNDS {
            let step = trace(call.target, Location::caller(), &facts, |state| self.step(state))?;
            let reader = step.graph().read();
            let results = step.results().iter().filter_map(|&result| reader.fact(result));
            let both: Vec<Fact> =
                facts.iter().zip(results).map(|(fact, result)| fact.either(result)).collect();
            drop(reader);
            if both.len() == facts.len() && both != facts {
                facts = both;
                continue;
            }
            let test = trace(call.target, Location::caller(), &facts, |state| {
                vec![greater(Tensor::from(state[0]), 0).into()]
            })?;
            let captured: Vec<TensorRef> = step.captured().collect();
            let fail = |kind: Box<BuildErrorKind>| call.fail(*kind);
            let test = test.finish("cond", &captured, false).map_err(fail)?;
            let step = step.finish("body", &captured, true).map_err(fail)?;
            let inputs: Vec<TensorRef> = state.into_iter().chain(captured).collect();
            return call.node(&inputs, vec![Arc::new(test), Arc::new(step)]);
        }
        Err(call.fail(OpError::invalid("the shapes of gradients never settle")))
    }

    /// The gradient of a value after the last iteration.
    fn first_gradient(&self, i: usize, forward: &Forward) -> TensorRef {
        match self.call.grads[i] {
            Some(grad) => grad,
            None => {
                let fact = self.reverse.fact(parameter_of(self.reverse, i));
                zeros(Some(&forward.node.output(i as u32)), &fact).into()
            }
        }
    }

    /// One iteration: it takes and returns the number of iterations left, the gradients of the
    /// results of the body, and the lists.
    fn step(&self, state: &[TensorRef]) -> Vec<TensorRef> {
        let (count, state) = state.split_at(1);
        let (grads, lists) = state.split_at(self.active.len());
        let mut given: FxHashMap<TensorId, TensorRef> = FxHashMap::default();
        for (i, tensor) in self.reverse.incoming() {
            let position = self.active.iter().position(|&active| active == i);
            given.extend(position.map(|position| (tensor, grads[position])));
        }
        let mut rest = Vec::new();
        for (&kept, &list) in self.needs.kept.iter().zip(lists) {
            let fact = self.reverse.fact(kept);
            let (list, value) = tensor_list_pop_back(Tensor::from(list), fact.shape, fact.dtype);
            rest.push(TensorRef::from(list));
            given.insert(kept, value.into());
        }
        // Values that do not change are taken from outside the loop.
        for &i in &self.needs.parameters {
            given.insert(parameter_of(self.reverse, i), self.call.input(i));
        }
        let copied = match self.reverse.copy(self.call, self.needs, given) {
            Ok(copied) => copied,
            Err(failed) => return vec![failed.output(0)],
        };
        let left = Tensor::from(count[0]) - 1;
        let gradient = |&i: &usize| match self.reverse.gradients[i] {
            Some(gradient) => copied[&gradient],
            None => {
                let parameter = parameter_of(self.reverse, i);
                zeros(copied.get(&parameter), &self.reverse.fact(parameter)).into()
            }
        };
        let grads = self.active.iter().map(gradient);
        std::iter::once(TensorRef::from(left)).chain(grads).chain(rest).collect()
    }
}
