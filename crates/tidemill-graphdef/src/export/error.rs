use tidemill_graph::BuildErrors;

/// The maximum size of a protocol buffer message.
pub(super) const MAX_BYTES: usize = i32::MAX as usize;

/// Why a graph cannot be written as a `GraphDef`.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Builder calls failed, so the graph is incomplete.
    #[error("the graph has errors:\n{0}")]
    Invalid(#[from] BuildErrors),
    /// A node calls a function of the host program, which cannot be written to a file.
    #[error("node `{node}` ({op}) calls a function of the host program")]
    HostFunction {
        /// The name of the node.
        node: String,
        /// Its operation type.
        op: &'static str,
    },
    /// A body takes a reference variable, which TensorFlow's functions do not support.
    #[error(
        "node `{node}` ({op}) passes a variable to a function, which only works for resource \
         variables: make it by `variable(..).resource(true)`"
    )]
    RefVariable {
        /// The name of the node.
        node: String,
        /// Its operation type.
        op: &'static str,
    },
    /// A node that is not understood comes from a function, where its outputs have names, and the graph
    /// outside would need their order.
    #[error(
        "node `{node}` ({op}) comes from a function and is not understood, so the order of its \
         outputs is unknown"
    )]
    OutputOrder {
        /// The name of the node.
        node: String,
        /// Its operation type.
        op: &'static str,
    },
    /// The message exceeds the maximum size.
    #[error(
        "the GraphDef would have {bytes} bytes, but the limit is {MAX_BYTES}: the largest node is \
         `{node}`, with {node_bytes}"
    )]
    TooLarge {
        /// The size of the message in bytes.
        bytes: usize,
        /// The name of the largest node.
        node: String,
        /// The size of that node in bytes.
        node_bytes: usize,
    },
}

tidemill_value::debug_as_report!(ExportError);
