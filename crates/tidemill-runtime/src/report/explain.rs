use std::collections::BTreeMap;
use std::fmt;

use tidemill_graph::{GraphReader, Location};
use tidemill_rewrite::RewriteLog;

use crate::plan::step::{Plan, Step};

/// The plan of a run: its kernel calls in order, and the rewrites that led to it.
///
/// It prints one step per line, the name of the node and its type; then one rewrite per line; then,
/// for each rule, the number of rewrites and the lines of the program whose nodes it rewrote.
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
    /// The rules that were tried: first those that were applied, in the order in which that first
    /// happened, then the others by name.
    pub rules: Vec<RuleReport>,
}

/// The effect of a rewriting rule, or of a pass, on one plan.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleReport {
    /// The rule.
    pub rule: &'static str,
    /// The lines of the program that made the nodes it was applied to, each with the number of
    /// rewrites there, ordered by the first rewrite on each line.
    pub lines: Vec<(Location, usize)>,
    /// Why it was not applied to the remaining nodes of its operation: each reason, with the
    /// number of nodes.
    pub refusals: Vec<(&'static str, usize)>,
}

impl RuleReport {
    fn new(rule: &'static str) -> Self {
        RuleReport { rule, lines: Vec::new(), refusals: Vec::new() }
    }

    /// The number of rewrites.
    pub fn count(&self) -> usize {
        self.lines.iter().map(|(_, times)| times).sum()
    }
}

impl fmt::Display for RuleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.count())?;
        for (i, (line, times)) in self.lines.iter().enumerate() {
            write!(f, "{} {line}", if i == 0 { ", at" } else { "," })?;
            if *times > 1 {
                write!(f, " (x{times})")?;
            }
        }
        Ok(())
    }
}

impl Explanation {
    pub(crate) fn new(graph: &GraphReader<'_>, plan: &Plan) -> Self {
        let step = |step: &Step| (graph.name(step.node).to_owned(), step.op(graph));
        let rewrites = plan.rewrites.rewrites().iter();
        Explanation {
            steps: plan.steps.iter().map(step).collect(),
            constants: plan.constants.len(),
            slots: plan.slots,
            rewrites: rewrites
                .map(|rewrite| (rewrite.rule, graph.name(rewrite.node).to_owned()))
                .collect(),
            rules: reports(graph, &plan.rewrites),
        }
    }
}

fn reports(graph: &GraphReader<'_>, log: &RewriteLog) -> Vec<RuleReport> {
    let mut reports: Vec<RuleReport> = Vec::new();
    let mut positions: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut position_of = |rule, reports: &mut Vec<RuleReport>| {
        *positions.entry(rule).or_insert_with(|| {
            reports.push(RuleReport::new(rule));
            reports.len() - 1
        })
    };
    let mut lines: BTreeMap<(usize, Location), usize> = BTreeMap::new();
    for rewrite in log.rewrites() {
        let report = position_of(rewrite.rule, &mut reports);
        let location = graph.location(rewrite.node);
        let of_rule = &mut reports[report].lines;
        let line = *lines.entry((report, location)).or_insert_with(|| {
            of_rule.push((location, 0));
            of_rule.len() - 1
        });
        of_rule[line].1 += 1;
    }
    for (rule, why_not, times) in log.refusals() {
        let report = position_of(rule, &mut reports);
        reports[report].refusals.push((why_not.0, times));
    }
    reports
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, op) in &self.steps {
            writeln!(f, "{name} = {op}")?;
        }
        for (rule, name) in &self.rewrites {
            writeln!(f, "rewritten: {name} by {rule}")?;
        }
        for report in self.rules.iter().filter(|report| report.count() > 0) {
            writeln!(f, "{report}")?;
        }
        Ok(())
    }
}
