//! The names of a checkpoint's files.

use std::path::{Path, PathBuf};

use crate::file::with_suffix;

/// The path of a checkpoint's index.
pub(super) fn index_path(prefix: &Path) -> PathBuf {
    with_suffix(prefix, ".index")
}

/// The path of a checkpoint's data file number `shard`.
pub(super) fn data_path(prefix: &Path, shard: i32, shards: i32) -> PathBuf {
    with_suffix(prefix, &format!(".data-{shard:05}-of-{shards:05}"))
}

/// The path of the graph that belongs to a checkpoint.
pub(super) fn meta_path(prefix: &Path) -> PathBuf {
    with_suffix(prefix, ".meta")
}
