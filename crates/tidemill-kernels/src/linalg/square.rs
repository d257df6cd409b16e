use tidemill_value::Value;

use crate::NumericError;

/// The number of rows of square matrices, and the axes before them.
pub(super) fn square(value: &Value) -> Result<(usize, &[usize]), NumericError> {
    let shape = value.shape();
    match shape.split_last_chunk() {
        Some((batch, [rows, columns])) if rows == columns => Ok((*rows, batch)),
        Some(_) => Err(NumericError::NotSquare { shape: shape.clone() }),
        None => Err(NumericError::Rank { expected: 2, actual: shape.rank() }),
    }
}

pub(super) fn unsupported<T>(value: &Value) -> Result<T, NumericError> {
    Err(NumericError::UnsupportedDType { dtype: value.dtype() })
}
