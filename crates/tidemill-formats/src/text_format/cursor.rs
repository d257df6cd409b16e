use super::{TextFormatError, TextFormatErrorKind};

/// A place in a text.
pub(super) struct Cursor<'t> {
    text: &'t str,
    /// The start of the next token.
    at: usize,
}

impl<'t> Cursor<'t> {
    /// The beginning of a text.
    pub(super) fn new(text: &'t str) -> Self {
        let mut cursor = Cursor { text, at: 0 };
        cursor.skip_blank();
        cursor
    }

    /// The byte at the start of the next token.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The text from the next token on.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The first byte of the next token; `None` at the end.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips `count` bytes, and the blanks and comments after them.
    pub(super) fn advance(&mut self, count: usize) {
        self.at += count;
        self.skip_blank();
    }

    /// Skips a character, if it is the next token.
    pub(super) fn eat(&mut self, character: u8) -> bool {
        let is_next = self.peek() == Some(character);
        if is_next {
            self.advance(1);
        }
        is_next
    }

    /// The next token, if it is a word or number: letters, digits and `_.+-`.
    pub(super) fn word(&self) -> &'t str {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-');
        let rest = self.rest();
        &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n', '\x0b', '\x0c']);
            self.at += rest.len() - trimmed.len();
            match trimmed.strip_prefix('#') {
                Some(comment) => self.at += comment.find('\n').unwrap_or(comment.len()) + 1,
                None => return,
            }
        }
    }

    /// An error at the next token.
    pub(super) fn error(&self, kind: TextFormatErrorKind) -> TextFormatError {
        self.error_at(self.at, kind)
    }

    /// An error at a byte.
    pub(super) fn error_at(&self, at: usize, kind: TextFormatErrorKind) -> TextFormatError {
        TextFormatError::at(self.text, at, kind)
    }

    /// An error that says what was expected at the next token.
    pub(super) fn unexpected(&self, expected: &'static str) -> TextFormatError {
        let found = match (self.word(), self.rest().chars().next()) {
            (_, None) => "the end".to_owned(),
            ("", Some(character)) => format!("`{character}`"),
            (word, _) => format!("`{}`", word.chars().take(40).collect::<String>()),
        };
        self.error(TextFormatErrorKind::Unexpected { expected, found })
    }
}
