use std::collections::BTreeMap;

use tidemill_graph::NodeId;

/// The reason for which a rule does not apply to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WhyNot(pub &'static str);

/// A node to which a rule was applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rewrite {
    /// The rule, or the pass.
    pub rule: &'static str,
    /// The node of the graph.
    pub node: NodeId,
}

/// A record of rewriting: the number of rewrites and, if it was asked for, each of them, and the
/// reasons of the rules that did not apply.
#[derive(Clone, Debug, Default)]
pub struct RewriteLog {
    count: usize,
    details: Option<Details>,
}

#[derive(Clone, Debug, Default)]
struct Details {
    rewrites: Vec<Rewrite>,
    refusals: Refusals,
}

/// How often rules did not apply, by rule and reason.
pub(crate) type Refusals = BTreeMap<(&'static str, &'static str), usize>;

impl RewriteLog {
    /// A log that only counts.
    pub fn counting() -> Self {
        RewriteLog::default()
    }

    /// A log that keeps every rewrite, and counts the refusals.
    pub fn detailed() -> Self {
        RewriteLog { count: 0, details: Some(Details::default()) }
    }

    /// The number of rewrites.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The rewrites, in order, if the log keeps them.
    pub fn rewrites(&self) -> &[Rewrite] {
        self.details.as_ref().map_or(&[], |details| &details.rewrites)
    }

    /// The number of nodes of its operation to which each rule did not apply, and why, if the log
    /// keeps that. A pipeline counts them in the last round of each subgraph.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, WhyNot, usize)> {
        let refusals = self.details.iter().flat_map(|details| &details.refusals);
        refusals.map(|(&(rule, reason), &times)| (rule, WhyNot(reason), times))
    }

    /// Records that a rule was applied to a node.
    pub(crate) fn applied(&mut self, rule: &'static str, node: NodeId) {
        self.count += 1;
        if let Some(details) = &mut self.details {
            details.rewrites.push(Rewrite { rule, node });
        }
    }

    /// Records that a rule did not apply.
    #[inline]
    pub(crate) fn refused(&mut self, rule: &'static str, WhyNot(reason): WhyNot) {
        if let Some(details) = &mut self.details {
            *details.refusals.entry((rule, reason)).or_default() += 1;
        }
    }

    /// Takes the refusals out of the log.
    pub(crate) fn take_refusals(&mut self) -> Refusals {
        self.details
            .as_mut()
            .map(|details| std::mem::take(&mut details.refusals))
            .unwrap_or_default()
    }

    /// Puts refusals back.
    pub(crate) fn add_refusals(&mut self, refusals: Refusals) {
        let Some(details) = &mut self.details else { return };
        for (refusal, times) in refusals {
            *details.refusals.entry(refusal).or_default() += times;
        }
    }

    /// Records the rewrites that `inside` makes in a region as those of `node`, which runs it.
    pub(crate) fn within<R>(&mut self, node: NodeId, inside: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.rewrites().len();
        let result = inside(self);
        if let Some(details) = &mut self.details {
            details.rewrites[before..].iter_mut().for_each(|rewrite| rewrite.node = node);
        }
        result
    }
}
