use crate::broadcast::BroadcastError;
use crate::dtype::DType;
use crate::error::ValueError;
use crate::shape::Shape;

/// Why a numeric function has no result.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NumericError {
    /// An integer was divided by zero.
    #[error("integer division by zero")]
    DivisionByZero,
    /// An integer was raised to a negative power.
    #[error("an integer is raised to a negative power")]
    NegativeExponent,
    /// An index does not name an element of the axis it selects from.
    #[error("index {index} at position {position} is not in [0, {extent})")]
    IndexOutOfRange {
        /// The index.
        index: i64,
        /// Its position among the indices, in row-major order.
        position: usize,
        /// The extent of the axis.
        extent: usize,
    },
    /// The function is not defined on elements of this type.
    #[error("the function is not defined on {dtype}")]
    UnsupportedDType {
        /// The type of the elements.
        dtype: DType,
    },
    /// There is no such axis.
    #[error("axis {axis} is out of range for {rank} axes")]
    Axis {
        /// The requested axis.
        axis: usize,
        /// The number of axes.
        rank: usize,
    },
    /// An axis is named twice.
    #[error("axis {axis} is given twice")]
    DuplicateAxis {
        /// The axis.
        axis: usize,
    },
    /// A list that describes every axis has the wrong length.
    #[error("{actual} axes are described, but there are {expected}")]
    Rank {
        /// The number of axes there are.
        expected: usize,
        /// The number of axes described.
        actual: usize,
    },
    /// A shape does not match the other operands.
    #[error("the shape is {actual}, but {expected} is needed")]
    Shape {
        /// The shape needed.
        expected: Shape,
        /// The shape given.
        actual: Shape,
    },
    /// A buffer does not hold as many elements as its shape has.
    #[error("a buffer has {actual} elements, but its shape needs {expected}")]
    Length {
        /// The number of elements the shape has.
        expected: usize,
        /// The number of elements in the buffer.
        actual: usize,
    },
    /// The left matrix does not have as many columns as the right one has rows.
    #[error("a matrix of {left} columns cannot be multiplied by one of {right} rows")]
    InnerDimensions {
        /// Columns of the left matrix.
        left: usize,
        /// Rows of the right matrix.
        right: usize,
    },
    /// A matrix does not have as many rows as columns.
    #[error("the matrices of shape {shape} are not square")]
    NotSquare {
        /// The shape of the matrix, or of several.
        shape: Shape,
    },
    /// A matrix has no inverse.
    #[error("matrix {index} is not invertible")]
    Singular {
        /// Its position among the matrices, in row-major order.
        index: usize,
    },
    /// A matrix is not the product of a triangular one and its transpose.
    #[error("matrix {index} is not positive definite")]
    NotPositiveDefinite {
        /// Its position among the matrices, in row-major order.
        index: usize,
    },
    /// A range reaches beyond the axis it cuts.
    #[error(
        "{count} elements from {begin} on, in steps of {step}, go past the end of axis {axis} of \
         extent {extent}"
    )]
    Bounds {
        /// The axis.
        axis: usize,
        /// The first element.
        begin: usize,
        /// The number of elements.
        count: usize,
        /// The distance from one to the next.
        step: isize,
        /// The extent of the axis.
        extent: usize,
    },
    /// Matrices have no such diagonals.
    #[error(
        "a matrix of {rows} rows and {columns} columns has no diagonals from {lower} to {upper}"
    )]
    Diagonals {
        /// The lowest diagonal.
        lower: i64,
        /// The highest diagonal.
        upper: i64,
        /// The number of rows.
        rows: usize,
        /// The number of columns.
        columns: usize,
    },
    /// Blocks do not divide an axis.
    #[error("axis {axis} of extent {extent} does not divide into blocks of {block}")]
    Blocks {
        /// The axis.
        axis: usize,
        /// Its extent, including padding.
        extent: usize,
        /// The extent of a block.
        block: usize,
    },
    /// More elements are requested than there are.
    #[error("cannot take the {count} largest of {extent} elements")]
    TooFew {
        /// The number requested.
        count: usize,
        /// The number there is.
        extent: usize,
    },
    /// Numbers that must be in order are not.
    #[error("the number at position {position} is out of order")]
    Unsorted {
        /// The position of the first number that is out of order.
        position: usize,
    },
    /// A mirror image would be longer than the axis it mirrors.
    #[error(
        "axis {axis} of extent {extent} is too short to mirror {before} elements before it and \
         {behind} after it"
    )]
    Mirror {
        /// The axis.
        axis: usize,
        /// The number of elements before it.
        before: usize,
        /// The number of elements after it.
        behind: usize,
        /// The extent of the axis.
        extent: usize,
    },
    /// A window cannot move along an axis.
    #[error(
        "a window of {filter} elements, {dilation} apart, cannot move by {stride} along an axis \
         of {input}"
    )]
    Window {
        /// The extent of the axis.
        input: usize,
        /// The number of elements of the window.
        filter: usize,
        /// The distance from one window to the next.
        stride: usize,
        /// The distance from one element of a window to the next.
        dilation: usize,
    },
    /// A filter does not fit the channels of its input.
    #[error(
        "filters of {taken} channels do not match an input of {channels} channels and {filters} \
         outputs"
    )]
    Channels {
        /// The number of channels of the input.
        channels: usize,
        /// The number of them that each filter takes.
        taken: usize,
        /// The number of filters.
        filters: usize,
    },
    /// A number that must be finite is not.
    #[error("the number at position {position} is not finite")]
    NotFinite {
        /// Its position, in row-major order.
        position: usize,
    },
    /// The largest or smallest of no elements was requested.
    #[error("axis {axis} of shape {shape} is empty")]
    EmptyAxis {
        /// The axis.
        axis: usize,
        /// The shape.
        shape: Shape,
    },
    /// No operand was given to a function of one or more.
    #[error("there is nothing to join")]
    NoOperands,
    /// A function was given more or fewer operands than it takes.
    #[error("{actual} operands are given, but {expected} are needed")]
    Operands {
        /// The number of operands it takes.
        expected: usize,
        /// The number of operands given.
        actual: usize,
    },
    /// The steps of a range never reach its limit, or there are too many.
    #[error("steps of {delta} do not lead from {start} to {limit}")]
    Range {
        /// The first number.
        start: f64,
        /// The number to stop before.
        limit: f64,
        /// The step.
        delta: f64,
    },
    /// A random integer was requested between bounds that admit none.
    #[error("there is no integer from {low} to below {high}")]
    EmptyInterval {
        /// The lower bound, included.
        low: i64,
        /// The upper bound, excluded.
        high: i64,
    },
    /// Two shapes do not broadcast.
    #[error(transparent)]
    Broadcast(Box<BroadcastError>),
    /// A value is invalid.
    #[error(transparent)]
    Value(#[from] ValueError),
}

crate::debug_as_report!(NumericError);

impl From<BroadcastError> for NumericError {
    fn from(error: BroadcastError) -> Self {
        NumericError::Broadcast(Box::new(error))
    }
}
