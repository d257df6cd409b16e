use crate::dtype::DType;
use crate::partial_shape::{Dim, PartialShape};
use crate::shape::Shape;

/// The error of making a value, or of a conversion to or from one.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The elements do not have the requested type.
    #[error("the value is {actual}, not {expected}")]
    DType {
        /// The requested type.
        expected: DType,
        /// The type of the value.
        actual: DType,
    },
    /// The number of elements does not match the shape.
    #[error("shape {shape} has {expected} elements, but {actual} were given")]
    Elements {
        /// The shape asked for.
        shape: Shape,
        /// The number of elements it has.
        expected: usize,
        /// The number of elements given.
        actual: usize,
    },
    /// The shape has more elements than memory can address.
    #[error("shape {shape} has more elements than memory can hold")]
    TooLarge {
        /// The shape asked for.
        shape: Shape,
    },
    /// A value that should be a single number has another number of elements.
    #[error("a value of shape {shape} is not a single number{}", all_of(shape))]
    NotScalar {
        /// The shape of the value.
        shape: Shape,
    },
    /// The parts of a nested list differ in length.
    #[error("the nested list is ragged: one part has shape {first}, another has {other}")]
    Ragged {
        /// The shape of the first part.
        first: Shape,
        /// The shape of the part that differs.
        other: Shape,
    },
    /// A data type cannot hold a number.
    #[error("the number {number} does not fit {dtype}")]
    Unrepresentable {
        /// The number, as it prints.
        number: String,
        /// The type that cannot hold it.
        dtype: DType,
    },
    /// There is no data type of this name.
    #[error("there is no data type `{name}`")]
    UnknownDType {
        /// The name given.
        name: String,
    },
    /// The number of values differs from the requested number.
    #[error("{actual} values were given where {expected} were expected")]
    Count {
        /// The requested number of values.
        expected: usize,
        /// The number of values given.
        actual: usize,
    },
    /// Two partly known shapes contradict each other.
    #[error("shapes {left} and {right} contradict each other")]
    Incompatible {
        /// The first shape.
        left: PartialShape,
        /// The second shape.
        right: PartialShape,
    },
    /// Two dimensions contradict each other.
    #[error("dimensions {left} and {right} contradict each other")]
    IncompatibleDims {
        /// The first dimension.
        left: Dim,
        /// The second dimension.
        right: Dim,
    },
    /// A list has no element at this index.
    #[error("index {index} is out of range for a list of {len} elements")]
    ListIndex {
        /// The requested index.
        index: usize,
        /// The length of the list.
        len: usize,
    },
    /// A list is full.
    #[error("the list is full: it may have at most {most} elements")]
    ListFull {
        /// The maximum length.
        most: usize,
    },
    /// Lists would be nested too deep.
    #[error("lists nest at most {most} deep")]
    ListDepth {
        /// The maximum depth.
        most: usize,
    },
}

crate::debug_as_report!(ValueError);

/// A hint on how to get the elements of a value of this shape.
fn all_of(shape: &Shape) -> &'static str {
    match shape.rank() {
        0 => "",
        1 => ": Value::into_vec gives its elements",
        _ => ": Value::into_array gives its elements",
    }
}
