use smallvec::SmallVec;
use tidemill_value::{Element, Shape, Value, match_dtype};

use super::view::broadcast_to;
use crate::NumericError;
use crate::number::Number;
use crate::output::{build, volume};

/// How [`tensor_scatter`] combines what is there with what comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Combine {
    /// What comes last stays.
    Update,
    /// The sum.
    Add,
    /// The difference.
    Sub,
    /// The smaller; NaN where there is one.
    Min,
    /// The larger; NaN where there is one.
    Max,
    /// The product.
    Mul,
    /// The quotient; that of integers loses its fraction.
    Div,
}

/// Parts of a shape, named by the rows of an index tensor.
struct Parts {
    /// Where each part begins.
    starts: Vec<usize>,
    /// The number of elements of each.
    width: usize,
    /// The axes of the indices before the last, followed by those of the parts.
    shape: Shape,
}

impl Parts {
    /// The last axis of `indices` runs through positions along the first axes of `shape`.
    fn new(shape: &Shape, indices: &Value) -> Result<Self, NumericError> {
        let rank = shape.rank();
        let Some((&depth, outer)) = indices.shape().split_last() else {
            return Err(NumericError::Rank { expected: 1, actual: 0 });
        };
        if depth > rank {
            return Err(NumericError::Rank { expected: rank, actual: depth });
        }
        let (named, part) = shape.split_at(depth);
        let steps: SmallVec<[usize; 4]> =
            (0..depth).map(|axis| volume(&shape[axis + 1..])).collect();
        let dtype = indices.dtype();
        let starts = match_dtype!(dtype, indices, I => {
            starts_of(indices.as_slice::<I>()?, named, &steps, volume(outer))?
        }, else return Err(NumericError::UnsupportedDType { dtype }));
        let shape = outer.iter().chain(part).copied().collect();
        Ok(Parts { starts, width: volume(part), shape })
    }

    fn check_updates(&self, updates: &Value) -> Result<(), NumericError> {
        if *updates.shape() == self.shape {
            return Ok(());
        }
        let (expected, actual) = (self.shape.clone(), updates.shape().clone());
        Err(NumericError::Shape { expected, actual })
    }

    /// Calls `write` with each part of `out` and what `updates` have for it.
    fn each<T>(&self, updates: &[T], out: &mut [T], write: impl Fn(&mut [T], &[T])) {
        if self.width == 0 {
            return;
        }
        for (&start, update) in self.starts.iter().zip(updates.chunks_exact(self.width)) {
            write(&mut out[start..start + self.width], update);
        }
    }
}

fn starts_of<I>(
    indices: &[I],
    extents: &[usize],
    steps: &[usize],
    count: usize,
) -> Result<Vec<usize>, NumericError>
where
    I: Copy + Into<i64>,
    usize: TryFrom<I>,
{
    if extents.is_empty() {
        return Ok(vec![0; count]);
    }
    let start = |(row, positions): (usize, &[I])| {
        let mut start = 0_usize;
        for (axis, (&index, &extent)) in positions.iter().zip(extents).enumerate() {
            let inside = usize::try_from(index).ok().filter(|&index| index < extent);
            let position = row * extents.len() + axis;
            let outside = NumericError::IndexOutOfRange { index: index.into(), position, extent };
            // Every extent is above an index, so that steps are exact, unless a part is empty.
            start = start.saturating_add(inside.ok_or(outside)?.saturating_mul(steps[axis]));
        }
        Ok(start)
    };
    indices.chunks_exact(extents.len()).enumerate().map(start).collect()
}

/// The parts of a value that the rows of `indices` name, in their place. TensorFlow's
/// `GatherNd`.
///
/// # Errors
/// [`NumericError::IndexOutOfRange`] where there is no such part, [`NumericError::Rank`] where
/// rows are longer than the value has axes, or there are none,
/// [`NumericError::UnsupportedDType`] where the indices are not `int32` or `int64`.
pub fn gather_nd(value: &Value, indices: &Value) -> Result<Value, NumericError> {
    let parts = Parts::new(value.shape(), indices)?;
    match_dtype!(value.dtype(), all, T => {
        let elements = value.as_slice::<T>()?;
        build(parts.shape.clone(), |out: &mut [T]| {
            if parts.width > 0 {
                for (&start, o) in parts.starts.iter().zip(out.chunks_exact_mut(parts.width)) {
                    o.clone_from_slice(&elements[start..start + parts.width]);
                }
            }
            Ok(())
        })
    }, else unreachable!("`all` covers every data type"))
}

