use std::borrow::Cow;
use std::ops::Range;

use tidemill_value::{
    ByteString, DType, Element, FileMap, Shape, Value, ValueError, bf16, f16, match_dtype,
};

/// Tensors of less than a page are copied, so that a value of a few elements keeps no file mapped.
const WORTH_MAPPING: usize = 4096;

/// The error of making a value from bytes.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BytesError {
    /// The number of bytes does not match the elements.
    #[error("a tensor of type {dtype} and shape {shape} takes {expected} bytes, not {actual}")]
    Count {
        /// The data type.
        dtype: DType,
        /// The shape.
        shape: Shape,
        /// The bytes its elements take.
        expected: usize,
        /// The number of bytes given.
        actual: usize,
    },
    /// The elements have no fixed number of bytes.
    #[error("elements of type {dtype} are not plain bytes")]
    NotPlain {
        /// The data type.
        dtype: DType,
    },
    /// The shape has more elements than memory can address.
    #[error(transparent)]
    Value(#[from] ValueError),
}

tidemill_value::debug_as_report!(BytesError);

/// A value from the bytes of its elements in row-major order, little-endian.
///
/// # Errors
/// [`BytesError`]. Their number is checked before anything is allocated.
pub fn value_from_bytes(dtype: DType, shape: Shape, bytes: &[u8]) -> Result<Value, BytesError> {
    match_dtype!(dtype, plain, T => {
        let count = shape.elements().and_then(|count| count.checked_mul(size_of::<T>()));
        let Some(expected) = count else { return Err(ValueError::TooLarge { shape }.into()) };
        if expected != bytes.len() {
            let actual = bytes.len();
            return Err(BytesError::Count { dtype, shape, expected, actual });
        }
        Ok(Value::from_vec(shape, T::decode(bytes))?)
    }, else Err(BytesError::NotPlain { dtype }))
}

/// [`value_from_bytes`] of a part of a file. It is not copied if that saves memory and the machine
/// can use the elements in place.
///
/// # Errors
/// [`BytesError`].
pub(crate) fn value_from_file(
    dtype: DType,
    shape: Shape,
    file: &FileMap,
    range: Range<usize>,
) -> Result<Value, BytesError> {
    let bytes = file.get(range.clone()).unwrap_or_default();
    let fits = shape.elements().and_then(|count| count.checked_mul(dtype.size()));
    // Other systems would not let a file be replaced or removed while it is mapped.
    if cfg!(unix)
        && bytes.len() >= WORTH_MAPPING
        && fits == Some(bytes.len())
        && let Some(value) = Value::mapped(dtype, &shape, file, range.start)
    {
        return Ok(value);
    }
    value_from_bytes(dtype, shape, bytes)
}

/// The bytes of a value's elements in row-major order, little-endian. Strings have none.
pub(crate) fn bytes_of(value: &Value) -> Cow<'_, [u8]> {
    match value.as_bytes() {
        Some(bytes) if cfg!(target_endian = "little") => bytes.into(),
        _ => match_dtype!(value.dtype(), plain,
            T => T::encode(value.as_slice().unwrap_or_default()), else Vec::new())
        .into(),
    }
}

/// An element type with a fixed number of bytes.
pub(crate) trait Plain: Element {
    /// Elements from their bytes. Left-over bytes at the end are dropped.
    fn decode(bytes: &[u8]) -> Vec<Self>;

    /// The bytes of elements.
    fn encode(elements: &[Self]) -> Vec<u8>;
}

macro_rules! plain {
    ($($rust:ty),*) => {$(
        impl Plain for $rust {
            fn decode(bytes: &[u8]) -> Vec<Self> {
                let (elements, _) = bytes.as_chunks();
                elements.iter().map(|bytes| <$rust>::from_le_bytes(*bytes)).collect()
            }

            fn encode(elements: &[Self]) -> Vec<u8> {
                elements.iter().flat_map(|x| x.to_le_bytes()).collect()
            }
        }
    )*};
}

plain!(f32, f64, f16, bf16, i8, i16, i32, i64, u8, u16, u32, u64);

impl Plain for bool {
    fn decode(bytes: &[u8]) -> Vec<Self> {
        bytes.iter().map(|&byte| byte != 0).collect()
    }

    fn encode(elements: &[Self]) -> Vec<u8> {
        elements.iter().map(|&x| u8::from(x)).collect()
    }
}

/// `count` strings from the bytes that TensorFlow writes for them: the length of each as a varint,
/// then the strings one after the other.
pub(crate) fn decode_strings(mut bytes: &[u8], count: usize) -> Option<Vec<ByteString>> {
    // Each string takes at least one byte.
    let mut lengths = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        lengths.push(usize::try_from(decode_varint(&mut bytes)?).ok()?);
    }
    let mut strings = Vec::with_capacity(lengths.len());
    for length in lengths {
        let (string, rest) = bytes.split_at_checked(length)?;
        strings.push(ByteString::from(string));
        bytes = rest;
    }
    bytes.is_empty().then_some(strings)
}

/// Takes a varint off the beginning of `bytes`.
pub(crate) fn decode_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Appends a number as a varint.
pub(crate) fn encode_varint(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_have_their_lengths_in_front() {
        let decoded = decode_strings(b"\x02\x00\x01abc", 3).unwrap();
        assert_eq!(decoded, ["ab".into(), "".into(), ByteString::from("c")]);
    }

    #[test]
    fn strings_that_end_early_or_late_are_refused() {
        for bytes in [&b"\x02\x00\x01ab"[..], b"\x02\x00\x01abcd", b"\x02", b"\xff\xff", b""] {
            assert_eq!(decode_strings(bytes, 3), None, "{bytes:?}");
        }
        assert_eq!(decode_strings(&[0xff; 16], 1), None);
    }

    #[test]
    fn elements_have_their_lowest_byte_first() {
        assert_eq!(i16::decode(&[1, 2, 3, 4]), [0x0201, 0x0403]);
        assert_eq!(u32::encode(&[1, 0x01020304]), [1, 0, 0, 0, 4, 3, 2, 1]);
    }
}
