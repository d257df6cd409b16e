use tidemill_graph::{
    EdgeKind, Graph, GraphReader, Item, NodeBuilder, NodeId, OperationRef, Referent, TensorRef,
};
use tidemill_ops::ops::control::NO_OP;
use tidemill_ops::{Operation, Tensor};

/// The collection of the operations that each training step runs along with an optimizer's updates,
/// such as the updates of batch normalization's moving averages.
pub const UPDATE_OPS: &str = "update_ops";

/// The operations that [`minimize`](crate::Optimizer::minimize) runs along with the updates of
/// variables.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum UpdateOps {
    /// The operations of the collection [`UPDATE_OPS`] that depend on a computed result that the
    /// loss also depends on. Constants, placeholders and variables are not computed results.
    #[default]
    OfLoss,
    /// These operations; the list may be empty.
    These(Vec<Operation>),
}

/// One operation that runs a training step and its update operations.
pub(crate) fn with_updates(train: Operation, loss: Tensor, updates: &UpdateOps) -> Operation {
    let updates = match updates {
        UpdateOps::OfLoss => loss.graph().map(|graph| updates_of(&graph, loss)).unwrap_or_default(),
        UpdateOps::These(updates) => updates.clone(),
    };
    if updates.is_empty() || train.is_invalid() {
        return train;
    }
    let group = NodeBuilder::new(&NO_OP).name("train_op").control(train.into());
    updates.into_iter().fold(group, |group, update| group.control(update.into())).build().into()
}

fn updates_of(graph: &Graph, loss: Tensor) -> Vec<Operation> {
    let Ok(loss) = TensorRef::from(loss).id() else { return Vec::new() };
    let reader = graph.read();
    let data = |kind: EdgeKind, _| kind == EdgeKind::Data;
    let path = reader.ancestors([loss.node], data);
    let is_shared = |id: &NodeId| path.binary_search(id).is_ok() && is_result(&reader, *id);
    let updates = reader.collection(UPDATE_OPS).iter().map(|item| match item {
        Item::Operation(node) => *node,
        Item::Tensor(tensor) => tensor.node,
    });
    let belongs = |update: &NodeId| reader.ancestors([*update], data).iter().any(is_shared);
    let operation = |node| OperationRef::new(graph.key(), Referent::Node(node)).into();
    updates.filter(belongs).map(operation).collect()
}

/// True if a node computes something from more than variables.
fn is_result(reader: &GraphReader<'_>, id: NodeId) -> bool {
    reader.node(id).inputs.iter().any(|input| reader.variable_of(*input).is_none())
}
