//! The text form of graphs and subgraphs.
//!
//! A line is read by [`parse`] and written by [`mod@print`] whatever it belongs to; what its names
//! stand for is settled in [`graph`] and [`subgraph`].

mod attr;
mod build;
mod cursor;
mod error;
mod graph;
mod literal;
mod parse;
mod print;
mod subgraph;

pub use error::{TextError, TextErrorKind};
