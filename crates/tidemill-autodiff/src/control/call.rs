//! A node that runs bodies, and the nodes that its gradient adds.

use std::sync::Arc;

use smallvec::SmallVec;
use tidemill_graph::{
    Body, BuildErrorKind, Fact, Graph, Node, NodeBuilder, NodeId, OperationRef, Referent, Role,
    TensorId, TensorRef, fail, without_control_dependencies,
};
use tidemill_ops::ops::resource::READ_VARIABLE;
use tidemill_ops::{Tensor, constant, zeros_like};
use tidemill_value::{DType, Value};

/// A node that runs bodies, and the gradients of its outputs.
pub(crate) struct CallGradient<'a> {
    /// The graph of the node.
    pub(crate) graph: &'a Graph,
    /// The graph that the gradients are added to: the same one, or a body inside it.
    pub(crate) target: &'a Graph,
    pub(crate) id: NodeId,
    pub(crate) node: &'a Node,
    pub(crate) grads: &'a [Option<TensorRef>],
    /// For each input, whether its gradient is wanted.
    pub(crate) wanted: &'a [bool],
    /// Differentiates a body of the node.
    pub(crate) differentiate: Differentiate,
}

/// The gradients of some tensors, which have these gradients, with respect to others. The walk that finds
/// a node with bodies hands it down, because a body is differentiated by a walk of its own.
pub(crate) type Differentiate =
    fn(&[Tensor], &[Option<Tensor>], &[TensorRef]) -> Vec<Option<Tensor>>;

/// The error of a missing gradient: the handle to return in its place.
pub(crate) type Failed = OperationRef;

impl CallGradient<'_> {
    /// Input `i` of the node.
    pub(super) fn input(&self, i: usize) -> TensorRef {
        TensorRef::new(self.graph.key(), self.node.inputs[i])
    }

    /// Zeros of the shape and type of input `i`; if it is the handle of a variable, of its value.
    pub(super) fn zeros_like_input(&self, i: usize) -> TensorRef {
        let input = self.input(i);
        let fact = Tensor::from(input).fact().filter(|fact| fact.role == Role::Handle);
        match fact {
            Some(fact) if fact.shape.is_known() => zeros(None, &fact).into(),
            Some(_) => {
                let value = NodeBuilder::new(&READ_VARIABLE).input(input).build().output(0);
                zeros_like(Tensor::from(value)).into()
            }
            None => zeros_like(Tensor::from(input)).into(),
        }
    }

    /// The latest node that extends this one, or it itself.
    pub(super) fn latest(&self) -> (NodeId, Node) {
        let reader = self.graph.read();
        let id = reader.latest_extension(self.id);
        (id, reader.node(id).clone())
    }

    /// Adds a node that extends the latest one by these inputs and bodies.
    pub(super) fn extend(
        &self,
        latest: &Node,
        inputs: &[TensorRef],
        bodies: Vec<Arc<Body>>,
    ) -> Result<OperationRef, Failed> {
        let key = self.graph.key();
        let own = latest.inputs.iter().map(|&input| TensorRef::new(key, input));
        let inputs: Vec<TensorRef> = own.chain(inputs.iter().copied()).collect();
        let controls = latest.control_inputs.iter();
        let controls = controls.map(|&id| OperationRef::new(key, Referent::Node(id)));
        let builder = NodeBuilder::with_bodies(latest, &inputs, bodies).graph(key);
        let builder = controls.fold(builder, NodeBuilder::control);
        let name = self.graph.read().name(self.id).to_owned();
        let name = name.rsplit('/').next().unwrap_or(&name).to_owned();
        let node = without_control_dependencies(key, || builder.name(name).build());
        match node.referent() {
            Referent::Node(id) => {
                self.graph.extend_node(self.id, id);
                Ok(node)
            }
            Referent::Poison(_) => Err(node),
        }
    }

    /// Adds a node of the same type that runs these bodies.
    pub(super) fn node(
        &self,
        inputs: &[TensorRef],
        bodies: Vec<Arc<Body>>,
    ) -> Result<OperationRef, Failed> {
        let builder = NodeBuilder::with_bodies(self.node, inputs, bodies).graph(self.target.key());
        let node = builder.build();
        match node.referent() {
            Referent::Node(_) => Ok(node),
            Referent::Poison(_) => Err(node),
        }
    }

    pub(super) fn fail(&self, kind: impl Into<BuildErrorKind>) -> Failed {
        fail(Some(self.target.key()), "gradients", kind, Vec::new())
    }
}

/// The bodies of a node.
pub(super) fn bodies_of(node: &Node) -> SmallVec<[&Body; 2]> {
    node.bodies().collect()
}

/// Zeros in the shape of a tensor, or of one known only by this fact.
pub(super) fn zeros(like: Option<&TensorRef>, fact: &Fact) -> Tensor {
    match (fact.shape.known(), like) {
        (Some(shape), _) if fact.dtype != DType::Variant => match Value::zeros(fact.dtype, shape) {
            Ok(zeros) => constant(zeros),
            Err(_) => constant(0.0_f32),
        },
        (_, Some(&like)) => zeros_like(Tensor::from(like)),
        (_, None) => constant(0.0_f32),
    }
}

/// The handle of a tensor of a graph.
pub(super) fn tensor_in(graph: &Graph, tensor: TensorId) -> TensorRef {
    TensorRef::new(graph.key(), tensor)
}
