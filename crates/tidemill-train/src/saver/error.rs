use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tidemill_formats::checkpoint::CheckpointError;
use tidemill_formats::{FileError, TensorFileError};
use tidemill_graph::{BuildError, BuildErrorKind, GraphKey};
use tidemill_graphdef::ExportError;
use tidemill_runtime::RunError;

use super::RestoreReport;

/// The error of saving or restoring variables.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SaverError {
    /// There is nothing to save.
    #[error("there are no variables to save")]
    NoVariables,
    /// Two variables have the same name.
    #[error("two variables would be saved as `{name}`")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// One variable has two names.
    #[error("the variable `{variable}` would be saved twice, as `{}` and `{}`", names[0], names[1])]
    SavedTwice {
        /// The name of the variable.
        variable: String,
        /// The names to save it by.
        names: [String; 2],
    },
    /// The variables belong to different graphs.
    #[error("the variable `{name}` is in {variable}, but others are in {first}")]
    SeveralGraphs {
        /// The name of a variable.
        name: String,
        /// The graph that it belongs to.
        variable: GraphKey,
        /// The graph of the first variable.
        first: GraphKey,
    },
    /// A variable could not be built, or the node that restores it cannot be added.
    #[error("the variable `{name}` cannot be saved{}", list(causes))]
    Invalid {
        /// The name of the variable.
        name: String,
        /// The calls that failed.
        causes: Vec<Arc<BuildError>>,
    },
    /// The graph of the variables no longer exists.
    #[error("{0}")]
    GraphGone(Box<BuildErrorKind>),
    /// The values cannot be read from the session or written to it: a variable has no value or
    /// belongs to another graph.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] TensorFileError),
    /// The graph cannot be written.
    #[error(
        "the graph cannot be written: {0}\n  help: saver.meta_graph(false) saves the values alone"
    )]
    Graph(#[from] ExportError),
    /// The folder of the checkpoints cannot be read.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The background thread could not be started.
    #[error("the thread that saves cannot be started: {0}")]
    Thread(#[source] io::Error),
    /// The background thread panicked.
    #[error("the thread that saves panicked")]
    Panicked,
    /// There are checkpoints, but none is readable.
    #[error("none of the checkpoints can be read; the newest: {newest}")]
    NoneReadable {
        /// The error of the newest checkpoint.
        newest: TensorFileError,
    },
    /// The checkpoint lacks variables or has them with another type or shape.
    #[error("no variable was restored, because the checkpoint does not have all of them\n{0}")]
    Incomplete(Box<RestoreReport>),
}

tidemill_value::debug_as_report!(SaverError);

impl From<FileError<io::Error>> for SaverError {
    fn from(error: FileError<io::Error>) -> Self {
        CheckpointError::from(error).into()
    }
}

impl From<CheckpointError> for SaverError {
    fn from(error: CheckpointError) -> Self {
        SaverError::Checkpoint(error.into())
    }
}

fn list(causes: &[Arc<BuildError>]) -> String {
    causes.iter().map(|cause| format!("\n{cause}")).collect()
}
