use crate::{DType, Dim, PartialShape, Shape};

/// What is wrong with a value, or with a conversion to or from one.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The elements are of another type than asked for.
    #[error("the value is {actual}, not {expected}")]
    DType {
        /// The type asked for.
        expected: DType,
        /// The type of the value.
        actual: DType,
    },
    /// A shape does not have as many elements as were given.
    #[error("shape {shape} has {expected} elements, but {actual} were given")]
    Elements {
        /// The shape asked for.
        shape: Shape,
        /// The number of elements it has.
        expected: usize,
        /// The number of elements given.
        actual: usize,
    },
    /// The shape's element count is more than memory can address.
    #[error("shape {shape} has more elements than memory can hold")]
    TooLarge {
        /// The shape asked for.
        shape: Shape,
    },
    /// One number was asked of a value that holds another count of them.
    #[error("a value of shape {shape} is not a single number{}", all_of(shape))]
    NotScalar {
        /// The shape of the value.
        shape: Shape,
    },
    /// The parts of a nested list differ in length.
    #[error("the nested list is ragged: a part of shape {first} stands beside one of {other}")]
    Ragged {
        /// The shape of the first part.
        first: Shape,
        /// The shape of the part that differs.
        other: Shape,
    },
    /// A number cannot be held by a data type.
    #[error("the number {number} does not fit {dtype}")]
    Unrepresentable {
        /// The number, as it prints.
        number: String,
        /// The type that was to hold it.
        dtype: DType,
    },
    /// There is no data type of this name.
    #[error("there is no data type `{name}`")]
    UnknownDType {
        /// The name given.
        name: String,
    },
    /// A list of results has another length than asked for.
    #[error("{actual} values were given where {expected} were expected")]
    Count {
        /// The number of values asked for.
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
    /// A list has no place of this number.
    #[error("index {index} is out of range for a list of {len} elements")]
    ListIndex {
        /// The place asked for.
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// A list has as many elements as it may have.
    #[error("the list is full: it may have {most} elements")]
    ListFull {
        /// How many it may have.
        most: usize,
    },
    /// Lists would lie too deep in one another.
    #[error("lists lie in one another at most {most} deep")]
    ListDepth {
        /// How deep they may lie.
        most: usize,
    },
}

crate::debug_as_report!(ValueError);

/// How to have the elements of a value of a shape.
fn all_of(shape: &Shape) -> &'static str {
    match shape.rank() {
        0 => "",
        1 => ": Value::into_vec gives its elements",
        _ => ": Value::into_array gives its elements",
    }
}
