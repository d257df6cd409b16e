use tidemill_value::{Memory, Value, match_dtype};

use super::unsupported;
use crate::NumericError;
use crate::number::Number;
use crate::output::build;

/// The cross products of vectors of three numbers, which are in the last axis; integers wrap.
/// TensorFlow's `Cross`.
///
/// # Errors
/// [`NumericError::Shape`] if the shapes differ or the last axis has another extent than 3,
/// [`NumericError::Value`] if the types differ, [`NumericError::UnsupportedDType`] if the elements
/// are not numbers.
pub fn cross(memory: &Memory, left: &Value, right: &Value) -> Result<Value, NumericError> {
    if left.shape() != right.shape() || left.shape().last() != Some(&3) {
        let (expected, actual) = (left.shape().clone(), right.shape().clone());
        return Err(NumericError::Shape { expected, actual });
    }
    match_dtype!(left.dtype(), wide, T => {
        let (x, y) = (left.as_slice::<T>()?, right.as_slice::<T>()?);
        build(memory, left.shape().clone(), |out: &mut [T]| {
            let vectors = x.as_chunks::<3>().0.iter().zip(y.as_chunks::<3>().0);
            for ((x, y), o) in vectors.zip(out.as_chunks_mut::<3>().0) {
                *o = product(*x, *y);
            }
            Ok(())
        })
    }, else unsupported(left))
}

fn product<T: Number>([a, b, c]: [T; 3], [x, y, z]: [T; 3]) -> [T; 3] {
    [b.times(z).minus(c.times(y)), c.times(x).minus(a.times(z)), a.times(y).minus(b.times(x))]
}
