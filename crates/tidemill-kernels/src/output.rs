use tidemill_value::{Element, Shape, Value};

use crate::NumericError;

/// Makes a value of `shape`; `fill` writes its elements, which start out zero.
pub(crate) fn build<T: Element>(
    shape: impl Into<Shape>,
    fill: impl FnOnce(&mut [T]) -> Result<(), NumericError>,
) -> Result<Value, NumericError> {
    let mut value = Value::zeros(T::DTYPE, shape)?;
    fill(value.as_mut_slice()?)?;
    Ok(value)
}
