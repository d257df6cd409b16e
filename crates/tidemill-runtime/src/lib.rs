//! Sessions of the Tidemill runtime.
//!
//! A [`Session`] runs a graph. For each signature (the feeds, the fetches and the targets) it makes
//! a plan once: the path is pruned from the graph, rewritten, ordered, and compiled to a flat list
//! of kernel calls over numbered slots. A run puts the fed values into the slots and makes the
//! calls.
//!
//! The crate knows no operation by name: the operation's description has everything it needs.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod lower;
mod plan;
mod report;
mod run;
mod session;
mod sync;

pub use report::error::{
    Code, FailedNode, FeedError, FeedErrorKind, NullVariable, Remedy, RunError, Site,
    UnfedPlaceholder, Way,
};
pub use report::explain::{Explanation, RuleReport};
pub use report::memory::{MemoryReport, memory_report};
pub use report::numerics::{NonFinite, ValueRange};
pub use report::trace::{RunTrace, TraceStep};
pub use session::arguments::Arguments;
pub use session::callable::Callable;
pub use session::evaluate::{Evaluate, RunOperation};
pub use session::feeds::{FeedKey, Feeds};
pub use session::fetch::{Fetch, FetchItem, FetchList, Fetched};
pub use session::handle::{DefaultSession, Session};
pub use session::options::{Lines, Rewriting, Run, RunOptions, RunStats, SessionOptions, Sink};
pub use session::random_state::RandomState;
pub use tidemill_graph::Holding;
pub use tidemill_kernels::pool::Cancellation;
