//! The state that a session keeps for the nodes of its graph.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use tidemill_graph::NodeId;
use tidemill_value::Value;

use crate::run::store::Store;

/// The variables of a session, its counts of random draws, and those of prints.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) store: Store<Value>,
    /// The cells of variables, and of nodes that draw random numbers.
    cells: Mutex<FxHashMap<NodeId, u32>>,
    prints: Mutex<FxHashMap<u64, u64>>,
}

impl State {
    /// The cell of a node, which is created if there is none.
    pub(crate) fn cell(&self, node: NodeId) -> u32 {
        *lock(&self.cells).entry(node).or_insert_with(|| self.store.add())
    }

    /// The nodes that have cells, and the cells, in the order of the cells.
    pub(crate) fn cells(&self) -> Vec<(NodeId, u32)> {
        let mut cells: Vec<(NodeId, u32)> =
            lock(&self.cells).iter().map(|(&node, &cell)| (node, cell)).collect();
        cells.sort_unstable_by_key(|&(_, cell)| cell);
        cells
    }

    /// Whether a variable has a value.
    pub(crate) fn is_initialized(&self, variable: NodeId) -> bool {
        let cell = lock(&self.cells).get(&variable).copied();
        cell.is_some_and(|cell| self.store.get(cell).is_some())
    }

    /// The number of earlier calls with this key.
    pub(crate) fn count_print(&self, key: u64) -> u64 {
        let mut prints = lock(&self.prints);
        let count = prints.entry(key).or_default();
        *count += 1;
        *count - 1
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
