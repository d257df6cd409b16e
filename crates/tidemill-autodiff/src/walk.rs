use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use tidemill_graph::{
    EdgeKind, Fact, GradCx, Gradient, GradientError, Graph, GraphReader, Location, Node, NodeId,
    NodeView, TensorId, TensorRef, derived, fail, scoped,
};
use tidemill_ops::{IndexedSlices, Tensor, add_n, ones_like};

use crate::control::{self, CallGradient, Differentiate};
use crate::unbroadcast::unbroadcast;

/// A node through which no gradient passes to one of its inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// The name of the node.
    pub name: String,
    /// Its type.
    pub op: &'static str,
    /// The line that made it.
    pub location: Location,
    /// The names of the nodes from a `y` to it, both included.
    pub way: Vec<String>,
}

/// The part of a differentiation that concerns one graph. If that is the body being built, the
/// graphs around it follow: values flow into the body through the tensors that it captures.
pub(crate) struct Level {
    pub(crate) graph: Graph,
    /// The tensors to differentiate, each with its gradient, or `None` for ones.
    pub(crate) ys: Vec<(TensorId, Option<TensorRef>)>,
    pub(crate) xs: Vec<TensorId>,
    /// The tensors to take as constant.
    pub(crate) stops: FxHashSet<TensorId>,
    /// The tensors of this graph that the graph inside it captures, with the tensors that stand for
    /// them there.
    pub(crate) captured: Vec<(TensorId, TensorId)>,
}

/// The reverse walk through one graph.
pub(crate) struct Walk<'a> {
    graph: &'a Graph,
    /// The graph that the gradients are added to: the same one, or a body inside it.
    target: &'a Graph,
    /// Differentiates the bodies of nodes.
    differentiate: Differentiate,
    /// The nodes on paths from the `xs` to the `ys`, ascending, with the facts known about their
    /// inputs.
    between: Vec<(NodeId, Node, SmallVec<[Fact; 4]>)>,
    members: FxHashSet<NodeId>,
    stops: &'a FxHashSet<TensorId>,
    /// For each tensor, the gradients that its uses contribute.
    contributions: FxHashMap<TensorId, SmallVec<[TensorRef; 2]>>,
    /// The gradients that are complete.
    complete: FxHashMap<TensorId, TensorRef>,
    /// For each node that a gradient has reached, the node that it came from.
    came_from: FxHashMap<NodeId, NodeId>,
    cuts: Vec<NodeId>,
}

impl<'a> Walk<'a> {
    /// Finds the nodes to differentiate.
    pub(crate) fn new(level: &'a Level, target: &'a Graph, differentiate: Differentiate) -> Self {
        let reader = level.graph.read();
        let between = nodes_between(&reader, level);
        let members = between.iter().copied().collect();
        let node = |id| (id, reader.node(id).clone(), reader.input_facts(reader.node(id)));
        let between = between.into_iter().map(node).collect();
        Walk {
            graph: &level.graph,
            target,
            differentiate,
            between,
            members,
            stops: &level.stops,
            contributions: FxHashMap::default(),
            complete: FxHashMap::default(),
            came_from: FxHashMap::default(),
            cuts: Vec::new(),
        }
    }

    /// Adds the gradients of everything on the paths.
    pub(crate) fn run(mut self, ys: &[(TensorId, Option<TensorRef>)]) -> Self {
        for &(y, grad) in ys {
            let ones = || ones_like(Tensor::from(TensorRef::new(self.graph.key(), y))).into();
            let grad = grad.unwrap_or_else(|| derived(Location::caller(), ones));
            self.contributions.entry(y).or_default().push(grad);
        }
        for (id, node, facts) in std::mem::take(&mut self.between).into_iter().rev() {
            self.backward(id, &node, &facts);
        }
        self
    }

    /// The gradient with respect to a tensor, if any reaches it.
    pub(crate) fn gradient(&self, tensor: TensorId) -> Option<TensorRef> {
        self.complete.get(&tensor).copied()
    }

    /// Completes the gradients of a node's outputs, and passes them on to its inputs.
    fn backward(&mut self, id: NodeId, node: &Node, facts: &[Fact]) {
        let slots = (0..node.outputs.len() as u32).map(|slot| TensorId::new(id, slot));
        let output_grads = slots.map(|output| {
            let grad = self.completed(output);
            grad.filter(|_| !self.stops.contains(&output))
        });
        let output_grads: SmallVec<[Option<TensorRef>; 2]> = output_grads.collect();
        let leads_on = |input: &TensorId| self.members.contains(&input.node);
        if !node.inputs.iter().any(leads_on) {
            return;
        }
        let view = NodeView::new(node.op, &node.attrs, facts, &node.outputs);
        let Some(cx) = GradCx::new(self.graph.key(), id, node, view, &output_grads) else { return };
        let wanted: SmallVec<[bool; 4]> = node
            .inputs
            .iter()
            .zip(facts)
            .map(|(input, fact)| leads_on(input) && fact.is_differentiable())
            .collect();
        let grads = self.apply_rule(id, node, facts, (&cx, &output_grads, &wanted));
        let mut is_cut = false;
        for (i, &input) in node.inputs.iter().enumerate() {
            if !self.members.contains(&input.node) {
                continue;
            }
            let grad = grads.get(i).copied().flatten().filter(|_| facts[i].is_differentiable());
            let Some(grad) = grad else {
                is_cut = true;
                continue;
            };
            self.came_from.entry(input.node).or_insert(id);
            self.contributions.entry(input).or_default().push(grad);
        }
        if is_cut {
            self.cuts.push(id);
        }
    }

