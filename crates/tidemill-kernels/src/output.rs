use tidemill_value::{Element, Memory, Shape, Value};

use crate::NumericError;

/// Makes a value of `shape`; `fill` writes all of its elements.
pub(crate) fn build<T: Element>(
    memory: &Memory,
    shape: impl Into<Shape>,
    mut fill: impl FnMut(&mut [T]) -> Result<(), NumericError>,
) -> Result<Value, NumericError> {
    fill_by(memory.scratch(T::DTYPE, shape)?, &mut fill)
}

/// Makes a value of `shape`; `fill` writes its elements, which start out zero.
pub(crate) fn build_zeroed<T: Element>(
    memory: &Memory,
    shape: impl Into<Shape>,
    mut fill: impl FnMut(&mut [T]) -> Result<(), NumericError>,
) -> Result<Value, NumericError> {
    fill_by(memory.zeros(T::DTYPE, shape)?, &mut fill)
}

/// Compiled once per element type, not once per `fill`.
#[inline(never)]
fn fill_by<T: Element>(
    mut value: Value,
    fill: &mut dyn FnMut(&mut [T]) -> Result<(), NumericError>,
) -> Result<Value, NumericError> {
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
