use prost::DecodeError;

/// An error in the text form of a message.
#[derive(Clone, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
#[non_exhaustive]
pub struct TextFormatError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The kind of error.
    pub kind: TextFormatErrorKind,
}

tidemill_value::debug_as_report!(TextFormatError);

/// The kind of error in a text.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TextFormatErrorKind {
    /// Something else was expected here.
    #[error("expected {expected}, but found {found}")]
    Unexpected {
        /// The expected text.
        expected: &'static str,
        /// The text found.
        found: String,
    },
    /// The message has no such field.
    #[error("the message {message} has no field `{field}`{}", near.as_ref()
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?")))]
    UnknownField {
        /// The type of the message.
        message: &'static str,
        /// The name.
        field: String,
        /// The most similar name of a field.
        near: Option<&'static str>,
    },
    /// A field of one value has two.
    #[error("the field `{field}` already has a value")]
    Twice {
        /// The name.
        field: &'static str,
    },
    /// A list is given for a field of one value.
    #[error("the field `{field}` takes one value, not a list")]
    List {
        /// The name.
        field: &'static str,
    },
    /// A word or number is not a value of an enumeration.
    #[error("`{value}` is not a value of {enumeration}")]
    UnknownValue {
        /// The enumeration.
        enumeration: &'static str,
        /// The word or number.
        value: String,
    },
    /// A number is not a valid value for the field's type.
    #[error("`{value}` is not a valid {kind}")]
    Number {
        /// The type.
        kind: &'static str,
        /// The text found.
        value: String,
    },
    /// A string does not end on its line.
    #[error("a string is not closed on its line")]
    Unterminated,
    /// A string has an invalid escape.
    #[error("unknown escape `{escape}`")]
    Escape {
        /// The escape.
        escape: String,
    },
    /// A string that must be UTF-8 is not.
    #[error("the string is not UTF-8")]
    NotUtf8,
    /// Messages nest too deep.
    #[error("messages nest deeper than {limit} levels")]
    Depth {
        /// The limit.
        limit: usize,
    },
    /// The text is valid, but the message is not.
    #[error("the message cannot be decoded: {0}")]
    Decode(DecodeError),
}

tidemill_value::debug_as_report!(TextFormatErrorKind);

impl TextFormatError {
    /// An error at a byte of a text.
    pub(super) fn at(text: &str, byte: usize, kind: TextFormatErrorKind) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        TextFormatError { line, column: before[start..].chars().count() + 1, kind }
    }

    /// An error of the text as a whole.
    pub(super) fn at_end(text: &str, kind: TextFormatErrorKind) -> Self {
        TextFormatError::at(text, text.len(), kind)
    }
}
