//! From a path to the flat program that runs execute.

mod candidate;
pub(crate) mod compile;
mod follow;
mod fused;
mod join;
pub(crate) mod lookahead;
pub(crate) mod schedule;
mod slots;
pub(crate) mod step;
