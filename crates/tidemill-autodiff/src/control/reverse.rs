use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_graph::{
    Body, BuildErrorKind, EdgeKind, Execution, Fact, Graph, GraphReader, NodeBuilder, NodeId,
    OpError, Parameter, TensorId, TensorRef, default_graph, parameter,
};
use tidemill_ops::Tensor;

use super::call::{CallGradient, Failed, tensor_in};

/// A body and, in the same graph, the gradients of its parameters.
pub(super) struct Reverse {
    /// The nodes of the body, then the gradients of its results, then the nodes computed from
    /// those.
    pub(super) graph: Graph,
    pub(super) parameters: Vec<Parameter>,
    pub(super) results: Vec<TensorId>,
    /// The gradient of each parameter, if it is wanted and there is one.
    pub(super) gradients: Vec<Option<TensorId>>,
    /// The nodes that stand for the gradients of results.
    incoming: Vec<(usize, NodeId)>,
    /// The nodes computed on the way from those to the gradients, ascending.
    pub(super) backward: Vec<NodeId>,
}

/// The values of a body that its gradients need.
pub(super) struct Needs {
    /// The tensors that have to be kept.
    pub(super) kept: Vec<TensorId>,
    /// The parameters that are used as they are.
    pub(super) parameters: Vec<usize>,
    /// The nodes to compute again, ascending.
    again: Vec<NodeId>,
}

impl Reverse {
    /// Differentiates the results of numbers `active` of a body with respect to the parameters in
    /// `wanted`.
    pub(super) fn new(
        call: &CallGradient<'_>,
        body: &Body,
        active: &[usize],
        wanted: &[bool],
    ) -> Result<Reverse, Failed> {
        let graph = body.reopen();
        let _default = graph.as_default();
        let boundary = graph.len();
        let facts = body.result_facts();
        let mut incoming = Vec::with_capacity(active.len());
        for &i in active {
            let fact = Fact { elements: None, role: Default::default(), ..facts[i].clone() };
            let node = parameter(&graph, "grad_ys", &fact).map_err(|kind| call.fail(kind))?;
            incoming.push((i, node));
        }
        let tensor = |tensor: TensorId| Tensor::from(tensor_in(&graph, tensor));
        let ys: Vec<Tensor> = active.iter().map(|&i| tensor(body.results()[i])).collect();
        let grad_ys = incoming.iter().map(|(_, node)| Some(tensor(TensorId::new(*node, 0))));
        let parameters = body.parameters().to_vec();
        let xs = parameters.iter().map(|p| tensor_in(&graph, TensorId::new(p.node, 0)));
        let xs: Vec<TensorRef> =
            xs.zip(wanted).filter(|(_, wanted)| **wanted).map(|(x, _)| x).collect();
        let grad_ys: Vec<Option<Tensor>> = grad_ys.collect();
        let mut found = (call.differentiate)(&ys, &grad_ys, &xs).into_iter();
        if let Err(errors) = graph.check() {
            let failed = errors.errors().map(|error| call.target.poison(error.clone())).last();
            return Err(failed.unwrap_or_else(|| call.fail(BuildErrorKind::Full)));
        }
        let gradients = wanted.iter().map(|wanted| {
            let gradient = if *wanted { found.next().flatten() } else { None };
            gradient.and_then(|gradient| TensorRef::from(gradient).id().ok())
        });
        let gradients: Vec<Option<TensorId>> = gradients.collect();
        let backward = backward_nodes(&graph.read(), boundary, &gradients, &incoming);
        let results = body.results().to_vec();
        Ok(Reverse { graph, parameters, results, gradients, incoming, backward })
    }

