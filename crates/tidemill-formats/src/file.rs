//! Atomic file writes, and memory-mapped files.

use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tidemill_value::{FileMap, write_error_report};

/// An error with a file.
#[derive(thiserror::Error)]
#[error("{}: {kind}", path.display())]
pub struct FileError<E: Error> {
    /// The file.
    pub path: PathBuf,
    /// The error.
    pub kind: Box<E>,
}

impl<E: Error> fmt::Debug for FileError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_error_report(self, f)
    }
}

impl<E: Error> FileError<E> {
    pub(crate) fn new(path: impl Into<PathBuf>, kind: impl Into<E>) -> Self {
        FileError { path: path.into(), kind: Box::new(kind.into()) }
    }

    /// Converts the error to a wider kind.
    pub(crate) fn widen<F: Error + From<E>>(self) -> FileError<F> {
        FileError::new(self.path, *self.kind)
    }
}

/// Maps a file into memory (see [`FileMap`] for what other programs must not do meanwhile).
///
/// # Errors
/// [`FileError`], if it cannot be read or is not a regular file.
pub fn map_file(path: impl AsRef<Path>) -> Result<FileMap, FileError<io::Error>> {
    let path = path.as_ref();
    FileMap::open(path).map_err(|error| FileError::new(path, error))
}

/// Writes a file atomically, even if the program or the machine stops: first under a temporary name
/// in the same folder, then renamed once it is on disk. When this returns, the name is on disk,
/// too. A program that has the previous file mapped keeps it.
///
/// # Errors
/// [`FileError`] if the file cannot be written. An earlier file of that name then stays as it was.
pub fn write_file(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FileError<io::Error>> {
    let mut staged = Staged::new();
    staged.write(path.as_ref(), write)?;
    staged.commit()
}

/// A path with a suffix.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// The folder of a file or prefix.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The error of a file that cannot be created; it names the folder if that is the reason.
fn with_cause(error: io::Error, path: &Path) -> io::Error {
    let reason = match error.kind() {
        io::ErrorKind::PermissionDenied => "cannot be written to",
        io::ErrorKind::ReadOnlyFilesystem => "is on a read-only file system",
        io::ErrorKind::NotFound => "does not exist",
        io::ErrorKind::StorageFull => "has no space left",
        _ => return error,
    };
    let folder = folder_of(path).display();
    io::Error::new(error.kind(), format!("the folder {folder} {reason}: {error}"))
}

/// Files of one folder that are written under temporary names, and get their own once all are on
/// disk. Files that are not committed are removed.
pub(crate) struct Staged {
    files: Vec<(PathBuf, PathBuf)>,
}

impl Staged {
    pub(crate) fn new() -> Self {
        Staged { files: Vec::new() }
    }

    /// Writes a file to disk under a temporary name.
    pub(crate) fn write(
        &mut self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), FileError<io::Error>> {
        let temporary = with_suffix(path, &format!("{}{}", *TEMPORARY, next_number()));
        self.files.push((temporary.clone(), path.to_owned()));
        let written = File::create_new(&temporary).and_then(|file| {
            let mut writer = io::BufWriter::with_capacity(1 << 18, file);
            write(&mut writer)?;
            writer.flush()?;
            writer.get_ref().sync_all()
        });
        written.map_err(|error| FileError::new(path, with_cause(error, path)))
    }

    /// Gives the files their names, in the order in which they were written.
    pub(crate) fn commit(mut self) -> Result<(), FileError<io::Error>> {
        let mut folders: Vec<PathBuf> = Vec::new();
        while !self.files.is_empty() {
            let (temporary, path) = &self.files[0];
            fs::rename(temporary, path).map_err(|error| FileError::new(path, error))?;
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
            // The caller learns of the error that left them behind.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// The prefix of the number in the names of files being written; no other process has the same.
static TEMPORARY: LazyLock<String> =
    LazyLock::new(|| format!("{MARK}{:016x}-", RandomState::new().build_hasher().finish()));
const MARK: &str = ".tmp-";

/// Removes the unfinished files of killed processes whose names begin like that of `prefix`: files
/// with the temporary names of [`write_file`]. No other process may be writing such files now.
/// Files that this process is writing are kept.
///
/// # Errors
/// [`FileError`], if the folder cannot be read, or a file cannot be removed.
pub fn remove_unfinished(prefix: impl AsRef<Path>) -> Result<(), FileError<io::Error>> {
    let prefix = prefix.as_ref();
    let folder = folder_of(prefix);
    let at = |error| FileError::new(folder, error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(at)?,
    };
    let start = prefix.file_name().unwrap_or_default().as_encoded_bytes();
    for entry in entries {
        let path = entry.map_err(at)?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if name.starts_with(start) && is_unfinished(&String::from_utf8_lossy(name)) {
            fs::remove_file(&path).map_err(|error| FileError::new(&path, error))?;
        }
    }
    Ok(())
}

/// True if the name is that of a file which another process left unfinished.
fn is_unfinished(name: &str) -> bool {
    let Some((_, marks)) = name.rsplit_once(MARK) else { return false };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_ours = name.contains(TEMPORARY.as_str());
    !is_ours
        && marks.split_once('-').is_some_and(|(left, right)| are_digits(left) && are_digits(right))
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Writes the names in a folder to disk, if the system can.
fn sync_folder(folder: &Path) -> Result<(), FileError<io::Error>> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| FileError::new(folder, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_written_to_is_named() {
        let error = |kind: io::ErrorKind| with_cause(kind.into(), Path::new("runs/model.index"));
        assert_eq!(
            error(io::ErrorKind::PermissionDenied).to_string(),
            "the folder runs cannot be written to: permission denied"
        );
        assert_eq!(error(io::ErrorKind::Interrupted).to_string(), "operation interrupted");
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let written = write_file("/nowhere/at/all/x", |_| Ok(()));
        assert_eq!(
            written.unwrap_err().to_string(),
            "/nowhere/at/all/x: the folder /nowhere/at/all does not exist: \
             No such file or directory (os error 2)"
        );
    }
}
