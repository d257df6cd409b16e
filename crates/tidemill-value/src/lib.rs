//! Concrete values of the Tidemill runtime: data types, shapes, and n-dimensional arrays.
//!
//! Sessions take a [`Value`] for each feed and return one for each fetch, and variables hold
//! values. It owns its elements through a shared buffer: cloning a value copies no elements, and a
//! buffer that only one value uses moves to and from `Vec` and `ndarray` without a copy. The
//! elements of a value can also be in a [memory-mapped](FileMap) file.
//!
//! This crate is the bottom layer. It knows no operations, graphs or file formats.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[macro_use]
mod match_dtype;
#[macro_use]
mod shape_macro;

mod broadcast;
mod convert;
mod copied;
mod display;
mod dtype;
mod element;
mod error;
mod error_report;
mod format;
mod mapped;
mod memory;
mod model;
mod nested;
mod numeric_error;
mod partial_shape;
mod scalar;
mod scalar_op;
mod shape;
mod storage;
mod tensor_list;
mod value;
mod words;

pub use broadcast::{BroadcastError, broadcast};
pub use bstr::BString as ByteString;
pub use convert::{IntoScalars, IntoValue};
pub use copied::copied_bytes;
pub use dtype::DType;
pub use error::ValueError;
pub use error_report::write_error_report;
pub use format::{format_bfloat16, format_float16, format_float32, format_float64};
pub use half::{bf16, f16};
pub use mapped::FileMap;
pub use memory::{Memory, Workspace};
pub use model::{Element, TensorList, Value};
pub use nested::Nested;
pub use numeric_error::NumericError;
pub use partial_shape::{Dim, PartialShape};
pub use scalar::Scalar;
pub use scalar_op::{BinaryOp, CompareOp, PredicateOp, ScalarOp, UnaryOp};
pub use shape::Shape;
pub use words::{Bits, Word};
