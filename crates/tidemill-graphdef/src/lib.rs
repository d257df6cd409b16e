//! TensorFlow's `GraphDef`: graphs from it.
//!
//! A [`GraphDef`](tidemill_formats::proto::GraphDef) is TensorFlow's serial form of a graph.
//! Operations and attributes are called here as they are there, so nothing is translated: each
//! node of the message becomes the node of that name.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod import;

pub use import::{
    GraphDefSource, ImportError, ImportErrorKind, ImportOptions, Imported, import_graph_def,
    import_graph_def_with,
};
