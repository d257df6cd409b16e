//! Detects a program that keeps adding nodes between runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_graph::{Graph, Location, NodeId};

/// The number of times a line may add nodes between runs before a warning.
const LIMIT: u32 = 32;
/// More new nodes than this between two runs mean that the graph is being built.
const BURST: usize = 4096;

/// Monitors the growth of a session's graph from run to run.
#[derive(Default)]
pub(crate) struct Growth {
    /// The number of nodes that the graph had at the last run; 0 before the first.
    seen: AtomicUsize,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    /// The number of times that each line added nodes between runs.
    grew: FxHashMap<Location, u32>,
    warned: bool,
}

impl Growth {
    /// Checks the graph before a run. Returns a warning, once, when a line keeps adding nodes.
    #[inline]
    pub(crate) fn check(&self, graph: &Graph) -> Option<String> {
        let len = graph.len();
        // A run on another thread may have seen more nodes.
        if len <= self.seen.load(Ordering::Relaxed) {
            return None;
        }
        let seen = self.seen.fetch_max(len, Ordering::Relaxed);
        let grew = seen > 0 && (seen + 1..=seen + BURST).contains(&len);
        if grew { self.look(graph, seen, len) } else { None }
    }

    #[cold]
    fn look(&self, graph: &Graph, seen: usize, len: usize) -> Option<String> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.warned {
            return None;
        }
        let reader = graph.read();
        let new = reader.nodes().map(|(id, _)| id).rev().take(len - seen);
        let new: FxHashSet<Location> = new.map(|id: NodeId| reader.location(id)).collect();
        let mut lines_at_limit = Vec::new();
        for line in new {
            let grew = lines.grew.entry(line).or_default();
            *grew += 1;
            if *grew == LIMIT {
                lines_at_limit.push(line);
            }
        }
        let line = lines_at_limit.into_iter().min_by_key(ToString::to_string)?;
        lines.warned = true;
        Some(format!(
            "warning: the graph keeps growing: nodes were added between runs {LIMIT} times\n  \
             --> {line}\n  help: make nodes before the loop that runs them; graph.finalize() makes \
             it an error"
        ))
    }
}
