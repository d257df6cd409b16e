use crate::rules::rules_for;
use crate::{Pass, Replacement, Rewrite, sweep};
use tidemill_graph::Subgraph;

/// Replaces nodes by the algebraic [rules](crate::RULES).
pub struct Algebra;

impl Pass for Algebra {
    fn name(&self) -> &'static str {
        "algebra"
    }

    fn run(&self, subgraph: Subgraph, rewrites: &mut Vec<Rewrite>) -> Subgraph {
        sweep(subgraph, rewrites, |edit| {
            let op = edit.node().op;
            rules_for(op.name).find_map(|rule| {
                let output = (rule.apply)(edit)?;
                Some(Replacement { rule: rule.name, outputs: [output].into_iter().collect() })
            })
        })
    }
}
