use std::fmt::{self, Write};

use tidemill_value::{
    ByteString, DType, Element, bf16, f16, format_bfloat16, format_float16, format_float32,
    format_float64,
};

use super::cursor::{Cursor, is_number_char, is_word_char};
use super::{TextError, TextErrorKind};

/// An element type with a text form that reads back to the same bits.
pub(super) trait Literal: Element {
    fn write(&self, out: &mut dyn Write) -> fmt::Result;
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, TextError>;
}

/// The error that the next word is not a number of this type.
fn not_a_number(cursor: &mut Cursor<'_>, dtype: DType) -> TextError {
    let number = cursor.lookahead(is_number_char);
    if !number.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return cursor.unexpected("a number");
    }
    let number = number.chars().take(40).collect();
    cursor.error(TextErrorKind::Number { number, dtype })
}

macro_rules! integer_literal {
    ($($rust:ty),*) => {$(
        impl Literal for $rust {
            fn write(&self, out: &mut dyn Write) -> fmt::Result {
                write!(out, "{self}")
            }

            fn parse(cursor: &mut Cursor<'_>) -> Result<Self, TextError> {
                let number = cursor.lookahead(is_number_char).parse();
                let number = number.map_err(|_| not_a_number(cursor, <$rust>::DTYPE))?;
                cursor.word(is_number_char);
                Ok(number)
            }
        }
    )*};
}

integer_literal!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! float_literal {
    ($rust:ty, $bits:ty, $format:ident) => {
        impl Literal for $rust {
            fn write(&self, out: &mut dyn Write) -> fmt::Result {
                if self.is_nan() && self.to_bits() != <$rust>::NAN.to_bits() {
                    return write!(out, "nan({:#x})", self.to_bits());
                }
                out.write_str(&$format(*self))
            }

            fn parse(cursor: &mut Cursor<'_>) -> Result<Self, TextError> {
                let word = cursor.lookahead(is_number_char);
                let number = match word {
                    "nan" => {
                        return parse_nan(cursor, <$rust>::NAN, |bits| {
                            <$bits>::try_from(bits)
                                .ok()
                                .map(<$rust>::from_bits)
                                .filter(|x| x.is_nan())
                        });
                    }
                    "inf" => Some(<$rust>::INFINITY),
                    "-inf" => Some(<$rust>::NEG_INFINITY),
                    _ => word.parse::<$rust>().ok().filter(|x| x.is_finite()),
                };
                let number = number.ok_or_else(|| not_a_number(cursor, <$rust>::DTYPE))?;
                cursor.word(is_number_char);
                Ok(number)
            }
        }
    };
}

float_literal!(f32, u32, format_float32);
float_literal!(f64, u64, format_float64);
float_literal!(f16, u16, format_float16);
float_literal!(bf16, u16, format_bfloat16);

/// Reads `nan`, or a NaN given by its bits: `nan(0x7fc00001)`.
fn parse_nan<T>(
    cursor: &mut Cursor<'_>,
    default: T,
    from_bits: fn(u64) -> Option<T>,
) -> Result<T, TextError> {
    cursor.eat("nan");
    if !cursor.eat("(0x") {
        return Ok(default);
    }
    let bits = u64::from_str_radix(cursor.lookahead(is_word_char), 16).ok();
    let Some(nan) = bits.and_then(from_bits) else {
        return Err(cursor.unexpected("the bits of a NaN"));
    };
    cursor.word(is_word_char);
    cursor.expect(")", "`)`")?;
    Ok(nan)
}

impl Literal for bool {
    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{self}")
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, TextError> {
        let truth = match cursor.lookahead(is_word_char) {
            "true" => true,
            "false" => false,
            _ => return Err(cursor.unexpected("`true` or `false`")),
        };
        cursor.word(is_word_char);
        Ok(truth)
    }
}

impl Literal for ByteString {
    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        write_string(out, self)
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, TextError> {
        cursor.string()
    }
}

/// Writes a string in double quotes. Bytes that are not of a printable character are escaped.
pub(super) fn write_string(out: &mut dyn Write, text: &[u8]) -> fmt::Result {
    out.write_str("\"")?;
    for chunk in text.utf8_chunks() {
        chunk.valid().chars().try_for_each(|c| write_char(out, c))?;
        write_bytes(out, chunk.invalid())?;
    }
    out.write_str("\"")
}

fn write_char(out: &mut dyn Write, c: char) -> fmt::Result {
    match c {
        '"' => out.write_str("\\\""),
        '\'' => out.write_char(c),
        '\\' | '\n' | '\r' | '\t' => write!(out, "{}", c.escape_debug()),
        _ if c.escape_debug().len() == 1 => out.write_char(c),
        _ => write_bytes(out, c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn write_bytes(out: &mut dyn Write, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(out, "\\x{byte:02x}"))
}
