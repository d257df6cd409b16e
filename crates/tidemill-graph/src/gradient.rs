use crate::{GradCx, GraphKey, Node, NodeId, NodeView, TensorId, TensorRef};

impl<'a> GradCx<'a> {
    /// The context for node `id`, given the gradients of its outputs; `None` if no output has one.
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

    /// The attributes of the node, and the facts known about its inputs and outputs.
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

    /// The gradient of the node's only output, or of the first output that has one.
    pub fn grad<T: From<TensorRef>>(&self) -> T {
        self.first_grad.into()
    }
}
