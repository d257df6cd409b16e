use rustc_hash::FxHashMap;

use crate::{GraphKey, NodeId, OperationRef, Referent, TensorId, TensorRef};

/// A variable: the nodes that TensorFlow makes for one.
#[derive(Clone, Debug)]
pub struct VariableRecord {
    /// The node that names the variable.
    pub node: NodeId,
    /// The value it starts with.
    pub initial_value: TensorId,
    /// The node that assigns that value.
    pub initializer: NodeId,
    /// Its value, as everything that uses the variable reads it.
    pub read: TensorId,
    /// Whether optimizers change it.
    pub trainable: bool,
}

/// The variables of a graph.
#[derive(Default)]
pub(crate) struct Variables {
    records: Vec<VariableRecord>,
    by_node: FxHashMap<NodeId, usize>,
    by_name: FxHashMap<String, usize>,
}

impl Variables {
    pub(crate) fn records(&self) -> &[VariableRecord] {
        &self.records
    }

    pub(crate) fn of_node(&self, id: NodeId) -> Option<&VariableRecord> {
        self.by_node.get(&id).map(|&i| &self.records[i])
    }

    pub(crate) fn named(&self, name: &str) -> Option<&VariableRecord> {
        self.by_name.get(name).map(|&i| &self.records[i])
    }

    pub(crate) fn add(&mut self, name: &str, record: VariableRecord) {
        self.by_node.insert(record.node, self.records.len());
        self.by_name.insert(name.to_owned(), self.records.len());
        self.records.push(record);
    }
}

/// Something in a collection of a graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    /// A tensor.
    Tensor(TensorId),
    /// An operation; for a variable, the node that names it.
    Operation(NodeId),
}

/// A handle to something that can be in a collection.
#[derive(Clone, Copy, Debug)]
pub enum Member {
    /// A tensor.
    Tensor(TensorRef),
    /// An operation; for a variable, the node that names it.
    Operation(OperationRef),
}

impl Member {
    /// What the handle refers to, if it is in the graph of that key.
    pub(crate) fn item_of(self, graph: GraphKey) -> Option<Item> {
        match self {
            Member::Tensor(tensor) if tensor.graph() == graph => tensor.id().ok().map(Item::Tensor),
            Member::Operation(operation) if operation.graph() == graph => {
                match operation.referent() {
                    Referent::Node(node) => Some(Item::Operation(node)),
                    Referent::Poison(_) => None,
                }
            }
            _ => None,
        }
    }
}

impl From<TensorRef> for Member {
    fn from(tensor: TensorRef) -> Self {
        Member::Tensor(tensor)
    }
}

impl From<OperationRef> for Member {
    fn from(operation: OperationRef) -> Self {
        Member::Operation(operation)
    }
}
