use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, EdgeFiltered, EdgeRef, NodeFiltered, Reversed, VisitMap, Visitable};

use crate::NodeId;
use crate::chunked::Chunked;

/// The way in which one node refers to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edge {
    /// The value of an output.
    Data { slot: u32 },
    /// Only the order.
    Control,
    /// The variable to write. Evaluation does not follow this edge.
    Target,
}

/// Nodes and the edges between them, append-only.
///
/// The input lists of the nodes are the authority; the adjacency repeats them for walks.
#[derive(Clone)]
pub(crate) struct Dag<N> {
    nodes: Chunked<N>,
    adjacency: DiGraph<(), Edge, u32>,
}

impl<N> Default for Dag<N> {
    fn default() -> Self {
        Dag { nodes: Chunked::default(), adjacency: DiGraph::default() }
    }
}

impl<N> Dag<N> {
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &N)> {
        (0..self.len()).map(|i| (NodeId::new(i), &self.nodes[i]))
    }

    pub(crate) fn node(&self, id: NodeId) -> &N {
        &self.nodes[id.index()]
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&N> {
        self.nodes.get(id.index())
    }

    /// Appends a node, with its edges from nodes that were appended before.
    pub(crate) fn push(
        &mut self,
        node: N,
        edges: impl IntoIterator<Item = (NodeId, Edge)>,
    ) -> NodeId {
        let id = NodeId::new(self.nodes.len());
        let index = self.adjacency.add_node(());
        for (source, edge) in edges {
            self.adjacency.add_edge(node_index(source), index, edge);
        }
        self.nodes.push(node);
        id
    }

    /// Removes the node that was appended last.
    pub(crate) fn pop(&mut self) {
        if self.nodes.pop().is_some() {
            self.adjacency.remove_node(NodeIndex::new(self.nodes.len()));
        }
    }

    /// The nodes that refer to `id`, with their references, in the order in which they were added.
    pub(crate) fn consumers(&self, id: NodeId) -> Vec<(NodeId, Edge)> {
        let edges = self.adjacency.edges_directed(node_index(id), Direction::Outgoing);
        let mut consumers: Vec<_> =
            edges.map(|edge| (NodeId::new(edge.target().index()), *edge.weight())).collect();
        consumers.reverse();
        consumers
    }

    /// Whether any node refers to `id`.
    pub(crate) fn has_consumers(&self, id: NodeId) -> bool {
        self.adjacency.edges_directed(node_index(id), Direction::Outgoing).next().is_some()
    }

    /// The nodes from which `roots` can be reached over the edges that `follow` admits, including
    /// `roots`, in ascending order.
    pub(crate) fn ancestors(
        &self,
        roots: impl IntoIterator<Item = NodeId>,
        follow: impl Fn(NodeId, Edge) -> bool,
    ) -> Vec<NodeId> {
        let admitted = EdgeFiltered::from_fn(&self.adjacency, |edge| {
            follow(NodeId::new(edge.source().index()), *edge.weight())
        });
        let reversed = Reversed(&admitted);
        let mut dfs = Dfs::from_parts(Vec::new(), self.adjacency.visit_map());
        let mut found = Vec::new();
        for root in roots {
            if !dfs.discovered.is_visited(&node_index(root)) {
                dfs.move_to(node_index(root));
                while let Some(index) = dfs.next(reversed) {
                    found.push(NodeId::new(index.index()));
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// Of the nodes that `within` admits, those that can be reached from `roots` over data edges,
    /// including `roots`, in ascending order.
    pub(crate) fn descendants(
        &self,
        roots: impl IntoIterator<Item = NodeId>,
        within: impl Fn(NodeId) -> bool,
    ) -> Vec<NodeId> {
        let data = EdgeFiltered::from_fn(&self.adjacency, |edge| {
            matches!(edge.weight(), Edge::Data { .. })
        });
        let admitted = NodeFiltered::from_fn(&data, |index| within(NodeId::new(index.index())));
        let mut dfs = Dfs::from_parts(Vec::new(), self.adjacency.visit_map());
        let mut found = Vec::new();
        for root in roots {
            if !dfs.discovered.is_visited(&node_index(root)) {
                dfs.move_to(node_index(root));
                while let Some(index) = dfs.next(&admitted) {
                    found.push(NodeId::new(index.index()));
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// The list of the nodes.
    pub(crate) fn storage(&self) -> &Chunked<N> {
        &self.nodes
    }

    pub(crate) fn adjacency(&self) -> &DiGraph<(), Edge, u32> {
        &self.adjacency
    }
}

fn node_index(id: NodeId) -> NodeIndex<u32> {
    NodeIndex::new(id.index())
}
