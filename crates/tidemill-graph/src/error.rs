use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use tidemill_value::{BroadcastError, DType, NumericError, PartialShape, ValueError};

/// An error in the inputs or attributes of a node, found before it runs. It holds everything that
/// the message needs except the place: the layers above add the node, the line and the path.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpError {
    /// Two shapes do not broadcast.
    #[error(transparent)]
    Broadcast(Box<BroadcastError>),
    /// A value or shape is invalid.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The numeric function rejects the inputs or attributes.
    #[error(transparent)]
    Numeric(Box<NumericError>),
    /// An input has the wrong number of axes.
    #[error("`{input}` must have {expected}, but its shape is {actual}")]
    Rank {
        /// The name of the input.
        input: &'static str,
        /// The requirement, such as "2 axes".
        expected: &'static str,
        /// The shape it has.
        actual: PartialShape,
    },
    /// The inner dimensions of a matrix product differ.
    #[error(
        "the inner dimensions of {left} and {right} differ: {left_dim} columns on the left, \
         {right_dim} rows on the right"
    )]
    InnerDimensions {
        /// The left shape, transposed if requested.
        left: PartialShape,
        /// The right shape, transposed if requested.
        right: PartialShape,
        /// Columns of the left matrix.
        left_dim: usize,
        /// Rows of the right matrix.
        right_dim: usize,
    },
    /// An extent that must be known before a run is not.
    #[error(
        "axis {axis} of `{input}` must have a known extent, but its shape is {actual}\n  help: \
         specify this extent in the shape of the placeholder that `{input}` comes from, as in \
         shape![?, 3]"
    )]
    UnknownExtent {
        /// The name of the input.
        input: &'static str,
        /// The axis; negative ones count from the last.
        axis: i64,
        /// The shape as far as it is known.
        actual: PartialShape,
    },
    /// Two inputs whose shapes must agree do not.
    #[error("`{left}` of shape {left_shape} and `{right}` of shape {right_shape} must {rule}")]
    Disagree {
        /// The name of the first input.
        left: Cow<'static, str>,
        /// Its shape.
        left_shape: Box<PartialShape>,
        /// The name of the second input.
        right: Cow<'static, str>,
        /// Its shape.
        right_shape: Box<PartialShape>,
        /// The rule, such as "have the same number of rows".
        rule: Cow<'static, str>,
    },
    /// A shape with an open extent does not fit the number of elements.
    #[error(
        "a tensor of shape {from} has {actual} elements, and {actual} is not a multiple of \
         {known}, as shape {to} requires"
    )]
    ReshapeMultiple {
        /// The shape the tensor has.
        from: PartialShape,
        /// The requested shape, with an open extent.
        to: PartialShape,
        /// The number of elements it has.
        actual: usize,
        /// The number of elements for each step of the open extent.
        known: usize,
    },
    /// There is no such axis.
    #[error(
        "axis {axis} is out of range for {rank} axes: it must be at least -{rank} and below {rank}"
    )]
    Axis {
        /// The axis given.
        axis: i64,
        /// The number of axes.
        rank: usize,
    },
    /// An axis is named twice.
    #[error("axis {axis} is given twice")]
    DuplicateAxis {
        /// The axis given.
        axis: i64,
    },
    /// A tensor is reshaped to a shape with another number of elements.
    #[error("a tensor of shape {from} has {actual} elements, but shape {to} needs {expected}")]
    Reshape {
        /// The shape the tensor has.
        from: PartialShape,
        /// The requested shape.
        to: PartialShape,
        /// The number of elements it has.
        actual: usize,
        /// The number of elements it needs.
        expected: usize,
    },
    /// A required attribute is missing.
    #[error("the attribute `{name}` is missing")]
    MissingAttr {
        /// The attribute.
        name: &'static str,
    },
    /// An attribute has the wrong kind.
    #[error("the attribute `{name}` must be of kind {expected}, but is of kind {actual}")]
    AttrKind {
        /// The attribute.
        name: &'static str,
        /// The required kind.
        expected: &'static str,
        /// The actual kind.
        actual: &'static str,
    },
    /// An attribute requests more outputs than a node may have.
    #[error("{count} outputs were requested, but a node has at most {limit}")]
    Outputs {
        /// The number requested.
        count: i64,
        /// The limit.
        limit: i64,
    },
    /// No kernel computes the operation.
    #[error("no kernel computes {op}")]
    NoKernel {
        /// The operation.
        op: &'static str,
    },
    /// The node is of a file and is not understood.
    #[error(
        "{lacks}\n  help: feed what is computed from it, replace that by `ImportOptions::input_map`, \
         or keep only what does not need it by `extract_sub_graph`"
    )]
    Opaque {
        /// The operation.
        op: &'static str,
        /// The reason why it is not understood.
        lacks: String,
    },
    /// No kernel computes the operation for this data type.
    #[error("{op} is not defined for {dtype}")]
    UnsupportedDType {
        /// The operation.
        op: &'static str,
        /// The data type.
        dtype: DType,
    },
    /// An input has a shape that the operation does not take.
    #[error("{message}")]
    Shape {
        /// The name of the input.
        input: &'static str,
        /// The error, with the shape.
        message: String,
    },
    /// The elements of an input, such as sizes or axes, are invalid.
    #[error("{message}")]
    Elements {
        /// The name of the input.
        input: &'static str,
        /// The error, with the elements.
        message: String,
    },
    /// An attribute has a value that the operation does not take.
    #[error("{message}")]
    Attr {
        /// The name of the attribute.
        name: &'static str,
        /// The error, with the value.
        message: String,
    },
    /// The body of a branch or a loop takes or returns other values than the node.
    #[error("{message}")]
    Body {
        /// The error, with the values.
        message: String,
    },
    /// An input or attribute breaks another rule of the operation; the text names it, with the
    /// numbers.
    #[error("{0}")]
    Invalid(String),
}

