//! Models of the compute pool: work reaches the helpers, each tile is taken once, the caller
//! returns after the last of them, and no wake-up is lost.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;

use crate::explore;
use crate::sync::UnsafeCell;
use crate::team::{End, Team, Tiles};

/// A barrier for a given number of threads.
struct Meeting {
    missing: Mutex<usize>,
    complete: Condvar,
}

impl Meeting {
    fn of(threads: usize) -> Self {
        Meeting { missing: Mutex::new(threads), complete: Condvar::new() }
    }

    fn attend(&self) {
        let mut missing = self.missing.lock().unwrap();
        *missing -= 1;
        if *missing == 0 {
            self.complete.notify_all();
        }
        while *missing > 0 {
            missing = self.complete.wait(missing).unwrap();
        }
    }
}

/// Starts a thread that joins `times` pieces of work.
fn helper(team: &Arc<Team>, times: usize) -> thread::JoinHandle<()> {
    let team = Arc::clone(team);
    thread::spawn(move || (0..times).for_each(|_| team.help()))
}

#[test]
fn a_helper_is_woken_for_each_piece_of_work() {
    explore(3, || {
        let team = Arc::new(Team::new());
        let helper = helper(&team, 2);
        for _ in 0..2 {
            let meeting = Meeting::of(2);
            assert!(team.run(1, &|| meeting.attend()));
        }
        helper.join().unwrap();
    });
}

#[test]
fn two_helpers_are_woken_at_once() {
    explore(1, || {
        let team = Arc::new(Team::new());
        let helpers = [helper(&team, 1), helper(&team, 1)];
        let meeting = Meeting::of(3);
        assert!(team.run(2, &|| meeting.attend()));
        for helper in helpers {
            helper.join().unwrap();
        }
    });
}

#[test]
fn the_caller_sees_what_the_helper_wrote() {
    explore(3, || {
        let team = Arc::new(Team::new());
        let helper = helper(&team, 1);
        let (meeting, tiles) = (Meeting::of(2), Tiles::new(2).unwrap());
        let written = [UnsafeCell::new(0), UnsafeCell::new(0)];
        let written = Cells(&written);
        team.run(1, &|| {
            meeting.attend();
            while let Some(i) = tiles.take(End::First) {
                written.write(i, i + 1);
            }
        });
        assert_eq!([written.read(0), written.read(1)], [1, 2]);
        helper.join().unwrap();
    });
}

/// Cells that several threads write, each a different one.
struct Cells<'a>(&'a [UnsafeCell<usize>]);

// SAFETY: loom checks each access for races.
unsafe impl Sync for Cells<'_> {}

impl Cells<'_> {
    fn write(&self, i: usize, value: usize) {
        // SAFETY: loom has checked that nobody else has access.
        self.0[i].with_mut(|cell| unsafe { *cell = value });
    }

    fn read(&self, i: usize) -> usize {
        // SAFETY: as above.
        self.0[i].with(|cell| unsafe { *cell })
    }
}

#[test]
fn a_caller_that_finds_too_little_to_share_does_not_wait_for_the_late() {
    explore(3, || {
        let (team, done) = (Arc::new(Team::new()), Arc::new(AtomicBool::new(false)));
        let helper = {
            let (team, done) = (Arc::clone(&team), Arc::clone(&done));
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    team.help();
                }
            })
        };
        // The helper may miss this work or join it, but not after the caller has gone on.
        let read = [UnsafeCell::new(1)];
        let read = Cells(&read);
        team.run(1, &|| assert_eq!(read.read(0), 1));
        read.write(0, 2);
        let meeting = Meeting::of(2);
        team.run(1, &|| {
            meeting.attend();
            done.store(true, Ordering::Relaxed);
        });
        helper.join().unwrap();
    });
}

#[test]
fn of_two_callers_each_computes_alone_or_with_the_team() {
    explore(3, || {
        let team = Arc::new(Team::new());
        let call = |team: &Team| {
            let calls = AtomicUsize::new(0);
            let ran = team.run(1, &|| {
                calls.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(calls.load(Ordering::Relaxed), usize::from(ran));
            ran
        };
        let other = Arc::clone(&team);
        let other = thread::spawn(move || call(&other));
        let ran = [call(&team), other.join().unwrap()];
        assert!(ran.contains(&true));
    });
}

#[test]
fn each_tile_is_taken_once() {
    for other_end in [End::First, End::Last] {
        explore(3, move || {
            let tiles = Arc::new(Tiles::new(3).unwrap());
            let take = |tiles: &Tiles, end| {
                let mut taken = Vec::new();
                while let Some(i) = tiles.take(end) {
                    taken.push(i);
                }
                taken
            };
            let other = Arc::clone(&tiles);
            let other = thread::spawn(move || take(&other, other_end));
            let mut taken = take(&tiles, End::First);
            taken.extend(other.join().unwrap());
            taken.sort_unstable();
            assert_eq!(taken, [0, 1, 2]);
        });
    }
}

#[test]
fn no_tile_is_left_after_the_end() {
    explore(3, || {
        let tiles = Arc::new(Tiles::new(2).unwrap());
        let other = Arc::clone(&tiles);
        let other = thread::spawn(move || other.finish());
        tiles.take(End::Last);
        other.join().unwrap();
        assert_eq!([End::First, End::Last].map(|end| tiles.take(end)), [None; 2]);
    });
}
