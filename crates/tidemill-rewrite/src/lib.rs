//! Rewriting: makes a path faster before it runs, without changing one bit of its results.
//!
//! A [`Pipeline`] runs passes over the [`Subgraph`](tidemill_graph::Subgraph) of a run. A pass
//! walks the nodes once, in order, and may replace a node through a [`GraphEdit`], which checks
//! that data type and shape stay the same. Effects, and nodes that can fail, stay.
//!
//! Rewrites are exact: NaN, infinities and negative zero included.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod edit;
mod pass;
mod passes;
mod pipeline;
mod rules;

pub use edit::{GraphEdit, Replacement, sweep};
pub use pass::{Pass, Rewrite};
pub use passes::algebra::Algebra;
pub use passes::cse::Cse;
pub use passes::dead::DeadNodes;
pub use passes::fold::Fold;
pub use pipeline::Pipeline;
pub use rules::{RULES, Rule};
