//! Describes the contents of a folder that lacks a checkpoint.

use std::fs;
use std::io;
use std::path::{MAIN_SEPARATOR, Path};

use super::error::{CheckpointError, CheckpointErrorKind};
use super::instead::Instead;
use super::state::latest_checkpoint;
use crate::file::folder_of;
use crate::tensor_info::{nearest, single_file_extension};

impl Instead {
    /// The contents of the folder of the checkpoint `prefix`.
    pub(super) fn of(prefix: &Path) -> Instead {
        if let Ok(Some(latest)) = latest_checkpoint(prefix) {
            return Instead::Within { latest: name_of(&latest) };
        }
        let Ok(entries) = fs::read_dir(folder_of(prefix)) else { return Instead::NoFolder };
        let checkpoint = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            match name.strip_suffix(".index") {
                Some(prefix) => Some(prefix.to_owned()),
                None => single_file_extension(Path::new(&name)).map(|_| name),
            }
        };
        let mut names: Vec<String> = entries.flatten().filter_map(checkpoint).collect();
        names.sort_by(|left, right| (left.len(), left).cmp(&(right.len(), right)));
        let near = nearest(&name_of(prefix), names.iter().map(String::as_str)).map(str::to_owned);
        Instead::Others { names, near }
    }
}

fn name_of(prefix: &Path) -> String {
    prefix.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Checks that a prefix can name the files of a checkpoint.
///
/// # Errors
/// [`CheckpointErrorKind::Prefix`] if it ends with a separator and so names a folder, and
/// [`CheckpointErrorKind::StateName`] if it is the name of the file that lists checkpoints.
pub fn check_prefix(prefix: impl AsRef<Path>) -> Result<(), CheckpointError> {
    let prefix = prefix.as_ref();
    let ends_with_separator = prefix
        .as_os_str()
        .as_encoded_bytes()
        .last()
        .is_some_and(|&last| last == b'/' || last == MAIN_SEPARATOR as u8);
    match prefix.file_name() {
        Some(name) if name == super::state::FILE => Err(CheckpointErrorKind::StateName.at(prefix)),
        Some(_) if !ends_with_separator => Ok(()),
        _ => Err(CheckpointErrorKind::Prefix.at(prefix)),
    }
}

/// The error of the checkpoint or safetensors file `prefix`, if it cannot be opened because it does
/// not exist.
pub(crate) fn missing(prefix: &Path, error: &io::Error) -> Option<CheckpointError> {
    let is_missing = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    is_missing.then(|| CheckpointErrorKind::Missing(Instead::of(prefix)).at(prefix))
}
