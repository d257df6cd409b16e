use smallvec::SmallVec;
use tidemill_value::{DType, Memory, Shape, Value, ValueError, match_dtype};

use super::indices::Indices;
use super::view::broadcast_to;
use crate::NumericError;
use crate::moved::{Moved, build, build_zeroed, read};
use crate::number::{Number, combined};
use crate::output::volume;

/// The way that [`tensor_scatter`] combines an element with its update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Combine {
    /// The last update stays.
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
    /// The quotient; for integers, without its fraction.
    Div,
}

/// Parts of a shape, named by the rows of an index tensor.
struct Parts<'a> {
    indices: Indices<'a>,
    /// The distance between neighbors along each of the axes that a row of indices goes through.
    steps: SmallVec<[usize; 4]>,
    /// The number of parts.
    count: usize,
    /// The number of elements of each.
    width: usize,
    /// The axes of the indices before the last, followed by those of the parts.
    shape: Shape,
}

impl<'a> Parts<'a> {
    /// The last axis of `indices` runs through positions along the first axes of `shape`.
    fn new(shape: &[usize], indices: &'a Value) -> Result<Self, NumericError> {
        let rank = shape.len();
        let Some((&depth, outer)) = indices.shape().split_last() else {
            return Err(NumericError::Rank { expected: 1, actual: 0 });
        };
        if depth > rank {
            return Err(NumericError::Rank { expected: rank, actual: depth });
        }
        Parts::of(shape, depth, outer, indices)
    }

    /// Each of `indices` is a position along the first axis of `shape`.
    fn rows(shape: &[usize], indices: &'a Value) -> Result<Self, NumericError> {
        match shape {
            [] => Err(NumericError::Rank { expected: 1, actual: 0 }),
            _ => Parts::of(shape, 1, indices.shape(), indices),
        }
    }

    fn of(
        shape: &[usize],
        depth: usize,
        outer: &[usize],
        indices: &'a Value,
    ) -> Result<Self, NumericError> {
        let (named, part) = shape.split_at(depth);
        Ok(Parts {
            indices: Indices::below_each(indices, named)?,
            steps: (0..depth).map(|axis| volume(&shape[axis + 1..])).collect(),
            count: volume(outer),
            width: volume(part),
            shape: outer.iter().chain(part).copied().collect(),
        })
    }

    /// The start of each part.
    fn starts(&self) -> impl Iterator<Item = usize> {
        (0..self.count).map(|row| {
            let positions = self.steps.iter().enumerate();
            let index = |axis| self.indices.get(row * self.steps.len() + axis);
            // Every extent is above its index, so the steps are exact unless a part is empty.
            positions.fold(0_usize, |start, (axis, &step)| {
                start.saturating_add(index(axis).saturating_mul(step))
            })
        })
    }

    /// Checks that `updates` can be combined with the parts.
    fn check(&self, updates: &Value, combine: Combine) -> Result<(), NumericError> {
        if *updates.shape() != self.shape {
            let (expected, actual) = (self.shape.clone(), updates.shape().clone());
            return Err(NumericError::Shape { expected, actual });
        }
        check_elements(updates, combine)
    }

    /// [`Parts::check`], but a single number applies to all.
    fn check_or_one(&self, updates: &Value, combine: Combine) -> Result<(), NumericError> {
        match updates.shape().rank() {
            0 => check_elements(updates, combine),
            _ => self.check(updates, combine),
        }
    }

    /// Combines each part of `value` with its part of `updates`, which were checked.
    fn write(
        &self,
        mut value: Value,
        updates: &Value,
        combine: Combine,
    ) -> Result<Value, NumericError> {
        let dtype = value.dtype();
        if combine == Combine::Update {
            match_moved!(dtype, T => {
                let updates = read::<T>(updates, dtype)?;
                self.each(updates, T::write(&mut value)?, &|part, update| {
                    part.clone_from_slice(update);
                });
            });
            return Ok(value);
        }
        if combine == Combine::Div {
            // The quotient of short integers may wrap before it is divided again.
            match_dtype!(dtype, numbers, T => {
                let (updates, out) = (updates.as_slice::<T>()?, value.as_mut_slice::<T>()?);
                self.each(updates, out, &combined(T::over));
            }, else return Err(NumericError::UnsupportedDType { dtype }));
            return Ok(value);
        }
        match_dtype!(dtype, wide, T => {
            let (updates, out) = (updates.as_slice::<T>()?, value.as_mut_slice::<T>()?);
            match combine {
                Combine::Add | Combine::Update | Combine::Div => {
                    self.each(updates, out, &combined(T::plus));
                }
                Combine::Sub => self.each(updates, out, &combined(T::minus)),
                Combine::Min => self.each(updates, out, &combined(T::smaller)),
                Combine::Max => self.each(updates, out, &combined(T::larger)),
                Combine::Mul => self.each(updates, out, &combined(T::times)),
            }
            Ok(value)
        }, else Err(NumericError::UnsupportedDType { dtype }))
    }

