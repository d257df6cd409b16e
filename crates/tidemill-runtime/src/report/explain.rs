use std::fmt;

use tidemill_graph::GraphReader;
use tidemill_rewrite::Rewrite;

use crate::plan::step::{Plan, Step};

/// The plan of a run: its kernel calls in order, and the rewrites that led to it.
///
/// It prints one step per line: the name of the node and its type.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The kernel calls: the name of the node and the type of the operation. For several nodes
    /// computed in one call, this is the name of the last node, and the type is `Fused`. A `Check`
    /// call tests whether a later write will fail.
    pub steps: Vec<(String, &'static str)>,
    /// The number of constants that the run returns or that steps take.
    pub constants: usize,
    /// The number of slots for values.
    pub slots: usize,
    /// The rewrites: the rule that was applied, and the name of the node it was applied to.
    pub rewrites: Vec<(&'static str, String)>,
}

impl Explanation {
    pub(crate) fn new(graph: &GraphReader<'_>, plan: &Plan, rewrites: Vec<Rewrite>) -> Self {
        let step = |step: &Step| (graph.name(step.node).to_owned(), step.op(graph));
        Explanation {
            steps: plan.steps.iter().map(step).collect(),
            constants: plan.constants.len(),
            slots: plan.slots,
            rewrites: rewrites
                .into_iter()
                .map(|rewrite| (rewrite.rule, graph.name(rewrite.node).to_owned()))
                .collect(),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, op) in &self.steps {
            writeln!(f, "{name} = {op}")?;
        }
        for (rule, name) in &self.rewrites {
            writeln!(f, "rewritten: {name} by {rule}")?;
        }
        Ok(())
    }
}