tidemill_value::debug_as_report!(OpError);

impl OpError {
    /// Two inputs, with their shapes, that break `rule`.
    pub fn disagree(
        (left, left_shape): (impl Into<Cow<'static, str>>, &PartialShape),
        (right, right_shape): (impl Into<Cow<'static, str>>, &PartialShape),
        rule: impl Into<Cow<'static, str>>,
    ) -> Self {
        OpError::Disagree {
            left: left.into(),
            left_shape: left_shape.clone().into(),
            right: right.into(),
            right_shape: right_shape.clone().into(),
            rule: rule.into(),
        }
    }

    /// A shape that the operation does not take.
    pub fn shape(input: &'static str, message: impl Into<String>) -> Self {
        OpError::Shape { input, message: message.into() }
    }

    /// Elements of an input that the operation does not take.
    pub fn elements(input: &'static str, message: impl Into<String>) -> Self {
        OpError::Elements { input, message: message.into() }
    }

    /// A value of an attribute that the operation does not take.
    pub fn attr(name: &'static str, message: impl Into<String>) -> Self {
        OpError::Attr { name, message: message.into() }
    }

    /// A body that does not fit its node.
    pub fn body(message: impl Into<String>) -> Self {
        OpError::Body { message: message.into() }
    }

    /// An error for another broken rule of one operation.
    pub fn invalid(message: impl Into<String>) -> Self {
        OpError::Invalid(message.into())
    }
}

/// The error of a kernel.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// The inputs, or the attributes, are invalid.
    #[error(transparent)]
    Op(Box<OpError>),
    /// The operation has no result for these input values.
    #[error(transparent)]
    Numeric(#[from] NumericError),
    /// An assertion of the graph does not hold.
    #[error("assertion failed: {message}")]
    Assertion {
        /// The data given with the assertion.
        message: String,
    },
    /// A checked tensor holds NaN or infinities.
    #[error("{message} : Tensor had {found} values")]
    NonFinite {
        /// The message given with the check.
        message: String,
        /// `NaN`, `Inf`, or both.
        found: &'static str,
    },
    /// A function of the host program failed.
    #[error("the host function failed: {source}")]
    Host {
        /// Its error.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A file cannot be read or written.
    #[error("{source}")]
    File {
        /// The cause.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A function of the host program returned something other than it declared.
    #[error("the host function returned {actual}, but promised {promised}")]
    HostOutput {
        /// The declared outputs.
        promised: String,
        /// The returned outputs.
        actual: String,
    },
    /// The runtime broke one of its own invariants.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

tidemill_value::debug_as_report!(KernelError);

impl From<BroadcastError> for OpError {
    fn from(error: BroadcastError) -> Self {
        OpError::Broadcast(Box::new(error))
    }
}

impl From<NumericError> for OpError {
    fn from(error: NumericError) -> Self {
        OpError::Numeric(Box::new(error))
    }
}

impl From<OpError> for KernelError {
    fn from(error: OpError) -> Self {
        KernelError::Op(Box::new(error))
    }
}

impl From<ValueError> for KernelError {
    fn from(error: ValueError) -> Self {
        OpError::from(error).into()
    }
}

impl From<BroadcastError> for KernelError {
    fn from(error: BroadcastError) -> Self {
        OpError::from(error).into()
    }
}

/// The error of building a gradient.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GradientError {
    /// The operation has no gradient rule and is not declared non-differentiable.
    #[error("no gradient is defined for {op}")]
    Undefined {
        /// The operation.
        op: &'static str,
    },
    /// The rule does not cover the attributes or inputs of this node.
    #[error(transparent)]
    Op(#[from] OpError),
}

tidemill_value::debug_as_report!(GradientError);
