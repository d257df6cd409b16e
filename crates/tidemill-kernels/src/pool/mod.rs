//! Threads that compute parts of one result side by side.
//!
//! The owner of some work cuts it into *tiles*, by its shape alone, and calls [`for_each`] or one
//! of its relatives. Each tile is computed by one thread, so the result does not depend on the
//! number of threads. The [`Context`] of the calling thread says how many may take part and when to
//! stop. A thread without a context computes alone.
//!
//! The threads belong to the process. They are started when first needed, look for more work for
//! some hundred microseconds after each piece, and then sleep. One caller at a time has them; meanwhile,
//! others compute alone, and so does a tile that has tiles of its own.
//!
//! ```
//! use tidemill_kernels::pool::{self, Context};
//!
//! let mut squares = vec![0; 1000];
//! pool::with_context(&Context { threads: 2, cancellation: None }, || {
//!     pool::for_each_chunk_mut(&mut squares, 100, |tile, squares| {
//!         for (i, square) in squares.iter_mut().enumerate() {
//!             *square = (tile * 100 + i).pow(2);
//!         }
//!     });
//! });
//! assert_eq!(squares[999], 998_001);
//! ```

mod cancellation;
mod chunks;
mod context;
mod team;

use std::any::Any;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::thread;

pub use cancellation::Cancellation;
pub use chunks::{
    for_each_chunk_mut, for_each_chunk_pair_mut, for_each_chunks_mut, try_for_each_chunk_mut,
    try_for_each_chunk_mut_with, try_for_each_with,
};
pub use context::{Context, is_cancelled, threads, with_context};
use team::{End, MOST_HELPERS, Team, Tiles};

/// The number of elements of a tile of light work: a few microseconds, next to which the cost of
/// waking threads is small.
pub(crate) const TILE: usize = 1 << 15;

/// The number of threads from the environment variable `TIDEMILL_THREADS`, or else the number that
/// the machine runs at once.
pub fn default_threads() -> usize {
    static DEFAULT: OnceLock<usize> = OnceLock::new();
    *DEFAULT.get_or_init(|| {
        let asked = env::var("TIDEMILL_THREADS").ok().and_then(|text| text.trim().parse().ok());
        let available = || thread::available_parallelism().map_or(1, usize::from);
        asked.filter(|&threads| threads > 0).unwrap_or_else(available)
    })
}

/// Calls `tile` with each index below `count`, in any order, on as many threads as the context
/// allows. After a request to stop, no further tile is begun.
///
/// # Panics
/// If a tile panics, after all tiles that were begun have ended.
pub fn for_each(count: usize, tile: impl Fn(usize) + Sync) {
    run(count, &tile);
}

/// As [`for_each`], for tiles that can fail. All are computed; the error is the one of the lowest
/// index.
///
/// # Errors
/// If a tile fails.
pub fn try_for_each<E: Send>(
    count: usize,
    tile: impl Fn(usize) -> Result<(), E> + Sync,
) -> Result<(), E> {
    try_run(count, &tile)
}

// Tiles are dynamic, so that this code is compiled once and not for each kind of tile. A call costs
// nothing next to the microseconds of a tile.
#[inline(never)]
fn run(count: usize, tile: &(dyn Fn(usize) + Sync)) {
    if count > 1 && threads() > 1 {
        return fork(count, tile);
    }
    alone(count, tile);
}

#[inline(never)]
fn try_run<E: Send>(count: usize, tile: &(dyn Fn(usize) -> Result<(), E> + Sync)) -> Result<(), E> {
    let first: Mutex<Option<(usize, E)>> = Mutex::new(None);
    run(count, &|i| {
        if let Err(error) = tile(i) {
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|(index, _)| i < *index) {
                *first = Some((i, error));
            }
        }
    });
    let first = first.into_inner().unwrap_or_else(PoisonError::into_inner);
    first.map_or(Ok(()), |(_, error)| Err(error))
}

fn alone(count: usize, tile: &dyn Fn(usize)) {
    context::inspect(|context| match context.cancellation {
        None => (0..count).for_each(tile),
        Some(request) => (0..count).take_while(|_| !request.is_cancelled()).for_each(tile),
    });
}

/// The panic of a tile on its way to the caller.
type Payload = Box<dyn Any + Send>;

fn fork(count: usize, tile: &(dyn Fn(usize) + Sync)) {
    let Some(tiles) = Tiles::new(count) else { return alone(count, tile) };
    let panic: Mutex<Option<Payload>> = Mutex::new(None);
    let ran = context::inspect(|context| {
        let inner = Context { threads: 1, ..*context };
        let cancelled = || inner.cancellation.is_some_and(Cancellation::is_cancelled);
        let compute = |end| {
            while let Some(i) = tiles.take(end) {
                if cancelled() {
                    return;
                }
                tile(i);
            }
        };
        let work = || {
            // A helper has no context of its own.
            let end = if threads() > 1 { End::First } else { End::Last };
            let compute = AssertUnwindSafe(|| with_context(&inner, || compute(end)));
            if let Err(payload) = catch_unwind(compute) {
                tiles.finish();
                panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(payload);
            }
        };
        let helpers = start_helpers(context.threads.min(count) - 1);
        helpers > 0 && TEAM.run(helpers, &work)
    });
    if !ran {
        return alone(count, tile);
    }
    if let Some(payload) = panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(payload);
    }
}

static TEAM: LazyLock<Team> = LazyLock::new(Team::new);

/// The number of helpers that were started.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// The number of threads of the process besides those that ask for work.
pub fn helpers() -> usize {
    STARTED.load(Ordering::Relaxed)
}

/// Starts helpers until the team has `wanted`, and returns their number. There are fewer if the
/// system grants no more threads.
fn start_helpers(wanted: usize) -> usize {
    static STARTING: Mutex<()> = Mutex::new(());
    let wanted = wanted.min(MOST_HELPERS);
    if STARTED.load(Ordering::Relaxed) < wanted {
        let _guard = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        for number in STARTED.load(Ordering::Relaxed)..wanted {
            let name = format!("tidemill-compute-{}", number + 1);
            let help = || loop {
                TEAM.help();
            };
            if thread::Builder::new().name(name).spawn(help).is_err() {
                break;
            }
            STARTED.store(number + 1, Ordering::Relaxed);
        }
    }
    STARTED.load(Ordering::Relaxed).min(wanted)
}
