//! Values for samples.

use tidemill_value::{Element, Value};

/// A value of `shape` from its elements in row-major order. One whose elements do not fit becomes
/// a text that says so, and fails the tests.
pub(crate) fn array<T: Element, const N: usize>(
    shape: [usize; N],
    elements: impl Into<Vec<T>>,
) -> Value {
    Value::from_vec(shape, elements.into())
        .unwrap_or_else(|error| error.to_string().as_str().into())
}
