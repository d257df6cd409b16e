//! Sessions of the Tidemill runtime.
//!
//! A [`Session`] runs a graph. For each signature (the feeds, the fetches and the targets) it makes
//! a plan once: the path is pruned from the graph, rewritten, ordered, and compiled to a flat list
//! of kernel calls over numbered slots. A run puts the fed values into the slots and makes the
//! calls.
//!
//! The crate knows no operation by name: the operation's description has all it needs.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ahead;
mod arguments;
mod bodies;
mod cache;
mod call;
mod callable;
mod error;
mod evaluate;
mod executor;
mod explain;
mod feeds;
mod fetch;
mod fuse;
mod growth;
mod lint;
mod memory;
mod numerics;
mod options;
mod plan;
mod prepare;
mod prune;
mod random_state;
mod report;
mod request;
mod schedule;
mod session;
mod signature;
mod state;
mod store;
mod sync;
mod trace;
mod watch;

pub use arguments::Arguments;
pub use callable::Callable;
pub use error::{
    Code, FailedNode, FeedError, FeedErrorKind, NullVariable, Remedy, RunError, Site,
    UnfedPlaceholder, Way,
};
pub use evaluate::{Evaluate, RunOperation};
pub use explain::Explanation;
pub use feeds::{FeedKey, Feeds};
pub use fetch::{Fetch, FetchItem, FetchList, Fetched};
pub use memory::{MemoryReport, memory_report};
pub use numerics::{NonFinite, Range};
pub use options::{Lines, Rewriting, Run, RunOptions, RunStats, SessionOptions, Sink};
pub use random_state::RandomState;
pub use session::{DefaultSession, Session};
pub use tidemill_graph::Holding;
pub use tidemill_kernels::pool::Cancellation;
pub use trace::{RunTrace, TraceStep};
