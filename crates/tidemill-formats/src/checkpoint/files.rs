//! Files that are written as a whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{CheckpointError, CheckpointErrorKind};

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

fn with_suffix(prefix: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(prefix);
    path.push(suffix);
    path.into()
}

/// The folder of a file or prefix.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Files of one folder that are written under other names first, and get their own when all are
/// on the disk. What is not committed is removed.
pub(super) struct Staged {
    files: Vec<(PathBuf, PathBuf)>,
}

impl Staged {
    pub(super) fn new() -> Self {
        Staged { files: Vec::new() }
    }

    /// Writes a file under another name, to the disk.
    pub(super) fn write(
        &mut self,
        path: &Path,
        write: impl FnOnce(&mut io::BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), CheckpointError> {
        let temporary = with_suffix(path, &format!(".tmp-{}-{}", process::id(), next_number()));
        self.files.push((temporary.clone(), path.to_owned()));
        let written = File::create_new(&temporary).and_then(|file| {
            let mut writer = io::BufWriter::with_capacity(1 << 18, file);
            write(&mut writer)?;
            writer.flush()?;
            writer.get_ref().sync_all()
        });
        written.map_err(|error| CheckpointErrorKind::Io(error).at(path))
    }

    /// Gives the files their names, in the order in which they were written.
    pub(super) fn commit(mut self) -> Result<(), CheckpointError> {
        let mut folders: Vec<PathBuf> = Vec::new();
        while !self.files.is_empty() {
            let (temporary, path) = &self.files[0];
            fs::rename(temporary, path)
                .map_err(|error| CheckpointErrorKind::Io(error).at(path.as_path()))?;
            let folder = folder_of(path).to_owned();
            if !folders.contains(&folder) {
                folders.push(folder);
            }
            self.files.remove(0);
        }
        folders.iter().try_for_each(|folder| sync_folder(folder))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for (temporary, _) in &self.files {
            // The error that left them is what the caller is told.
            let _ = fs::remove_file(temporary);
        }
    }
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Writes the names in a folder to the disk, where the system has a way to.
fn sync_folder(folder: &Path) -> Result<(), CheckpointError> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| CheckpointErrorKind::Io(error).at(folder))
}
