use std::path::Path;

use tidemill_value::{DType, FileMap, Shape, Value, ValueError, match_dtype};

use super::header::{Element, NpyHeader};
use super::{NpyError, strings};
use crate::bytes::value_from_file;
use crate::file::map_file;
use crate::{BytesError, FileError, value_from_bytes};

/// The array of an `npy` file, in row-major order. Byte strings lose the zero bytes at their ends,
/// which NumPy treats as padding; strings of characters become UTF-8.
///
/// # Errors
/// [`NpyError`]. The number of bytes is checked before anything is allocated.
pub fn read_npy(bytes: &[u8]) -> Result<Value, NpyError> {
    let header = NpyHeader::read(bytes)?;
    let data = data(&header, bytes)?;
    decode(header, data)
}

/// The array of an `npy` file, in row-major order (see [`read_npy`]). A large one stays in the
/// file, mapped into memory (see [`FileMap`]), if its elements have their layout in memory.
///
/// # Errors
/// [`FileError`] of the file.
pub fn read_npy_file(path: impl AsRef<Path>) -> Result<Value, FileError<NpyError>> {
    let path = path.as_ref();
    let file = map_file(path).map_err(FileError::widen)?;
    read_map(&file).map_err(|error| FileError::new(path, error))
}

fn read_map(file: &FileMap) -> Result<Value, NpyError> {
    let header = NpyHeader::read(file)?;
    let data = data(&header, file)?;
    let is_as_in_memory = !header.is_big_endian && (!header.is_fortran || header.shape.rank() < 2);
    match header.element {
        Element::Plain if is_as_in_memory => {
            let range = header.begin..header.begin + data.len();
            Ok(value_from_file(header.dtype, header.shape, file, range)?)
        }
        _ => decode(header, data),
    }
}

/// The bytes of the elements; their number must match the shape.
fn data<'a>(header: &NpyHeader, bytes: &'a [u8]) -> Result<&'a [u8], NpyError> {
    let data = bytes.get(header.begin..).unwrap_or_default();
    let (dtype, shape) = (header.dtype, &header.shape);
    match header.data_length() {
        Some(expected) if expected == data.len() => Ok(data),
        Some(expected) => {
            let (shape, actual) = (shape.clone(), data.len());
            Err(BytesError::Count { dtype, shape, expected, actual }.into())
        }
        None => Err(ValueError::TooLarge { shape: shape.clone() }.into()),
    }
}

fn decode(header: NpyHeader, data: &[u8]) -> Result<Value, NpyError> {
    let NpyHeader { dtype, shape, element, is_big_endian, is_fortran, .. } = header;
    // The extents, beginning with the axis that changes slowest.
    let stored = match is_fortran {
        true => shape.iter().rev().copied().collect(),
        false => shape,
    };
    let value = match element {
        Element::Bytes(count) => strings::decode_bytes(stored, data, count)?,
        Element::Characters(count) => {
            strings::decode_characters(stored, data, count, is_big_endian)?
        }
        Element::Plain if is_big_endian && dtype.size() > 1 => {
            value_from_bytes(dtype, stored, &swapped(dtype, data))?
        }
        Element::Plain => value_from_bytes(dtype, stored, data)?,
    };
    if is_fortran { turned(value) } else { Ok(value) }
}

/// Elements with their bytes swapped.
fn swapped(dtype: DType, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
    bytes
}

/// The value with its axes reversed.
fn turned(value: Value) -> Result<Value, NpyError> {
    let shape: Shape = value.shape().iter().rev().copied().collect();
    match_dtype!(value.dtype(), any, T => {
        let array = value.into_array::<T>()?.reversed_axes();
        Ok(Value::from_vec(shape, array.iter().cloned().collect::<Vec<T>>())?)
    })
}
