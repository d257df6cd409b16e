//! Tensors by name, in files of any supported format.

use std::collections::BTreeMap;
use std::path::Path;

use tidemill_value::Value;

use crate::checkpoint::{self, CheckpointError, CheckpointReader, write_checkpoint};
use crate::tensor_info::{TensorInfo, single_file_extension};
use crate::{FileError, SafetensorsError, SafetensorsFile, write_safetensors};

/// The error of reading or writing the tensors of a file.
#[derive(thiserror::Error)]
#[error(transparent)]
pub enum TensorFileError {
    /// The error of a checkpoint.
    Checkpoint(#[from] CheckpointError),
    /// The error of a safetensors file.
    Safetensors(#[from] FileError<SafetensorsError>),
}

tidemill_value::debug_as_report!(TensorFileError);

/// Reads tensors by name, one at a time, from a checkpoint or a safetensors file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TensorReader {
    /// From a checkpoint.
    Checkpoint(CheckpointReader),
    /// From a safetensors file.
    Safetensors(SafetensorsFile),
}

impl TensorReader {
    /// Opens a safetensors file if the path ends with `.safetensors`, or else the checkpoint with
    /// that prefix.
    ///
    /// # Errors
    /// [`TensorFileError`], if the file does not exist or is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<TensorReader, TensorFileError> {
        Ok(match single_file_extension(path.as_ref()) {
            Some(_) => TensorReader::Safetensors(open_safetensors(path.as_ref())?),
            None => TensorReader::Checkpoint(CheckpointReader::open(path)?),
        })
    }

    /// The file, or the prefix of the files.
    pub fn path(&self) -> &Path {
        match self {
            TensorReader::Checkpoint(reader) => reader.prefix(),
            TensorReader::Safetensors(file) => file.path(),
        }
    }

    /// The tensors, in the order of their names.
    ///
    /// # Errors
    /// [`TensorFileError`] if a tensor has an impossible shape.
    pub fn tensors(&self) -> Result<Vec<TensorInfo>, TensorFileError> {
        match self {
            TensorReader::Checkpoint(reader) => Ok(reader.tensors()?),
            TensorReader::Safetensors(file) => Ok(file.tensors().collect()),
        }
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// [`TensorFileError`], if no tensor has this name, values cannot have its type, or its bytes
    /// are damaged.
    pub fn read(&self, name: &str) -> Result<Value, TensorFileError> {
        match self {
            TensorReader::Checkpoint(reader) => Ok(reader.read(name)?),
            TensorReader::Safetensors(file) => Ok(file.read(name)?),
        }
    }
}

fn open_safetensors(path: &Path) -> Result<SafetensorsFile, TensorFileError> {
    SafetensorsFile::open(path).map_err(|error| {
        let missing = match &*error.kind {
            SafetensorsError::Io(error) => checkpoint::missing(path, error),
            _ => None,
        };
        missing.map_or_else(|| error.into(), TensorFileError::from)
    })
}

/// Writes tensors so that [`TensorReader`] reads them: as a safetensors file, if the path ends
/// with `.safetensors`, otherwise as the checkpoint of that prefix. The folder is created if it
/// does not exist.
///
/// # Errors
/// [`TensorFileError`] if a file cannot be written, or the format cannot hold a tensor.
pub fn write_tensors<'a>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (&'a str, &'a Value)>,
) -> Result<(), TensorFileError> {
    match single_file_extension(path.as_ref()) {
        Some(_) => write_safetensors(path, tensors, &BTreeMap::new())?,
        None => write_checkpoint(path, tensors)?,
    }
    Ok(())
}
