use std::io;
use std::path::PathBuf;

use tidemill_value::{Shape, ValueError};

use super::instead::Instead;
use super::table::TableError;
use crate::proto::{DataTypeError, DecodeError};
use crate::{BytesError, FileError, ShapeError, TextFormatError};

/// The error of reading or writing a checkpoint.
#[derive(thiserror::Error)]
#[error("{}: {kind}", path.display())]
pub struct CheckpointError {
    /// The file, or the prefix of the files.
    pub path: PathBuf,
    /// The error.
    pub kind: CheckpointErrorKind,
}

tidemill_value::debug_as_report!(CheckpointError);

/// The kind of error in a checkpoint.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointErrorKind {
    /// A file cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is no checkpoint with this prefix.
    #[error("there is no such checkpoint: {0}")]
    Missing(Instead),
    /// The folder of a checkpoint cannot be created, because a part of its path is a file.
    #[error("this is a file, so it cannot contain checkpoints")]
    NotAFolder,
    /// The folder of a checkpoint cannot be created.
    #[error("the folder cannot be created: {0}")]
    Folder(#[source] io::Error),
    /// The index is not a valid table.
    #[error("the index is damaged: {0}")]
    Table(#[from] TableError),
    /// The index does not begin with a header.
    #[error("the index has no header, so it does not belong to a checkpoint")]
    NoHeader,
    /// A message in the index is damaged.
    #[error("the entry `{name}` of the index is damaged: {source}")]
    Entry {
        /// The name of the entry, empty for the header.
        name: String,
        /// The error.
        source: DecodeError,
    },
    /// The version of the checkpoint is too new.
    #[error("the checkpoint needs a reader of version {min_consumer}; this is version 1")]
    Version {
        /// The version it needs.
        min_consumer: i32,
    },
    /// The elements are big-endian.
    #[error("the elements are big-endian, which is not supported")]
    BigEndian,
    /// No tensor has this name.
    #[error(
        "there is no tensor `{name}`{}",
        near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
    )]
    NotFound {
        /// The name.
        name: String,
        /// A similar name, if there is one.
        near: Option<String>,
    },
    /// A tensor cannot be read.
    #[error("the tensor `{name}`: {source}")]
    Tensor {
        /// Its name.
        name: String,
        /// The error.
        source: Box<TensorErrorKind>,
    },
    /// The name is not allowed for a tensor.
    #[error("a tensor in a checkpoint cannot be named {name:?}")]
    Name {
        /// The name.
        name: String,
    },
    /// The state file is damaged.
    #[error(transparent)]
    State(#[from] TextFormatError),
    /// A prefix names no file.
    #[error("the prefix of a checkpoint must end with a name, as in `folder/model`")]
    Prefix,
    /// A prefix is the name of the file that lists checkpoints.
    #[error(
        "a checkpoint cannot be named `checkpoint`: its folder lists its checkpoints in a file of \
         that name"
    )]
    StateName,
}

tidemill_value::debug_as_report!(CheckpointErrorKind);

/// The kind of error in a tensor of a checkpoint.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TensorErrorKind {
    /// Values cannot have its data type.
    #[error(transparent)]
    DType(#[from] DataTypeError),
    /// Its shape is invalid.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Its bytes do not fill its shape.
    #[error(transparent)]
    Bytes(#[from] BytesError),
    /// Memory cannot hold it.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// Its bytes, according to the index, are beyond the end of the file.
    #[error(
        "its bytes {offset}..{offset}+{size} go past the end of the file, which has {length} bytes"
    )]
    OutOfFile {
        /// The offset of its bytes.
        offset: i64,
        /// The number of its bytes.
        size: i64,
        /// The size of the file.
        length: u64,
    },
    /// Its bytes, according to the index, are in a file that does not belong to the checkpoint.
    #[error("its bytes are in file {shard}, but the checkpoint has {shards} files")]
    Shard {
        /// The number of the file.
        shard: i32,
        /// The number of files of the checkpoint.
        shards: i32,
    },
    /// The checksum of the bytes does not match.
    #[error("its bytes are damaged: their checksum is {actual:#010x}, not {expected:#010x}")]
    Checksum {
        /// The checksum of the bytes.
        actual: u32,
        /// The expected value.
        expected: u32,
    },
    /// The number of strings does not match the shape.
    #[error("its bytes do not decode to {count} strings")]
    Strings {
        /// The expected number of strings.
        count: usize,
    },
    /// A slice is not within the shape.
    #[error("a slice is not within the shape {shape}")]
    SliceRange {
        /// The shape.
        shape: Shape,
    },
    /// A slice of the tensor is missing, or has another type or shape.
    #[error("one of its slices is missing or has another type or shape")]
    Slice,
    /// The slices do not fill the shape, or overlap.
    #[error("its slices overlap or do not fill the shape {shape}")]
    SliceCover {
        /// The shape.
        shape: Shape,
    },
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

tidemill_value::debug_as_report!(TensorErrorKind);

impl CheckpointErrorKind {
    /// Attaches a file or prefix to the error.
    pub(super) fn at(self, path: impl Into<PathBuf>) -> CheckpointError {
        CheckpointError { path: path.into(), kind: self }
    }
}

impl From<FileError<io::Error>> for CheckpointError {
    fn from(error: FileError<io::Error>) -> Self {
        CheckpointErrorKind::Io(*error.kind).at(error.path)
    }
}
