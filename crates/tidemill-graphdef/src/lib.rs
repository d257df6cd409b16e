//! Converts graphs from and to TensorFlow's `GraphDef`.
//!
//! A [`GraphDef`](tidemill_formats::proto::GraphDef) is TensorFlow's serial form of a graph.
//! Operations and attributes have the same names in both, so most nodes of the message become a
//! node of the same name and type. There are exceptions: function calls are inlined, the control
//! flow and tensor arrays of TensorFlow 1 are converted, and an `Identity` of a variable's handle
//! is removed. A [`MetaGraphDef`](tidemill_formats::proto::MetaGraphDef) adds variables, collections and
//! signatures. [`freeze()`] replaces variables with constants.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod export;
mod freeze;
mod import;
mod meta_graph;
mod saver_nodes;
mod summary;

pub use export::{ExportError, to_graph_def};
pub use freeze::{FreezeError, extract_sub_graph, freeze};
pub use import::{
    GraphDefSource, ImportError, ImportErrorKind, ImportOptions, Imported, import_graph_def,
    import_graph_def_with,
};
pub use meta_graph::{
    Asset, MetaGraph, MetaGraphParts, Signature, import_meta_graph, to_meta_graph,
};
pub use saver_nodes::{SavedVariable, add_saver_nodes};
pub use summary::{Elements, GraphSummary, NotUnderstood, TensorSummary};
