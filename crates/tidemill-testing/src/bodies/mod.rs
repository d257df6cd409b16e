//! Random programs with branches, loops and maps, and their twins without: a [`Program`] is data, so
//! that it can be built with bodies, be unrolled to plain nodes, be printed, and be made smaller.
//!
//! [`check`] compares the gradients of both, and those with finite differences.

mod build;
mod check;
mod common;
mod connected;
mod generate;
mod print;
mod program;
mod shrink;
mod steps;
mod unroll;

pub use check::{Failed, check};
pub use program::Program;
pub use shrink::smallest;
