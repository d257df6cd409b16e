use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidemill_graph::{
    Body, Fact, Grads, Graph, Location, Node, OpError, TensorId, TensorRef, beside, trace,
};
use tidemill_ops::{Tensor, constant, empty_tensor_list};
use tidemill_value::{DType, PartialShape, Shape, Value};

use super::call::{CallGradient, Failed, bodies_of, zeros};
use super::reverse::{Needs, Reverse};

/// A value of at most this many elements is recomputed rather than kept.
const SMALL: usize = 16;

/// The gradients of the inputs of a node that runs one of several bodies. A branch that was not
/// taken contributes zeros.
pub(super) fn gradient(call: &CallGradient<'_>) -> Result<Grads, Failed> {
    let bodies = bodies_of(call.node);
    let active: Vec<usize> =
        (0..call.node.outputs.len()).filter(|&i| call.grads[i].is_some()).collect();
    let wanted = &call.wanted[1..];
    let (_, latest) = call.latest();
    let reverses = bodies_of(&latest).into_iter();
    let reverses = reverses.map(|body| Reverse::new(call, body, &active, wanted));
    let reverses: Vec<Reverse> = reverses.collect::<Result<_, _>>()?;
    let differentiable: Vec<usize> = (0..wanted.len())
        .filter(|&i| reverses.iter().any(|reverse| reverse.gradients[i].is_some()))
        .collect();
    if differentiable.is_empty() {
        return Ok(call.node.inputs.iter().map(|_| None).collect());
    }
    let needs: Vec<Needs> =
        reverses.iter().map(|reverse| needs_of(reverse, &differentiable)).collect();
    let kept = beside(call.graph, || keep(call, &latest, &reverses, &needs))?;
    // The inputs of the gradient: the gradients of the results, the inputs, and the kept values.
    let used: Vec<usize> = {
        let mut used: Vec<usize> =
            needs.iter().flat_map(|n| n.parameters.iter().copied()).collect();
        used.sort_unstable();
        used.dedup();
        used
    };
    let grads = active.iter().filter_map(|&i| call.grads[i]);
    let inputs: Vec<TensorRef> = std::iter::once(call.input(0))
        .chain(grads)
        .chain(used.iter().map(|&i| call.input(i + 1)))
        .chain(kept.iter().copied())
        .collect();
    let mut first_kept = 0;
    let mut built: Vec<Arc<Body>> = Vec::new();
    for ((reverse, needs), body) in reverses.iter().zip(&needs).zip(&bodies) {
        let taken = Taken { active: &active, used: &used, kept: &kept, first_kept };
        built.push(Arc::new(body_of(call, reverse, needs, &taken, &differentiable, body.name())?));
        first_kept += needs.kept.len();
    }
    let node = call.node(&inputs, built)?;
    let output = |i: usize| {
        let slot = differentiable.iter().position(|&other| other + 1 == i)?;
        Some(node.output(slot as u32))
    };
    Ok((0..call.node.inputs.len()).map(output).collect())
}

fn needs_of(reverse: &Reverse, differentiable: &[usize]) -> Needs {
    // The zeros in place of a missing gradient have the shape of the parameter.
    let is_value = |i: usize| !reverse.parameters[i].kind.is_variable();
    let missing = differentiable.iter().copied();
    let missing = missing.filter(|&i| reverse.gradients[i].is_none() && is_value(i));
    let missing: Vec<usize> = missing.collect();
    reverse.needs(&missing, is_value, |reader, id| {
        let outputs = &reader.node(id).outputs;
        outputs.iter().all(|fact| fact.shape.elements().is_some_and(|count| count <= SMALL))
    })
}

