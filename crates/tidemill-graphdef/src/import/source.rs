use std::borrow::Cow;

use tidemill_formats::FileKind;
use tidemill_formats::proto::{Bytes, DecodeError, GraphDef, Message, MetaGraphDef, SavedModel};
use tidemill_value::FileMap;

use super::error::ImportError;

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
    pub(super) fn decode(self) -> Result<Cow<'a, GraphDef>, ImportError> {
        match self.0 {
            Source::Message(message) => Ok(message),
            Source::Slice([]) => Err(ImportError::Empty),
            Source::Bytes(bytes) if bytes.is_empty() => Err(ImportError::Empty),
            Source::Slice(bytes) => match GraphDef::decode(bytes) {
                Ok(message) => Ok(Cow::Owned(message)),
                Err(error) => Err(explain(bytes, error)),
            },
            // Its parts share these bytes.
            Source::Bytes(bytes) => match GraphDef::decode(bytes.clone()) {
                Ok(message) => Ok(Cow::Owned(message)),
                Err(error) => Err(explain(&bytes, error)),
            },
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

/// The error of bytes that are not a `GraphDef`; it says what they are, if that is known.
fn explain(bytes: &[u8], error: DecodeError) -> ImportError {
    match found_in(bytes) {
        Some((found, help)) => ImportError::OtherFile { found, help },
        None => ImportError::Decode(error),
    }
}

/// A description of the bytes, and the call that reads them.
fn found_in(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let has_graph = |meta: &MetaGraphDef| meta.graph_def.is_some();
    match FileKind::of_content(bytes) {
        Some(FileKind::GraphDefText) => Some((
            "a GraphDef as text",
            "parse it first: import_graph_def(GraphDef::from_text(&text)?)",
        )),
        Some(FileKind::CheckpointIndex) => Some((
            "the index of a checkpoint",
            "Saver::restore reads its values; its graph is in the `.meta` file",
        )),
        Some(FileKind::Safetensors) => {
            Some(("a safetensors file", "read_safetensors reads its tensors"))
        }
        Some(FileKind::Npy | FileKind::Npz) => {
            Some(("a NumPy array", "read it with the functions of formats::npy"))
        }
        Some(FileKind::TfRecord | FileKind::Events) => {
            Some(("a TFRecord file", "tfrecord::TfRecordReader reads them"))
        }
        _ if SavedModel::decode(bytes)
            .is_ok_and(|model| model.meta_graphs.iter().any(has_graph)) =>
        {
            Some(("a SavedModel", "load its folder: SavedModel::load(folder, &[\"serve\"])"))
        }
        _ if MetaGraphDef::decode(bytes).is_ok_and(|meta| has_graph(&meta)) => Some((
            "a MetaGraphDef",
            "import it with its variables: import_meta_graph(MetaGraphDef::decode(bytes)?, &options)",
        )),
        _ if is_text(bytes) => Some(("text", "a GraphDef as text begins with `node {`")),
        _ => None,
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let is_printed = |c: char| !c.is_control() || c.is_ascii_whitespace();
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_printed))
}
