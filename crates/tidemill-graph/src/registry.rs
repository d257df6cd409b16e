use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use crate::diagnosis::{BuildErrorKind, PoisonTable};
use crate::model::{Graph, Shared};
use crate::{GraphKey, Location};

/// Every live graph of the process, so that a handle, which is a mere number, finds its graph.
static REGISTRY: RwLock<Registry> = RwLock::new(Registry { slots: Vec::new(), free: Vec::new() });

/// The default graph of the process, created when first needed.
static DEFAULT: Mutex<Option<Graph>> = Mutex::new(None);

/// The lines that reset the default graph, the latest last, by the key of the discarded graph.
static RESETS: Mutex<Vec<(GraphKey, Location)>> = Mutex::new(Vec::new());

/// The failed calls on handles whose graph no longer exists.
pub(crate) static ORPHANS: Mutex<PoisonTable> = Mutex::new(PoisonTable::new());

/// The number of resets that are remembered.
const REMEMBERED_RESETS: usize = 64;

struct Registry {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    generation: u32,
    graph: Weak<Shared>,
}

thread_local! {
    static OVERRIDES: RefCell<Vec<Graph>> = const { RefCell::new(Vec::new()) };
}

/// Takes a free key, and registers the graph for it.
pub(crate) fn register(make: impl FnOnce(GraphKey) -> Shared) -> Arc<Shared> {
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    let index = registry.free.pop().unwrap_or_else(|| {
        registry.slots.push(Slot { generation: 0, graph: Weak::new() });
        (registry.slots.len() - 1) as u32
    });
    let slot = &mut registry.slots[index as usize];
    let shared = Arc::new(make(GraphKey { index, generation: slot.generation }));
    slot.graph = Arc::downgrade(&shared);
    shared
}

/// Unregisters a graph, so that its handles no longer find it.
pub(crate) fn release(key: GraphKey) {
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(slot) = registry.slots.get_mut(key.index as usize)
        && slot.generation == key.generation
    {
        slot.generation += 1;
        slot.graph = Weak::new();
        registry.free.push(key.index);
    }
}

/// The graph of a key.
///
/// # Errors
/// [`BuildErrorKind::Stale`] if it was the default graph and has been reset,
/// [`BuildErrorKind::GraphGone`] if it has been dropped.
pub(crate) fn find(key: GraphKey) -> Result<Graph, BuildErrorKind> {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    let slot = registry.slots.get(key.index as usize);
    let graph = slot.filter(|slot| slot.generation == key.generation);
    graph.and_then(|slot| slot.graph.upgrade()).map(Graph::from_shared).ok_or_else(|| why_gone(key))
}

/// Every graph that is alive.
pub(crate) fn alive() -> Vec<Graph> {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    registry.slots.iter().filter_map(|slot| slot.graph.upgrade()).map(Graph::from_shared).collect()
}

/// The bytes of the table of graphs, which has as many places as graphs were ever alive at once.
pub(crate) fn bytes() -> usize {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    registry.slots.capacity() * size_of::<Slot>() + registry.free.capacity() * size_of::<u32>()
}

fn why_gone(key: GraphKey) -> BuildErrorKind {
    let resets = RESETS.lock().unwrap_or_else(PoisonError::into_inner);
    match resets.iter().rev().find(|(graph, _)| *graph == key) {
        Some((_, reset_at)) => BuildErrorKind::Stale { reset_at: *reset_at },
        None => BuildErrorKind::GraphGone,
    }
}

/// The graph that builder functions add to on this thread: the one most recently made the default,
/// or else the default graph of the process.
pub fn default_graph() -> Graph {
    OVERRIDES.with_borrow(|graphs| graphs.last().cloned()).unwrap_or_else(process_default)
}

fn process_default() -> Graph {
    let mut default = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
    default.get_or_insert_with(Graph::new).clone()
}

/// Discards the default graph of the process: the next node goes to a new, empty graph, and
/// building with a handle of the old graph is an error. Sessions keep their old graph.
#[track_caller]
pub fn reset_default_graph() {
    let location = Location::caller();
    let old = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(old) = old else { return };
    let mut resets = RESETS.lock().unwrap_or_else(PoisonError::into_inner);
    if resets.len() == REMEMBERED_RESETS {
        resets.remove(0);
    }
    resets.push((old.key(), location));
    drop(resets);
    release(old.key());
}

/// Makes `graph` the default of this thread until the guard is dropped.
pub(crate) fn override_default(graph: Graph) -> DefaultGraph {
    let key = graph.key();
    OVERRIDES.with_borrow_mut(|graphs| graphs.push(graph));
    DefaultGraph { key, _of_this_thread: std::marker::PhantomData }
}

/// A guard: until it is dropped, builder functions on this thread add to the graph that returned
/// it.
#[must_use = "the graph is the default only as long as the guard lives"]
pub struct DefaultGraph {
    key: GraphKey,
    _of_this_thread: std::marker::PhantomData<*const ()>,
}

impl Drop for DefaultGraph {
    fn drop(&mut self) {
        OVERRIDES.with_borrow_mut(|graphs| {
            if let Some(last) = graphs.iter().rposition(|graph| graph.key() == self.key) {
                graphs.remove(last);
            }
        });
    }
}
