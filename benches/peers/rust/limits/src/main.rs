//! Prints a Markdown table of the limits of the machine: the peak of fused multiply-adds, the
//! bandwidth of copies, and that of the first writes to fresh memory.
//!
//! Other programs only make a measurement slower, so each limit is the best of several.

mod arithmetic;
mod memory;

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

/// Measurements of each limit.
const TIMES: usize = 15;

fn main() {
    println!("| limit | 1 thread | 2 threads |\n| --- | --- | --- |");
    if let Some(unit) = arithmetic::Unit::widest() {
        let name = format!("multiply-adds of f32, {}, GFLOP/s", unit.name());
        print_row(&name, |threads| best(threads, || (), |()| unit.multiply_add()));
    }
    print_row("copy, GB/s read and as many written", |threads| {
        best(threads, memory::Copied::new, memory::Copied::copy)
    });
    #[cfg(target_os = "linux")]
    for (name, advice) in [
        ("first write, pages of 4 KiB, GB/s", libc::MADV_NOHUGEPAGE),
        ("first write, huge pages, GB/s", libc::MADV_HUGEPAGE),
    ] {
        let map = || memory::Fresh::map(advice);
        print_row(name, |threads| best(threads, map, |fresh| fresh.touch()));
    }
}

fn print_row(name: &str, billions_per_second: impl Fn(usize) -> f64) {
    println!("| {name} | {:.1} | {:.1} |", billions_per_second(1), billions_per_second(2));
}

/// The best rate, in billions per second, of threads that work at once; `work` gives what it did.
fn best<T>(
    threads: usize,
    prepare: impl Fn() -> T + Sync,
    work: impl Fn(&mut T) -> f64 + Sync,
) -> f64 {
    (0..TIMES).map(|_| rate(threads, &prepare, &work)).fold(0.0, f64::max)
}

/// The clock runs from the first start to the last end.
fn rate<T>(
    threads: usize,
    prepare: &(impl Fn() -> T + Sync),
    work: &(impl Fn(&mut T) -> f64 + Sync),
) -> f64 {
    let barrier = Barrier::new(threads);
    let run = || {
        let mut subject = prepare();
        barrier.wait();
        let start = Instant::now();
        let done = work(&mut subject);
        (start, Instant::now(), done)
    };
    let runs: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    let first = runs.iter().map(|run| run.0).min();
    let last = runs.iter().map(|run| run.1).max();
    let seconds = first.zip(last).map_or(f64::INFINITY, |(start, end)| (end - start).as_secs_f64());
    runs.iter().map(|run| run.2).sum::<f64>() / seconds / 1e9
}
