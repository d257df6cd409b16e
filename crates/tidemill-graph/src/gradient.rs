use smallvec::SmallVec;

use crate::{GraphKey, Node, NodeId, NodeView, TensorId, TensorRef};

/// The gradients of a node's inputs, one for each; `None` where the outputs do not depend on
/// the input in a differentiable way.
pub type Grads = SmallVec<[Option<TensorRef>; 2]>;

/// A node whose gradient is being built: what a gradient rule works with.
///
/// The rule gives each gradient in the shape of the output's; where the operation stretches its
/// inputs, the gradient is summed back to the input's shape afterwards.
pub struct GradCx<'a> {
    graph: GraphKey,
    id: NodeId,
    node: &'a Node,
    view: NodeView<'a>,
    output_grads: &'a [Option<TensorRef>],
    first_grad: TensorRef,
}

impl<'a> GradCx<'a> {
    /// The gradient of node `id` given those of its outputs; `None` where no output has one.
    pub fn new(
        graph: GraphKey,
        id: NodeId,
        node: &'a Node,
        view: NodeView<'a>,
        output_grads: &'a [Option<TensorRef>],
    ) -> Option<Self> {
        let first_grad = output_grads.iter().copied().flatten().next()?;
        Some(GradCx { graph, id, node, view, output_grads, first_grad })
    }

    /// The attributes of the node, and what is known of its inputs and outputs.
    pub fn node(&self) -> &NodeView<'a> {
        &self.view
    }

    /// The number of inputs.
    pub fn input_count(&self) -> usize {
        self.node.inputs.len()
    }

    /// Input `i` of the node.
    pub fn input<T: From<TensorRef>>(&self, i: usize) -> T {
        TensorRef::new(self.graph, self.node.inputs[i]).into()
    }

    /// Output `i` of the node.
    pub fn output<T: From<TensorRef>>(&self, i: usize) -> T {
        TensorRef::new(self.graph, TensorId::new(self.id, i as u32)).into()
    }

    /// The gradient of output `i`, if there is one.
    pub fn grad_of<T: From<TensorRef>>(&self, i: usize) -> Option<T> {
        self.output_grads.get(i).copied().flatten().map(T::from)
    }

    /// The gradient of the only output of a node that has one, or of the first that has any.
    pub fn grad<T: From<TensorRef>>(&self) -> T {
        self.first_grad.into()
    }
}
