//! Tensors by name, in files of any supported format.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use tidemill_value::{DType, Shape, Value};

use crate::checkpoint::{self, CheckpointError, CheckpointReader, write_checkpoint};
use crate::proto::DataTypeError;
use crate::{FileError, SafetensorsError, SafetensorsFile, write_safetensors};

/// Names less similar than this are not suggested.
const SIMILAR: f64 = 0.7;

/// The header of a tensor in a file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Its data type, or the reason that values cannot have it.
    pub dtype: Result<DType, DataTypeError>,
    /// Its shape.
    pub shape: Shape,
}

impl TensorInfo {
    /// The header of a tensor with a data type that values can have.
    pub fn new(name: impl Into<String>, dtype: DType, shape: Shape) -> Self {
        TensorInfo { name: name.into(), dtype: Ok(dtype), shape }
    }

    /// The type and shape, such as `float32[2, 3]`.
    pub fn type_and_shape(&self) -> String {
        match &self.dtype {
            Ok(dtype) => format!("{dtype}{}", self.shape),
            Err(DataTypeError::Unsupported { name }) => format!("{name}{}", self.shape),
            Err(error) => error.to_string(),
        }
    }
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.type_and_shape())
    }
}

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
        Ok(match is_safetensors(path.as_ref()) {
            true => TensorReader::Safetensors(open_safetensors(path.as_ref())?),
            false => TensorReader::Checkpoint(CheckpointReader::open(path)?),
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
    match is_safetensors(path.as_ref()) {
        true => write_safetensors(path, tensors, &BTreeMap::new())?,
        false => write_checkpoint(path, tensors)?,
    }
    Ok(())
}

/// True if a path names a safetensors file, by its extension.
pub(crate) fn is_safetensors(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("safetensors"))
}

/// The most similar of some names to another, if any is similar.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let score = |other: &str| {
        let whole = strsim::normalized_damerau_levenshtein(name, other);
        let parts = strsim::normalized_damerau_levenshtein(&last(name), &last(other));
        whole.max(parts - 0.1)
    };
    let scored = names.into_iter().map(|other| (score(other), other));
    let best = scored.max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.filter(|(score, _)| *score >= SIMILAR).map(|(_, other)| other)
}
