//! The functions that add operations to a graph.

pub use crate::ops::exports::*;
