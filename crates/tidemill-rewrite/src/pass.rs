use tidemill_graph::Subgraph;

use crate::RewriteLog;

/// One kind of rewriting of a whole subgraph.
pub trait Pass: Sync {
    /// The name of the pass in reports.
    fn name(&self) -> &'static str;

    /// Rewrites a subgraph, and records its changes.
    fn run(&self, subgraph: Subgraph, log: &mut RewriteLog) -> Subgraph;
}
