//! Values for samples.

use tidemill_value::{Element, Value};

/// A value of `shape` from its elements in row-major order. If the elements do not fit, it is a
/// string that says so, which fails the tests.
pub(crate) fn array<T: Element, const N: usize>(
    shape: [usize; N],
    elements: impl Into<Vec<T>>,
) -> Value {
    Value::from_vec(shape, elements.into())
        .unwrap_or_else(|error| error.to_string().as_str().into())
}
