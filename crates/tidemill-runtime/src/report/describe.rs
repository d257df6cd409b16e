//! Collects the facts about a graph that error reports show.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use tidemill_graph::{Fact, Graph, GraphReader, NodeId, TensorId};

use crate::lower::signature::Signature;
use crate::plan::step::Plan;
use crate::report::error::{
    FailedNode, FeedError, FeedErrorKind, NullVariable, Remedy, RunError, Site, UnfedPlaceholder,
    Way,
};
use crate::report::numerics::NonFinite;
use crate::run::failure::Failure;

pub(crate) fn site(graph: &GraphReader<'_>, node: NodeId) -> Site {
    Site { name: graph.name(node).to_owned(), location: graph.location(node) }
}

pub(crate) fn unfed(
    graph: &GraphReader<'_>,
    signature: &Signature,
    placeholders: &[NodeId],
) -> RunError {
    let report = |&id: &NodeId| {
        let fact = &graph.node(id).outputs[0];
        let (dtype, shape) = (fact.dtype, fact.shape.clone());
        let way = way_to(graph, signature, id);
        UnfedPlaceholder { placeholder: site(graph, id), dtype, shape, way }
    };
    RunError::Unfed(placeholders.iter().map(report).collect())
}

/// `variables` are nodes of variables, each with the first node that needs its value.
pub(crate) fn uninitialized(
    graph: &GraphReader<'_>,
    signature: &Signature,
    variables: &[(NodeId, NodeId)],
) -> RunError {
    let report = |&(variable, reader): &(NodeId, NodeId)| {
        let fact = &graph.node(variable).outputs[0];
        let mut way = way_to(graph, signature, reader);
        if reader != variable {
            way.names.push(graph.name(variable).to_owned());
        }
        NullVariable {
            variable: site(graph, variable),
            dtype: fact.dtype,
            shape: fact.shape.clone(),
            way,
            remedy: remedy(graph, variable),
        }
    };
    RunError::Uninitialized(variables.iter().map(report).collect())
}

/// The last operation that runs initializers: this variable's, or only those of others.
pub(crate) fn remedy(graph: &GraphReader<'_>, variable: NodeId) -> Remedy {
    let initializers: FxHashMap<NodeId, NodeId> = graph
        .variables()
        .iter()
        .filter_map(|record| Some((record.initializer()?, record.node)))
        .collect();
    let mut too_early = None;
    for (id, node) in graph.nodes().rev() {
        let initialized = || node.control_inputs.iter().filter_map(|id| initializers.get(id));
        if !node.outputs.is_empty() || initialized().next().is_none() {
            continue;
        }
        if initialized().any(|&initialized| initialized == variable) {
            return Remedy::Run(site(graph, id));
        }
        if id < variable {
            too_early.get_or_insert(id);
        }
    }
    too_early.map_or(Remedy::None, |id| Remedy::MadeTooEarly(site(graph, id)))
}

pub(crate) fn failed_node<E>(graph: &GraphReader<'_>, id: NodeId, source: E) -> Box<FailedNode<E>> {
    let node = graph.node(id);
    let inputs = node.inputs.iter().map(|&input| {
        let fact = &graph.node(input.node).outputs[input.slot as usize];
        (site(graph, input.node), Fact { elements: None, ..fact.clone() })
    });
    Box::new(FailedNode {
        node: site(graph, id),
        op: node.op.name,
        inputs: inputs.collect(),
        within: Vec::new(),
        source,
    })
}

/// A body in which a failure happened: the node that runs it, the number of the body, and its
/// graph.
struct FailedBody {
    call: NodeId,
    body: usize,
    graph: Graph,
}

/// The report of a run that failed.
pub(crate) fn failure(
    graph: &GraphReader<'_>,
    signature: &Signature,
    plan: &Plan,
    mut failure: Failure,
) -> RunError {
    let mut outer: Vec<FailedBody> = Vec::new();
    while let Failure::Inside { call, body, failure: inner } = failure {
        let graph_of_body = in_graph(graph, &outer, |graph| {
            // The run may have used a node that extends this one, whose bodies have more nodes.
            let bodies = graph.node(graph.latest_extension(call)).bodies().nth(body);
            bodies.map(|body| body.graph().clone())
        });
        let Some(graph) = graph_of_body else { return RunError::Internal("a body is not there") };
        outer.push(FailedBody { call, body, graph });
        failure = *inner;
    }
    match failure {
        Failure::Uninitialized(missing) => {
            let variables = missing.into_iter().filter_map(|i| {
                let usage = &plan.variables[i].usage;
                Some((usage.node, usage.first_reader?))
            });
            uninitialized(graph, signature, &variables.collect::<Vec<_>>())
        }
        Failure::Unset { parameter } => unset(graph, signature, &outer, parameter),
        Failure::Kernel { node, source } => {
            RunError::Kernel(failed_inside(graph, &outer, node, source))
        }
        Failure::NonFinite(found) => {
            let NonFinite { node, output, values, inputs } = *found;
            let what = if values.nan > 0 { "gives NaN" } else { "gives infinity" };
            let node = *failed_inside(graph, &outer, node, what);
            RunError::NonFinite(Box::new(NonFinite { node, output, values, inputs }))
        }
        Failure::Error(error) => *error,
        Failure::Interrupted => RunError::Cancelled,
        Failure::Inside { .. } => RunError::Internal("a failure is in a body of a body"),
    }
}

