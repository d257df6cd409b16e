use tidemill_graph::{NodeId, Subgraph};

/// One kind of rewriting of a whole subgraph.
pub trait Pass: Sync {
    /// What reports call it.
    fn name(&self) -> &'static str;

    /// Rewrites a subgraph, and adds what it did to `rewrites`.
    fn run(&self, subgraph: Subgraph, rewrites: &mut Vec<Rewrite>) -> Subgraph;
}

/// Something that was rewritten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rewrite {
    /// The pass or rule.
    pub rule: &'static str,
    /// The node of the graph that was replaced.
    pub node: NodeId,
}
