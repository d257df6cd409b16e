//! A team of threads that join the work of one caller at a time.
//!
//! One word holds all shared state: the number of threads that may still join the work in progress
//! (seats), the number that have joined and not left, the number that sleep, and whether the caller
//! sleeps. As every step changes that one word, no wake-up can fall between two of them.

use std::mem::transmute;
use std::sync::PoisonError;

use crate::sync::{AtomicBool, AtomicU64, Condvar, Mutex, Ordering, SPINS, UnsafeCell, spin};

const JOINED: u64 = 1;
const SEAT: u64 = 1 << 16;
const SLEEPER: u64 = 1 << 32;
/// Set while the caller sleeps until all who joined have left.
const CALLER_SLEEPS: u64 = 1 << 48;

const FIELD: u64 = 0xffff;
const SEATS: u64 = FIELD * SEAT;

/// The most helpers of a team.
pub(crate) const MOST_HELPERS: usize = 1023;

fn joined(state: u64) -> u64 {
    state & FIELD
}

fn seats(state: u64) -> u64 {
    (state / SEAT) & FIELD
}

fn sleepers(state: u64) -> u64 {
    (state / SLEEPER) & FIELD
}

type Work<'a> = dyn Fn() + Sync + 'a;

pub(crate) struct Team {
    state: AtomicU64,
    /// Whether a caller uses the team.
    taken: AtomicBool,
    /// Written by the caller that has taken the team while nobody has joined; read by those who
    /// have.
    work: UnsafeCell<Option<*const Work<'static>>>,
    helpers: Sleep,
    caller: Sleep,
}

// SAFETY: the pointer in `work` leads to a `Sync` function, which any thread may call. The cell
// is written by the one thread that has taken the team, before it offers seats and after all who
// joined earlier have left, and read only between joining and leaving.
unsafe impl Send for Team {}
// SAFETY: as above.
unsafe impl Sync for Team {}

impl Team {
    pub(crate) fn new() -> Self {
        Team {
            state: AtomicU64::new(0),
            taken: AtomicBool::new(false),
            work: UnsafeCell::new(None),
            helpers: Sleep::new(),
            caller: Sleep::new(),
        }
    }

    /// Calls `work` on this thread and on up to `helpers` others at once, and returns when all of
    /// these calls have. If another caller has the team, returns false and calls nothing.
    pub(crate) fn run(&self, helpers: usize, work: &Work<'_>) -> bool {
        if self.taken.swap(true, Ordering::Acquire) {
            return false;
        }
        let taken = Taken(self);
        // SAFETY: only the lifetime changes. `taken` ends, even in a panic, before `work` does,
        // and lets nobody who joined go on after that.
        let work = unsafe { transmute::<&Work<'_>, &'static Work<'static>>(work) };
        // SAFETY: this thread has taken the team, and there is neither a seat nor a helper.
        self.work.with_mut(|cell| unsafe { *cell = Some(work) });
        let helpers = helpers.min(MOST_HELPERS) as u64;
        let before = self.state.fetch_add(helpers * SEAT, Ordering::AcqRel);
        self.helpers.wake(sleepers(before).min(helpers));
        work();
        drop(taken);
        true
    }

    /// Waits for work of a caller and joins it once.
    pub(crate) fn help(&self) {
        while !self.join_soon() {
            self.sleep_until_seated();
        }
        let left = Joined(self);
        // SAFETY: having joined, this thread reads what the caller wrote before it offered seats,
        // and the caller waits for it to leave.
        let work = self.work.with(|cell| unsafe { *cell });
        if let Some(work) = work {
            // SAFETY: the caller keeps the function alive until this thread has left.
            unsafe { (*work)() };
        }
        drop(left);
    }

    fn join_soon(&self) -> bool {
        for look in 0..SPINS {
            if self.join() {
                return true;
            }
            spin(look);
        }
        self.join()
    }

    fn join(&self) -> bool {
        let take_seat = |state| (seats(state) > 0).then(|| state - SEAT + JOINED);
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, take_seat).is_ok()
    }