    /// Calls `write` with each part of `out` and its part of `updates`; a single update applies to
    /// every element.
    fn each<T>(&self, updates: &[T], out: &mut [T], write: &dyn Fn(&mut [T], &[T])) {
        if self.width == 0 {
            return;
        }
        if updates.len() < self.count * self.width {
            for start in self.starts() {
                let part = &mut out[start..start + self.width];
                part.chunks_exact_mut(1).for_each(|element| write(element, updates));
            }
            return;
        }
        for (start, update) in self.starts().zip(updates.chunks_exact(self.width)) {
            write(&mut out[start..start + self.width], update);
        }
    }
}

/// Checks that elements can be combined with others.
fn check_elements(updates: &Value, combine: Combine) -> Result<(), NumericError> {
    let dtype = updates.dtype();
    let has_zero = combine == Combine::Div
        && match_dtype!(dtype, integers, I => updates.as_slice::<I>()?.contains(&0), else false);
    match combine {
        _ if has_zero => Err(NumericError::DivisionByZero),
        Combine::Update => Ok(()),
        _ if DType::NUMBERS.contains(&dtype) => Ok(()),
        _ => Err(NumericError::UnsupportedDType { dtype }),
    }
}

/// The parts of a value that the rows of `indices` name, in their place. TensorFlow's
/// `GatherNd`.
///
/// # Errors
/// [`NumericError::IndexOutOfRange`] if there is no such part, [`NumericError::Rank`] if rows are
/// longer than the value has axes, or there are none, [`NumericError::UnsupportedDType`] if the
/// indices are not `int32` or `int64`.
pub fn gather_nd(memory: &Memory, value: &Value, indices: &Value) -> Result<Value, NumericError> {
    let parts = Parts::new(value.shape(), indices)?;
    let dtype = value.dtype();
    match_moved!(dtype, T => {
        let elements = read::<T>(value, dtype)?;
        build(memory, dtype, parts.shape.clone(), |out| {
            if parts.width > 0 {
                for (start, o) in parts.starts().zip(out.chunks_exact_mut(parts.width)) {
                    o.clone_from_slice(&elements[start..start + parts.width]);
                }
            }
        })
    })
}

/// Zeros of `shape`, with each of the `updates` added to the part that its row of `indices`
/// names. TensorFlow's `ScatterNd`.
///
/// # Errors
/// As for [`tensor_scatter`], and [`NumericError::Value`] if memory cannot hold the result.
pub fn scatter_nd(
    memory: &Memory,
    indices: &Value,
    updates: &Value,
    shape: &Shape,
) -> Result<Value, NumericError> {
    Parts::new(shape, indices)?.check(updates, Combine::Add)?;
    let zeros = memory.zeros(updates.dtype(), shape.clone())?;
    tensor_scatter(zeros, indices, updates, Combine::Add)
}

/// A value with each of the `updates` combined, in order, with the part that its row of `indices`
/// names. TensorFlow's `TensorScatterUpdate`, `TensorScatterAdd` and so on.
///
/// # Errors
/// As for [`gather_nd`], [`NumericError::Shape`] if the updates do not have the shape of the parts,
/// [`NumericError::UnsupportedDType`] if the elements of anything but an update are not numbers,
/// [`NumericError::DivisionByZero`] if an integer is to be divided by 0. The value then stays as it
/// is, if others share it.
pub fn tensor_scatter(
    value: Value,
    indices: &Value,
    updates: &Value,
    combine: Combine,
) -> Result<Value, NumericError> {
    let parts = Parts::new(&value.shape().clone(), indices)?;
    parts.check(updates, combine)?;
    parts.write(value, updates, combine)
}

/// Checks that [`tensor_scatter`] can write to a value of `shape`.
///
/// # Errors
/// As for [`tensor_scatter`].
pub fn check_tensor_scatter(
    shape: &Shape,
    indices: &Value,
    updates: &Value,
    combine: Combine,
) -> Result<(), NumericError> {
    Parts::new(shape, indices)?.check(updates, combine)
}

/// A value with each of the `updates` combined, in order, with the row that `indices` name; a
/// single update is combined with each of them. TensorFlow's `ScatterUpdate`, `ScatterAdd` and so
/// on.
///
/// # Errors
/// As for [`tensor_scatter`].
pub fn scatter_rows(
    value: Value,
    indices: &Value,
    updates: &Value,
    combine: Combine,
) -> Result<Value, NumericError> {
    let parts = Parts::rows(&value.shape().clone(), indices)?;
    parts.check_or_one(updates, combine)?;
    parts.write(value, updates, combine)
}

