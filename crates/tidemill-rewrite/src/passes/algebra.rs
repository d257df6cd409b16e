use smallvec::smallvec;
use tidemill_graph::Subgraph;

use crate::rules::rules_of;
use crate::{Pass, RewriteLog, sweep};

/// Replaces nodes by the algebraic [rules](crate::RULES).
pub struct Algebra;

impl Pass for Algebra {
    fn name(&self) -> &'static str {
        "algebra"
    }

    fn run(&self, subgraph: Subgraph, log: &mut RewriteLog) -> Subgraph {
        sweep(subgraph, log, |edit| {
            let rules = rules_of(edit.instr().op).iter();
            for rule in rules {
                if edit.apply(rule.name, |edit| Ok(smallvec![(rule.apply)(edit)?])) {
                    break;
                }
            }
        })
    }
}
