use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

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
    /// The seed of random operations that have none, of their own or of the graph. Without it,
    /// the session takes one from the operating system.
    pub seed: Option<u64>,
}
