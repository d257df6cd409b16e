use std::io;
use std::path::PathBuf;

use tidemill_formats::TextFormatError;
use tidemill_formats::checkpoint::CheckpointError;
use tidemill_formats::proto::DecodeError;
use tidemill_graphdef::{ExportError, ImportError};
use tidemill_ops::LookupError;
use tidemill_runtime::RunError;

use crate::SaverError;

/// The error of saving or loading a model.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SavedModelError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The folder already contains a model.
    #[error("{} already contains a model", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The bytes are not a valid message.
    #[error("not a SavedModel: {0}")]
    Decode(#[from] DecodeError),
    /// The text is not a valid message.
    #[error("not a SavedModel: {0}")]
    Text(#[from] TextFormatError),
    /// No graph in the folder has these tags.
    #[error("no graph has the tags {tags:?}; the graphs have {known:?}")]
    NoTags {
        /// The requested tags.
        tags: Vec<String>,
        /// The tags of the graphs.
        known: Vec<Vec<String>>,
    },
    /// The model has no such signature.
    #[error("there is no signature `{name}`; the model has {known:?}")]
    NoSignature {
        /// The requested name.
        name: String,
        /// The names of the signatures.
        known: Vec<String>,
    },
    /// A signature has no such argument.
    #[error("the signature `{signature}` has no argument `{name}`; it has {known:?}")]
    NoArgument {
        /// The signature.
        signature: String,
        /// The name.
        name: String,
        /// The names of the arguments.
        known: Vec<String>,
    },
    /// The graph cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The graph cannot be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The graph lacks a node that its message names.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The values of variables cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The variables cannot be restored.
    #[error(transparent)]
    Saver(#[from] SaverError),
    /// A run failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

tidemill_value::debug_as_report!(SavedModelError);
