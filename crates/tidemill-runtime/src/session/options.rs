use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemill_kernels::pool::Cancellation;

use crate::report::trace::RunTrace;

/// Where sessions print to.
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

    /// A sink that keeps the lines, and what it keeps them in.
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

/// Whether a session rewrites what it runs so that it runs faster. The results are the same, to
/// the bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rewriting {
    /// It does.
    #[default]
    On,
    /// It runs the nodes as they were made.
    Off,
}

/// How a session runs.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// Whether it rewrites what it runs.
    pub rewriting: Rewriting,
    /// Where `print` prints to.
    pub print_to: Sink,
    /// Where warnings go.
    pub warn_to: Sink,
    /// How many threads a run computes on at most: by default, as many as `TIDEMILL_THREADS`
    /// says, or as the machine has. Results do not depend on it, to the bit.
    pub threads: Option<usize>,
    /// The seed of random operations that have none, of their own or of the graph. Without it,
    /// the session takes one from the operating system.
    pub seed: Option<u64>,
}

/// How one run runs, and what is to be known of it.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// After so long, the run ends with [`RunError::Timeout`](crate::RunError::Timeout), unless
    /// it has begun to take effect.
    pub timeout: Option<Duration>,
    /// What other threads can cancel the run by. It ends with
    /// [`RunError::Cancelled`](crate::RunError::Cancelled), unless it has begun to take effect.
    pub cancellation: Option<Cancellation>,
    /// Whether a node that gives NaN or infinity is an error,
    /// [`RunError::NonFinite`](crate::RunError::NonFinite). It takes time and memory, and costs
    /// nothing where it is off.
    pub check_numerics: bool,
    /// Whether to record what the steps take. They run one after the other then, also where a
    /// graph is wide.
    pub trace: bool,
    /// Whether operations that are fetched are computed even if nobody could tell: they neither fail
    /// nor have an effect, and what they give is not returned. A run leaves them out otherwise.
    /// Traces and benchmarks of a computation want it.
    pub force_targets: bool,
}

/// What a run with [`RunOptions`] gives.
#[derive(Clone, Debug)]
pub struct Run<T> {
    /// What was fetched.
    pub output: T,
    /// What the run did.
    pub stats: RunStats,
    /// What the steps took, if the options asked for it.
    pub trace: Option<RunTrace>,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunStats {
    /// The number of steps it took.
    pub steps: u64,
    /// How many bytes of elements were copied: of fed values that were only borrowed or laid out
    /// in another order, and of variables that were overwritten while somebody still held them.
    pub bytes_copied: u64,
}