/// Zeros of `shape`, with each of the `updates` added to the part that its row of `indices`
/// names. TensorFlow's `ScatterNd`.
///
/// # Errors
/// As for [`tensor_scatter`], and [`NumericError::Value`] where memory cannot hold the result.
pub fn scatter_nd(indices: &Value, updates: &Value, shape: &Shape) -> Result<Value, NumericError> {
    Parts::new(shape, indices)?.check_updates(updates)?;
    let zeros = Value::zeros(updates.dtype(), shape.clone())?;
    tensor_scatter(zeros, indices, updates, Combine::Add)
}

/// A value with each of the `updates` combined with the part that its row of `indices` names, in
/// order. TensorFlow's `TensorScatterUpdate`, `TensorScatterAdd` and so on.
///
/// # Errors
/// As for [`gather_nd`], [`NumericError::Shape`] where the updates do not have the shape of the
/// parts, [`NumericError::UnsupportedDType`] where the elements of anything but an update are
/// not numbers, [`NumericError::DivisionByZero`] where an integer is to be divided by 0. The
/// value then stays as it is, if others share it.
pub fn tensor_scatter(
    mut value: Value,
    indices: &Value,
    updates: &Value,
    combine: Combine,
) -> Result<Value, NumericError> {
    let parts = Parts::new(value.shape(), indices)?;
    parts.check_updates(updates)?;
    let dtype = value.dtype();
    if combine == Combine::Update {
        return match_dtype!(dtype, all, T => {
            let (updates, out) = (updates.as_slice::<T>()?, value.as_mut_slice::<T>()?);
            parts.each(updates, out, |part, update| part.clone_from_slice(update));
            Ok(value)
        }, else unreachable!("`all` covers every data type"));
    }
    match_dtype!(dtype, numbers, T => {
        let updates = updates.as_slice::<T>()?;
        if combine == Combine::Div && dtype.is_integer() && updates.contains(&T::ZERO) {
            return Err(NumericError::DivisionByZero);
        }
        let out = value.as_mut_slice::<T>()?;
        match combine {
            Combine::Update | Combine::Add => parts.each(updates, out, fold(T::plus)),
            Combine::Sub => parts.each(updates, out, fold(T::minus)),
            Combine::Min => parts.each(updates, out, fold(T::smaller)),
            Combine::Max => parts.each(updates, out, fold(T::larger)),
            Combine::Mul => parts.each(updates, out, fold(T::times)),
            Combine::Div => parts.each(updates, out, fold(T::over)),
        }
        Ok(value)
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

fn fold<T: Copy>(combine: impl Fn(T, T) -> T) -> impl Fn(&mut [T], &[T]) {
    move |part, update| {
        for (o, x) in part.iter_mut().zip(update) {
            *o = combine(*o, *x);
        }
    }
}

/// A value with each of the `updates` combined with the row of it that `indices` number, in order;
/// a single update is combined with each of them. TensorFlow's `ScatterUpdate`, `ScatterAdd` and
/// so on.
///
/// # Errors
/// As for [`tensor_scatter`].
pub fn scatter_rows(
    value: Value,
    indices: &Value,
    updates: &Value,
    combine: Combine,
) -> Result<Value, NumericError> {
    let Some((_, row)) = value.shape().split_first() else {
        return Err(NumericError::Rank { expected: 1, actual: 0 });
    };
    let numbered: Shape = indices.shape().iter().chain(row).copied().collect();
    let column: Shape = indices.shape().iter().copied().chain([1]).collect();
    let indices = indices.clone().reshape(column)?;
    match updates.shape().rank() {
        0 => tensor_scatter(value, &indices, &broadcast_to(updates, &numbered)?, combine),
        _ => tensor_scatter(value, &indices, updates, combine),
    }
}

/// A value of `shape` that is `default` but where `indices` say, of shape `[count, rank]`:
/// there it has the `values`, or the one value. TensorFlow's `SparseToDense`.
///
/// # Errors
/// As for [`tensor_scatter`]; [`NumericError::Unsorted`] where the indices are to be checked and
/// are not in order, or not all different.
pub fn sparse_to_dense(
    indices: &Value,
    shape: &Shape,
    values: &Value,
    default: &Value,
    checks_order: bool,
) -> Result<Value, NumericError> {
    let count = indices.shape().first().copied().unwrap_or(1);
    let indices = indices.clone().reshape([count, shape.rank()])?;
    let parts = Parts::new(shape, &indices)?;
    if checks_order
        && let Some(position) = parts.starts.windows(2).position(|pair| pair[0] >= pair[1])
    {
        return Err(NumericError::Unsorted { position: position + 1 });
    }
    let values = broadcast_to(values, &[count])?;
    tensor_scatter(broadcast_to(default, shape)?, &indices, &values, Combine::Update)
}

/// Cuts a value into parts by a number for each of its rows. TensorFlow's `DynamicPartition`.
///
/// The axes of `partitions`, which are `int32`, are the first axes of the value.
///
/// # Errors
/// [`NumericError::Shape`] where they are not, [`NumericError::IndexOutOfRange`] where a number
/// is not in `[0, count)`.
pub fn dynamic_partition(
    value: &Value,
    partitions: &Value,
    count: usize,
) -> Result<Vec<Value>, NumericError> {
    let part = rest_of(value.shape(), partitions.shape())?;
    let rows = super::checked_indices(partitions, count)?;
    let mut lengths = vec![0_usize; count];
    rows.iter().for_each(|&row| lengths[row] += 1);
    let width = volume(part);
    match_dtype!(value.dtype(), all, T => {
        let elements = value.as_slice::<T>()?;
        let mut parts: Vec<Vec<T>> =
            lengths.iter().map(|length| Vec::with_capacity(length.saturating_mul(width))).collect();
        if !elements.is_empty() {
            for (&row, x) in rows.iter().zip(elements.chunks_exact(width)) {
                parts[row].extend_from_slice(x);
            }
        }
        let shaped = |(elements, length): (Vec<T>, usize)| {
            let shape: Shape = [length].iter().chain(part).copied().collect();
            Ok(Value::from_vec(shape, elements)?)
        };
        parts.into_iter().zip(lengths).map(shaped).collect()
    }, else unreachable!("`all` covers every data type"))
}

/// Puts the rows of several values where their numbers say; of several with one number the last
/// stays, and rows without a number are zero. TensorFlow's `DynamicStitch`.
///
/// # Errors
/// [`NumericError::NoOperands`] where there are no values, [`NumericError::Shape`] where the axes
/// of the indices are not the first axes of their value, or rows differ in shape,
/// [`NumericError::IndexOutOfRange`] where a number is negative.
pub fn dynamic_stitch(indices: &[&Value], values: &[&Value]) -> Result<Value, NumericError> {
    let (Some(first), Some(first_indices)) = (values.first(), indices.first()) else {
        return Err(NumericError::NoOperands);
    };
    let part = rest_of(first.shape(), first_indices.shape())?;
    let mut rows = Vec::with_capacity(values.len());
    for (indices, value) in indices.iter().zip(values) {
        if rest_of(value.shape(), indices.shape())? != part {
            let expected = indices.shape().iter().chain(part).copied().collect();
            return Err(NumericError::Shape { expected, actual: value.shape().clone() });
        }
        rows.push(super::checked_indices(indices, i32::MAX as usize + 1)?);
    }
    let count = rows.iter().flatten().max().map_or(0, |last| last + 1);
    let shape: Shape = [count].iter().chain(part).copied().collect();
    let width = volume(part);
    match_dtype!(first.dtype(), all, T => build(shape, |out: &mut [T]| {
        for (rows, value) in rows.iter().zip(values) {
            stitch(rows, value.as_slice()?, width, out);
        }
        Ok(())
    }), else unreachable!("`all` covers every data type"))
}

fn stitch<T: Element>(rows: &[usize], elements: &[T], width: usize, out: &mut [T]) {
    if width > 0 {
        for (&row, x) in rows.iter().zip(elements.chunks_exact(width)) {
            out[row * width..(row + 1) * width].clone_from_slice(x);
        }
    }
}

/// The axes behind those of a prefix.
fn rest_of<'a>(shape: &'a Shape, prefix: &Shape) -> Result<&'a [usize], NumericError> {
    shape
        .strip_prefix(&prefix[..])
        .ok_or_else(|| NumericError::Shape { expected: prefix.clone(), actual: shape.clone() })
}
