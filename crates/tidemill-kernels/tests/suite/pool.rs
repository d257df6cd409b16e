use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidemill_kernels::pool::{self, Cancellation, Context};

fn on<R>(threads: usize, compute: impl FnOnce() -> R) -> R {
    pool::with_context(&Context { threads, cancellation: None }, compute)
}

fn cancellable<R>(threads: usize, request: &Cancellation, compute: impl FnOnce() -> R) -> R {
    pool::with_context(&Context { threads, cancellation: Some(request) }, compute)
}

#[test]
fn each_index_comes_up_once() {
    for threads in 1..=4 {
        for count in [0, 1, 2, 7, 1000] {
            let times: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            on(threads, || {
                pool::for_each(count, |i| {
                    times[i].fetch_add(1, Ordering::Relaxed);
                });
            });
            assert!(times.iter().all(|times| times.load(Ordering::Relaxed) == 1));
        }
    }
}

#[test]
fn several_threads_take_part() {
    // Each of two tiles waits for the other, so one thread alone would never end.
    let begun = AtomicUsize::new(0);
    on(2, || {
        pool::for_each(2, |_| {
            begun.fetch_add(1, Ordering::SeqCst);
            let start = Instant::now();
            while begun.load(Ordering::SeqCst) < 2 && start.elapsed() < Duration::from_secs(5) {
                thread::yield_now();
            }
        });
    });
    assert_eq!(begun.into_inner(), 2);
}

#[test]
fn one_thread_computes_in_order_and_on_itself() {
    let seen = Mutex::new(Vec::new());
    let push = |i| seen.lock().unwrap().push((i, thread::current().id()));
    pool::for_each(5, push);
    on(1, || pool::for_each(5, push));
    let own = thread::current().id();
    let expected: Vec<_> = (0..5).chain(0..5).map(|i| (i, own)).collect();
    assert_eq!(seen.into_inner().unwrap(), expected);
}

#[test]
fn chunks_cover_a_slice() {
    for (len, chunk) in [(0, 3), (1, 3), (9, 3), (10, 3), (10, 100), (5, 0)] {
        let mut slice = vec![0; len];
        on(3, || {
            pool::for_each_chunk_mut(&mut slice, chunk, |i, part| {
                part.iter_mut().enumerate().for_each(|(j, x)| *x += 1 + i * chunk.max(1) + j);
            });
        });
        assert_eq!(slice, (1..=len).collect::<Vec<_>>());
    }
}

#[test]
fn two_slices_are_cut_side_by_side() {
    let (mut rows, mut sums) = (vec![1; 12], vec![0; 4]);
    on(2, || {
        pool::for_each_chunk_pair_mut((&mut rows, 3), (&mut sums, 1), |i, row, sum| {
            row.fill(i);
            sum[0] = row.iter().sum();
        });
    });
    assert_eq!((rows[11], sums), (3, vec![0, 3, 6, 9]));
}

#[test]
fn the_error_of_the_lowest_index_is_told() {
    for threads in 1..=4 {
        let result =
            on(threads, || pool::try_for_each(100, |i| if i % 10 == 7 { Err(i) } else { Ok(()) }));
        assert_eq!(result, Err(7));
        assert_eq!(on(threads, || pool::try_for_each(100, |_| Ok::<_, ()>(()))), Ok(()));
    }
}

#[test]
fn after_a_request_no_tile_is_begun() {
    for threads in 1..=3 {
        let request = Cancellation::new();
        let begun = AtomicUsize::new(0);
        cancellable(threads, &request, || {
            assert!(!pool::is_cancelled());
            pool::for_each(10_000, |_| {
                if begun.fetch_add(1, Ordering::SeqCst) == 20 {
                    request.cancel();
                    assert!(pool::is_cancelled());
                }
            });
            assert!(pool::is_cancelled());
        });
        assert!(!pool::is_cancelled());
        assert!(begun.into_inner() <= 20 + threads);
    }
}

#[test]
fn a_deadline_is_a_request_for_who_holds_it() {
    let request = Cancellation::new();
    let overdue = request.with_deadline(Instant::now());
    assert!(overdue.is_cancelled() && overdue.is_overdue() && !overdue.is_requested());
    assert!(!request.is_cancelled());
    let later = overdue.with_deadline(Instant::now() + Duration::from_secs(1000));
    assert!(later.is_overdue());
    let patient = request.with_deadline(Instant::now() + Duration::from_secs(1000));
    assert!(!patient.is_cancelled());
    request.cancel();
    assert!(patient.is_cancelled() && !patient.is_overdue());
    let begun = AtomicUsize::new(0);
    cancellable(2, &overdue, || {
        pool::for_each(100, |_| {
            begun.fetch_add(1, Ordering::SeqCst);
        });
    });
    assert_eq!(begun.into_inner(), 0);
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
    for threads in 1..=3 {
        for at in [0, 1, 500] {
            let ended = AtomicUsize::new(0);
            let tile = |i| {
                assert!(i != at, "tile {at}");
                ended.fetch_add(1, Ordering::SeqCst);
            };
            let call = AssertUnwindSafe(|| on(threads, || pool::for_each(1000, tile)));
            let payload = catch_unwind(call).unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&format!("tile {at}")));
            assert_eq!(pool::threads(), 1);
            assert!(ended.into_inner() < 1000);
        }
    }
    each_index_comes_up_once();
}

#[test]
fn tiles_of_tiles_are_computed_on_their_own_thread() {
    let sum = AtomicUsize::new(0);
    on(3, || {
        pool::for_each(8, |i| {
            let own = thread::current().id();
            pool::for_each(50, |j| {
                assert_eq!(thread::current().id(), own);
                sum.fetch_add(i * 50 + j, Ordering::Relaxed);
            });
        });
    });
    assert_eq!(sum.into_inner(), (0..400).sum());
}

#[test]
fn many_callers_at_once_all_get_their_results() {
    thread::scope(|scope| {
        for caller in 0..8 {
            scope.spawn(move || {
                on(1 + caller % 4, || {
                    for round in 0..200 {
                        let mut squares = vec![0; 100 + round];
                        pool::for_each_chunk_mut(&mut squares, 7, |i, part| {
                            let each = part.iter_mut().enumerate();
                            each.for_each(|(j, x)| *x = (i * 7 + j + caller).pow(2));
                        });
                        let expected = (caller..).map(|i| i.pow(2)).take(squares.len());
                        assert!(squares.into_iter().eq(expected));
                    }
                });
            });
        }
    });
}

#[test]
fn a_context_ends_with_its_scope() {
    on(4, || {
        assert_eq!(pool::threads(), 4);
        on(2, || assert_eq!(pool::threads(), 2));
        assert_eq!(pool::threads(), 4);
    });
    assert_eq!(pool::threads(), 1);
    assert!(pool::default_threads() >= 1);
}
