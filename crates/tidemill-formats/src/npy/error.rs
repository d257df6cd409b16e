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
    /// The bytes do not begin with the magic string.
    #[error("not an npy file: it does not begin with \\x93NUMPY")]
    Magic,
    /// The version of the file is unknown.
    #[error("the npy file has version {major}.{minor}, but only 1.0, 2.0 and 3.0 are supported")]
    Version {
        /// The major version.
        major: u8,
        /// The minor version.
        minor: u8,
    },
    /// The bytes end inside the header.
    #[error("the npy file ends inside its header")]
    Truncated,
    /// The header is invalid.
    #[error("the header of the npy file is damaged: {what} at byte {at}")]
    Header {
        /// The error.
        what: &'static str,
        /// The place of the error.
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
    #[error("string {index} of the array contains {code:#x}, which is not a Unicode character")]
    Character {
        /// The number of the string.
        index: usize,
        /// The character.
        code: u32,
    },
    /// NumPy has no such type.
    #[error(
        "NumPy has no type {dtype}: cast to float32, which loses nothing, or write safetensors"
    )]
    Unwritable {
        /// The data type.
        dtype: DType,
    },
    /// NumPy treats zero bytes at the end of a string as padding.
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
        Some('O') => "for pickled Python objects, which are not supported",
        Some('[') => "for records of several fields, which are not supported",
        Some('c') => "for complex numbers, which are not supported",
        Some('M' | 'm') => "for dates and times, which are not supported",
        Some('V') => {
            "for untyped bytes, which is how bfloat16 is written without the ml_dtypes package"
        }
        _ => "which is not supported",
    }
}
