//! From a text to the bytes of a message.

use prost::encoding::{WireType, encode_key, encode_varint};

use super::cursor::Cursor;
use super::literal::{Wire, read_enumeration, read_scalar};
use super::schema::{Cardinality, Field, Kind, MessageType, Scalar};
use super::{TextFormatError, TextFormatErrorKind};

/// The most levels of nested messages, as in the decoder of the bytes.
const DEPTH: usize = 100;

/// The bytes of the message in a text.
pub(super) fn read(message: &'static MessageType, text: &str) -> Result<Vec<u8>, TextFormatError> {
    let mut cursor = Cursor::new(text);
    let mut open = vec![OpenMessage::new(Body::Message(message), Close::End)];
    loop {
        let depth = open.len();
        let Some(message) = open.last_mut() else { return Ok(Vec::new()) };
        if let Some(field) = message.list {
            if !std::mem::take(&mut message.is_list_new) {
                if cursor.eat(b']') {
                    message.list = None;
                    end_field(&mut cursor);
                    continue;
                }
                if !cursor.eat(b',') {
                    return Err(cursor.unexpected("`,` or `]`"));
                }
            }
            if let Some(inner) = message.read_value(&mut cursor, field, depth)? {
                open.push(inner);
            }
            continue;
        }
        if message.close.is_next(&mut cursor) {
            let bytes = open.pop().map(|message| message.bytes).unwrap_or_default();
            let Some(outer) = open.last_mut() else { return Ok(bytes) };
            outer.append_bytes(outer.inner, &bytes);
            if outer.list.is_none() {
                end_field(&mut cursor);
            }
            continue;
        }
        if let Some(inner) = message.read_field(&mut cursor, depth)? {
            open.push(inner);
        }
    }
}

/// A message that is being read.
struct OpenMessage {
    body: Body,
    close: Close,
    bytes: Vec<u8>,
    /// The fields of one value that have been given.
    given: Vec<u32>,
    /// The field whose list is being read.
    list: Option<Field>,
    /// True until a value of it has been read.
    is_list_new: bool,
    /// The number of the field whose message is being read.
    inner: u32,
}

#[derive(Clone, Copy)]
enum Body {
    Message(&'static MessageType),
    /// An entry of a map.
    Entry {
        key: Scalar,
        value: Kind,
    },
}

/// The end of a message.
#[derive(Clone, Copy)]
enum Close {
    End,
    Brace,
    Angle,
}

impl Close {
    /// Skips the end of a message, if it is next.
    fn is_next(self, cursor: &mut Cursor<'_>) -> bool {
        match self {
            Close::End => cursor.peek().is_none(),
            Close::Brace => cursor.eat(b'}'),
            Close::Angle => cursor.eat(b'>'),
        }
    }
}

impl Body {
    fn name(self) -> &'static str {
        match self {
            Body::Message(message) => message.name,
            Body::Entry { .. } => "of an entry",
        }
    }

    fn names(self) -> Vec<&'static str> {
        match self {
            Body::Message(message) => message.fields.iter().map(|field| field.name).collect(),
            Body::Entry { .. } => vec!["key", "value"],
        }
    }

    fn field(self, name: &str) -> Option<Field> {
        let cardinality = Cardinality::One;
        match (self, name) {
            (Body::Message(message), _) => message.field(name).copied(),
            (Body::Entry { key, .. }, "key") => {
                Some(Field { number: 1, name: "key", cardinality, kind: Kind::Scalar(key) })
            }
            (Body::Entry { value, .. }, "value") => {
                Some(Field { number: 2, name: "value", cardinality, kind: value })
            }
            _ => None,
        }
    }
}

impl OpenMessage {
    fn new(body: Body, close: Close) -> Self {
        let (bytes, given) = (Vec::new(), Vec::new());
        OpenMessage { body, close, bytes, given, list: None, is_list_new: false, inner: 0 }
    }

