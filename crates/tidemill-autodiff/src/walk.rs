use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use tidemill_graph::{
    BuildErrorKind, EdgeKind, Fact, GradCx, Gradient, GradientError, Graph, GraphKey, GraphReader,
    Location, Node, NodeId, NodeView, OpError, OperationRef, Referent, TensorId, TensorRef,
    adopted, at_location, default_graph, fail, scoped,
};
use tidemill_ops::{IndexedSlices, Tensor, add_n, ones_like, zeros_like};
use tidemill_value::DType;

use crate::control::{self, Call};
use crate::unbroadcast::unbroadcast;

/// How [`gradients_with`] differentiates.
#[derive(Clone, Debug, Default)]
pub struct GradientOptions {
    /// The gradient of each of the `ys`; ones where it is `None`, or where the list ends.
    pub grad_ys: Vec<Option<Tensor>>,
    /// Tensors to take as constant.
    pub stop_gradients: Vec<Tensor>,
    /// The gradient where no way that has a derivative leads from an `x` to the `ys`.
    pub unconnected_gradients: UnconnectedGradients,
}

/// The gradient with respect to what the `ys` do not depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UnconnectedGradients {
    /// There is none.
    #[default]
    None,
    /// Zeros of the type and shape of the `x`.
    Zero,
}

/// The gradients of the sum of `ys` with respect to each of `xs`: tensors or variables.
///
/// They are added to the graph as nodes, so they can be fetched, used, and differentiated
/// again. A gradient is `None` where no way that has a derivative leads from the `x` to the
/// `ys`. Each has the type and shape of its `x`. That of a table that rows are gathered from is a
/// sum of [`IndexedSlices`].
///
/// # Errors
/// The handles are invalid where an operation on the way has no gradient defined, or where the
/// `ys` are not floats. A list of tensors has gradients too, lists themselves, but as one of the
/// `ys` it needs one to begin with.
#[track_caller]
pub fn gradients<Y: Into<Tensor>, X: Into<TensorRef>>(
    ys: impl IntoIterator<Item = Y>,
    xs: impl IntoIterator<Item = X>,
) -> Vec<Option<Tensor>> {
    gradients_with(ys, xs, GradientOptions::default())
}

/// [`gradients`], with gradients of the `ys` to begin with, and tensors to take as constant.
#[track_caller]
pub fn gradients_with<Y: Into<Tensor>, X: Into<TensorRef>>(
    ys: impl IntoIterator<Item = Y>,
    xs: impl IntoIterator<Item = X>,
    options: GradientOptions,
) -> Vec<Option<Tensor>> {
    differentiate(ys, xs, options).gradients
}

/// What differentiation gives.
#[derive(Clone, Debug)]
pub struct Differentiation {
    /// The gradient with respect to each of the `xs`.
    pub gradients: Vec<Option<Tensor>>,
    /// The nodes at which ways from the `ys` to the `xs` end without a derivative, the nearest
    /// to the `ys` first.
    pub cuts: Vec<Cut>,
}

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

/// [`gradients_with`], which also tells where ways end.
#[track_caller]
pub fn differentiate<Y: Into<Tensor>, X: Into<TensorRef>>(
    ys: impl IntoIterator<Item = Y>,
    xs: impl IntoIterator<Item = X>,
    options: GradientOptions,
) -> Differentiation {
    let location = Location::caller();
    let ys: Vec<Tensor> = ys.into_iter().map(Into::into).collect();
    let xs: Vec<TensorRef> = xs.into_iter().map(Into::into).collect();
    at_location(location, || {
        let graph = ys.first().and_then(|y| y.graph()).unwrap_or_else(default_graph);
        // Inside a body, the gradient is that of what stands there for an `x` from outside.
        let xs: Vec<TensorRef> = xs.iter().map(|&x| adopted(&graph, x)).collect();
        match Walk::new(&graph, &ys, &xs, &options) {
            Ok(walk) => scoped(&graph, "gradients", |_| {
                let mut result = walk.run(&ys, &xs, &options);
                if options.unconnected_gradients == UnconnectedGradients::Zero {
                    for (gradient, &x) in result.gradients.iter_mut().zip(&xs) {
                        gradient.get_or_insert_with(|| zeros_of(&graph, x));
                    }
                }
                result
            }),
            Err(invalid) => Differentiation {
                gradients: xs.iter().map(|_| Some(invalid)).collect(),
                cuts: Vec::new(),
            },
        }
    })
}

