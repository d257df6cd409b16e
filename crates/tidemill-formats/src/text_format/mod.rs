//! The text format of protocol buffers, the format of TensorFlow's `.pbtxt` files.
//!
//! One table of the fields of messages serves both reading a text to the bytes of its message and
//! writing a text from them. Neither is recursive.

mod cursor;
mod error;
mod literal;
mod read;
mod schema;
mod write;

use prost::Message;

pub use error::{TextFormatError, TextFormatErrorKind};

use crate::proto;
use schema::MessageType;

/// A message with a text form.
pub trait TextMessage: Message + Default {
    /// The text: one field per line, in the order of their numbers.
    fn to_text(&self) -> String {
        write::write(Self::message_type(), &self.encode_to_vec())
    }

    /// Reads a message from text.
    ///
    /// Fields of TensorFlow's messages that these types lack are read and dropped.
    ///
    /// # Errors
    /// [`TextFormatError`], with line and column.
    fn from_text(text: &str) -> Result<Self, TextFormatError> {
        let bytes = read::read(Self::message_type(), text)?;
        let decoded = Self::decode(bytes.as_slice());
        decoded.map_err(|error| TextFormatError::at_end(text, TextFormatErrorKind::Decode(error)))
    }

    #[doc(hidden)]
    #[allow(private_interfaces)] // It is private to this crate.
    fn message_type() -> &'static MessageType;
}

macro_rules! text_messages {
    ($($message:ident),*) => {$(
        impl TextMessage for proto::$message {
            #[allow(private_interfaces)]
            fn message_type() -> &'static MessageType {
                &schema::$message
            }
        }
    )*};
}

text_messages! {
    CheckpointState, GraphDef, MetaGraphDef, NodeDef, SaverDef, SavedModel, SignatureDef,
    VariableDef
}
