use tidemill_value::ByteString;

use crate::bytes::{decode_varint, encode_varint};
use crate::checksum::{is_right, masked};

/// The bytes of strings, and their checksum (see [`decode`]).
pub(super) fn encode(strings: &[ByteString]) -> (Vec<u8>, u32) {
    let mut bytes = Vec::new();
    let lengths = || strings.iter().map(|string| string.len() as u64);
    lengths().for_each(|length| encode_varint(length, &mut bytes));
    let of_lengths = checksum_of_lengths(lengths());
    let begin = bytes.len();
    bytes.extend(masked(of_lengths).to_le_bytes());
    strings.iter().for_each(|string| bytes.extend(string.iter()));
    let checksum = masked(crc32c::crc32c_append(of_lengths, &bytes[begin..]));
    (bytes, checksum)
}

/// `count` strings from their bytes, and the checksum of the bytes; `None` if the number does not
/// match.
///
/// First comes the length of each as a varint, then the masked checksum of the lengths, then one
/// string after the other. Both checksums take each length as four bytes, or eight if it needs
/// more.
pub(super) fn decode(mut bytes: &[u8], count: usize) -> Option<(Vec<ByteString>, u32)> {
    // Each string takes at least one byte.
    if count > bytes.len() {
        return None;
    }
    let mut lengths = Vec::with_capacity(count);
    for _ in 0..count {
        lengths.push(decode_varint(&mut bytes)?);
    }
    let of_lengths = checksum_of_lengths(lengths.iter().copied());
    let checksum = masked(crc32c::crc32c_append(of_lengths, bytes));
    let (stored, mut rest) = bytes.split_first_chunk()?;
    if !is_right(masked(of_lengths), u32::from_le_bytes(*stored)) {
        return None;
    }
    let mut strings = Vec::with_capacity(count);
    for length in lengths {
        let (string, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        strings.push(ByteString::from(string));
        rest = after;
    }
    rest.is_empty().then_some((strings, checksum))
}

fn checksum_of_lengths(lengths: impl Iterator<Item = u64>) -> u32 {
    lengths.fold(0, |crc, length| match u32::try_from(length) {
        Ok(length) => crc32c::crc32c_append(crc, &length.to_le_bytes()),
        Err(_) => crc32c::crc32c_append(crc, &length.to_le_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_read_back_and_nothing_else_does() {
        let strings = ["alpha".into(), "".into(), ByteString::from("gamma")];
        let (bytes, checksum) = encode(&strings);
        assert_eq!(decode(&bytes, 3), Some((strings.to_vec(), checksum)));
        assert_eq!(decode(&bytes, 2), None);
        assert_eq!(decode(&bytes, usize::MAX), None);
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 1;
            assert!(decode(&damaged, 3).is_none_or(|(_, found)| found != checksum), "byte {i}");
            assert_eq!(decode(&bytes[..i], 3), None);
        }
    }
}
