use tidemill_value::{DType, Element, Memory, Value, match_dtype};

use crate::NumericError;
use crate::elementwise::cast;
use crate::output::build;

/// The positions of the elements that are true or not 0, NaN included: an `int64` value of shape
/// `[count, rank]` whose rows are positions, in row-major order. TensorFlow's `Where`.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if the elements are strings.
pub fn nonzero(memory: &Memory, value: &Value) -> Result<Value, NumericError> {
    match_dtype!(value.dtype(), wide, T => nonzero_of::<T>(memory, value), else {
        if !value.dtype().is_plain() {
            return Err(NumericError::UnsupportedDType { dtype: value.dtype() });
        }
        nonzero_of::<bool>(memory, &cast(memory, value, DType::Bool)?)
    })
}

fn nonzero_of<T: Element>(memory: &Memory, value: &Value) -> Result<Value, NumericError> {
    let zero = T::default();
    let elements = value.as_slice::<T>()?;
    let found = || elements.iter().enumerate().filter(|(_, x)| **x != zero);
    let (rank, strides) = (value.shape().rank(), value.shape().strides());
    build(memory, [found().count(), rank], |out: &mut [i64]| {
        if rank == 0 {
            return Ok(());
        }
        for ((mut rest, _), row) in found().zip(out.chunks_exact_mut(rank)) {
            for (position, stride) in row.iter_mut().zip(&strides) {
                *position = (rest / stride) as i64;
                rest %= stride;
            }
        }
        Ok(())
    })
}