    /// Reads a field, or begins to: `Some` is a nested message to read next.
    fn read_field(
        &mut self,
        cursor: &mut Cursor<'_>,
        depth: usize,
    ) -> Result<Option<OpenMessage>, TextFormatError> {
        let name = cursor.word();
        if name.is_empty() {
            return Err(cursor.unexpected("the name of a field"));
        }
        let field = self.body.field(name).ok_or_else(|| {
            let near = self.body.names().into_iter();
            let near = near.map(|near| (strsim::jaro_winkler(name, near), near));
            let near = near.max_by(|(l, _), (r, _)| l.total_cmp(r)).filter(|(l, _)| *l > 0.8);
            let (message, near) = (self.body.name(), near.map(|(_, near)| near));
            let field = name.to_owned();
            cursor.error(TextFormatErrorKind::UnknownField { message, field, near })
        })?;
        if matches!(field.cardinality, Cardinality::One) {
            if self.given.contains(&field.number) {
                return Err(cursor.error(TextFormatErrorKind::Twice { field: field.name }));
            }
            self.given.push(field.number);
        }
        cursor.advance(name.len());
        let has_colon = cursor.eat(b':');
        let is_message = matches!(field.kind, Kind::Message(_))
            || matches!(field.cardinality, Cardinality::Map(_));
        if !has_colon && !is_message {
            return Err(cursor.unexpected("`:`"));
        }
        if cursor.peek() != Some(b'[') {
            let inner = self.read_value(cursor, field, depth)?;
            if inner.is_none() {
                end_field(cursor);
            }
            return Ok(inner);
        }
        if matches!(field.cardinality, Cardinality::One) {
            return Err(cursor.error(TextFormatErrorKind::List { field: field.name }));
        }
        cursor.advance(1);
        match cursor.eat(b']') {
            true => end_field(cursor),
            false => (self.list, self.is_list_new) = (Some(field), true),
        }
        Ok(None)
    }

    /// Reads a value of a field, or begins to: `Some` is a nested message to read next.
    fn read_value(
        &mut self,
        cursor: &mut Cursor<'_>,
        field: Field,
        depth: usize,
    ) -> Result<Option<OpenMessage>, TextFormatError> {
        let body = match (field.cardinality, field.kind) {
            (Cardinality::Map(key), value) => Body::Entry { key, value },
            (_, Kind::Message(message)) => Body::Message(message),
            (_, Kind::Enumeration(enumeration)) => {
                let number = read_enumeration(cursor, enumeration)?;
                self.append(field.number, Wire::Varint(i64::from(number) as u64));
                return Ok(None);
            }
            (_, Kind::Scalar(scalar)) => {
                let value = read_scalar(cursor, scalar)?;
                self.append(field.number, value);
                return Ok(None);
            }
        };
        let close = match cursor.peek() {
            Some(b'{') => Close::Brace,
            Some(b'<') => Close::Angle,
            _ => return Err(cursor.unexpected("`{`")),
        };
        if depth >= DEPTH {
            return Err(cursor.error(TextFormatErrorKind::Depth { limit: DEPTH }));
        }
        cursor.advance(1);
        self.inner = field.number;
        Ok(Some(OpenMessage::new(body, close)))
    }

    fn append_bytes(&mut self, number: u32, bytes: &[u8]) {
        encode_key(number, WireType::LengthDelimited, &mut self.bytes);
        encode_varint(bytes.len() as u64, &mut self.bytes);
        self.bytes.extend_from_slice(bytes);
    }

    fn append(&mut self, number: u32, value: Wire) {
        match value {
            Wire::Varint(value) => {
                encode_key(number, WireType::Varint, &mut self.bytes);
                encode_varint(value, &mut self.bytes);
            }
            Wire::Fixed32(value) => {
                encode_key(number, WireType::ThirtyTwoBit, &mut self.bytes);
                self.bytes.extend(value.to_le_bytes());
            }
            Wire::Fixed64(value) => {
                encode_key(number, WireType::SixtyFourBit, &mut self.bytes);
                self.bytes.extend(value.to_le_bytes());
            }
            Wire::Bytes(value) => self.append_bytes(number, &value),
        }
    }
}

/// Skips the separator after a field.
fn end_field(cursor: &mut Cursor<'_>) {
    let _ = cursor.eat(b',') || cursor.eat(b';');
}
