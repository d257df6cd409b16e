use tidemill_graph::{NodeId, Subgraph};

/// One kind of rewriting of a whole subgraph.
pub trait Pass: Sync {
    /// The name of the pass in reports.
    fn name(&self) -> &'static str;

    /// Rewrites a subgraph, and adds its changes to `rewrites`.
    fn run(&self, subgraph: Subgraph, rewrites: &mut Vec<Rewrite>) -> Subgraph;
}

/// A node that was rewritten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rewrite {
    /// The pass or rule.
    pub rule: &'static str,
    /// The node of the graph that was replaced.
    pub node: NodeId,
}