/// Extends the node by the values that its gradient needs, and returns them: those kept from the
/// first body, then those kept from the next.
fn keep(
    call: &CallGradient<'_>,
    latest: &Node,
    reverses: &[Reverse],
    needs: &[Needs],
) -> Result<Vec<TensorRef>, Failed> {
    let count: usize = needs.iter().map(|needs| needs.kept.len()).sum();
    if count == 0 {
        return Ok(Vec::new());
    }
    let facts: Vec<Fact> = reverses
        .iter()
        .zip(needs)
        .flat_map(|(reverse, needs)| needs.kept.iter().map(|&tensor| reverse.fact(tensor)))
        .collect();
    let mut bodies = Vec::new();
    let mut first = 0;
    for ((reverse, own), body) in reverses.iter().zip(needs).zip(bodies_of(latest)) {
        let _default = reverse.graph.as_default();
        let mut results = reverse.results.clone();
        for (i, fact) in facts.iter().enumerate() {
            let kept = i.checked_sub(first).and_then(|i| own.kept.get(i));
            results.push(match kept {
                Some(&kept) => kept,
                None => nothing(&reverse.graph, fact).map_err(|()| call.fail(unbuilt()))?,
            });
        }
        first += own.kept.len();
        let parameters = reverse.parameters.iter().map(|p| (p.node, p.kind));
        let name = body.name().to_owned();
        let body = Body::new(name, reverse.graph.clone(), parameters, results);
        bodies.push(Arc::new(body.without_effects_of(&reverse.backward)));
    }
    let extension = call.extend(latest, &[], bodies)?;
    let before = latest.outputs.len();
    Ok((0..count).map(|i| extension.output((before + i) as u32)).collect())
}

/// The result of a branch in place of a value that it does not compute.
fn nothing(graph: &Graph, fact: &Fact) -> Result<TensorId, ()> {
    let _default = graph.as_default();
    let tensor = match (fact.dtype, &fact.list) {
        (DType::Variant, Some(list)) => empty_tensor_list(list.shape.clone(), list.dtype),
        (DType::Variant, None) => empty_tensor_list(PartialShape::unknown(), DType::F32),
        (dtype, _) => constant(Value::zeros(dtype, Shape::scalar()).map_err(|_| ())?),
    };
    TensorRef::from(tensor).id().map_err(|_| ())
}

fn unbuilt() -> OpError {
    OpError::invalid("a gradient could not be built")
}

/// The inputs of the gradient's node after the value that selects a branch.
struct Taken<'a> {
    active: &'a [usize],
    used: &'a [usize],
    kept: &'a [TensorRef],
    /// The position among the kept values at which those of a body begin.
    first_kept: usize,
}

/// The body of the gradient of a body.
fn body_of(
    call: &CallGradient<'_>,
    reverse: &Reverse,
    needs: &Needs,
    taken: &Taken<'_>,
    differentiable: &[usize],
    name: &str,
) -> Result<Body, Failed> {
    let incoming: Vec<TensorId> = reverse.incoming().map(|(_, tensor)| tensor).collect();
    let own = taken.first_kept..taken.first_kept + needs.kept.len();
    let parameter = |i: usize| TensorId::new(reverse.parameters[i].node, 0);
    let kept_fact = |(i, &tensor): (usize, &TensorRef)| match own.contains(&i) {
        true => reverse.fact(needs.kept[i - own.start]),
        false => {
            Tensor::from(tensor).fact().unwrap_or(Fact::new(DType::F32, PartialShape::unknown()))
        }
    };
    let facts: Vec<Fact> = incoming
        .iter()
        .map(|&tensor| reverse.fact(tensor))
        .chain(taken.used.iter().map(|&i| reverse.fact(parameter(i))))
        .chain(taken.kept.iter().enumerate().map(kept_fact))
        .map(|fact| Fact { elements: None, ..fact })
        .collect();
    let mut failure = None;
    let traced = trace(call.target, Location::caller(), &facts, |arguments| {
        let (grads, rest) = arguments.split_at(taken.active.len());
        let (inputs, kept) = rest.split_at(taken.used.len());
        let mut given: FxHashMap<TensorId, TensorRef> = FxHashMap::default();
        given.extend(incoming.iter().copied().zip(grads.iter().copied()));
        given.extend(taken.used.iter().map(|&i| parameter(i)).zip(inputs.iter().copied()));
        given.extend(needs.kept.iter().copied().zip(kept[own.clone()].iter().copied()));
        match reverse.copy(call, needs, given) {
            Ok(copied) => differentiable
                .iter()
                .map(|&i| match reverse.gradients[i] {
                    Some(gradient) => copied[&gradient],
                    None => zeros(copied.get(&parameter(i)), &reverse.fact(parameter(i))).into(),
                })
                .collect(),
            Err(failed) => {
                failure = Some(failed);
                Vec::new()
            }
        }
    });
    match failure {
        Some(failed) => Err(failed),
        None => traced?.finish(name, &[], false).map_err(|kind| call.fail(*kind)),
    }
}
