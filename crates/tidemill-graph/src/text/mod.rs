//! The text form of graphs and subgraphs.
//!
//! A line is read by [`parse`] and written by [`mod@print`] wherever it belongs; [`graph`] and
//! [`subgraph`] resolve its names.

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
