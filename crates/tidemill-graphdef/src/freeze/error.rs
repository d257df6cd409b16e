use tidemill_value::DType;

use crate::ExportError;

/// The error of freezing a graph.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FreezeError {
    /// The node does not exist.
    #[error("there is no node `{name}`")]
    NoNode {
        /// The name.
        name: String,
    },
    /// The requested part of the graph does more with a variable than read it.
    #[error("`{node}` ({op}) does more with the variable `{variable}` than read it")]
    Use {
        /// The node.
        node: String,
        /// Its operation type.
        op: String,
        /// The name of the variable's node.
        variable: String,
    },
    /// A value has another type than its variable.
    #[error("the variable `{variable}` is {expected}, but its value is {actual}")]
    DType {
        /// The name of the variable's node.
        variable: String,
        /// Its type.
        expected: String,
        /// The type of the value.
        actual: DType,
    },
    /// The graph cannot be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
}

tidemill_value::debug_as_report!(FreezeError);
