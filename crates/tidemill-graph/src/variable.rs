use std::fmt;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_value::ByteString;

use crate::{GraphKey, NodeId, OperationRef, Referent, TensorId, TensorRef};

/// A variable: the nodes that TensorFlow creates for one.
#[derive(Clone, Debug)]
pub struct VariableRecord {
    /// The node that names the variable.
    pub node: NodeId,
    /// The initial value, and the node that assigns it. An imported graph may lack them.
    pub start: Option<(TensorId, NodeId)>,
    /// The shared read of its value, or its own node if there is no read.
    pub read: TensorId,
    /// Whether optimizers train it.
    pub trainable: bool,
    /// Whether a run uses its initial value if it has no value.
    pub self_starting: bool,
    /// The constraint that optimizers apply to its new values.
    pub constraint: Option<Constraint>,
}

/// A function that maps a variable's new value, as a node, to an allowed value.
#[derive(Clone)]
pub struct Constraint(Arc<dyn Fn(TensorRef) -> TensorRef + Send + Sync>);

impl Constraint {
    /// The constraint whose nodes `build` adds.
    pub fn new(build: impl Fn(TensorRef) -> TensorRef + Send + Sync + 'static) -> Self {
        Constraint(Arc::new(build))
    }

    /// Adds the nodes for a value.
    pub fn apply(&self, value: TensorRef) -> TensorRef {
        (self.0)(value)
    }
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Constraint")
    }
}

impl VariableRecord {
    /// The node that gives the variable its initial value.
    pub fn initializer(&self) -> Option<NodeId> {
        self.start.map(|(_, initializer)| initializer)
    }
}

/// The properties that nodes naming the same variable share: the operation, and the attributes
/// `container` and `shared_name`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SharedName {
    pub(crate) op: &'static str,
    pub(crate) container: ByteString,
    pub(crate) name: ByteString,
}

impl fmt::Display for SharedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.name, f)
    }
}

/// The variables of a graph.
#[derive(Clone, Default)]
pub(crate) struct Variables {
    /// The first node of each shared name.
    sharing: FxHashMap<SharedName, NodeId>,
    /// For other nodes that name the variable of another node, that node.
    shared: FxHashMap<NodeId, NodeId>,
    records: Vec<VariableRecord>,
    by_node: FxHashMap<NodeId, usize>,
    by_name: FxHashMap<String, usize>,
    /// The variables that a write may leave with another shape than the declared one.
    reshaped: FxHashSet<NodeId>,
}

impl Variables {
    /// The node that stands for the variable that `node` names, if it names one.
    pub(crate) fn shared(&self, node: NodeId) -> NodeId {
        self.shared.get(&node).copied().unwrap_or(node)
    }

    /// The first node of a shared name.
    pub(crate) fn sharing(&self, name: &SharedName) -> Option<NodeId> {
        self.sharing.get(name).copied()
    }

    /// Notes that a node has a shared name.
    pub(crate) fn share(&mut self, name: SharedName, node: NodeId) {
        let first = *self.sharing.entry(name).or_insert(node);
        if first != node {
            self.shared.insert(node, first);
        }
    }

    /// Notes that a write may leave a variable with another shape than the declared one; returns
    /// true if that is new.
    pub(crate) fn note_reshaped(&mut self, variable: NodeId) -> bool {
        self.reshaped.insert(variable)
    }

    /// True if a write may leave any variable with another shape than the declared one.
    pub(crate) fn any_reshaped(&self) -> bool {
        !self.reshaped.is_empty()
    }

    /// Whether a write may leave a variable with another shape than the declared one.
    pub(crate) fn is_reshaped(&self, variable: NodeId) -> bool {
        self.reshaped.contains(&variable)
    }

    pub(crate) fn records(&self) -> &[VariableRecord] {
        &self.records
    }

    pub(crate) fn of_node(&self, id: NodeId) -> Option<&VariableRecord> {
        self.by_node.get(&id).map(|&i| &self.records[i])
    }

    pub(crate) fn named(&self, name: &str) -> Option<&VariableRecord> {
        self.by_name.get(name).map(|&i| &self.records[i])
    }

    /// Forgets the variables whose nodes `is_kept` does not admit.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(NodeId) -> bool) {
        self.sharing.retain(|_, node| is_kept(*node));
        self.shared.retain(|node, _| is_kept(*node));
        let is_record_kept = |record: &VariableRecord| is_kept(record.node);
        let kept = self.records.iter().take_while(|record| is_record_kept(record)).count();
        // Records stand in the order in which they were added.
        self.records.truncate(kept);
        self.by_node.retain(|_, i| *i < kept);
        self.by_name.retain(|_, i| *i < kept);
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

impl Item {
    /// The node that it is, or is an output of.
    pub(crate) fn node(self) -> NodeId {
        match self {
            Item::Tensor(tensor) => tensor.node,
            Item::Operation(node) => node,
        }
    }
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
    /// The item of the handle, if it is in the graph of that key.
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
