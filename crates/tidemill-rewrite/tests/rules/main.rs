//! Each rule, on the text of a subgraph: the text before and after, and why it does not apply to
//! other subgraphs.

#![allow(clippy::panic)]

mod arithmetic;
mod edits;
mod layout;
mod packing;
mod passes;

use std::collections::BTreeSet;

use tidemill_graph::{NodeId, Subgraph};
use tidemill_ops::lookup;
use tidemill_rewrite::{Algebra, Cse, DeadNodes, Fold, Pack, Pass, RULES, RewriteLog};

/// A subgraph, and the names of its nodes.
struct Named {
    subgraph: Subgraph,
    names: Vec<String>,
}

impl Named {
    /// Reads a subgraph. The attributes of `_Feed` may be left out: they follow from its type.
    fn read(text: &str) -> Self {
        let lines = text.lines().map(with_attributes_of_feed);
        let text = lines.collect::<Vec<_>>().join("\n");
        let (subgraph, names) =
            Subgraph::from_text(&text, &lookup).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Named { subgraph, names }
    }

    /// The text that [`Named::read`] reads.
    fn text(&self) -> String {
        let text = self.subgraph.to_text(&|id: NodeId| self.names[id.index()].clone());
        let short = |line: &str| match line.split_once("_Feed()") {
            Some((definition, _)) => format!("{definition}_Feed()"),
            None => line.to_owned(),
        };
        text.lines().map(short).collect::<Vec<_>>().join("\n")
    }

    fn rewritten(self, pass: &dyn Pass, log: &mut RewriteLog) -> Self {
        let subgraph = pass.run(self.subgraph, log);
        assert_eq!(subgraph.verify(), Ok(()), "after {}", pass.name());
        Named { subgraph, ..self }
    }
}

fn with_attributes_of_feed(line: &str) -> String {
    let line = line.trim();
    let Some((stated, "_Feed()")) = line.split_once(" = ") else { return line.to_owned() };
    let fact = stated.split_once(": ").map_or("", |(_, fact)| fact);
    let (dtype, shape) = fact.split_at(fact.find('[').unwrap_or(fact.len()));
    format!("{line} dtype={dtype} shape={shape}")
}

/// The pass that makes the rewrites of a rule.
fn pass_of(rule: &str) -> &'static dyn Pass {
    const PASSES: [&dyn Pass; 4] = [&Fold, &Cse, &DeadNodes, &Pack];
    PASSES.into_iter().find(|pass| pass.name() == rule).unwrap_or(&Algebra)
}

/// Checks that a rule, applied once, turns one subgraph into another. Nodes that nothing needs any
/// more are left out.
#[track_caller]
fn check_becomes(rule: &str, before: &str, after: &str) {
    let mut log = RewriteLog::detailed();
    let named = Named::read(before).rewritten(pass_of(rule), &mut log);
    let rules: Vec<&str> = log.rewrites().iter().map(|rewrite| rewrite.rule).collect();
    let named = named.rewritten(&DeadNodes, &mut RewriteLog::counting());
    let after: Vec<&str> = after.lines().map(str::trim).collect();
    assert_eq!(named.text(), after.join("\n"));
    assert_eq!(rules, [rule]);
}

/// Checks that a rule does not apply to a subgraph, and no other rule does. The reasons for its
/// instructions are joined by semicolons.
#[track_caller]
fn check_stays(rule: &str, text: &str, reason: &str) {
    let mut log = RewriteLog::detailed();
    let before = Named::read(text).text();
    let after = Named::read(text).rewritten(pass_of(rule), &mut log).text();
    let reasons: Vec<&str> =
        log.refusals().filter(|(of, ..)| *of == rule).map(|(_, why_not, _)| why_not.0).collect();
    assert_eq!((after, reasons.join("; ")), (before, reason.to_owned()));
}

/// Tests of rules: for each, a subgraph before and after, and subgraphs to which it does not apply,
/// with the reason.
macro_rules! rules {
    ($($test:ident: $rule:literal
        $before:literal becomes $after:literal;
        $($other:literal stays $reason:literal;)*
    )*) => {
        /// The rules that are tested here.
        pub(crate) const TESTED: &[&str] = &[$($rule),*];

        $(#[test]
        fn $test() {
            crate::check_becomes($rule, $before, $after);
            $(crate::check_stays($rule, $other, $reason);)*
        })*
    };
}
pub(crate) use rules;

#[test]
fn every_rule_is_tested() {
    let passes: [&dyn Pass; 3] = [&Fold, &Cse, &DeadNodes];
    let rules = RULES.iter().copied().flatten().map(|rule| rule.name);
    let expected: BTreeSet<&str> = rules.chain(passes.iter().map(|pass| pass.name())).collect();
    let tested = [arithmetic::TESTED, layout::TESTED, passes::TESTED];
    let tested: BTreeSet<&str> = tested.into_iter().flatten().copied().collect();
    assert_eq!(tested, expected);
}
