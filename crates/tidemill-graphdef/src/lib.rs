//! TensorFlow's `GraphDef`: graphs from it, and graphs to it.
//!
//! A [`GraphDef`](tidemill_formats::proto::GraphDef) is TensorFlow's serial form of a graph.
//! Operations and attributes are called here as they are there, so nothing is translated: each
//! node of the message becomes the node of that name.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod export;
mod import;
mod summary;

pub use export::{ExportError, to_graph_def};
pub use import::{
    GraphDefSource, ImportError, ImportErrorKind, ImportOptions, Imported, import_graph_def,
    import_graph_def_with,
};
pub use summary::{Elements, GraphSummary, TensorSummary};
