use std::borrow::Cow;

use tidemill_formats::proto::{Bytes, DecodeError, GraphDef, Message};
use tidemill_value::FileMap;

/// A `GraphDef` to import: the message, or its bytes.
#[derive(Clone, Debug)]
pub struct GraphDefSource<'a>(Source<'a>);

#[derive(Clone, Debug)]
enum Source<'a> {
    Message(Cow<'a, GraphDef>),
    Slice(&'a [u8]),
    Bytes(Bytes),
}

impl<'a> GraphDefSource<'a> {
    pub(super) fn decode(self) -> Result<Cow<'a, GraphDef>, DecodeError> {
        match self.0 {
            Source::Message(message) => Ok(message),
            Source::Slice(bytes) => Ok(Cow::Owned(GraphDef::decode(bytes)?)),
            Source::Bytes(bytes) => Ok(Cow::Owned(GraphDef::decode(bytes)?)),
        }
    }
}

impl From<GraphDef> for GraphDefSource<'_> {
    fn from(message: GraphDef) -> Self {
        GraphDefSource(Source::Message(Cow::Owned(message)))
    }
}

impl<'a> From<&'a GraphDef> for GraphDefSource<'a> {
    fn from(message: &'a GraphDef) -> Self {
        GraphDefSource(Source::Message(Cow::Borrowed(message)))
    }
}

impl<'a> From<&'a [u8]> for GraphDefSource<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        GraphDefSource(Source::Slice(bytes))
    }
}

impl From<Bytes> for GraphDefSource<'_> {
    /// Elements of constants are copied once: from the bytes to the values.
    fn from(bytes: Bytes) -> Self {
        GraphDefSource(Source::Bytes(bytes))
    }
}

impl From<FileMap> for GraphDefSource<'_> {
    /// Elements of constants are copied once: from the file to the values.
    fn from(file: FileMap) -> Self {
        GraphDefSource(Source::Bytes(Bytes::from_owner(file)))
    }
}

impl<'a> From<&'a Vec<u8>> for GraphDefSource<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        GraphDefSource(Source::Slice(bytes))
    }
}
