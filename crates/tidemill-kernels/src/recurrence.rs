//! Linear recurrences of first order, `s = b + a · s`: the state before each step.
//!
//! The gradients of cumulative products are such recurrences, and so are theirs: they divide by no
//! element, which may be zero.

use std::ops::Range;

use tidemill_value::{Element, Memory, Shape, Value, match_dtype};

use crate::NumericError;
use crate::layout::Indices;
use crate::number::Number;
use crate::output::{build, expect_shape, volume};

/// The start of a recurrence.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Start {
    /// The first state.
    pub initial: f32,
    /// Begin with the last element.
    pub reverse: bool,
}

impl Start {
    /// The place of step `i` of `count`.
    fn place(self, i: usize, count: usize) -> usize {
        if self.reverse { count - 1 - i } else { i }
    }
}

/// The state before each step of `s = b + a · s` along `axis`.
///
/// A coefficient of 0 forgets the state, even one that is infinite or NaN; of a state of 0, nothing
/// is left after any coefficient.
///
/// # Errors
/// [`NumericError::Shape`] if `a` and `b` differ in shape, [`NumericError::Axis`] if there is no
/// such axis, [`NumericError::UnsupportedDType`] if the elements are not floats.
pub fn recurrence(
    memory: &Memory,
    a: &Value,
    b: &Value,
    axis: usize,
    start: Start,
) -> Result<Value, NumericError> {
    let shape = a.shape();
    let rank = shape.rank();
    let extent = *shape.get(axis).ok_or(NumericError::Axis { axis, rank })?;
    expect_shape(b, shape)?;
    let width = volume(&shape[axis + 1..]);
    match_dtype!(a.dtype(), floats, T => {
        let (a, b) = (a.as_slice::<T>()?, b.as_slice::<T>()?);
        build(memory, shape.clone(), |out| {
            let initial = T::from(start.initial);
            let mut state = memory.workspace::<T>(width)?;
            for slab in slabs(out.len(), extent * width) {
                state.fill(initial);
                for i in 0..extent {
                    let row = start.place(i, extent);
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

/// The state before each row of `s = b + a · s`, where each segment of rows has a state of its own.
/// A row without a segment gives the first state.
///
/// Zeros count as in [`recurrence`].
///
/// # Errors
/// [`NumericError::Shape`] if `a` and `b` differ in shape, or the ids do not fit,
/// [`NumericError::IndexOutOfRange`] if a number is not below the count,
/// [`NumericError::UnsupportedDType`] if the elements are not floats, [`NumericError::Value`] if
/// memory cannot hold the states.
pub fn segment_recurrence(
    memory: &Memory,
    a: &Value,
    b: &Value,
    segments: Segments<'_>,
    start: Start,
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
        let initial = T::from(start.initial);
        let mut states = memory.zeros(T::DTYPE, states)?;
        let states = states.as_mut_slice::<T>()?;
        states.fill(initial);
        build(memory, shape.clone(), |out| {
            out.fill(initial);
            for i in 0..ids.len() {
                let row = start.place(i, ids.len());
                let Some(id) = ids.get_signed(row) else { continue };
                let state = &mut states[id * width..(id + 1) * width];
                let row = row * width..(row + 1) * width;
                step(&a[row.clone()], &b[row.clone()], state, &mut out[row]);
            }
            Ok(())
        })
    }, else Err(NumericError::UnsupportedDType { dtype: a.dtype() }))
}

/// Writes the states of the columns, and advances them by one step.
fn step<T: Number>(a: &[T], b: &[T], states: &mut [T], out: &mut [T]) {
    for (((a, b), state), o) in a.iter().zip(b).zip(states).zip(out) {
        *o = *state;
        *state = if *a == T::ZERO || *state == T::ZERO { *b } else { b.plus(a.times(*state)) };
    }
}