/// A differentiation under way.
struct Walk<'a> {
    graph: &'a Graph,
    /// The nodes on ways from the `xs` to the `ys`, ascending, with what is known of their
    /// inputs.
    between: Vec<(NodeId, Node, SmallVec<[Fact; 4]>)>,
    members: FxHashSet<NodeId>,
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
    ///
    /// # Errors
    /// An invalid handle, where one is given, or graphs mix, or a `y` is not a float.
    fn new(
        graph: &'a Graph,
        ys: &[Tensor],
        xs: &[TensorRef],
        options: &GradientOptions,
    ) -> Result<Self, Tensor> {
        let ys = ids(graph, ys.iter().map(|&y| y.into()))?;
        let xs = ids(graph, xs.iter().copied())?;
        let grad_ys = options.grad_ys.iter().flatten().map(|&grad| grad.into());
        ids(graph, grad_ys)?;
        let stops: FxHashSet<TensorId> =
            ids(graph, options.stop_gradients.iter().map(|&stop| stop.into()))?
                .into_iter()
                .collect();
        let reader = graph.read();
        let is_given = |i: usize| options.grad_ys.get(i).is_some_and(Option::is_some);
        let not_float = ys.iter().enumerate().find(|&(i, y)| {
            reader.fact(*y).is_some_and(|fact| match fact.dtype {
                DType::Variant => !is_given(i),
                dtype => !dtype.is_float(),
            })
        });
        if let Some((_, &y)) = not_float {
            let message = format!(
                "`{}` is {}, but only floats have gradients",
                reader.tensor_name(y),
                reader.node(y.node).outputs[y.slot as usize].dtype,
            );
            drop(reader);
            return Err(invalid(graph.key(), OpError::Invalid(message).into()));
        }
        let between = nodes_between(&reader, &ys, &xs, &stops);
        let members = between.iter().copied().collect();
        let node = |id| (id, reader.node(id).clone(), reader.input_facts(reader.node(id)));
        let between = between.into_iter().map(node).collect();
        drop(reader);
        Ok(Walk {
            graph,
            between,
            members,
            contributions: FxHashMap::default(),
            complete: FxHashMap::default(),
            came_from: FxHashMap::default(),
            cuts: Vec::new(),
        })
    }

    fn run(
        mut self,
        ys: &[Tensor],
        xs: &[TensorRef],
        options: &GradientOptions,
    ) -> Differentiation {
        for (i, &y) in ys.iter().enumerate() {
            let given = options.grad_ys.get(i).copied().flatten();
            let grad = given.unwrap_or_else(|| ones_like(y));
            self.contribute(TensorRef::from(y).id().ok(), grad);
        }
        let stops: FxHashSet<TensorId> = options
            .stop_gradients
            .iter()
            .filter_map(|&stop| TensorRef::from(stop).id().ok())
            .collect();
        for (id, node, facts) in std::mem::take(&mut self.between).into_iter().rev() {
            self.backward(id, &node, &facts, &stops);
        }
        let gradient = |x: &TensorRef| x.id().ok().and_then(|id| self.complete.get(&id));
        let gradients = xs.iter().map(|x| gradient(x).map(|&grad| grad.into())).collect();
        Differentiation { gradients, cuts: self.describe_cuts() }
    }

    /// Completes the gradients of a node's outputs, and passes them on to its inputs.
    fn backward(&mut self, id: NodeId, node: &Node, facts: &[Fact], stops: &FxHashSet<TensorId>) {
        let slots = 0..node.outputs.len() as u32;
        let output_grads: SmallVec<[Option<TensorRef>; 2]> =
            slots.map(|slot| self.completed(TensorId::new(id, slot))).collect();
        let leads_on =
            |input: &TensorId| self.members.contains(&input.node) && !stops.contains(input);
        if !node.inputs.iter().any(leads_on) {
            return;
        }
        let view = NodeView::new(node.op, &node.attrs, facts, &node.outputs);
        let Some(cx) = GradCx::new(self.graph.key(), id, node, view, &output_grads) else { return };
        let wanted: SmallVec<[bool; 4]> = node
            .inputs
            .iter()
            .zip(facts)
            .map(|(input, fact)| leads_on(input) && fact.dtype.is_differentiable())
            .collect();
        let grads = self.apply_rule(id, node, facts, (&cx, &output_grads, &wanted));
        let mut is_cut = false;
        for (i, &input) in node.inputs.iter().enumerate() {
            if !self.members.contains(&input.node) || stops.contains(&input) {
                continue;
            }
            let grad =
                grads.get(i).copied().flatten().filter(|_| facts[i].dtype.is_differentiable());
            let Some(grad) = grad else {
                is_cut = true;
                continue;
            };
            self.came_from.entry(input.node).or_insert(id);
            self.contribute(Some(input), grad.into());
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
            scoped(self.graph, &name, |_| {
                let call = Call { graph: self.graph, id, node, grads, wanted };
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
                        let invalid = TensorRef::from(invalid(key, error.into()));
                        return node.inputs.iter().map(|_| Some(invalid)).collect();
                    }
                };
                if !node.op.broadcasts {
                    return grads;
                }
                let operand = |i: usize| Tensor::from(TensorRef::new(key, node.inputs[i]));
                // Of several outputs, the last has the shape that the inputs are stretched to.
                let last = node.outputs.len().saturating_sub(1) as u32;
                let output = Tensor::from(TensorRef::new(key, TensorId::new(id, last)));
                let summed = |(i, grad): (usize, Option<TensorRef>)| {
                    grad.map(|grad| unbroadcast(grad.into(), operand(i), output, facts, i).into())
                };
                grads.into_iter().enumerate().map(summed).collect()
            })
        })
    }

    fn contribute(&mut self, tensor: Option<TensorId>, grad: Tensor) {
        if let Some(tensor) = tensor {
            self.contributions.entry(tensor).or_default().push(grad.into());
        }
    }

    /// The sum of what all uses of a tensor contribute.
    fn completed(&mut self, tensor: TensorId) -> Option<TensorRef> {
        let contributions = self.contributions.remove(&tensor)?;
        let sum = match contributions.as_slice() {
            [only] => *only,
            several => self.graph.on_behalf_of(tensor.node, || total(several).into()),
        };
        self.complete.insert(tensor, sum);
        Some(sum)
    }

    fn describe_cuts(&self) -> Vec<Cut> {
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

/// Zeros of the type and shape of a tensor, or of the value of a variable.
fn zeros_of(graph: &Graph, x: TensorRef) -> Tensor {
    let record = x.id().ok().and_then(|id| graph.read().variable(id.node).cloned());
    let value = record.map_or(x, |record| TensorRef::new(graph.key(), record.read));
    zeros_like(Tensor::from(value))
}

/// The nodes that values flow through on their way from the `xs` to the `ys`, ascending.
fn nodes_between(
    reader: &GraphReader<'_>,
    ys: &[TensorId],
    xs: &[TensorId],
    stops: &FxHashSet<TensorId>,
) -> Vec<NodeId> {
    let upstream = reader.ancestors(ys.iter().map(|y| y.node), |kind, tensor| {
        kind == EdgeKind::Data && !stops.contains(&tensor)
    });
    let upstream: FxHashSet<NodeId> = upstream.into_iter().collect();
    let starts = xs.iter().map(|x| x.node).filter(|node| upstream.contains(node));
    reader.descendants(starts, |id| upstream.contains(&id))
}

/// The tensors behind handles of `graph`.
///
/// # Errors
/// The handle that is invalid, or one that says that the graphs differ.
fn ids(graph: &Graph, tensors: impl Iterator<Item = TensorRef>) -> Result<Vec<TensorId>, Tensor> {
    tensors
        .map(|tensor| match tensor.operation().referent() {
            Referent::Poison(_) => Err(tensor.into()),
            Referent::Node(_) if tensor.graph() != graph.key() => {
                let (left, right) = (graph.key(), tensor.graph());
                Err(invalid(left, BuildErrorKind::ForeignGraph { left, right }))
            }
            Referent::Node(node) => Ok(TensorId::new(node, tensor.slot())),
        })
        .collect()
}

fn invalid(graph: GraphKey, kind: BuildErrorKind) -> Tensor {
    let operation: OperationRef = fail(Some(graph), "gradients", kind, Vec::new());
    operation.output(0).into()
}
