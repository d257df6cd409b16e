//! From the bytes of a message to its text.

use std::fmt::Write;

use prost::encoding::{WireType, decode_key, decode_varint};
use tidemill_value::{format_float32, format_float64};

use super::literal::quote;
use super::schema::{Cardinality, Field, Kind, MessageType, Scalar};

/// The text of an encoded message. Unknown fields are left out.
pub(super) fn write(message: &'static MessageType, bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut open = vec![OpenMessage { body: Body::Message(message), bytes, field: None }];
    while let Some(message) = open.last_mut() {
        let Some((field, value)) = message.next() else {
            open.pop();
            if let Some(outer) = open.len().checked_sub(1) {
                indent(outer, &mut text);
                text.push_str("}\n");
            }
            continue;
        };
        indent(open.len() - 1, &mut text);
        text.push_str(field.name);
        match inner(&field, &value) {
            Some(inner) => {
                text.push_str(" {\n");
                open.push(inner);
            }
            None => {
                text.push_str(": ");
                write_value(field.kind, &value, &mut text);
                text.push('\n');
            }
        }
    }
    text
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// A message whose fields are being written.
struct OpenMessage<'a> {
    body: Body,
    /// The fields that are left.
    bytes: &'a [u8],
    /// A packed field, and the values that are left.
    field: Option<(Field, &'a [u8])>,
}

#[derive(Clone, Copy)]
enum Body {
    Message(&'static MessageType),
    Entry { key: Scalar, value: Kind },
}

/// A value as encoded in the bytes of a message.
enum Wire<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

impl Body {
    fn field(self, number: u32) -> Option<Field> {
        let cardinality = Cardinality::One;
        match (self, number) {
            (Body::Message(message), _) => message.numbered(number).copied(),
            (Body::Entry { key, .. }, 1) => {
                Some(Field { number, name: "key", cardinality, kind: Kind::Scalar(key) })
            }
            (Body::Entry { value, .. }, 2) => {
                Some(Field { number, name: "value", cardinality, kind: value })
            }
            _ => None,
        }
    }
}

/// The message in a value of a field.
fn inner<'a>(field: &Field, value: &Wire<'a>) -> Option<OpenMessage<'a>> {
    let Wire::Bytes(bytes) = value else { return None };
    let body = match (field.cardinality, field.kind) {
        (Cardinality::Map(key), value) => Body::Entry { key, value },
        (_, Kind::Message(message)) => Body::Message(message),
        _ => return None,
    };
    Some(OpenMessage { body, bytes, field: None })
}

impl<'a> OpenMessage<'a> {
    /// The next value, with its field.
    fn next(&mut self) -> Option<(Field, Wire<'a>)> {
        loop {
            if let Some((field, packed)) = &mut self.field {
                let field = *field;
                match read_value(packed, wire_type(field.kind)) {
                    Some(value) => return Some((field, value)),
                    None => self.field = None,
                }
            }
            let (number, wire) = decode_key(&mut self.bytes).ok()?;
            let value = read_value(&mut self.bytes, wire)?;
            let Some(field) = self.body.field(number) else { continue };
            match value {
                Wire::Bytes(packed) if wire_type(field.kind) != WireType::LengthDelimited => {
                    self.field = Some((field, packed));
                }
                value => return Some((field, value)),
            }
        }
    }
}

fn wire_type(kind: Kind) -> WireType {
    match kind {
        Kind::Message(_) | Kind::Scalar(Scalar::bytes | Scalar::string) => {
            WireType::LengthDelimited
        }
        Kind::Scalar(Scalar::float) => WireType::ThirtyTwoBit,
        Kind::Scalar(Scalar::double) => WireType::SixtyFourBit,
        Kind::Enumeration(_) | Kind::Scalar(_) => WireType::Varint,
    }
}

fn read_value<'a>(bytes: &mut &'a [u8], wire: WireType) -> Option<Wire<'a>> {
    if bytes.is_empty() {
        return None;
    }
    match wire {
        WireType::Varint => decode_varint(bytes).ok().map(Wire::Varint),
        WireType::ThirtyTwoBit => {
            let (value, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Some(Wire::Fixed32(u32::from_le_bytes(*value)))
        }
        WireType::SixtyFourBit => {
            let (value, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Some(Wire::Fixed64(u64::from_le_bytes(*value)))
        }
        WireType::LengthDelimited => {
            let length = usize::try_from(decode_varint(bytes).ok()?).ok()?;
            let (value, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Some(Wire::Bytes(value))
        }
        WireType::StartGroup | WireType::EndGroup => None,
    }
}

fn write_value(kind: Kind, value: &Wire<'_>, text: &mut String) {
    // Writing to a string cannot fail.
    let _ = match (kind, value) {
        (_, Wire::Bytes(bytes)) => {
            quote(bytes, text);
            Ok(())
        }
        (_, Wire::Fixed32(bits)) => write!(text, "{}", format_float32(f32::from_bits(*bits))),
        (_, Wire::Fixed64(bits)) => write!(text, "{}", format_float64(f64::from_bits(*bits))),
        (Kind::Scalar(Scalar::bool), Wire::Varint(number)) => write!(text, "{}", *number != 0),
        (Kind::Scalar(Scalar::uint32 | Scalar::uint64), Wire::Varint(number)) => {
            write!(text, "{number}")
        }
        (Kind::Enumeration(enumeration), Wire::Varint(number)) => {
            let named = enumeration.values.iter().find(|(value, _)| *value as u64 == *number);
            match named {
                Some((_, name)) => write!(text, "{name}"),
                None => write!(text, "{}", *number as i64),
            }
        }
        (_, Wire::Varint(number)) => write!(text, "{}", *number as i64),
    };
}
