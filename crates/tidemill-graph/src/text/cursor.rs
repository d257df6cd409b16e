use std::borrow::Cow;

use tidemill_value::ByteString;

use super::{TextError, TextErrorKind};

/// One line of a text.
#[derive(Clone, Copy)]
pub(super) struct Line<'t> {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) text: &'t str,
}

impl Line<'_> {
    /// An error about the text at byte `at`.
    pub(super) fn error(self, at: usize, kind: TextErrorKind) -> TextError {
        let before = self.text.get(..at).unwrap_or(self.text);
        TextError { line: self.number, column: before.chars().count() + 1, kind: kind.into() }
    }
}

/// A part of a line, and its first byte.
#[derive(Clone, Debug)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// A line, and the position in it. Spaces between its parts are ignored, and `#` ends it.
pub(super) struct Cursor<'t> {
    line: Line<'t>,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(line: Line<'t>) -> Self {
        Cursor { line, at: 0 }
    }

    pub(super) fn line(&self) -> Line<'t> {
        self.line
    }

    fn rest(&self) -> &'t str {
        self.line.text.get(self.at..).unwrap_or_default()
    }

    /// The beginning of the next part.
    pub(super) fn at(&mut self) -> usize {
        self.at += self.rest().len() - self.rest().trim_start().len();
        self.at
    }

    /// The next character that is not a space; `None` at the end.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.at();
        self.rest().chars().next().filter(|&next| next != '#')
    }

    /// Passes `token` if it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        self.at();
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// Passes `token`, which must come next; an error calls it `expected`.
    pub(super) fn expect(&mut self, token: &str, expected: &'static str) -> Result<(), TextError> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// The longest run of characters that `admits` allows, which may be empty.
    pub(super) fn lookahead(&mut self, admits: fn(char) -> bool) -> &'t str {
        self.at();
        let rest = self.rest();
        &rest[..rest.find(|next| !admits(next)).unwrap_or(rest.len())]
    }

    /// Passes the longest run of characters that `admits` allows.
    pub(super) fn word(&mut self, admits: fn(char) -> bool) -> Spanned<&'t str> {
        let value = self.lookahead(admits);
        let at = self.at;
        self.at += value.len();
        Spanned { value, at }
    }

    /// A name: characters that names of nodes can have, or else a string.
    pub(super) fn name(
        &mut self,
        expected: &'static str,
    ) -> Result<Spanned<Cow<'t, str>>, TextError> {
        let at = self.at();
        if self.peek() == Some('"') {
            let name = String::from_utf8(self.string()?.into()).ok();
            let name = name.ok_or_else(|| self.unexpected("a name in UTF-8"))?;
            return Ok(Spanned { value: Cow::Owned(name), at });
        }
        let Spanned { value, .. } = self.word(is_name_char);
        if value.is_empty() {
            return Err(self.unexpected(expected));
        }
        Ok(Spanned { value: Cow::Borrowed(value), at })
    }

    /// A string in double quotes.
    pub(super) fn string(&mut self) -> Result<ByteString, TextError> {
        self.expect("\"", "a string in double quotes")?;
        let mut bytes = Vec::new();
        loop {
            let rest = self.rest();
            let plain = &rest[..rest.find(['"', '\\']).unwrap_or(rest.len())];
            bytes.extend_from_slice(plain.as_bytes());
            self.at += plain.len();
            match self.rest().chars().next() {
                Some('"') => break,
                Some(_) => bytes.push(self.escape()?),
                None => return Err(self.unexpected("a closing `\"`")),
            }
        }
        self.at += 1;
        Ok(bytes.into())
    }

    /// The byte of an escape sequence.
    fn escape(&mut self) -> Result<u8, TextError> {
        let rest = self.rest().as_bytes();
        let (byte, length) = match rest.get(1) {
            Some(b'n') => (Some(b'\n'), 2),
            Some(b't') => (Some(b'\t'), 2),
            Some(b'r') => (Some(b'\r'), 2),
            Some(b'\\') => (Some(b'\\'), 2),
            Some(b'"') => (Some(b'"'), 2),
            Some(b'x') => (rest.get(2..4).and_then(hex_byte), 4),
            _ => (None, 2),
        };
        let Some(byte) = byte else {
            let escape = self.rest().chars().take(length).collect();
            return Err(self.line.error(self.at, TextErrorKind::Escape { escape }));
        };
        self.at += length;
        Ok(byte)
    }

    /// An error about what comes next.
    pub(super) fn error(&mut self, kind: TextErrorKind) -> TextError {
        self.line.error(self.at(), kind)
    }

    /// The error that something other than `expected` comes next.
    pub(super) fn unexpected(&mut self, expected: &'static str) -> TextError {
        const SHOWN: usize = 32;
        let found = match self.peek() {
            None => "the end of the line".to_owned(),
            Some(next) => {
                let word: String =
                    self.rest().chars().take_while(|&c| is_name_char(c)).take(SHOWN).collect();
                format!("`{}`", if word.is_empty() { next.to_string() } else { word })
            }
        };
        self.error(TextErrorKind::Unexpected { expected, found })
    }
}

/// The value of two hexadecimal digits.
fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |&byte: &u8| char::from(byte).to_digit(16);
    let value = digits.iter().map(digit).try_fold(0, |value, digit| Some(value * 16 + digit?))?;
    u8::try_from(value).ok()
}

/// True for characters that names of nodes can have.
pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._/>-\\".contains(c)
}

/// True for characters that names of operation types can have.
pub(super) fn is_op_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.>".contains(c)
}

/// True for characters that names of attributes and words such as `true` and `float32` can have.
pub(super) fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// True for characters that numbers can have.
pub(super) fn is_number_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+-._".contains(c)
}
