//! Graphs and sessions under load from several threads.

#[path = "../common/mod.rs"]
mod common;

mod stress;
mod threads;
