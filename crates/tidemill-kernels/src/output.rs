use tidemill_value::{Element, Shape, Value};

use crate::NumericError;

/// Makes a value of `shape`; `fill` writes its elements, which start out zero.
pub(crate) fn build<T: Element>(
    shape: impl Into<Shape>,
    mut fill: impl FnMut(&mut [T]) -> Result<(), NumericError>,
) -> Result<Value, NumericError> {
    build_by(shape.into(), &mut fill)
}

/// Compiled once per element type, not once per `fill`.
#[inline(never)]
fn build_by<T: Element>(
    shape: Shape,
    fill: &mut dyn FnMut(&mut [T]) -> Result<(), NumericError>,
) -> Result<Value, NumericError> {
    let mut value = Value::zeros(T::DTYPE, shape)?;
    fill(value.as_mut_slice()?)?;
    Ok(value)
}

/// The number of elements of a part of a shape. It is exact unless the whole shape has none, or
/// more than memory can hold.
pub(crate) fn volume(extents: &[usize]) -> usize {
    extents.iter().fold(1, |count, extent| count.saturating_mul(*extent))
}

/// Checks that a value has the shape that the other operands imply.
pub(crate) fn expect_shape(value: &Value, expected: &[usize]) -> Result<(), NumericError> {
    if value.shape()[..] == *expected {
        return Ok(());
    }
    Err(NumericError::Shape { expected: expected.into(), actual: value.shape().clone() })
}
