//! Runs a corpus of graphs, inputs and expected results that were recorded from TensorFlow.
//!
//! [`run`] loads the cases of a folder, runs those that a filter admits, each with rewriting on and
//! off, on one thread and on two, and reports the differences. Cases that are known to fail are
//! listed in a file, with the reason; the list must be accurate.

mod case;
mod checkpoints;
mod compare;
mod gradients;
mod graph;
mod malformed;
mod manifest;
mod pending;
mod report;
mod runs;
mod saved_models;
mod training;

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use case::check as check_case;
pub use manifest::{Case, Manifest};
pub use pending::Pending;
pub use report::{Outcome, Report};
pub use training::Training;

/// The selection of cases to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the corpus.
    pub corpus: PathBuf,
    /// The file that lists the cases that are known to fail.
    pub pending: PathBuf,
    /// Parts of the names of cases to run. Without any, all cases run.
    pub filters: Vec<String>,
    /// The number of threads that run cases.
    pub threads: usize,
}

/// Runs the cases of a corpus.
///
/// # Errors
/// If the corpus, or the list of cases that are known to fail, cannot be read.
pub fn run(options: &Options) -> Result<Report, String> {
    let manifest = Manifest::load(&options.corpus)?;
    let pending = Pending::load(&options.pending)?;
    let is_wanted = |case: &&Case| {
        options.filters.is_empty() || options.filters.iter().any(|part| case.name.contains(part))
    };
    let cases: Vec<&Case> = manifest.cases.iter().filter(is_wanted).collect();
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::with_capacity(cases.len()));
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = catch(|| case::check(&options.corpus, case));
                    let outcome = Outcome::new(&pending, case, result);
                    outcomes.lock().unwrap().push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by(|l, r| l.name.cmp(&r.name));
    Ok(Report { outcomes })
}

thread_local! {
    /// The message and place of the thread's last panic.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Calls `check`, and turns a panic into a failure.
fn catch(check: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    panic::catch_unwind(AssertUnwindSafe(check))
        .unwrap_or_else(|_| Err(format!("panicked: {}", PANIC.take())))
}

/// From now on, threads keep the messages of their panics instead of printing them.
pub fn keep_panics() {
    panic::set_hook(Box::new(|info| {
        PANIC.with_borrow_mut(|text| *text = info.to_string().replace('\n', " "));
    }));
}
