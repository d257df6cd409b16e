//! NumPy's strings: all have the same length, padded with zeros.

use tidemill_value::{ByteString, Shape, Value, ValueError};

use super::NpyError;

pub(super) fn decode_bytes(shape: Shape, data: &[u8], width: usize) -> Result<Value, NpyError> {
    let count = count(&shape, width)?;
    let string = |i: usize| ByteString::from(trimmed(&data[i * width..][..width], 0));
    Ok(Value::from_vec(shape, (0..count).map(string).collect())?)
}

pub(super) fn decode_characters(
    shape: Shape,
    data: &[u8],
    width: usize,
    is_big_endian: bool,
) -> Result<Value, NpyError> {
    let count = count(&shape, width)?;
    let (codes, _) = data.as_chunks();
    let code = |bytes: &[u8; 4]| match is_big_endian {
        true => u32::from_be_bytes(*bytes),
        false => u32::from_le_bytes(*bytes),
    };
    let codes: Vec<u32> = codes.iter().map(code).collect();
    let string = |index: usize| {
        let character =
            |&code: &u32| char::from_u32(code).ok_or(NpyError::Character { index, code });
        let text = trimmed(&codes[index * width..][..width], 0).iter().map(character);
        Ok(ByteString::from(text.collect::<Result<String, NpyError>>()?))
    };
    let strings = (0..count).map(string).collect::<Result<Vec<_>, NpyError>>()?;
    Ok(Value::from_vec(shape, strings)?)
}

/// The bytes of strings, each padded to the same length, and that length.
pub(super) fn encode(strings: &[ByteString]) -> Result<(Vec<u8>, usize), NpyError> {
    if let Some(index) = strings.iter().position(|string| string.last() == Some(&0)) {
        return Err(NpyError::ZeroByte { index });
    }
    let width = strings.iter().map(|string| string.len()).max().unwrap_or_default().max(1);
    let mut bytes = Vec::new();
    for string in strings {
        bytes.extend_from_slice(string);
        bytes.resize(bytes.len() + width - string.len(), 0);
    }
    Ok((bytes, width))
}

/// The number of strings. The length of a file says nothing about the number of empty strings, so
/// the number must not be trusted.
fn count(shape: &Shape, width: usize) -> Result<usize, NpyError> {
    const MOST_EMPTY: usize = 1 << 16;
    match shape.elements() {
        Some(count) if width > 0 || count <= MOST_EMPTY => Ok(count),
        _ => Err(ValueError::TooLarge { shape: shape.clone() }.into()),
    }
}

fn trimmed<T: PartialEq>(padded: &[T], padding: T) -> &[T] {
    let length = padded.iter().rposition(|x| *x != padding).map_or(0, |last| last + 1);
    &padded[..length]
}
