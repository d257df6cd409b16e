use std::fmt;

use tidemill_graph::GraphReader;
use tidemill_rewrite::Rewrite;

use crate::plan::step::{Plan, Step};

/// What a run does: its kernel calls in order, and what was rewritten to get there.
///
/// It prints as one step a line: the name of the node and its type.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The kernel calls: name of the node and type of the operation. Of several nodes that are
    /// computed in one call, it is the last name, and the type is `Fused`; `Check` is a call that
    /// tells whether a write which comes later will fail.
    pub steps: Vec<(String, &'static str)>,
    /// How many values the run returns without computing them, or that steps take: constants.
    pub constants: usize,
    /// The number of values that a run holds at once.
    pub slots: usize,
    /// What was rewritten: what was done, and the name of the node it was done to.
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
