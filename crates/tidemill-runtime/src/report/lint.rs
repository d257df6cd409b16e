//! Warnings about likely mistakes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashSet;
use tidemill_graph::{Effect, GraphReader, NodeId};

use crate::lower::signature::Signature;
use crate::plan::step::{Plan, PlannedVariable, Step};
use crate::report::describe;
use crate::report::error::Remedy;
use crate::session::state::State;

/// Warns, once, of variables that are initialized although they have a value.
#[derive(Default)]
pub(crate) struct Overwriting {
    warned: AtomicBool,
}

impl Overwriting {
    /// The variables that a run will initialize although they have a value, unless a warning was
    /// already given.
    #[inline]
    pub(crate) fn look(&self, plan: &Plan, state: &State) -> Vec<NodeId> {
        if !plan.initializes || self.warned.load(Ordering::Relaxed) {
            return Vec::new();
        }
        initialized(plan).filter(|&node| state.is_initialized(node)).collect()
    }

    #[cold]
    pub(crate) fn warn(&self, graph: &GraphReader<'_>, variables: &[NodeId]) -> Option<String> {
        if self.warned.swap(true, Ordering::Relaxed) {
            return None;
        }
        let shown = variables.iter().take(3).map(|&node| format!("`{}`", graph.name(node)));
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = match variables.len() {
            0..=3 => String::new(),
            count => format!(" and {} more", count - 3),
        };
        Some(format!(
            "warning: variables that had a value were initialized again: {shown}{more}\n  help: \
             session.init_missing() initializes only those without"
        ))
    }
}

fn initialized(plan: &Plan) -> impl Iterator<Item = NodeId> {
    let initialized = plan.variables.iter().filter(|v: &&PlannedVariable| v.usage.initialized);
    initialized.map(|variable| variable.usage.node)
}

/// A warning if a plan initializes variables by an operation that is older than a variable without
/// a value that no operation initializes.
pub(crate) fn early_initializer(
    graph: &GraphReader<'_>,
    signature: &Signature,
    plan: &Plan,
    state: &State,
) -> Option<String> {
    let made = signature.roots().max().filter(|_| plan.initializes)?;
    let covered: FxHashSet<NodeId> = initialized(plan).collect();
    let waiting = graph.variables().iter().filter(|record| !record.self_starting);
    let later = waiting.map(|record| record.node).find(|&variable| {
        variable > made && !covered.contains(&variable) && !state.is_initialized(variable)
    })?;
    let Remedy::MadeTooEarly(init) = describe::remedy(graph, later) else { return None };
    let late = describe::site(graph, later);
    Some(format!(
        "warning: `{}` ({}) was made before the variable `{}`, and leaves it out\n  --> {}\n  help: \
         make the initializer after all variables, or call session.init_missing()",
        init.name, init.location, late.name, late.location
    ))
}

/// The prints and assertions of a graph that no run of a session has reached.
#[derive(Default)]
pub(crate) struct Onlookers(Mutex<Unreached>);

#[derive(Default)]
struct Unreached {
    /// The number of nodes of the graph that have been examined.
    seen: usize,
    /// Each of them, and whether a run computed one of its inputs.
    nodes: BTreeMap<NodeId, bool>,
}

impl Onlookers {
    /// Examines the nodes that a new plan computes.
    pub(crate) fn look(&self, graph: &GraphReader<'_>, signature: &Signature, plan: &Plan) {
        let mut unreached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Unreached { seen, nodes } = &mut *unreached;
        let new = graph.nodes().rev().take(graph.len() - *seen);
        let onlookers =
            new.filter(|(_, node)| matches!(node.op.effect, Effect::Print | Effect::Assert));
        nodes.extend(onlookers.map(|(id, _)| (id, false)));
        *seen = graph.len();
        if nodes.is_empty() {
            return;
        }
        let steps = plan.steps.iter().flat_map(Step::nodes);
        let fed = signature.feeds.iter().map(|feed| feed.node);
        let computed: FxHashSet<NodeId> = steps.copied().chain(fed).collect();
        nodes.retain(|node, is_near| {
            let mut inputs = graph.node(*node).inputs.iter();
            *is_near |= inputs.any(|input| computed.contains(&input.node));
            !computed.contains(node)
        });
    }

    /// Warnings about those whose inputs were computed, at the end of a session.
    pub(crate) fn warnings(&self, graph: &GraphReader<'_>) -> Vec<String> {
        let mut unreached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nodes = std::mem::take(&mut unreached.nodes).into_iter();
        let near = nodes.filter(|(_, is_near)| *is_near).map(|(node, _)| {
            let site = describe::site(graph, node);
            format!(
                "warning: `{}` never ran: no run needed it\n  --> {}\n  help: use its output, call \
                 print_on(..), or tie it in by control_dependencies",
                site.name, site.location
            )
        });
        near.collect()
    }
}
