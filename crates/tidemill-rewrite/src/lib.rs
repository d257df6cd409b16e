//! Rewriting: makes a path faster before it runs, without changing one bit of its results.
//!
//! A [`Pipeline`] runs passes over the [`Subgraph`](tidemill_graph::Subgraph) of a run. A pass
//! walks the instructions once, in order, and may replace one through a [`GraphEdit`], which checks
//! that data type and shape stay the same. Effects, and nodes that can fail, stay. A
//! [`RewriteLog`] records what was done and, if that is asked for, what was not, and why.
//!
//! Rewrites are exact: NaN, infinities and negative zero included.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod edit;
mod log;
mod pass;
mod passes;
mod pipeline;
mod rules;
mod uses;
mod workspace;

pub use edit::{GraphEdit, Outputs, sweep};
pub use log::{Rewrite, RewriteLog, WhyNot};
pub use pass::Pass;
pub use passes::algebra::Algebra;
pub use passes::cse::Cse;
pub use passes::dead::DeadNodes;
pub use passes::fold::Fold;
pub use passes::pack::Pack;
pub use pipeline::Pipeline;
pub use rules::{Outcome, RULES, Rule};
