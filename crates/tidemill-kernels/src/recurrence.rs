//! Linear recurrences of first order, `s = b + a · s`: the state before each step.
//!
//! The gradients of cumulative products are such recurrences, and so are theirs: nothing is
//! divided by elements that may be zero.

use std::ops::Range;

use tidemill_value::{Element, Shape, Value, match_dtype};

use crate::NumericError;
use crate::layout::Indices;
use crate::number::Number;
use crate::output::{build, expect_shape, volume};

/// The state before each step of `s = b + a · s` along `axis`, from 0 on; the last element comes
/// first if `reverse`.
///
/// A coefficient of 0 forgets the state, even one that is infinite or NaN.
///
/// # Errors
/// [`NumericError::Shape`] where `a` and `b` differ in shape, [`NumericError::Axis`] where there
/// is no such axis, [`NumericError::UnsupportedDType`] where the elements are not floats.
pub fn recurrence(
    a: &Value,
    b: &Value,
    axis: usize,
    reverse: bool,
) -> Result<Value, NumericError> {
    let shape = a.shape();
    let rank = shape.rank();
    let extent = *shape.get(axis).ok_or(NumericError::Axis { axis, rank })?;
    expect_shape(b, shape)?;
    let width = volume(&shape[axis + 1..]);
    match_dtype!(a.dtype(), floats, T => {
        let (a, b) = (a.as_slice::<T>()?, b.as_slice::<T>()?);
        build(shape.clone(), |out| {
            let mut state = vec![T::ZERO; width];
            for slab in slabs(out.len(), extent * width) {
                state.fill(T::ZERO);
                for i in 0..extent {
                    let row = if reverse { extent - 1 - i } else { i };
                    let row = slab.start + row * width..slab.start + (row + 1) * width;
                    step(&a[row.clone()], &b[row.clone()], &mut state, &mut out[row]);
                }
            }
            Ok(())
        })
    }, else Err(NumericError::UnsupportedDType { dtype: a.dtype() }))
}

/// Parts of equal length.
fn slabs(len: usize, slab: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(slab.max(1)).map(move |start| start..start + slab)
}

/// The rows that belong to segments.
#[derive(Clone, Copy)]
pub struct Segments<'a> {
    /// The segment of each row; negative where a row belongs to none. The axes are the first axes
    /// of the rows.
    pub ids: &'a Value,
    /// The number of segments.
    pub count: usize,
}

/// The state before each row of `s = b + a · s`, where each segment of rows has a state of its own,
/// which begins at `initial`; the last row comes first if `reverse`. A row without a segment gives
/// `initial`.
///
/// A coefficient of 0 forgets the state, as in [`recurrence`].
///
/// # Errors
/// [`NumericError::Shape`] where `a` and `b` differ in shape, or the ids do not fit,
/// [`NumericError::IndexOutOfRange`] where a number is not below the count,
/// [`NumericError::UnsupportedDType`] where the elements are not floats,
/// [`NumericError::Value`] where memory cannot hold the states.
pub fn segment_recurrence(
    a: &Value,
    b: &Value,
    segments: Segments<'_>,
    initial: f32,
    reverse: bool,
) -> Result<Value, NumericError> {
    let shape = a.shape();
    expect_shape(b, shape)?;
    let Some(part) = shape.strip_prefix(&segments.ids.shape()[..]) else {
        let (expected, actual) = (segments.ids.shape().clone(), shape.clone());
        return Err(NumericError::Shape { expected, actual });
    };
    let ids = Indices::below_or_negative(segments.ids, segments.count)?;
    let states: Shape = [segments.count].iter().chain(part).copied().collect();
    let width = volume(part);
    match_dtype!(a.dtype(), floats, T => {
        let (a, b) = (a.as_slice::<T>()?, b.as_slice::<T>()?);
        let initial = T::from(initial);
        let mut states = Value::zeros(T::DTYPE, states)?;
        let states = states.as_mut_slice::<T>()?;
        states.fill(initial);
        build(shape.clone(), |out| {
            out.fill(initial);
            for i in 0..ids.len() {
                let row = if reverse { ids.len() - 1 - i } else { i };
                let Some(id) = ids.get_signed(row) else { continue };
                let state = &mut states[id * width..(id + 1) * width];
                let row = row * width..(row + 1) * width;
                step(&a[row.clone()], &b[row.clone()], state, &mut out[row]);
            }
            Ok(())
        })
    }, else Err(NumericError::UnsupportedDType { dtype: a.dtype() }))
}

/// Gives the states of the columns, and takes them one step further.
fn step<T: Number>(a: &[T], b: &[T], states: &mut [T], out: &mut [T]) {
    for (((a, b), state), o) in a.iter().zip(b).zip(states).zip(out) {
        *o = *state;
        *state = if *a == T::ZERO { *b } else { b.plus(a.times(*state)) };
    }
}
