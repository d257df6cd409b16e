//! The file formats of the Tidemill runtime: bytes to values and back.
//!
//! - [`proto`] has TensorFlow's protocol buffer messages: a [`GraphDef`](proto::GraphDef) and
//!   what it is made of. A [`TensorProto`](proto::TensorProto) converts to and from a
//!   [`Value`](tidemill_value::Value).
//!   [`TextMessage`] has the text of messages.
//! - [`checkpoint`] reads and writes TensorFlow's checkpoints.
//! - [`read_safetensors`] reads the tensors of a safetensors file.
//!
//! What is read is not trusted: bytes that are wrong give an error, and never a panic, a deep
//! recursion, or an allocation that is out of proportion to their number.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;
pub mod checkpoint;
pub mod proto;
mod safetensors;
mod shape;
mod tensor;
mod text_format;

pub use bytes::{BytesError, value_from_bytes};
pub use safetensors::{SafetensorsError, read_safetensors};
pub use shape::ShapeError;
pub use tensor::{SplatBudget, TensorError};
pub use text_format::{TextFormatError, TextFormatErrorKind, TextMessage};
