//! Random programs with conditionals, loops and maps. A [`Program`] is data, so that it can be built
//! with bodies, unrolled to plain nodes, printed, and shrunk.
//!
//! [`check`] compares a program with its unrolled twin, and the gradients with finite differences.

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

pub use check::{Failed, check, rewrites};
pub use program::Program;
pub use shrink::smallest;
