use std::sync::RwLockReadGuard;

use smallvec::SmallVec;

use crate::dag::Edge;
use crate::diagnosis::PoisonTable;
use crate::model::State;
use crate::notes::Slices;
use crate::variable::VariableRecord;
use crate::{Fact, GraphKey, Item, Location, Node, NodeId, NodeNote, TensorId};

/// The kind of a reference from a node to one of its inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EdgeKind {
    /// It takes the value of an output.
    Data,
    /// It runs after it.
    Control,
    /// It writes the variable that the other node names. The variable's node need not be evaluated
    /// for it.
    Target,
}

impl From<Edge> for EdgeKind {
    fn from(edge: Edge) -> Self {
        match edge {
            Edge::Data { .. } => EdgeKind::Data,
            Edge::Control => EdgeKind::Control,
            Edge::Target => EdgeKind::Target,
        }
    }
}

/// A view of a graph at one moment.
pub struct GraphReader<'a> {
    key: GraphKey,
    state: RwLockReadGuard<'a, State>,
}

impl<'a> GraphReader<'a> {
    pub(crate) fn new(key: GraphKey, state: RwLockReadGuard<'a, State>) -> Self {
        GraphReader { key, state }
    }

    /// The key of the graph.
    pub fn key(&self) -> GraphKey {
        self.key
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.state.dag.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The nodes, in creation order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> {
        self.state.dag.nodes()
    }

    /// A node of this graph.
    pub fn node(&self, id: NodeId) -> &Node {
        self.state.dag.node(id)
    }

    /// A node, if this graph has one with that number.
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.state.dag.get(id)
    }

    /// The facts known about a tensor of this graph.
    pub fn fact(&self, tensor: TensorId) -> Option<&Fact> {
        self.get(tensor.node)?.outputs.get(tensor.slot as usize)
    }

    /// The facts known about the inputs of a node.
    pub fn input_facts(&self, node: &Node) -> SmallVec<[Fact; 4]> {
        node.inputs
            .iter()
            .map(|input| self.node(input.node).outputs[input.slot as usize].clone())
            .collect()
    }

    /// The name of a node.
    pub fn name(&self, id: NodeId) -> &str {
        self.state.names.name(id)
    }

    /// The name of a tensor, such as `add:0`.
    pub fn tensor_name(&self, tensor: TensorId) -> String {
        format!("{}:{}", self.name(tensor.node), tensor.slot)
    }