/// Reads the graph of the innermost body.
fn in_graph<R>(
    graph: &GraphReader<'_>,
    outer: &[FailedBody],
    look: impl FnOnce(&GraphReader<'_>) -> R,
) -> R {
    match outer.last() {
        Some(enclosing) => look(&enclosing.graph.read()),
        None => look(graph),
    }
}

fn failed_inside<E>(
    graph: &GraphReader<'_>,
    outer: &[FailedBody],
    node: NodeId,
    source: E,
) -> Box<FailedNode<E>> {
    let mut failed = in_graph(graph, outer, |graph| failed_node(graph, node, source));
    let within = outer.iter().enumerate().rev().map(|(depth, enclosing)| {
        in_graph(graph, &outer[..depth], |graph| {
            let body = graph.node(enclosing.call).bodies().nth(enclosing.body);
            let body = body.map(|body| body.name().to_owned()).unwrap_or_default();
            (body, site(graph, enclosing.call))
        })
    });
    failed.within = within.collect();
    failed
}

/// The variable without a value that the innermost body takes as this parameter.
fn unset(
    graph: &GraphReader<'_>,
    signature: &Signature,
    outer: &[FailedBody],
    mut parameter: usize,
) -> RunError {
    for (depth, enclosing) in outer.iter().enumerate().rev() {
        let variable = in_graph(graph, &outer[..depth], |graph| {
            let node = graph.node(enclosing.call);
            let before = node.op.execution.inputs_before_bodies().unwrap_or(0);
            graph.variable_of(*node.inputs.get(parameter + before)?)
        });
        let Some(variable) = variable else { break };
        let Some(around) = depth.checked_sub(1).map(|around| &outer[around]) else {
            return uninitialized(graph, signature, &[(variable, enclosing.call)]);
        };
        let position = in_graph(graph, &outer[..depth - 1], |graph| {
            let body = graph.node(around.call).bodies().nth(around.body)?;
            body.parameters().iter().position(|parameter| parameter.node == variable)
        });
        let Some(position) = position else { break };
        parameter = position;
    }
    RunError::Internal("a variable that a body takes has no value")
}

pub(crate) fn feed(graph: &GraphReader<'_>, tensor: TensorId, kind: FeedErrorKind) -> RunError {
    let tensor = Site { name: graph.tensor_name(tensor), location: graph.location(tensor.node) };
    RunError::Feed(Box::new(FeedError { tensor, kind }))
}

/// The shortest path from anything that the run requests to a node that it needs.
fn way_to(graph: &GraphReader<'_>, signature: &Signature, node: NodeId) -> Way {
    let mut came_from: FxHashMap<NodeId, Option<NodeId>> = FxHashMap::default();
    let mut pending: VecDeque<NodeId> = VecDeque::new();
    for root in signature.roots() {
        if came_from.insert(root, None).is_none() {
            pending.push_back(root);
        }
    }
    while let Some(id) = pending.pop_front() {
        if id == node {
            break;
        }
        let inputs = graph.node(id).inputs.iter().filter(|input| !signature.is_fed(**input));
        let controls = graph.node(id).control_inputs.iter().copied();
        for next in inputs.map(|input| input.node).chain(controls) {
            if let std::collections::hash_map::Entry::Vacant(entry) = came_from.entry(next) {
                entry.insert(Some(id));
                pending.push_back(next);
            }
        }
    }
    let mut names = vec![node];
    while let Some(&Some(previous)) = names.last().and_then(|id| came_from.get(id)) {
        names.push(previous);
    }
    names.reverse();
    let fetch = site(graph, names.first().copied().unwrap_or(node));
    Way { fetch, names: names.into_iter().map(|id| graph.name(id).to_owned()).collect() }
}