    /// The gradients of a node's inputs, by the operation's rule, in the shapes of the inputs.
    fn apply_rule(
        &self,
        id: NodeId,
        node: &Node,
        facts: &[Fact],
        (cx, grads, wanted): (&GradCx<'_>, &[Option<TensorRef>], &[bool]),
    ) -> SmallVec<[Option<TensorRef>; 2]> {
        let key = self.graph.key();
        let name = format!("{}_grad", self.graph.read().name(id));
        self.graph.on_behalf_of(id, || {
            scoped(self.target, &name, |_| {
                let (graph, target, differentiate) = (self.graph, self.target, self.differentiate);
                let call = CallGradient { graph, target, id, node, grads, wanted, differentiate };
                if let Some(grads) = control::gradient(&call) {
                    return grads.unwrap_or_else(|failed| {
                        node.inputs.iter().map(|_| Some(failed.output(0))).collect()
                    });
                }
                let grads = match node.op.gradient {
                    Gradient::Rule(rule) => rule(cx),
                    Gradient::NotDifferentiable => return SmallVec::new(),
                    Gradient::Undefined => Err(GradientError::Undefined { op: node.op.name }),
                };
                let grads = match grads {
                    Ok(grads) => grads,
                    Err(error) => {
                        let target = Some(self.target.key());
                        let invalid = fail(target, "gradients", error, Vec::new()).output(0);
                        return node.inputs.iter().map(|_| Some(invalid)).collect();
                    }
                };
                if !node.op.broadcasts {
                    return grads;
                }
                let operand = |i: usize| Tensor::from(TensorRef::new(key, node.inputs[i]));
                // The last of several outputs has the shape that the inputs are broadcast to.
                let last = node.outputs.len().saturating_sub(1) as u32;
                let output = Tensor::from(TensorRef::new(key, TensorId::new(id, last)));
                let summed = |(i, grad): (usize, Option<TensorRef>)| {
                    grad.map(|grad| unbroadcast(grad.into(), operand(i), output, facts, i).into())
                };
                grads.into_iter().enumerate().map(summed).collect()
            })
        })
    }

    /// The sum of the contributions of all uses of a tensor.
    fn completed(&mut self, tensor: TensorId) -> Option<TensorRef> {
        let contributions = self.contributions.remove(&tensor)?;
        let sum = match contributions.as_slice() {
            [only] => *only,
            several => self.graph.on_behalf_of(tensor.node, || total(several).into()),
        };
        self.complete.insert(tensor, sum);
        Some(sum)
    }

    /// A description of the nodes at which paths end.
    pub(crate) fn cuts(&self) -> Vec<Cut> {
        let reader = self.graph.read();
        let describe = |&id: &NodeId| {
            let mut way = vec![id];
            while let Some(&previous) = way.last().and_then(|id| self.came_from.get(id)) {
                way.push(previous);
            }
            way.reverse();
            Cut {
                name: reader.name(id).to_owned(),
                op: reader.node(id).op.name,
                location: reader.location(id),
                way: way.into_iter().map(|id| reader.name(id).to_owned()).collect(),
            }
        };
        self.cuts.iter().map(describe).collect()
    }
}

/// The sum of several gradients; of slices, as slices.
fn total(grads: &[TensorRef]) -> Tensor {
    let tensors = || grads.iter().map(|&grad| Tensor::from(grad));
    let slices: Option<SmallVec<[IndexedSlices; 2]>> = tensors().map(IndexedSlices::of).collect();
    match slices.and_then(|slices| IndexedSlices::sum(&slices)) {
        Some(slices) => slices.to_dense(),
        None => add_n(tensors()),
    }
}

/// The nodes that values flow through on their way from the `xs` to the `ys`, ascending.
fn nodes_between(reader: &GraphReader<'_>, level: &Level) -> Vec<NodeId> {
    let Level { ys, xs, stops, .. } = level;
    // The gradient reaches a tensor in `stops`, but goes no further.
    let upstream = reader.ancestors(ys.iter().map(|(y, _)| y.node), |kind, tensor| {
        kind == EdgeKind::Data && (!stops.contains(&tensor) || xs.contains(&tensor))
    });
    let upstream: FxHashSet<NodeId> = upstream.into_iter().collect();
    let starts = xs.iter().map(|x| x.node).filter(|node| upstream.contains(node));
    reader.descendants(starts, |id| upstream.contains(&id))
}
