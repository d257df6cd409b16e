//! From a graph and a signature to the path that a run computes.

mod bodies;
pub(crate) mod guard;
pub(crate) mod prune;
pub(crate) mod signature;
