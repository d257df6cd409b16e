//! Removes nodes that were added by a call that then failed.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::model::State;
use crate::{Graph, GraphKey, NodeId};

thread_local! {
    /// The graph of the innermost [`Graph::all_or_nothing`] of this thread, and the number of nodes
    /// that the thread has added to it since.
    static ADDED: Cell<Option<(GraphKey, usize)>> = const { Cell::new(None) };
}

/// Counts a node that this thread has added to a graph.
pub(crate) fn count_added(graph: GraphKey) {
    if let Some((counted, added)) = ADDED.get()
        && counted == graph
    {
        ADDED.set(Some((graph, added + 1)));
    }
}

/// The contents of a graph at some time.
struct Mark {
    nodes: usize,
    names: usize,
    collections: BTreeMap<String, usize>,
    notes: BTreeMap<&'static str, Vec<u8>>,
}

impl Mark {
    fn of(state: &State) -> Mark {
        let length = |(name, items): (&String, &Vec<_>)| (name.clone(), items.len());
        Mark {
            nodes: state.dag.len(),
            names: state.names.taken_count(),
            collections: state.collections.iter().map(length).collect(),
            notes: state.notes.clone(),
        }
    }

    fn restore(self, state: &mut State) {
        let is_kept = |node: NodeId| node.index() < self.nodes;
        while state.dag.len() > self.nodes {
            state.dag.pop();
            state.locations.pop();
        }
        state.names.truncate(self.nodes, self.names);
        state.origins.retain(|node, _| is_kept(*node));
        state.node_notes.retain(|node, _| is_kept(*node));
        state.variables.retain(is_kept);
        state.collections.retain(|name, items| {
            items.retain(|item| is_kept(item.node()));
            self.collections.contains_key(name) || !items.is_empty()
        });
        state.notes = self.notes;
    }
}

impl Graph {
    /// Calls `add`, and if it fails, removes everything this thread has added to the graph
    /// meanwhile: nodes with their names, variables, members of collections and notes.
    ///
    /// `add` must not return or store handles of nodes before it succeeds. If another thread has
    /// added nodes at the same time, which may refer to these, all of them stay.
    ///
    /// # Errors
    /// The error of `add`.
    pub fn all_or_nothing<T, E>(&self, add: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let mark = Mark::of(self.read().state());
        let before = mark.nodes;
        let outer = ADDED.replace(Some((self.key(), 0)));
        let result = add();
        let added = ADDED.replace(outer).map_or(0, |(_, added)| added);
        if result.is_err() {
            let mut state = self.write();
            if state.dag.len() == before + added {
                mark.restore(&mut state);
                return result;
            }
        }
        (0..added).for_each(|_| count_added(self.key()));
        result
    }
}