    /// The node with that name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.state.names.find(name)
    }

    /// For a name that no node has: the node with the most similar name, if one is similar enough.
    pub fn near(&self, name: &str) -> Option<&str> {
        nearest_name(name, self.state.names.names())
    }

    /// The line that created a node, or for a node of a gradient, the node that it derives from.
    pub fn location(&self, id: NodeId) -> Location {
        self.state.locations[id.index()]
    }

    /// The node on whose behalf a node was built, for nodes of gradients and updates.
    pub fn origin(&self, id: NodeId) -> Option<NodeId> {
        self.state.origins.get(&id).copied()
    }

    /// The slices whose sum is this tensor, if that was recorded. A stand-in for the tensor has no
    /// slices.
    pub fn slices(&self, tensor: TensorId) -> Option<Slices> {
        self.state.slices.get(&self.state.current(tensor)).copied()
    }

    /// The nodes that refer to a node, each with the kind of its reference, in creation order.
    pub fn consumers(&self, id: NodeId) -> impl Iterator<Item = (NodeId, EdgeKind)> {
        self.state.dag.consumers(id).into_iter().map(|(node, edge)| (node, edge.into()))
    }

    /// The nodes that take the value of a tensor, in creation order.
    pub fn tensor_consumers(&self, tensor: TensorId) -> Vec<NodeId> {
        let takes = |(node, edge): (NodeId, Edge)| match edge {
            Edge::Data { slot } if slot == tensor.slot => Some(node),
            Edge::Target => Some(node),
            _ => None,
        };
        let mut consumers: Vec<_> =
            self.state.dag.consumers(tensor.node).into_iter().filter_map(takes).collect();
        consumers.dedup();
        consumers
    }

    /// Whether any node refers to a node.
    pub fn has_consumers(&self, id: NodeId) -> bool {
        self.state.dag.has_consumers(id)
    }

    /// The nodes from which `roots` can be reached, including `roots`, in creation order. `follow`
    /// decides whether to continue from a node to an input; for a data edge it gets the input's
    /// output number.
    pub fn ancestors(
        &self,
        roots: impl IntoIterator<Item = NodeId>,
        follow: impl Fn(EdgeKind, TensorId) -> bool,
    ) -> Vec<NodeId> {
        self.state.dag.ancestors(roots, |source, edge| {
            let slot = if let Edge::Data { slot } = edge { slot } else { 0 };
            follow(edge.into(), TensorId::new(source, slot))
        })
    }

    /// Of the nodes that `within` admits, those that values from `roots` flow into, including
    /// `roots`, in creation order.
    pub fn descendants(
        &self,
        roots: impl IntoIterator<Item = NodeId>,
        within: impl Fn(NodeId) -> bool,
    ) -> Vec<NodeId> {
        self.state.dag.descendants(roots, within)
    }

    /// The variables, in creation order.
    pub fn variables(&self) -> &[VariableRecord] {
        self.state.variables.records()
    }

    /// The variable that a node names.
    pub fn variable(&self, id: NodeId) -> Option<&VariableRecord> {
        self.state.variables.of_node(self.state.variables.shared(id))
    }

    /// The node of the variable that a tensor names, directly or as the output of an operation that
    /// writes it. If several nodes share a variable, it is the first.
    pub fn variable_of(&self, tensor: TensorId) -> Option<NodeId> {
        self.state.variable_of(tensor)
    }

    /// Whether a write may leave a variable with another shape than its declared one.
    pub fn is_reshaped(&self, variable: NodeId) -> bool {
        self.state.variables.is_reshaped(self.state.variables.shared(variable))
    }

    /// The variable that was added under that name.
    pub fn find_variable(&self, name: &str) -> Option<&VariableRecord> {
        self.state.variables.named(name)
    }

    /// The items of a collection.
    pub fn collection(&self, name: &str) -> &[Item] {
        self.state.collections.get(name).map_or(&[], Vec::as_slice)
    }

    /// The names of the collections, in alphabetical order, with their items.
    pub fn collections(&self) -> impl Iterator<Item = (&str, &[Item])> {
        self.state.collections.iter().map(|(name, items)| (name.as_str(), items.as_slice()))
    }

    /// The nodes of the variables that a node writes, each with the input that names it.
    pub fn written_by(&self, id: NodeId) -> SmallVec<[(usize, NodeId); 1]> {
        self.state.written_by(id)
    }

    /// The first node in the chain of extensions that contains `node`.
    pub fn extension_origin(&self, node: NodeId) -> NodeId {
        self.state.extensions.origin(node)
    }

    /// The last node in the chain of extensions that contains `node`.
    pub fn latest_extension(&self, node: NodeId) -> NodeId {
        self.state.extensions.latest(node)
    }

    /// The nodes that extend others, in no particular order.
    pub fn extensions(&self) -> impl Iterator<Item = NodeId> {
        self.state.extensions.nodes()
    }

    /// The parts of a file's node that the runtime does not use.
    pub fn node_note(&self, id: NodeId) -> Option<&NodeNote> {
        self.state.node_notes.get(&id)
    }

    /// The parts of a file's graph that the runtime does not use, by name.
    pub fn note(&self, name: &str) -> Option<&[u8]> {
        self.state.notes.get(name).map(Vec::as_slice)
    }

    /// The graph's seed, if it was set.
    pub fn seed(&self) -> Option<i64> {
        self.state.seed
    }

    /// The line that finalized the graph.
    pub fn finalized(&self) -> Option<Location> {
        self.state.finalized
    }

    pub(crate) fn poison(&self) -> &PoisonTable {
        &self.state.poison
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }
}

/// The most similar of `names` to `name`, if one is similar enough. Case does not count.
pub fn nearest_name<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    const SIMILAR: f64 = 0.6;
    let wanted = name.to_ascii_lowercase();
    let scored = names.map(|near| {
        let known = near.to_ascii_lowercase();
        let tail = known.rsplit('/').next().unwrap_or(&known);
        let score = strsim::jaro_winkler(&wanted, &known).max(strsim::jaro_winkler(&wanted, tail));
        (strsim::normalized_damerau_levenshtein(&wanted, &known).max(score - 0.2), near)
    });
    let best = scored.max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.filter(|(score, _)| *score >= SIMILAR).map(|(_, near)| near)
}
