use std::io;

use tidemill_value::{DType, ValueError};

use crate::BytesError;

/// The error of reading or writing an `npy` file.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum NpyError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes do not begin as they must.
    #[error("this is no npy file: it does not begin with \\x93NUMPY")]
    Magic,
    /// The version of the file does not exist.
    #[error("the npy file is of version {major}.{minor}; 1.0, 2.0 and 3.0 are known")]
    Version {
        /// The version before the dot.
        major: u8,
        /// And after it.
        minor: u8,
    },
    /// The bytes end within the header.
    #[error("the npy file ends within its header")]
    Truncated,
    /// The header is invalid.
    #[error("the header of the npy file is damaged: {what} at its byte {at}")]
    Header {
        /// The error.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// The elements are of a type that values cannot have.
    #[error("the array has elements of NumPy's type `{descr}`, {}", reason(descr))]
    Type {
        /// The type, as the file describes it.
        descr: String,
    },
    /// The bytes do not fill the shape.
    #[error(transparent)]
    Bytes(#[from] BytesError),
    /// Memory cannot hold the array.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A string has invalid characters.
    #[error("string {index} of the array has the character {code:#x}, which is none")]
    Character {
        /// The number of the string.
        index: usize,
        /// The character.
        code: u32,
    },
    /// NumPy has no such type.
    #[error("NumPy has no type {dtype}; a cast to float32 loses nothing, safetensors keep it")]
    Unwritable {
        /// The data type.
        dtype: DType,
    },
    /// NumPy takes zero bytes at the end of a string for padding.
    #[error("string {index} ends with a zero byte, which NumPy would lose")]
    ZeroByte {
        /// The number of the string.
        index: usize,
    },
}

tidemill_value::debug_as_report!(NpyError);

fn reason(descr: &str) -> &'static str {
    let mut letters =
        descr.trim_matches(['\'', '"']).trim_start_matches(['<', '>', '=', '|']).chars();
    match letters.next() {
        Some('O') => "that is pickled Python objects, which are not read",
        Some('[') => "that is records of several fields, which are not read",
        Some('c') => "that is complex numbers, which values cannot have",
        Some('M' | 'm') => "that is times, which values cannot have",
        Some('V') => "that is bytes of no type, as bfloat16 are without the ml_dtypes package",
        _ => "which values cannot have",
    }
}