    /// The needs of the gradients and of the parameters of numbers `extra`. `is_given` tells if a
    /// parameter is at hand; `again`, if a node whose inputs are at hand is to be recomputed.
    pub(super) fn needs(
        &self,
        extra: &[usize],
        is_given: impl Fn(usize) -> bool,
        again: impl Fn(&GraphReader<'_>, NodeId) -> bool,
    ) -> Needs {
        let reader = self.graph.read();
        let own: FxHashSet<NodeId> = self.backward.iter().copied().collect();
        let is_incoming = |node| self.incoming.iter().any(|(_, incoming)| *incoming == node);
        let inputs = self.backward.iter().flat_map(|&id| reader.node(id).inputs.iter().copied());
        let gradients = self.gradients.iter().copied().flatten();
        let extra = extra.iter().map(|&i| TensorId::new(self.parameters[i].node, 0));
        let mut pending: Vec<TensorId> = inputs.chain(gradients).chain(extra).collect();
        pending.retain(|tensor| !own.contains(&tensor.node) && !is_incoming(tensor.node));
        let mut needs = Needs { kept: Vec::new(), parameters: Vec::new(), again: Vec::new() };
        let at_hand = self.at_hand(&reader, &pending, &is_given, &again);
        let mut seen = FxHashSet::default();
        while let Some(tensor) = pending.pop() {
            if !seen.insert(tensor) {
                continue;
            }
            if let Some(i) = self.parameters.iter().position(|p| p.node == tensor.node)
                && is_given(i)
            {
                needs.parameters.push(i);
            } else if at_hand.contains(&tensor.node) {
                needs.again.push(tensor.node);
                pending.extend(reader.node(tensor.node).inputs.iter().copied());
            } else {
                needs.kept.push(tensor);
            }
        }
        needs.kept.sort_unstable();
        needs.parameters.sort_unstable();
        needs.again.sort_unstable();
        needs.again.dedup();
        needs
    }

    /// The nodes above some tensors that can be computed from what is given.
    fn at_hand(
        &self,
        reader: &GraphReader<'_>,
        tensors: &[TensorId],
        is_given: &impl Fn(usize) -> bool,
        again: &impl Fn(&GraphReader<'_>, NodeId) -> bool,
    ) -> FxHashSet<NodeId> {
        let above =
            reader.ancestors(tensors.iter().map(|t| t.node), |kind, _| kind == EdgeKind::Data);
        let mut at_hand = FxHashSet::default();
        for id in above {
            let node = reader.node(id);
            let parameter = self.parameters.iter().position(|p| p.node == id);
            let is_at_hand = match parameter {
                Some(i) => is_given(i),
                None => {
                    node.op.execution == Execution::Constant
                        || (node.op.is_pure()
                            && node.inputs.iter().all(|input| at_hand.contains(&input.node))
                            && again(reader, id))
                }
            };
            if is_at_hand {
                at_hand.insert(id);
            }
        }
        at_hand
    }

    /// Rebuilds the gradients in the default graph. `given` maps tensors of the body and the
    /// gradients of its results to tensors there.
    pub(super) fn copy(
        &self,
        call: &CallGradient<'_>,
        needs: &Needs,
        mut given: FxHashMap<TensorId, TensorRef>,
    ) -> Result<FxHashMap<TensorId, TensorRef>, Failed> {
        let key = default_graph().key();
        let reader = self.graph.read();
        for &id in needs.again.iter().chain(&self.backward) {
            let node = reader.node(id);
            let inputs = node.inputs.iter().map(|input| given.get(input).copied());
            let inputs: Option<Vec<TensorRef>> = inputs.collect();
            let absent = || call.fail(OpError::invalid("a value that a gradient needs is absent"));
            let builder = NodeBuilder::like(node, &inputs.ok_or_else(absent)?).graph(key);
            let builder = builder.name(reader.name(id).to_owned());
            let copy = builder.try_node(reader.location(id)).map_err(|kind| call.fail(kind))?;
            for slot in 0..node.outputs.len() as u32 {
                let tensor = TensorRef::new(key, TensorId::new(copy, slot));
                given.insert(TensorId::new(id, slot), tensor);
            }
        }
        Ok(given)
    }

    /// The tensors that stand for the gradients of results, by the numbers of the results.
    pub(super) fn incoming(&self) -> impl Iterator<Item = (usize, TensorId)> {
        self.incoming.iter().map(|(i, node)| (*i, TensorId::new(*node, 0)))
    }

    /// The facts known about a tensor of the body.
    pub(super) fn fact(&self, tensor: TensorId) -> Fact {
        let reader = self.graph.read();
        let fact = &reader.node(tensor.node).outputs[tensor.slot as usize];
        Fact { elements: None, ..fact.clone() }
    }
}

/// The nodes after `boundary` that the gradients need, except those that stand for the gradients of
/// results, and extensions of nodes of the body, which belong to the body.
fn backward_nodes(
    reader: &GraphReader<'_>,
    boundary: usize,
    gradients: &[Option<TensorId>],
    incoming: &[(usize, NodeId)],
) -> Vec<NodeId> {
    let is_new = |id: NodeId| id.index() >= boundary;
    let data = |kind: EdgeKind, tensor: TensorId| kind == EdgeKind::Data && is_new(tensor.node);
    let extensions = reader.extensions().filter(|&id| is_new(id));
    let forward: FxHashSet<NodeId> = reader.ancestors(extensions, data).into_iter().collect();
    let roots = gradients.iter().flatten().map(|gradient| gradient.node).filter(|&id| is_new(id));
    let mut nodes = reader.ancestors(roots, data);
    nodes.retain(|id| !forward.contains(id) && incoming.iter().all(|(_, incoming)| incoming != id));
    nodes
}
