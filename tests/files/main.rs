//! Files: checkpoints, graphs, SavedModels.

#[path = "../common/mod.rs"]
mod common;

mod checkpointer;
mod graph_files;
mod optimizer_checkpoints;
mod saved_models;
mod saver;
