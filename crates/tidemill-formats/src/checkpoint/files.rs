//! The files of a checkpoint.

use std::path::{Path, PathBuf};

use crate::file::with_suffix;
use crate::tensor_info::single_file_extension;

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

/// True if there is a checkpoint `prefix`: an index, or a safetensors file.
pub fn exists(prefix: impl AsRef<Path>) -> bool {
    let prefix = prefix.as_ref();
    let has_index = || prefix.file_name().is_some() && index_path(prefix).is_file();
    if single_file_extension(prefix).is_some() { prefix.is_file() } else { has_index() }
}
