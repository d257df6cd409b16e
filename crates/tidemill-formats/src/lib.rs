//! The file formats of the Tidemill runtime: bytes to values and back.
//!
//! - [`proto`] has TensorFlow's protocol buffer messages: a [`GraphDef`](proto::GraphDef) and its
//!   parts. A [`TensorProto`](proto::TensorProto) converts to and from a
//!   [`Value`](tidemill_value::Value). [`TextMessage`] has the text of messages.
//! - [`checkpoint`] reads and writes TensorFlow's checkpoints.
//! - [`SafetensorsFile`] and [`write_safetensors`] handle safetensors files, [`npy`] handles
//!   NumPy's files.
//! - [`tfrecord`] reads and writes TensorFlow's record files, [`event`] the training logs in them.
//! - [`FileKind`] detects the kind of a file from its contents.
//!
//! Files are written atomically with [`write_file`], and memory-mapped for reading, so that large
//! values need not be copied.
//!
//! Input is not trusted: invalid bytes give an error, never a panic, a deep recursion, or an
//! allocation out of proportion to their length.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;
pub mod checkpoint;
mod checksum;
pub mod event;
mod file;
mod kind;
pub mod npy;
pub mod proto;
mod safetensors;
mod shape;
mod tensor;
mod tensor_info;
mod tensor_reader;
mod text_format;
pub mod tfrecord;

pub use ::safetensors::SafeTensorError;
pub use bytes::{BytesError, value_from_bytes};
pub use file::{FileError, map_file, remove_unfinished, write_file};
pub use kind::FileKind;
pub use safetensors::{SafetensorsError, SafetensorsFile, read_safetensors, write_safetensors};
pub use shape::ShapeError;
pub use tensor::{SplatBudget, TensorError};
pub use tensor_info::{TensorInfo, nearest, single_file_extension};
pub use tensor_reader::{TensorFileError, TensorReader, write_tensors};
pub use text_format::{TextFormatError, TextFormatErrorKind, TextMessage};