/// Checks that [`scatter_rows`] can write to a value of `shape`.
///
/// # Errors
/// As for [`scatter_rows`].
pub fn check_scatter_rows(
    shape: &Shape,
    indices: &Value,
    updates: &Value,
    combine: Combine,
) -> Result<(), NumericError> {
    Parts::rows(shape, indices)?.check_or_one(updates, combine)
}

/// A value of `shape` that is `default` except at `indices`, of shape `[count, rank]`, where it has
/// the `values`, or the one value. TensorFlow's `SparseToDense`.
///
/// # Errors
/// As for [`tensor_scatter`]; [`NumericError::Unsorted`] if the indices are to be checked and are
/// out of order or repeated.
pub fn sparse_to_dense(
    memory: &Memory,
    indices: &Value,
    shape: &Shape,
    values: &Value,
    default: &Value,
    checks_order: bool,
) -> Result<Value, NumericError> {
    let count = indices.shape().first().copied().unwrap_or(1);
    let indices = indices.clone().reshape([count, shape.rank()])?;
    let parts = Parts::new(shape, &indices)?;
    let mut pairs = parts.starts().zip(parts.starts().skip(1));
    if checks_order && let Some(position) = pairs.position(|(start, next)| start >= next) {
        return Err(NumericError::Unsorted { position: position + 1 });
    }
    let values = broadcast_to(memory, values, &[count])?;
    tensor_scatter(broadcast_to(memory, default, shape)?, &indices, &values, Combine::Update)
}

/// Cuts a value into parts by a number for each of its rows. TensorFlow's `DynamicPartition`.
///
/// The axes of `partitions`, which are `int32`, are the first axes of the value.
///
/// # Errors
/// [`NumericError::Shape`] if they are not, [`NumericError::IndexOutOfRange`] if a number is not in
/// `[0, count)`.
pub fn dynamic_partition(
    memory: &Memory,
    value: &Value,
    partitions: &Value,
    count: usize,
) -> Result<Vec<Value>, NumericError> {
    let part = rest_of(value.shape(), partitions.shape())?;
    let rows = Indices::below(partitions, count)?;
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
    rows.iter().enumerate().for_each(|(row, number)| members[number].push(row));
    let (width, dtype) = (volume(part), value.dtype());
    let part_of = |members: Vec<usize>| {
        let shape: Shape = [members.len()].iter().chain(part).copied().collect();
        match_moved!(dtype, T => {
            let elements = read::<T>(value, dtype)?;
            build(memory, dtype, shape, |out| {
                if width > 0 {
                    for (&row, out) in members.iter().zip(out.chunks_exact_mut(width)) {
                        out.clone_from_slice(&elements[row * width..(row + 1) * width]);
                    }
                }
            })
        })
    };
    members.into_iter().map(part_of).collect()
}

/// Puts the rows of several values at the given indices; the last row of an index stays, and rows
/// without an index are zero. TensorFlow's `DynamicStitch`.
///
/// # Errors
/// [`NumericError::NoOperands`] if there are no values, [`NumericError::Shape`] if the axes of the
/// indices are not the first axes of their value, or rows differ in shape,
/// [`NumericError::IndexOutOfRange`] if a number is negative.
pub fn dynamic_stitch(
    memory: &Memory,
    indices: &[&Value],
    values: &[&Value],
) -> Result<Value, NumericError> {
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
        rows.push(Indices::below(indices, i32::MAX as usize + 1)?);
    }
    let last = rows.iter().flat_map(|rows| rows.iter()).max();
    let count = last.map_or(0, |last| last + 1);
    let shape: Shape = [count].iter().chain(part).copied().collect();
    let width = volume(part);
    let dtype = first.dtype();
    match_moved!(dtype, T => {
        let values: Result<Vec<&[T]>, ValueError> =
            values.iter().map(|value| read(value, dtype)).collect();
        let values = values?;
        build_zeroed(memory, dtype, shape, |out| {
            for (&rows, elements) in rows.iter().zip(&values) {
                stitch(rows, elements, width, out);
            }
        })
    })
}

fn stitch<T: Moved>(rows: Indices<'_>, elements: &[T], width: usize, out: &mut [T]) {
    if width > 0 {
        for (row, x) in rows.iter().zip(elements.chunks_exact(width)) {
            out[row * width..(row + 1) * width].clone_from_slice(x);
        }
    }
}

/// The axes after those of a prefix.
fn rest_of<'a>(shape: &'a Shape, prefix: &Shape) -> Result<&'a [usize], NumericError> {
    shape
        .strip_prefix(&prefix[..])
        .ok_or_else(|| NumericError::Shape { expected: prefix.clone(), actual: shape.clone() })
}
