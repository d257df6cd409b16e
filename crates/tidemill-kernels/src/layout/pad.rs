use tidemill_value::{Memory, Shape, Value, ValueError};

use super::transfer::Transfer;
use crate::NumericError;
use crate::moved::{build, fill, read, read_one};
use crate::strided::Axis;

/// Puts `padding[i].0` elements before and `padding[i].1` after the value along each axis `i`, all
/// of them `constant`. TensorFlow's `Pad` and `PadV2`.
///
/// # Errors
/// [`NumericError::Rank`] if the list does not describe every axis, [`NumericError::Value`] if
/// `constant` is not one element of the value's type or memory cannot hold the result.
pub fn pad(
    memory: &Memory,
    value: &Value,
    padding: &[(usize, usize)],
    constant: &Value,
) -> Result<Value, NumericError> {
    let (expected, actual) = (value.shape().rank(), padding.len());
    if actual != expected {
        return Err(NumericError::Rank { expected, actual });
    }
    let extents = value.shape().iter().zip(padding);
    let shape: Shape = extents
        .map(|(&extent, &(before, behind))| before.saturating_add(extent).saturating_add(behind))
        .collect();
    if shape.elements().is_none() {
        return Err(ValueError::TooLarge { shape }.into());
    }
    let transfer = into_middle(value.shape(), padding, &shape);
    let dtype = value.dtype();
    match_moved!(dtype, T => {
        let (elements, constant) = (read::<T>(value, dtype)?, read_one::<T>(constant, dtype)?);
        build(memory, dtype, shape, |out| {
            fill(out, &constant);
            transfer.run(elements, out);
        })
    })
}

fn into_middle(inner: &Shape, padding: &[(usize, usize)], outer: &Shape) -> Transfer {
    let (own, strides) = (inner.strides(), outer.strides());
    let start = padding.iter().zip(&strides).map(|((before, _), stride)| before * stride).sum();
    let axes = inner
        .iter()
        .zip(own)
        .zip(strides)
        .map(|((&extent, own), stride)| Axis { extent, steps: [own as isize, stride as isize] });
    Transfer::new(axes, [0, start])
}
