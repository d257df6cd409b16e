use petgraph::dot::{Config, Dot};
use petgraph::visit::EdgeRef;

use crate::dag::Edge;
use crate::{Graph, NodeId, TensorId};

impl Graph {
    /// The graph in the DOT language of Graphviz.
    ///
    /// Nodes are labelled with their name and operation. Edges that carry a value are solid and
    /// labelled with its known dtype and shape, control edges are dotted, and edges from a variable
    /// to the nodes that write it are dashed.
    pub fn to_dot(&self) -> String {
        let reader = self.read();
        let adjacency = reader.state().dag.adjacency();
        let node_attributes = |_, (index, _): (petgraph::graph::NodeIndex<u32>, _)| {
            let id = NodeId::new(index.index());
            let label = [reader.name(id), reader.node(id).op.name].map(escape).join("\\n");
            format!("label = \"{label}\" ")
        };
        let edge_attributes = |_, edge: petgraph::graph::EdgeReference<'_, Edge, u32>| {
            let source = NodeId::new(edge.source().index());
            match *edge.weight() {
                Edge::Data { slot } => {
                    let fact = reader.fact(TensorId::new(source, slot));
                    fact.map_or(String::new(), |fact| {
                        format!("label = \"{}\" ", escape(&fact.to_string()))
                    })
                }
                Edge::Control => "style = dotted ".to_owned(),
                Edge::Target => "style = dashed ".to_owned(),
            }
        };
        let config = [Config::NodeNoLabel, Config::EdgeNoLabel];
        let dot = Dot::with_attr_getters(adjacency, &config, &edge_attributes, &node_attributes);
        format!("{dot:?}")
    }
}

/// Escapes characters that end a string in the DOT language, or have a meaning in one.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
