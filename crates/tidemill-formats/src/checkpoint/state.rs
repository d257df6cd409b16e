use std::fs;
use std::io;
use std::path::{Path, PathBuf, absolute};

use super::error::{CheckpointError, CheckpointErrorKind};
use super::files::exists;
use crate::file::{folder_of, write_file};
use crate::{TextMessage, proto};

pub(super) const FILE: &str = "checkpoint";

/// The checkpoints of a folder: the contents of its file `checkpoint`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointState {
    /// The prefix of the latest checkpoint.
    pub latest: PathBuf,
    /// The prefixes of all checkpoints that are kept, the oldest first.
    pub all: Vec<PathBuf>,
}

impl CheckpointState {
    /// Reads the state of a folder; `None` if it has none.
    ///
    /// # Errors
    /// [`CheckpointError`], if the file cannot be read, or is damaged.
    pub fn read(folder: impl AsRef<Path>) -> Result<Option<CheckpointState>, CheckpointError> {
        let folder = folder.as_ref();
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CheckpointErrorKind::Io(error).at(path)),
        };
        let state = CheckpointState::parse(&String::from_utf8_lossy(&text), folder);
        state.map(Some).map_err(|kind| kind.at(path))
    }

    /// Writes the state of a folder. Prefixes within the folder are written relative to it, so
    /// that it can be moved.
    ///
    /// # Errors
    /// [`CheckpointError`], if the file cannot be written.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<(), CheckpointError> {
        let folder = folder.as_ref();
        let stored = |prefix: &PathBuf| {
            let stored = match prefix.file_name() {
                Some(name) if folder_of(prefix) == folder => PathBuf::from(name),
                _ => absolute(prefix).unwrap_or_else(|_| prefix.clone()),
            };
            stored.to_string_lossy().into_owned()
        };
        let text = proto::CheckpointState {
            model_checkpoint_path: stored(&self.latest),
            all_model_checkpoint_paths: self.all.iter().map(stored).collect(),
        }
        .to_text();
        Ok(write_file(folder.join(FILE), |file| file.write_all(text.as_bytes()))?)
    }

    fn parse(text: &str, folder: &Path) -> Result<CheckpointState, CheckpointErrorKind> {
        let state = proto::CheckpointState::from_text(text)?;
        let latest = Some(state.model_checkpoint_path).filter(|path| !path.is_empty());
        Ok(CheckpointState {
            latest: latest.map_or_else(PathBuf::new, |path| folder.join(path)),
            all: state.all_model_checkpoint_paths.iter().map(|path| folder.join(path)).collect(),
        })
    }
}

/// The prefix of a folder's latest checkpoint, according to its file `checkpoint`; `None` if the
/// file or the checkpoint does not exist.
///
/// # Errors
/// [`CheckpointError`], if the file cannot be read, or is damaged.
pub fn latest_checkpoint(folder: impl AsRef<Path>) -> Result<Option<PathBuf>, CheckpointError> {
    let state = CheckpointState::read(folder)?;
    let latest = state.map(|state| state.latest);
    Ok(latest.filter(|prefix| exists(prefix)))
}

impl CheckpointState {
    /// The folder that the state of a checkpoint is in.
    pub fn folder(prefix: &Path) -> &Path {
        folder_of(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tensorflow_writes_is_read() {
        let text = "model_checkpoint_path: \"m-2\"\nall_model_checkpoint_paths: \"/x/m-1\"\n\
                    all_model_checkpoint_paths: \"m-2\"\nall_model_checkpoint_timestamps: 1.5\n";
        let state = CheckpointState::parse(text, Path::new("runs")).unwrap();
        assert_eq!(state.latest, Path::new("runs/m-2"));
        assert_eq!(state.all, [Path::new("/x/m-1"), Path::new("runs/m-2")]);
        let damaged = CheckpointState::parse("a: 1\nmodel_checkpoint_path: 3", Path::new(""));
        let error = damaged.unwrap_err().to_string();
        assert!(
            error.starts_with("line 1, column 1: the message CheckpointState has no field"),
            "{error}"
        );
    }
}
