//! The values that a session keeps from one run to the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rustc_hash::FxHashMap;
use tidemill_graph::NodeId;
use tidemill_value::Value;

/// The value of a variable, or none before it is initialized.
pub(crate) type Cell = RwLock<Option<Value>>;
/// How often a node that draws random numbers has run.
pub(crate) type Counter = Mutex<u64>;

/// The variables of a session, and its counts of random draws.
#[derive(Default)]
pub(crate) struct Store {
    cells: RwLock<FxHashMap<NodeId, Arc<Cell>>>,
    counters: Mutex<FxHashMap<NodeId, Arc<Counter>>>,
    prints: Mutex<FxHashMap<NodeId, u64>>,
}

impl Store {
    /// The cell of a variable, which is made if there is none.
    pub(crate) fn cell(&self, variable: NodeId) -> Arc<Cell> {
        if let Some(cell) = self.read_cells().get(&variable) {
            return Arc::clone(cell);
        }
        let mut cells = self.cells.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(variable).or_default())
    }

    /// Whether a variable has a value.
    pub(crate) fn is_initialized(&self, variable: NodeId) -> bool {
        self.read_cells().get(&variable).is_some_and(|cell| read(cell).is_some())
    }

    fn read_cells(&self) -> RwLockReadGuard<'_, FxHashMap<NodeId, Arc<Cell>>> {
        self.cells.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counter of a node, which is made if there is none.
    pub(crate) fn counter(&self, node: NodeId) -> Arc<Counter> {
        Arc::clone(lock(&self.counters).entry(node).or_default())
    }

    /// How often this was asked about a node before.
    pub(crate) fn count_print(&self, node: NodeId) -> u64 {
        let mut prints = lock(&self.prints);
        let count = prints.entry(node).or_default();
        *count += 1;
        *count - 1
    }

    /// Forgets all values.
    pub(crate) fn clear(&self) {
        for cell in self.read_cells().values() {
            *write(cell) = None;
        }
    }
}

// A run that panics leaves no value half written, so that a poisoned lock is as good as any.

pub(crate) fn read(cell: &Cell) -> RwLockReadGuard<'_, Option<Value>> {
    cell.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write(cell: &Cell) -> RwLockWriteGuard<'_, Option<Value>> {
    cell.write().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
