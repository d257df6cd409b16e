use tidemill_value::{Memory, Shape, Value, ValueError, match_dtype};

use super::gather::gather;
use crate::NumericError;
use crate::number::Number;
use crate::output::{build_zeroed, volume};

/// Extends a value beyond its ends by its mirror images: `padding[i].0` elements before and
/// `padding[i].1` after it along each axis `i`. TensorFlow's `MirrorPad`.
///
/// The mirror is past the outermost element, which is repeated, or on it if `skips_edge`.
///
/// # Errors
/// [`NumericError::Rank`] if the list does not describe every axis, [`NumericError::Mirror`] if an
/// image would be longer than the value, [`NumericError::Value`] if memory cannot hold the result.
pub fn mirror_pad(
    memory: &Memory,
    value: &Value,
    padding: &[(usize, usize)],
    skips_edge: bool,
) -> Result<Value, NumericError> {
    let (expected, actual) = (value.shape().rank(), padding.len());
    if actual != expected {
        return Err(NumericError::Rank { expected, actual });
    }
    check_size(value.shape(), padding)?;
    let mut padded = value.clone();
    for (axis, &around) in padding.iter().enumerate().filter(|(_, around)| **around != (0, 0)) {
        let sources = sources(axis, value.shape()[axis], around, skips_edge)?;
        let sources = sources.into_iter().map(|source| source as i64).collect();
        padded = gather(memory, &padded, &Value::list(sources), axis)?;
    }
    Ok(padded)
}

/// Adds every element of a padded value to the one that [`mirror_pad`] took it from.
/// TensorFlow's `MirrorPadGrad`.
///
/// # Errors
/// As for [`mirror_pad`], and [`NumericError::UnsupportedDType`] if the elements are not numbers.
pub fn mirror_pad_grad(
    memory: &Memory,
    padded: &Value,
    padding: &[(usize, usize)],
    skips_edge: bool,
) -> Result<Value, NumericError> {
    let (expected, actual) = (padded.shape().rank(), padding.len());
    if actual != expected {
        return Err(NumericError::Rank { expected, actual });
    }
    let mut sum = padded.clone();
    for (axis, &around) in padding.iter().enumerate().filter(|(_, around)| **around != (0, 0)) {
        let (before, behind) = around;
        let extent = padded.shape()[axis].checked_sub(before.saturating_add(behind));
        let extent = extent.ok_or(NumericError::Mirror { axis, before, behind, extent: 0 })?;
        let targets = sources(axis, extent, around, skips_edge)?;
        sum = add_along(memory, &sum, axis, &targets, extent)?;
    }
    Ok(sum)
}

fn check_size(shape: &Shape, padding: &[(usize, usize)]) -> Result<(), NumericError> {
    let extents = shape.iter().zip(padding);
    let shape: Shape = extents
        .map(|(&extent, &(before, behind))| before.saturating_add(extent).saturating_add(behind))
        .collect();
    match shape.elements() {
        Some(_) => Ok(()),
        None => Err(ValueError::TooLarge { shape }.into()),
    }
}

/// The element of an axis that each element of the padded axis comes from.
fn sources(
    axis: usize,
    extent: usize,
    (before, behind): (usize, usize),
    skips_edge: bool,
) -> Result<Vec<usize>, NumericError> {
    let edge = usize::from(skips_edge);
    if before.max(behind) > extent.saturating_sub(edge) {
        return Err(NumericError::Mirror { axis, before, behind, extent });
    }
    let ahead = (edge..before + edge).rev();
    let back = (extent - behind - edge..extent - edge).rev();
    Ok(ahead.chain(0..extent).chain(back).collect())
}

/// Sums the parts of a value along an axis by destination.
fn add_along(
    memory: &Memory,
    value: &Value,
    axis: usize,
    targets: &[usize],
    extent: usize,
) -> Result<Value, NumericError> {
    let (outer, inner) = (&value.shape()[..axis], &value.shape()[axis + 1..]);
    let shape: Shape = outer.iter().chain([&extent]).chain(inner).copied().collect();
    let width = volume(inner);
    let dtype = value.dtype();
    match_dtype!(dtype, wide, T => {
        let elements = value.as_slice::<T>()?;
        build_zeroed(memory, shape, |out| {
            if !out.is_empty() {
                add_rows(elements, targets, [extent, width], out);
            }
            Ok(())
        })
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

fn add_rows<T: Number>(
    elements: &[T],
    targets: &[usize],
    [extent, width]: [usize; 2],
    out: &mut [T],
) {
    let slabs = elements.chunks_exact(targets.len() * width);
    for (slab, out) in slabs.zip(out.chunks_exact_mut(extent * width)) {
        for (row, &target) in slab.chunks_exact(width).zip(targets) {
            for (x, o) in row.iter().zip(&mut out[target * width..(target + 1) * width]) {
                *o = o.plus(*x);
            }
        }
    }
}
