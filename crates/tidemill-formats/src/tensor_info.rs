//! Headers of tensors, and names that are like others.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use tidemill_value::{DType, Shape};

use crate::proto::DataTypeError;

/// Names less similar than this are not suggested.
const SIMILAR: f64 = 0.7;

/// The extensions of formats that hold all tensors of a checkpoint in one file.
const SINGLE_FILES: &[&str] = &["safetensors"];

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

/// The extension of a path, if checkpoints of that name are single files. Other paths are prefixes of
/// TensorFlow's checkpoints.
pub fn single_file_extension(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?;
    SINGLE_FILES.iter().copied().find(|known| extension == OsStr::new(known))
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
