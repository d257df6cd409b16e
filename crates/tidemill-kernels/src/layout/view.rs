use smallvec::SmallVec;
use tidemill_value::{Memory, Shape, Value, ValueError, broadcast};

use super::transfer::Transfer;
use crate::NumericError;
use crate::moved::{build, read};
use crate::strided::Axis;

/// The elements of an axis that a slice takes: `count` of them from `begin` on, in steps of `step`,
/// which may be negative.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The first element.
    pub begin: usize,
    /// The number of elements.
    pub count: usize,
    /// The distance from one to the next.
    pub step: isize,
}

/// A value seen through other axes: each has an extent and a step in the buffer.
struct View {
    axes: SmallVec<[(usize, isize); 4]>,
    start: usize,
}

impl View {
    /// The value as it is.
    fn of(value: &Value) -> Self {
        let strides = value.shape().strides();
        let axes = value.shape().iter().zip(strides);
        View { axes: axes.map(|(&extent, stride)| (extent, stride as isize)).collect(), start: 0 }
    }

    /// The elements of `value` in the order of the view. If that is their own order, the buffer is
    /// shared.
    fn read(&self, memory: &Memory, value: &Value) -> Result<Value, NumericError> {
        let shape: Shape = self.axes.iter().map(|&(extent, _)| extent).collect();
        let elements = shape.elements();
        let count = elements.ok_or_else(|| ValueError::TooLarge { shape: shape.clone() })?;
        let strides = shape.strides();
        let axes = self
            .axes
            .iter()
            .zip(strides)
            .map(|(&(extent, step), stride)| Axis { extent, steps: [step, stride as isize] });
        let transfer = Transfer::new(axes, [self.start, 0]);
        if count == value.elements() && transfer.is_identity(count) {
            return Ok(value.clone().reshape(shape)?);
        }
        let dtype = value.dtype();
        match_moved!(dtype, T => {
            let elements = read::<T>(value, dtype)?;
            build(memory, dtype, shape, |out| transfer.run(elements, out))
        })
    }
}

/// Reorders the axes: axis `i` of the result is axis `permutation[i]` of the value.
/// TensorFlow's `Transpose`.
///
/// # Errors
/// [`NumericError::Rank`], [`NumericError::Axis`] and [`NumericError::DuplicateAxis`] if
/// `permutation` does not name every axis once.
pub fn transpose(
    memory: &Memory,
    value: &Value,
    permutation: &[usize],
) -> Result<Value, NumericError> {
    let view = View::of(value);
    check_rank(value, permutation.len())?;
    check_axes(value, permutation)?;
    let axes = permutation.iter().map(|&axis| view.axes[axis]).collect();
    View { axes, ..view }.read(memory, value)
}

/// Repeats a value along the axes it lacks, or that have extent 1, until it has `shape`.
/// TensorFlow's `BroadcastTo`.
///
/// # Errors
/// [`NumericError::Broadcast`] and [`NumericError::Shape`] if the value does not broadcast to
/// `shape`, [`NumericError::Value`] if memory cannot hold the result.
pub fn broadcast_to(
    memory: &Memory,
    value: &Value,
    shape: &[usize],
) -> Result<Value, NumericError> {
    let stretched = broadcast(value.shape(), shape)?;
    if stretched[..] != *shape {
        let (expected, actual) = (shape.into(), value.shape().clone());
        return Err(NumericError::Shape { expected, actual });
    }
    let own = View::of(value);
    let missing = shape.len() - own.axes.len();
    let axes = shape.iter().enumerate().map(|(i, &extent)| match i.checked_sub(missing) {
        Some(axis) if own.axes[axis].0 == extent => own.axes[axis],
        _ => (extent, 0),
    });
    View { axes: axes.collect(), start: 0 }.read(memory, value)
}

