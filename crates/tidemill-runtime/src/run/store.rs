//! The values that a session keeps between runs, and the locks on them.
//!
//! From start to end, a run that writes holds the variables that it writes exclusively, and those
//! that it reads shared. A read-only run takes the values at its start and holds no lock: all
//! writes of a run become visible at once, so the values are a consistent state.

use std::sync::PoisonError;
use std::time::Duration;

use crate::sync::{Condvar, Mutex, MutexGuard};

/// The use of a cell by a run: whether it reads the cell at its start, and whether it writes it.
/// Uses are in the order of the cells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub(crate) cell: u32,
    pub(crate) written: bool,
}

/// Cells with a value or none, shared by the runs of a session.
#[derive(Debug)]
pub(crate) struct Store<V> {
    cells: Mutex<Cells<V>>,
    /// Notified when a run releases cells.
    freed: Condvar,
}

#[derive(Debug)]
struct Cells<V> {
    cells: Vec<Cell<V>>,
    /// The number of waiting runs.
    waiting: usize,
}

#[derive(Debug)]
struct Cell<V> {
    value: Option<V>,
    /// A run holds it in order to write it.
    written: bool,
    /// The number of runs writing other cells that rely on its value.
    relied_on: u32,
    /// The number of runs that wait for it, which come before those that ask later.
    awaited: u32,
    /// The run that holds it has taken the value, to overwrite it in place.
    taken: bool,
}

/// The interval at which a waiting run checks for cancellation.
const PATIENCE: Duration = Duration::from_millis(5);

impl<V> Default for Store<V> {
    fn default() -> Self {
        let cells = Cells { cells: Vec::new(), waiting: 0 };
        Store { cells: Mutex::new(cells), freed: Condvar::new() }
    }
}

impl<V> Cell<V> {
    fn new() -> Self {
        Cell { value: None, written: false, relied_on: 0, awaited: 0, taken: false }
    }
}

impl<V: Clone> Store<V> {
    /// A new cell without a value.
    pub(crate) fn add(&self) -> u32 {
        let mut cells = self.lock();
        cells.cells.push(Cell::new());
        cells.cells.len() as u32 - 1
    }

    /// The value of a cell, if it has one.
    pub(crate) fn get(&self, cell: u32) -> Option<V> {
        self.lock().cells[cell as usize].value.clone()
    }

    /// Forgets all values.
    pub(crate) fn clear(&self) {
        self.lock().cells.iter_mut().for_each(|cell| cell.value = None);
    }

    /// Waits until a run may use its cells, and passes each value at its start to `take`, with its
    /// place in `uses`.
    ///
    /// While the run waits, `give_up` is called from time to time with the longest time to wait; if
    /// it returns true, the run gives up and holds nothing.
    pub(crate) fn begin<'a>(
        &'a self,
        uses: &'a [Use],
        mut take: impl FnMut(usize, Option<&V>),
        give_up: impl FnMut() -> bool,
    ) -> Option<Held<'a, V>> {
        if uses.is_empty() {
            return Some(Held { store: self, uses });
        }
        let writes = uses.iter().any(|used| used.written);
        let mut cells = self.wait(uses, writes, give_up)?;
        for (i, used) in uses.iter().enumerate() {
            let cell = &mut cells.cells[used.cell as usize];
            take(i, cell.value.as_ref());
            match used.written {
                true => cell.written = true,
                false if writes => cell.relied_on += 1,
                false => {}
            }
        }
        let uses = if writes { uses } else { &[] };
        Some(Held { store: self, uses })
    }

    fn wait(
        &self,
        uses: &[Use],
        writes: bool,
        mut give_up: impl FnMut() -> bool,
    ) -> Option<MutexGuard<'_, Cells<V>>> {
        let mut cells = self.lock();
        if cells.are_free(uses, writes, true) {
            return Some(cells);
        }
        cells.await_all(uses, true);
        let mut waits = true;
        while waits && !cells.are_free(uses, writes, false) {
            cells = self.sleep(cells);
            waits = !give_up();
        }
        cells.await_all(uses, false);
        // Runs that came later may have waited for this run alone.
        self.notify(&cells);
        waits.then_some(cells)
    }

    fn notify(&self, cells: &Cells<V>) {
        if cells.waiting > 0 {
            self.freed.notify_all();
        }
    }

    fn sleep<'a>(&'a self, cells: MutexGuard<'a, Cells<V>>) -> MutexGuard<'a, Cells<V>> {
        let woken = self.freed.wait_timeout(cells, PATIENCE);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    // A run that panics leaves no value half written, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, Cells<V>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Cells<V> {
    /// True if a run may begin. A `new` one that writes lets those that wait go first.
    fn are_free(&self, uses: &[Use], writes: bool, new: bool) -> bool {
        uses.iter().all(|used| {
            let cell = &self.cells[used.cell as usize];
            let in_turn = !new || cell.awaited == 0;
            match (writes, used.written) {
                (false, _) => !cell.taken,
                (true, false) => in_turn && !cell.written,
                (true, true) => in_turn && !cell.written && cell.relied_on == 0,
            }
        })
    }

    fn await_all(&mut self, uses: &[Use], begin: bool) {
        let step = |count: u32| if begin { count + 1 } else { count - 1 };
        for used in uses {
            let cell = &mut self.cells[used.cell as usize];
            cell.awaited = step(cell.awaited);
        }
        self.waiting = if begin { self.waiting + 1 } else { self.waiting - 1 };
    }
}

/// The cells held by a run. Dropping it releases them unchanged.
#[derive(Debug)]
pub(crate) struct Held<'a, V: Clone> {
    store: &'a Store<V>,
    uses: &'a [Use],
}

impl<V: Clone> Held<'_, V> {
    /// Makes the run the only owner of the values that it will overwrite in place: those of the
    /// written cells for which `overwrites` returns true, by their place among the run's uses.
    pub(crate) fn take(&mut self, overwrites: impl Fn(usize) -> bool) {
        let mut cells = self.store.lock();
        for (i, used) in self.uses.iter().enumerate() {
            if used.written && overwrites(i) {
                let cell = &mut cells.cells[used.cell as usize];
                (cell.value, cell.taken) = (None, true);
            }
        }
    }

    /// Sets the written cells to the values from `value`, all at once.
    pub(crate) fn commit(mut self, mut value: impl FnMut(usize) -> Option<V>) {
        if self.uses.is_empty() {
            return;
        }
        let mut cells = self.store.lock();
        for (i, used) in self.uses.iter().enumerate().filter(|(_, used)| used.written) {
            cells.cells[used.cell as usize].value = value(i);
        }
        self.release(cells);
    }

    fn release(&mut self, mut cells: MutexGuard<'_, Cells<V>>) {
        for used in std::mem::take(&mut self.uses) {
            let cell = &mut cells.cells[used.cell as usize];
            match used.written {
                true => (cell.written, cell.taken) = (false, false),
                false => cell.relied_on -= 1,
            }
        }
        self.store.notify(&cells);
    }
}

impl<V: Clone> Drop for Held<'_, V> {
    fn drop(&mut self) {
        if self.uses.is_empty() {
            return;
        }
        self.release(self.store.lock());
    }
}
