//! Programs that start themselves again as another process.

#[path = "../common/mod.rs"]
mod common;

mod killed_saves;
mod resume;