/// Takes `size[i]` elements from `begin[i]` on along each axis `i`. TensorFlow's `Slice`.
///
/// # Errors
/// [`NumericError::Rank`] if the lists do not describe every axis, [`NumericError::Bounds`] if they
/// reach beyond one.
pub fn slice(
    memory: &Memory,
    value: &Value,
    begin: &[usize],
    size: &[usize],
) -> Result<Value, NumericError> {
    check_rank(value, begin.len())?;
    check_rank(value, size.len())?;
    let cuts = begin.iter().zip(size).map(|(&begin, &count)| Cut { begin, count, step: 1 });
    strided_slice(memory, value, &cuts.collect::<SmallVec<[Cut; 4]>>())
}

/// Cuts each axis. Implements TensorFlow's `StridedSlice`.
///
/// # Errors
/// [`NumericError::Rank`] if there is not one cut for each axis, [`NumericError::Bounds`] if one
/// reaches beyond its axis.
pub fn strided_slice(memory: &Memory, value: &Value, cuts: &[Cut]) -> Result<Value, NumericError> {
    check_rank(value, cuts.len())?;
    let mut view = View::of(value);
    for (axis, ((extent, step), cut)) in view.axes.iter_mut().zip(cuts).enumerate() {
        check_cut(axis, cut, *extent)?;
        view.start += if cut.count == 0 { 0 } else { cut.begin * step.unsigned_abs() };
        *extent = cut.count;
        // The step past the last element is not taken, so it may be too long for the buffer.
        *step = step.wrapping_mul(cut.step);
    }
    view.read(memory, value)
}

/// Reverses the order along `axes`. TensorFlow's `ReverseV2`.
///
/// # Errors
/// [`NumericError::Axis`] and [`NumericError::DuplicateAxis`] if `axes` are not axes of the value.
pub fn reverse(memory: &Memory, value: &Value, axes: &[usize]) -> Result<Value, NumericError> {
    check_axes(value, axes)?;
    let whole = value.shape().iter().map(|&count| Cut { begin: 0, count, step: 1 });
    let mut cuts: SmallVec<[Cut; 4]> = whole.collect();
    for &axis in axes {
        let cut = &mut cuts[axis];
        *cut = Cut { begin: cut.count.saturating_sub(1), step: -1, ..*cut };
    }
    strided_slice(memory, value, &cuts)
}

/// Repeats the value `multiples[i]` times along each axis `i`. TensorFlow's `Tile`.
///
/// # Errors
/// [`NumericError::Rank`] if the list does not describe every axis, [`NumericError::Value`] if
/// memory cannot hold the result.
pub fn tile(memory: &Memory, value: &Value, multiples: &[usize]) -> Result<Value, NumericError> {
    check_rank(value, multiples.len())?;
    let extents = value.shape().iter().zip(multiples);
    let shape: Shape = extents.map(|(&extent, &times)| extent.saturating_mul(times)).collect();
    if shape.elements().is_none() {
        return Err(ValueError::TooLarge { shape }.into());
    }
    let own = View::of(value).axes.into_iter().zip(multiples);
    let axes = own.flat_map(|(axis, &times)| [(times, 0), axis]).collect();
    Ok(View { axes, start: 0 }.read(memory, value)?.reshape(shape)?)
}

fn check_rank(value: &Value, actual: usize) -> Result<(), NumericError> {
    let expected = value.shape().rank();
    if actual == expected { Ok(()) } else { Err(NumericError::Rank { expected, actual }) }
}

fn check_axes(value: &Value, axes: &[usize]) -> Result<(), NumericError> {
    let rank = value.shape().rank();
    for (i, &axis) in axes.iter().enumerate() {
        if axis >= rank {
            return Err(NumericError::Axis { axis, rank });
        }
        if axes[..i].contains(&axis) {
            return Err(NumericError::DuplicateAxis { axis });
        }
    }
    Ok(())
}

pub(super) fn check_cut(axis: usize, cut: &Cut, extent: usize) -> Result<(), NumericError> {
    let Cut { begin, count, step } = *cut;
    let inside = if count == 0 {
        begin <= extent
    } else {
        let last = begin as i128 + (count as i128 - 1) * step as i128;
        begin < extent && (0..extent as i128).contains(&last)
    };
    if inside { Ok(()) } else { Err(NumericError::Bounds { axis, begin, count, step, extent }) }
}
