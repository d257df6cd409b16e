use smallvec::SmallVec;
use tidemill_value::{Memory, Shape, Value, ValueError};

use super::view::{Cut, strided_slice};
use crate::NumericError;
use crate::moved::{Moved, build, read};

/// Joins values along an axis that all of them have. TensorFlow's `ConcatV2`.
///
/// The values are of one type, and of one shape except for the extent of `axis`.
///
/// # Errors
/// [`NumericError::NoOperands`] if there are none, [`NumericError::Axis`] if there is no such axis,
/// [`NumericError::Shape`] and [`NumericError::Value`] if shapes or types do not fit.
pub fn concat(memory: &Memory, values: &[&Value], axis: usize) -> Result<Value, NumericError> {
    let first = values.first().ok_or(NumericError::NoOperands)?;
    let rank = first.shape().rank();
    if axis >= rank {
        return Err(NumericError::Axis { axis, rank });
    }
    let mut joined = 0_usize;
    for value in values {
        joined = joined.saturating_add(*value.shape().get(axis).unwrap_or(&0));
        let expected = with_extent(first.shape(), axis, value.shape().get(axis).copied());
        check_shape(value, expected)?;
    }
    if let [only] = values {
        return Ok((*only).clone());
    }
    join(memory, values, &first.shape()[..axis], with_extent(first.shape(), axis, Some(joined)))
}

/// Joins values of one type and shape along a new axis. TensorFlow's `Pack`.
///
/// # Errors
/// As for [`concat()`]; `axis` may be up to the rank of the values.
pub fn pack(memory: &Memory, values: &[&Value], axis: usize) -> Result<Value, NumericError> {
    let first = values.first().ok_or(NumericError::NoOperands)?.shape();
    if axis > first.rank() {
        return Err(NumericError::Axis { axis, rank: first.rank() + 1 });
    }
    for value in values {
        check_shape(value, first.clone())?;
    }
    let (outer, inner) = first.split_at(axis);
    let shape = outer.iter().chain([&values.len()]).chain(inner).copied().collect();
    join(memory, values, outer, shape)
}

/// Cuts a value into parts of the given sizes along an axis. TensorFlow's `SplitV` and `Split`.
///
/// # Errors
/// [`NumericError::Axis`] if there is no such axis, [`NumericError::Length`] if the sizes do not
/// add up to its extent.
pub fn split(
    memory: &Memory,
    value: &Value,
    axis: usize,
    sizes: &[usize],
) -> Result<Vec<Value>, NumericError> {
    let expected = extent_of(value, axis)?;
    let actual = sizes.iter().fold(0_usize, |sum, size| sum.saturating_add(*size));
    if actual != expected {
        return Err(NumericError::Length { expected, actual });
    }
    let mut begin = 0;
    let cut = |&count: &usize| {
        let part = part_of(memory, value, axis, begin, count);
        begin += count;
        part
    };
    sizes.iter().map(cut).collect()
}

/// Cuts a value into its parts along an axis, which they lose. TensorFlow's `Unpack`.
///
/// # Errors
/// [`NumericError::Axis`] if there is no such axis, [`NumericError::Value`] if memory cannot hold
/// as many parts.
pub fn unpack(memory: &Memory, value: &Value, axis: usize) -> Result<Vec<Value>, NumericError> {
    let extent = extent_of(value, axis)?;
    let (outer, inner) = (&value.shape()[..axis], &value.shape()[axis + 1..]);
    let shape: Shape = outer.iter().chain(inner).copied().collect();
    let mut parts = Vec::new();
    parts
        .try_reserve_exact(extent)
        .map_err(|_| ValueError::TooLarge { shape: value.shape().clone() })?;
    for begin in 0..extent {
        parts.push(part_of(memory, value, axis, begin, 1)?.reshape(shape.clone())?);
    }
    Ok(parts)
}

fn extent_of(value: &Value, axis: usize) -> Result<usize, NumericError> {
    let rank = value.shape().rank();
    value.shape().get(axis).copied().ok_or(NumericError::Axis { axis, rank })
}

fn part_of(
    memory: &Memory,
    value: &Value,
    axis: usize,
    begin: usize,
    count: usize,
) -> Result<Value, NumericError> {
    let whole = value.shape().iter().map(|&count| Cut { begin: 0, count, step: 1 });
    let mut cuts: SmallVec<[Cut; 4]> = whole.collect();
    cuts[axis] = Cut { begin, count, step: 1 };
    strided_slice(memory, value, &cuts)
}

fn with_extent(shape: &Shape, axis: usize, extent: Option<usize>) -> Shape {
    let others = shape.iter().enumerate();
    others.map(|(i, &dim)| extent.filter(|_| i == axis).unwrap_or(dim)).collect()
}

fn check_shape(value: &Value, expected: Shape) -> Result<(), NumericError> {
    let actual = value.shape().clone();
    if actual == expected { Ok(()) } else { Err(NumericError::Shape { expected, actual }) }
}

/// Joins the elements after the `outer` axes of each value.
fn join(
    memory: &Memory,
    values: &[&Value],
    outer: &[usize],
    shape: Shape,
) -> Result<Value, NumericError> {
    let Some(first) = values.first() else {
        return Err(NumericError::NoOperands);
    };
    let dtype = first.dtype();
    match_moved!(dtype, T => {
        let parts: Result<SmallVec<[&[T]; 4]>, ValueError> =
            values.iter().map(|value| read(value, dtype)).collect();
        let parts = parts?;
        build(memory, dtype, shape, |out| {
            if !out.is_empty() {
                join_rows(&parts, outer.iter().product(), out);
            }
        })
    })
}

fn join_rows<T: Moved>(parts: &[&[T]], rows: usize, out: &mut [T]) {
    for (row, out) in out.chunks_exact_mut(out.len() / rows).enumerate() {
        let mut rest = out;
        for part in parts {
            let width = part.len() / rows;
            let (own, others) = rest.split_at_mut(width);
            own.clone_from_slice(&part[row * width..(row + 1) * width]);
            rest = others;
        }
    }
}
