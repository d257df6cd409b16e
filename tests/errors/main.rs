//! Mistakes: error types, their texts, and the lines that they name.

#[path = "../common/mod.rs"]
mod common;

mod files;
mod lines;
mod mistakes;
mod table;
mod training_lines;
mod types;
