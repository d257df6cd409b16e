//! The building blocks of the Tidemill runtime's tests. This crate is not published.
//!
//! - [`check_gradient`] compares symbolic gradients, and gradients of gradients, with finite
//!   differences.
//! - `suite`, a feature, holds the tests that every operation must pass, on its own samples.
//! - [`Reference`] runs a graph the naive way, and a [`Scenario`] is a random graph with runs on
//!   which to compare sessions with it.
//! - [`bodies`] holds random programs with branches, loops and maps, to compare with the same
//!   programs unrolled.
//! - [`conformance`] runs graphs that were recorded from TensorFlow.
//! - [`ops_table`] writes the documentation's table of operations.
//!
//! Its functions fail by panicking, as tests do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod bodies;
pub mod conformance;
mod failure;
mod gradient_check;
pub mod hostile;
mod kernel;
pub mod ops_table;
mod random_graph;
mod reference;
mod subgraph;
#[cfg(feature = "suite")]
pub mod suite;
mod tensorflow_names;
pub mod values;

pub use failure::Failure;
pub use gradient_check::{check_gradient, check_gradients};
pub use random_graph::{Scenario, random_value_of};
pub use reference::{Reference, Run};
pub use subgraph::{Evaluation, FailedOrigin, evaluate, subgraph_of};
