use std::fmt;

/// The number of a node in its graph. Nodes are numbered from zero in creation order, so a node's
/// inputs have smaller numbers than the node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    /// The first node.
    pub const FIRST: NodeId = NodeId(0);

    /// The maximum number of nodes in a graph.
    pub const LIMIT: usize = NodeRef::POISON as usize;

    pub(crate) fn new(index: usize) -> Self {
        debug_assert!(index < NodeId::LIMIT);
        NodeId(index as u32)
    }

    /// The creation number as an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node{}", self.0)
    }
}

/// One output of a node of a known graph.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorId {
    /// The node.
    pub node: NodeId,
    /// The number of the node's output.
    pub slot: u32,
}

impl TensorId {
    /// Output `slot` of `node`.
    pub const fn new(node: NodeId, slot: u32) -> Self {
        TensorId { node, slot }
    }
}

impl fmt::Debug for TensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.node, self.slot)
    }
}

/// Identifies the graph that a handle belongs to. When a graph is dropped, its slot in the
/// process's table is reused with the next generation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GraphKey {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl GraphKey {
    /// The key of no graph, for handles derived from handles whose graph no longer exists.
    pub const NOWHERE: GraphKey = GraphKey { index: u32::MAX, generation: 0 };
}

impl fmt::Display for GraphKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.index, self.generation) {
            (u32::MAX, _) => f.write_str("no graph"),
            (index, 0) => write!(f, "graph {index}"),
            (index, generation) => write!(f, "graph {index}.{generation}"),
        }
    }
}

/// The number of a failed builder call in its graph's list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PoisonId(pub(crate) u32);

/// The referent of a handle: a node, or a failed builder call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Referent {
    /// A node of the graph.
    Node(NodeId),
    /// A call that made no node; its diagnosis is in the graph's list.
    Poison(PoisonId),
}

/// A [`Referent`] in 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct NodeRef(u32);

impl NodeRef {
    const POISON: u32 = 1 << 31;

    const fn get(self) -> Referent {
        if self.0 & NodeRef::POISON == 0 {
            Referent::Node(NodeId(self.0))
        } else {
            Referent::Poison(PoisonId(self.0 & !NodeRef::POISON))
        }
    }
}

impl From<Referent> for NodeRef {
    fn from(referent: Referent) -> Self {
        match referent {
            Referent::Node(NodeId(index)) => NodeRef(index),
            Referent::Poison(PoisonId(index)) => NodeRef(index | NodeRef::POISON),
        }
    }
}

/// A reference to a node from outside its graph. The `Operation` handle wraps it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OperationRef {
    graph: GraphKey,
    node: NodeRef,
}

impl OperationRef {
    /// A reference to `referent` in the graph of key `graph`.
    pub fn new(graph: GraphKey, referent: Referent) -> Self {
        OperationRef { graph, node: referent.into() }
    }

    /// The key of the graph.
    pub const fn graph(self) -> GraphKey {
        self.graph
    }

    /// The node, or the failed call.
    pub const fn referent(self) -> Referent {
        self.node.get()
    }

    /// A reference to output `slot`.
    pub const fn output(self, slot: u32) -> TensorRef {
        TensorRef { operation: self, slot }
    }
}

/// A reference to one output of a node from outside its graph. The `Tensor` handle wraps it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TensorRef {
    operation: OperationRef,
    slot: u32,
}

impl TensorRef {
    /// A reference to `tensor` in the graph of key `graph`.
    pub fn new(graph: GraphKey, tensor: TensorId) -> Self {
        OperationRef::new(graph, Referent::Node(tensor.node)).output(tensor.slot)
    }

    /// The key of the graph.
    pub const fn graph(self) -> GraphKey {
        self.operation.graph
    }

    /// The node that has this output.
    pub const fn operation(self) -> OperationRef {
        self.operation
    }

    /// The number of the node's output.
    pub const fn slot(self) -> u32 {
        self.slot
    }

    /// The output within its graph, or the failed call in its place.
    pub fn id(self) -> Result<TensorId, PoisonId> {
        match self.operation.referent() {
            Referent::Node(node) => Ok(TensorId::new(node, self.slot)),
            Referent::Poison(poison) => Err(poison),
        }
    }
}