    fn sleep_until_seated(&self) {
        let lie_down = |state| (seats(state) == 0).then_some(state + SLEEPER);
        let lies =
            || self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lie_down).is_ok();
        let waits = || seats(self.state.load(Ordering::Relaxed)) == 0;
        if self.helpers.sleep(lies, waits) {
            self.state.fetch_sub(SLEEPER, Ordering::Relaxed);
        }
    }

    /// Lets nobody else join.
    fn close(&self) {
        self.state.fetch_and(!SEATS, Ordering::Relaxed);
    }

    fn wait_for_joined(&self) {
        for look in 0..SPINS {
            if joined(self.state.load(Ordering::Acquire)) == 0 {
                return;
            }
            spin(look);
        }
        let lie_down = |state| (joined(state) > 0).then_some(state | CALLER_SLEEPS);
        let lies =
            || self.state.fetch_update(Ordering::Acquire, Ordering::Acquire, lie_down).is_ok();
        let waits = || joined(self.state.load(Ordering::Acquire)) > 0;
        if self.caller.sleep(lies, waits) {
            self.state.fetch_and(!CALLER_SLEEPS, Ordering::Relaxed);
        }
    }
}

/// The time during which a caller has the team.
struct Taken<'a>(&'a Team);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.close();
        self.0.wait_for_joined();
        self.0.taken.store(false, Ordering::Release);
    }
}

/// The time between joining and leaving.
struct Joined<'a>(&'a Team);

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        // Work ends when nothing is left to do, so a thread that joined now would find nothing.
        self.0.close();
        let before = self.0.state.fetch_sub(JOINED, Ordering::AcqRel);
        if joined(before) == 1 && before & CALLER_SLEEPS != 0 {
            self.0.caller.wake(1);
        }
    }
}

/// A place to sleep.
struct Sleep {
    bed: Mutex<()>,
    bell: Condvar,
}

impl Sleep {
    fn new() -> Self {
        Sleep { bed: Mutex::new(()), bell: Condvar::new() }
    }

    /// Sleeps while `waits`, unless `lies`, which tells others to call [`wake`](Self::wake), finds
    /// that there is no need. Returns true if it found one.
    ///
    /// A thread that was told waits for the lock before it rings; by then, this thread listens.
    fn sleep(&self, lies: impl FnOnce() -> bool, waits: impl Fn() -> bool) -> bool {
        let mut guard = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        let lies = lies();
        while lies && waits() {
            guard = self.bell.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        lies
    }

    fn wake(&self, count: u64) {
        if count > 0 {
            drop(self.bed.lock().unwrap_or_else(PoisonError::into_inner));
            (0..count).for_each(|_| self.bell.notify_one());
        }
    }
}

/// The indices from 0 up to a count, each of which one thread takes.
pub(crate) struct Tiles {
    /// The number of attempts to take the first index, plus [`LAST`] times those to take the last one.
    attempts: AtomicU64,
    count: u64,
}

/// The end of the remaining indices from which a thread takes. If a thread always takes from one end, the
/// memory of its tiles is mostly in its cache the next time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    First,
    Last,
}

const LAST: u64 = 1 << 32;
/// The most indices. So many attempts after them leave no carry.
const MOST_TILES: usize = 1 << 31;

impl Tiles {
    /// There may be too many.
    pub(crate) fn new(count: usize) -> Option<Self> {
        (count <= MOST_TILES).then(|| Tiles { attempts: AtomicU64::new(0), count: count as u64 })
    }

    /// An index that nobody has taken.
    pub(crate) fn take(&self, end: End) -> Option<usize> {
        let attempt = match end {
            End::First => 1,
            End::Last => LAST,
        };
        let before = self.attempts.fetch_add(attempt, Ordering::Relaxed);
        let (first, last) = (before % LAST, before / LAST);
        let taken = match end {
            End::First => first,
            End::Last => self.count.wrapping_sub(1 + last),
        };
        (first + last < self.count).then_some(taken as usize)
    }

    /// Leaves no index to take.
    pub(crate) fn finish(&self) {
        self.attempts.fetch_or(MOST_TILES as u64, Ordering::Relaxed);
    }
}
