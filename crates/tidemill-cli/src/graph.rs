//! Graphs from files.

use std::path::Path;

use tidemill_formats::proto::{GraphDef, Message};
use tidemill_formats::{FileKind, map_file};

use crate::Failure;

/// The graph of a file.
pub(crate) fn load(path: &Path, kind: FileKind) -> Result<GraphDef, Failure> {
    let file = map_file(path)?;
    let graph_def = match kind {
        FileKind::GraphDef => GraphDef::decode(&file[..]).map_err(|error| error.to_string()),
        _ => Err(format!("this is a file of kind {kind}, and no graph")),
    };
    Ok(graph_def.map_err(|error| format!("{}: {error}", path.display()))?)
}
