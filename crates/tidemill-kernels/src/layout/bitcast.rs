use tidemill_value::{DType, Memory, Shape, Value, bf16, f16, match_dtype};

use crate::NumericError;
use crate::output::build;

/// `match_dtype!` for all numbers, those of 16 bits too.
macro_rules! match_number {
    ($dtype:expr, $T:ident => $body:expr, else $other:expr) => {
        match $dtype {
            DType::F16 => {
                type $T = f16;
                $body
            }
            DType::BF16 => {
                type $T = bf16;
                $body
            }
            _ => match_dtype!($dtype, numbers, $T => $body, else $other),
        }
    };
}

/// The bytes of a value's elements as elements of another type. TensorFlow's `Bitcast`.
///
/// A type of smaller elements adds an axis over the parts of each; a type of larger elements
/// removes the last axis, which must hold the parts of one.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if a type is not numeric, [`NumericError::Shape`] if the last
/// axis does not hold the parts of one element.
pub fn bitcast(memory: &Memory, value: &Value, dtype: DType) -> Result<Value, NumericError> {
    let shape = cast_shape(value.shape(), value.dtype().size(), dtype.size())?;
    let from = value.dtype();
    let bytes = match_number!(from, T => {
        value.as_slice::<T>()?.iter().flat_map(|x| x.to_ne_bytes()).collect::<Vec<u8>>()
    }, else return Err(NumericError::UnsupportedDType { dtype: from }));
    match_number!(dtype, T => build(memory, shape, |out: &mut [T]| {
        for (bytes, o) in bytes.chunks_exact(size_of::<T>()).zip(out) {
            let mut own = [0; size_of::<T>()];
            own.copy_from_slice(bytes);
            *o = T::from_ne_bytes(own);
        }
        Ok(())
    }), else Err(NumericError::UnsupportedDType { dtype }))
}

fn cast_shape(shape: &Shape, from: usize, to: usize) -> Result<Shape, NumericError> {
    if from >= to {
        let parts = (from > to).then_some(from / to);
        return Ok(shape.iter().copied().chain(parts).collect());
    }
    match shape.split_last() {
        Some((&last, rest)) if last == to / from => Ok(rest.into()),
        _ => {
            let outer = &shape[..shape.rank().saturating_sub(1)];
            let expected = outer.iter().copied().chain([to / from]).collect();
            Err(NumericError::Shape { expected, actual: shape.clone() })
        }
    }
}
