//! Strings and numbers.

use std::str::FromStr;

use super::cursor::Cursor;
use super::schema::{Enumeration, Scalar};
use super::{TextFormatError, TextFormatErrorKind};

/// Writes bytes as a string in double quotes, with escapes for everything but plain text.
pub(crate) fn quote(bytes: &[u8], out: &mut String) {
    out.push('"');
    for &byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'"' | b'\'' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out.extend(['\\', octal(byte >> 6), octal(byte >> 3), octal(byte)]),
        }
    }
    out.push('"');
}

fn octal(digit: u8) -> char {
    char::from(b'0' + (digit & 7))
}

/// Reads adjacent strings, which form one.
pub(super) fn read_strings(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, TextFormatError> {
    let mut bytes = Vec::new();
    if !matches!(cursor.peek(), Some(b'"' | b'\'')) {
        return Err(cursor.unexpected("a string"));
    }
    while let Some(quote @ (b'"' | b'\'')) = cursor.peek() {
        read_string(cursor, quote, &mut bytes)?;
    }
    Ok(bytes)
}

fn read_string(
    cursor: &mut Cursor<'_>,
    quote: u8,
    bytes: &mut Vec<u8>,
) -> Result<(), TextFormatError> {
    let text = cursor.rest().as_bytes();
    let mut at = 1;
    loop {
        match text.get(at) {
            None | Some(b'\n') => return Err(cursor.error(TextFormatErrorKind::Unterminated)),
            Some(&byte) if byte == quote => {
                cursor.advance(at + 1);
                return Ok(());
            }
            Some(b'\\') => {
                let escaped = &text[at + 1..];
                let Some(length) = unescape(escaped, bytes) else {
                    let shown = escaped.iter().take(1).map(|byte| char::from(*byte));
                    let escape = format!("\\{}", shown.collect::<String>());
                    let place = cursor.at() + at;
                    return Err(cursor.error_at(place, TextFormatErrorKind::Escape { escape }));
                };
                at += 1 + length;
            }
            Some(&byte) => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
}

/// Appends the bytes of an escape, and returns its length after the backslash.
fn unescape(escape: &[u8], bytes: &mut Vec<u8>) -> Option<usize> {
    let simple = match escape.first()? {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        plain @ (b'\\' | b'\'' | b'"' | b'?') => *plain,
        b'0'..=b'7' => {
            let (number, digits) = number_of(escape, 3, 8)?;
            bytes.push(u8::try_from(number).ok()?);
            return Some(digits);
        }
        b'x' | b'X' => {
            let (number, digits) = number_of(&escape[1..], 2, 16)?;
            bytes.push(u8::try_from(number).ok()?);
            return Some(1 + digits);
        }
        kind @ (b'u' | b'U') => {
            let count = if *kind == b'u' { 4 } else { 8 };
            let (number, digits) = number_of(&escape[1..], count, 16)?;
            let character = char::from_u32(number).filter(|_| digits == count)?;
            bytes.extend(character.encode_utf8(&mut [0; 4]).bytes());
            return Some(1 + digits);
        }
        _ => return None,
    };
    bytes.push(simple);
    Some(1)
}

/// The number of up to `most` digits, and the count of digits.
fn number_of(text: &[u8], most: usize, radix: u32) -> Option<(u32, usize)> {
    let digits = text.iter().take(most).map_while(|byte| char::from(*byte).to_digit(radix));
    let digits: Vec<u32> = digits.collect();
    let number = digits.iter().fold(0, |number, digit| number * radix + digit);
    (!digits.is_empty()).then_some((number, digits.len()))
}

/// Reads a number or word as the value of an enumeration.
pub(super) fn read_enumeration(
    cursor: &mut Cursor<'_>,
    enumeration: &'static Enumeration,
) -> Result<i32, TextFormatError> {
    let word = cursor.word();
    let named = enumeration.values.iter().find(|(_, name)| *name == word);
    // Numbers without a name are values of a newer version.
    let number = named.map(|(number, _)| *number).or_else(|| integer(word)?.try_into().ok());
    let Some(number) = number else {
        if word.is_empty() {
            return Err(cursor.unexpected("a word or number"));
        }
        let (enumeration, value) = (enumeration.name, word.to_owned());
        return Err(cursor.error(TextFormatErrorKind::UnknownValue { enumeration, value }));
    };
    cursor.advance(word.len());
    Ok(number)
}

/// A value other than a message, as encoded in the bytes of one.
pub(super) enum Wire {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(Vec<u8>),
}

/// Reads a value.
pub(super) fn read_scalar(cursor: &mut Cursor<'_>, kind: Scalar) -> Result<Wire, TextFormatError> {
    match kind {
        Scalar::bytes => return read_strings(cursor).map(Wire::Bytes),
        Scalar::string => {
            let place = cursor.at();
            let bytes = read_strings(cursor)?;
            return match std::str::from_utf8(&bytes) {
                Ok(_) => Ok(Wire::Bytes(bytes)),
                Err(_) => Err(cursor.error_at(place, TextFormatErrorKind::NotUtf8)),
            };
        }
        _ => {}
    }
    let word = cursor.word();
    if word.is_empty() {
        return Err(cursor.unexpected("a number or word"));
    }
    let (name, value) = match kind {
        Scalar::bool => ("bool", boolean(word).map(|is| Wire::Varint(is.into()))),
        Scalar::float => ("float", float(word).map(|x: f32| Wire::Fixed32(x.to_bits()))),
        Scalar::double => ("double", float(word).map(|x: f64| Wire::Fixed64(x.to_bits()))),
        Scalar::int32 => ("int32", signed(word, i32::MIN.into(), i32::MAX.into())),
        Scalar::int64 => ("int64", signed(word, i64::MIN.into(), i64::MAX.into())),
        Scalar::uint32 => ("uint32", signed(word, 0, u32::MAX.into())),
        Scalar::uint64 => ("uint64", signed(word, 0, u64::MAX.into())),
        Scalar::bytes | Scalar::string => ("string", None),
    };
    let Some(value) = value else {
        let value = word.to_owned();
        return Err(cursor.error(TextFormatErrorKind::Number { kind: name, value }));
    };
    cursor.advance(word.len());
    Ok(value)
}

fn signed(word: &str, least: i128, most: i128) -> Option<Wire> {
    let number = integer(word).filter(|number| (least..=most).contains(number))?;
    // A negative number takes 64 bits.
    Some(Wire::Varint(number as u64))
}

/// A decimal, octal or hexadecimal number.
fn integer(word: &str) -> Option<i128> {
    let (is_negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (digits, radix) = match (hexadecimal, digits.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(octal)) if !octal.is_empty() => (octal, 8),
        _ => (digits, 10),
    };
    // A second sign is not a digit.
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    let number = is_number.then(|| i128::from_str_radix(digits, radix).ok()).flatten()?;
    Some(if is_negative { -number } else { number })
}

/// A float: a number, infinity or NaN; a decimal number may end with `f`.
fn float<T: FromStr>(word: &str) -> Option<T> {
    if word.starts_with('+') {
        return None;
    }
    if let Some(number) = integer(word).filter(|_| word.contains(['x', 'X'])) {
        return number.to_string().parse().ok();
    }
    let lower = word.to_ascii_lowercase();
    let is_infinite = lower.ends_with("inf");
    lower.strip_suffix('f').filter(|_| !is_infinite).unwrap_or(&lower).parse().ok()
}

fn boolean(word: &str) -> Option<bool> {
    match word {
        "true" | "True" | "t" | "1" => Some(true),
        "false" | "False" | "f" | "0" => Some(false),
        _ => None,
    }
}
