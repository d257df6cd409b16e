use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use tidemill_value::{ByteString, DType, Value};

use super::header::write_header;
use super::{NpyError, strings};
use crate::bytes::bytes_of;
use crate::{FileError, write_file};

/// The parts of an `npy` file of an array: the header, and the elements.
pub(super) fn encode(value: &Value) -> Result<(Vec<u8>, Cow<'_, [u8]>), NpyError> {
    let dtype = value.dtype();
    let descr = match dtype {
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::F16 => "<f2",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::U8 => "|u1",
        DType::U16 => "<u2",
        DType::U32 => "<u4",
        DType::U64 => "<u8",
        DType::Bool => "|b1",
        DType::BF16 | DType::Variant => return Err(NpyError::Unwritable { dtype }),
        DType::String => {
            let (bytes, width) = strings::encode(value.as_slice::<ByteString>()?)?;
            return Ok((write_header(&format!("|S{width}"), value.shape()), bytes.into()));
        }
    };
    Ok((write_header(descr, value.shape()), bytes_of(value)))
}

/// Writes an array as an `npy` file. Strings become byte strings, all as long as the longest one.
///
/// # Errors
/// [`NpyError`] if the output fails, NumPy has no such type, or would lose the end of a string.
pub fn write_npy(value: &Value, output: &mut dyn Write) -> Result<(), NpyError> {
    let (header, data) = encode(value)?;
    write_parts(&header, &data, output)?;
    Ok(())
}

/// [`write_npy`] to a file, atomically.
///
/// # Errors
/// [`FileError`] of the file.
pub fn write_npy_file(path: impl AsRef<Path>, value: &Value) -> Result<(), FileError<NpyError>> {
    let path = path.as_ref();
    let (header, data) = encode(value).map_err(|error| FileError::new(path, error))?;
    write_file(path, |output| write_parts(&header, &data, output)).map_err(FileError::widen)
}

fn write_parts(header: &[u8], data: &[u8], output: &mut dyn Write) -> io::Result<()> {
    output.write_all(header)?;
    output.write_all(data)
}
