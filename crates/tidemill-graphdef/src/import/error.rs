use tidemill_formats::proto::{DataTypeError, DecodeError};
use tidemill_formats::{ShapeError, TensorError};
use tidemill_graph::BuildErrorKind;
use tidemill_ops::LookupError;
use tidemill_value::DType;

/// The error of importing a `GraphDef`.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file is empty.
    #[error("the file is empty, so it is not a GraphDef")]
    Empty,
    /// The bytes are another kind of file.
    #[error("not a binary GraphDef, but {found}\n  help: {help}")]
    OtherFile {
        /// The kind.
        found: &'static str,
        /// The call that reads it.
        help: &'static str,
    },
    /// The bytes are not a valid message.
    #[error("not a GraphDef: {0}")]
    Decode(#[from] DecodeError),
    /// A node cannot be imported.
    #[error("node `{node}` ({op}): {kind}")]
    Node {
        /// The name of the node in the message.
        node: String,
        /// Its operation type.
        op: String,
        /// The error.
        kind: Box<ImportErrorKind>,
    },
    /// The message names a node that does not exist.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// A tensor of a signature consists of several tensors, or of none.
    #[error("a signature has a sparse, composite or unnamed tensor, which is not supported")]
    Encoding,
    /// A variable is listed with a node that does not exist or does not name a variable.
    #[error(
        "the entry of the variable `{variable}` names `{node}`, which does not exist or is not \
         part of it"
    )]
    Variable {
        /// The variable.
        variable: String,
        /// The node.
        node: String,
    },
    /// Tensors in the input map are not inputs of any node.
    #[error("the input map names tensors that no node takes: {}", names.join(", "))]
    UnusedMapping {
        /// Their names.
        names: Vec<String>,
    },
    /// A replacement tensor is invalid or belongs to another graph.
    #[error("the input map gives `{name}` a tensor that is not in the graph imported into")]
    InvalidMapping {
        /// The name of the tensor to be replaced.
        name: String,
    },
}

tidemill_value::debug_as_report!(ImportError);

/// The kind of error in a node of a `GraphDef`.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ImportErrorKind {
    /// Another node has the same name.
    #[error("another node has the same name")]
    Duplicate,
    /// The operation does not exist.
    #[error("the operation `{op}` does not exist or is not supported yet")]
    UnknownOp {
        /// The operation type.
        op: String,
    },
    /// It calls a function that does not exist.
    #[error("there is no function `{function}`")]
    UnknownFunction {
        /// The function.
        function: String,
    },
    /// It calls a function that calls itself.
    #[error("the function `{function}` calls itself")]
    Recursion {
        /// The function.
        function: String,
    },
    /// A function that it runs cannot be imported.
    #[error("in the function `{function}`: {error}")]
    Function {
        /// The function.
        function: String,
        /// The error.
        error: Box<ImportError>,
    },
    /// The bodies of the functions called have too many nodes.
    #[error("the called functions make the graph too large")]
    TooManyNodes,
    /// It takes a node that does not exist.
    #[error("its input `{input}` does not exist")]
    MissingInput {
        /// The input.
        input: String,
    },
    /// An input comes after a control input.
    #[error("its input `{input}` comes after a control input")]
    InputAfterControl {
        /// The input.
        input: String,
    },
    /// It is TensorFlow 1 control flow of another form than `cond`, `case` and `while_loop`
    /// produce.
    #[error("{problem}")]
    ControlFlow {
        /// The error.
        problem: String,
    },
    /// It depends on itself.
    #[error("it depends on itself: {}", show_cycle(cycle))]
    Cycle {
        /// The names of the nodes in the cycle, each an input of the one before.
        cycle: Vec<String>,
    },
    /// Its number of inputs differs from that given by its attributes.
    #[error("its type and attributes call for {expected} inputs, but it has {actual}")]
    InputCount {
        /// The number according to the attributes.
        expected: usize,
        /// The number it has.
        actual: usize,
    },
    /// An input has another type than an attribute gives.
    #[error("its input {input} is {actual}, but the attribute `{attr}` says {expected}")]
    InputType {
        /// The number of the input.
        input: usize,
        /// The attribute.
        attr: &'static str,
        /// The type according to the attribute.
        expected: DType,
        /// The type of the input.
        actual: DType,
    },
    /// The operation has no such attribute.
    #[error("there is no attribute `{name}`")]
    UnknownAttr {
        /// The attribute.
        name: String,
    },
    /// The inputs are counted by an attribute that is missing.
    #[error("the attribute `{name}` is missing")]
    MissingAttr {
        /// The attribute.
        name: &'static str,
    },
    /// An attribute has the wrong kind.
    #[error("the attribute `{name}` must be of kind {expected}, but is of kind {actual}")]
    AttrKind {
        /// The attribute.
        name: String,
        /// The required kind.
        expected: &'static str,
        /// The actual kind.
        actual: &'static str,
    },
    /// An attribute has a data type that does not exist or that values cannot have.
    #[error("the attribute `{name}`: {source}")]
    AttrType {
        /// The attribute.
        name: String,
        /// The error.
        source: DataTypeError,
    },
    /// An attribute has a shape that is invalid.
    #[error("the attribute `{name}`: {source}")]
    AttrShape {
        /// The attribute.
        name: String,
        /// The error.
        source: ShapeError,
    },
    /// An attribute has a tensor that is invalid.
    #[error("the attribute `{name}`: {source}")]
    AttrTensor {
        /// The attribute.
        name: String,
        /// The error.
        source: Box<TensorError>,
    },
    /// The inputs or attributes break a rule of the operation, or the name is invalid.
    #[error(transparent)]
    Build(Box<BuildErrorKind>),
}

tidemill_value::debug_as_report!(ImportErrorKind);

/// The number of names of a cycle that are shown.
const SHOWN_NAMES: usize = 8;

fn show_cycle(cycle: &[String]) -> String {
    let mut text = cycle.iter().take(SHOWN_NAMES).cloned().collect::<Vec<_>>().join(" ← ");
    if let Some(more) = cycle.len().checked_sub(SHOWN_NAMES).filter(|more| *more > 0) {
        text.push_str(&format!(" ← {more} more"));
    }
    text
}

/// The error of a node of a message.
pub(super) fn node_error(node: &str, op: &str, kind: ImportErrorKind) -> ImportError {
    ImportError::Node { node: node.to_owned(), op: op.to_owned(), kind: Box::new(kind) }
}
