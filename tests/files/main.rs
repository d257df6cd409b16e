//! Files: checkpoints, graphs, SavedModels.

#[path = "../common/mod.rs"]
mod common;

mod checkpointer;
mod graph_files;
mod mutants;
mod optimizer_checkpoints;
mod saved_models;
mod saver;
mod unknown_parts;
