use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemill_kernels::pool::Cancellation;

use crate::report::trace::RunTrace;

/// The destination of a session's prints or warnings.
#[derive(Clone, Default)]
pub enum Sink {
    /// Standard error.
    #[default]
    Stderr,
    /// Standard output.
    Stdout,
    /// A function, called with each line.
    Function(Arc<dyn Fn(&str) + Send + Sync>),
}

impl Sink {
    /// A sink that calls a function with each line.
    pub fn function(print: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Sink::Function(Arc::new(print))
    }

    /// A sink that keeps the lines, and a handle to the kept lines.
    pub fn lines() -> (Self, Lines) {
        let lines = Lines::default();
        let kept = lines.clone();
        (Sink::function(move |line| kept.push(line)), lines)
    }

    pub(crate) fn print(&self, line: &str) {
        match self {
            Sink::Stderr => eprintln!("{line}"),
            Sink::Stdout => println!("{line}"),
            Sink::Function(print) => print(line),
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sink::Stderr => "Stderr",
            Sink::Stdout => "Stdout",
            Sink::Function(_) => "Function(..)",
        })
    }
}

/// The lines that a session has printed.
#[derive(Clone, Default, Debug)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn push(&self, line: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    }

    /// Takes the lines printed so far.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a session rewrites graphs before it runs them, to make them faster. The results are
/// bit-identical.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rewriting {
    /// Graphs are rewritten.
    #[default]
    On,
    /// Nodes run as they were built.
    Off,
}

/// How a session runs.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// Whether it rewrites graphs before it runs them.
    pub rewriting: Rewriting,
    /// The destination of `print`.
    pub print_to: Sink,
    /// The destination of warnings.
    pub warn_to: Sink,
    /// The maximum number of threads for a run: by default, the value of `TIDEMILL_THREADS`, or
    /// else the number of the machine's hardware threads. Results are bit-identical for any number.
    pub threads: Option<usize>,
    /// The seed of random operations that have neither a seed of their own nor one from the graph.
    /// Without it, the session gets one from the operating system.
    pub seed: Option<u64>,
}

/// Options for one run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The time limit. A run that exceeds it ends with
    /// [`RunError::Timeout`](crate::RunError::Timeout), unless it has begun to commit its writes.
    pub timeout: Option<Duration>,
    /// A handle with which other threads can cancel the run. The run then ends with
    /// [`RunError::Cancelled`](crate::RunError::Cancelled), unless it has begun to commit its
    /// writes.
    pub cancellation: Option<Cancellation>,
    /// Whether a node that produces NaN or infinity is an error,
    /// [`RunError::NonFinite`](crate::RunError::NonFinite). The check takes time and memory; it
    /// costs nothing when it is off.
    pub check_numerics: bool,
    /// Whether to record the time of each step. Steps then run one after the other, even in a wide
    /// graph.
    pub trace: bool,
    /// Whether to compute fetched operations even if nothing can observe it: those that can
    /// neither fail nor have an effect, and whose outputs are not returned. By default, a run
    /// skips them. Set this for traces and benchmarks of a computation.
    pub force_targets: bool,
}

/// The result of a run with [`RunOptions`].
#[derive(Clone, Debug)]
pub struct Run<T> {
    /// The fetched values.
    pub output: T,
    /// Statistics of the run.
    pub stats: RunStats,
    /// The times of the steps, if the options asked for a trace.
    pub trace: Option<RunTrace>,
}

/// Statistics of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunStats {
    /// The number of steps that ran.
    pub steps: u64,
    /// The number of element bytes that were copied: from fed values that were borrowed or not in
    /// row-major order, and from variables that were overwritten while something else still held
    /// them.
    pub bytes_copied: u64,
}
