use tidemill_value::{Memory, Shape, Value, ValueError};

use super::transfer::Transfer;
use super::view::{Cut, check_cut};
use crate::NumericError;
use crate::moved::{build_zeroed, read};
use crate::strided::Axis;

/// A value of `shape` with the elements of `part` where `cuts` would take them from, and zeros
/// elsewhere. Implements TensorFlow's `StridedSliceGrad`.
///
/// # Errors
/// [`NumericError::Rank`] if there is not one cut for each axis, [`NumericError::Bounds`] if one
/// reaches beyond its axis, [`NumericError::Shape`] if the part does not have the shape that they
/// cut out, [`NumericError::Value`] if memory cannot hold the result.
pub fn unslice(
    memory: &Memory,
    part: &Value,
    shape: &Shape,
    cuts: &[Cut],
) -> Result<Value, NumericError> {
    let (expected, actual) = (shape.rank(), cuts.len());
    if actual != expected {
        return Err(NumericError::Rank { expected, actual });
    }
    let expected: Shape = cuts.iter().map(|cut| cut.count).collect();
    if *part.shape() != expected {
        return Err(NumericError::Shape { expected, actual: part.shape().clone() });
    }
    if shape.elements().is_none() {
        return Err(ValueError::TooLarge { shape: shape.clone() }.into());
    }
    let (from, to) = (part.shape().strides(), shape.strides());
    let mut start = 0;
    let mut axes = Vec::with_capacity(cuts.len());
    for (axis, (cut, &extent)) in cuts.iter().zip(&shape[..]).enumerate() {
        check_cut(axis, cut, extent)?;
        start += if cut.count == 0 { 0 } else { cut.begin * to[axis] };
        // The step past the last element is not taken, so it may be too long for the buffer.
        let step = cut.step.wrapping_mul(to[axis] as isize);
        axes.push(Axis { extent: cut.count, steps: [from[axis] as isize, step] });
    }
    let transfer = Transfer::new(axes, [0, start]);
    let dtype = part.dtype();
    match_moved!(dtype, T => {
        let elements = read::<T>(part, dtype)?;
        build_zeroed(memory, dtype, shape.clone(), |out| transfer.run(elements, out))
    })
}
