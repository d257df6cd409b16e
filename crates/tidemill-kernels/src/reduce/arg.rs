use std::slice::ChunksExact;

use tidemill_value::{DType, Element, Memory, Shape, Value, bf16, f16, match_dtype};

use super::unsupported;
use crate::NumericError;
use crate::elementwise::cast;
use crate::output::build_zeroed;
use crate::pool::{TILE, for_each_chunk_mut};

/// `match_dtype!` for the types that are searched.
macro_rules! match_ordered {
    ($dtype:expr, $T:ident => $body:expr, else $other:expr) => {
        match_dtype!(@ $dtype, $T, $body, $other, F32 f32, F64 f64, F16 f16, BF16 bf16,
            I32 i32, I64 i64, U64 u64)
    };
}

/// The position of the largest element along `axis`, as `indices`; of equal ones, the first.
/// TensorFlow's `ArgMax`.
///
/// NaN is passed over. As in TensorFlow, an element counts only if it is above the lowest finite
/// number; if none is, the result is 0.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if the elements are strings or `indices` is not an integer
/// type, [`NumericError::Axis`] if there is no such axis, [`NumericError::EmptyAxis`] if it has no
/// elements.
pub fn arg_max(
    memory: &Memory,
    input: &Value,
    axis: usize,
    indices: DType,
) -> Result<Value, NumericError> {
    let input = &in_wide(memory, input)?;
    match_ordered!(input.dtype(), T => arg(memory, input, axis, indices, T::LOWEST, is_above),
        else unsupported(input.dtype()))
}

/// The position of the smallest element along `axis`, as `indices`; of equal ones, the first.
/// TensorFlow's `ArgMin`.
///
/// NaN is passed over. As in TensorFlow, an element counts only if it is below the highest
/// finite number; if none is, the result is 0.
///
/// # Errors
/// As for [`arg_max`].
pub fn arg_min(
    memory: &Memory,
    input: &Value,
    axis: usize,
    indices: DType,
) -> Result<Value, NumericError> {
    let input = &in_wide(memory, input)?;
    match_ordered!(input.dtype(), T => arg(memory, input, axis, indices, T::HIGHEST, is_below),
        else unsupported(input.dtype()))
}

/// The elements in a type that is searched: a wide one, unless their own range of finite numbers
/// counts.
fn in_wide(memory: &Memory, input: &Value) -> Result<Value, NumericError> {
    match input.dtype() {
        DType::Bool => cast(memory, input, DType::I32),
        dtype if dtype.is_integer() => cast(memory, input, dtype.wide()),
        _ => Ok(input.clone()),
    }
}

#[inline(always)]
fn is_above<T: PartialOrd>(x: T, best: T) -> bool {
    x > best
}

#[inline(always)]
fn is_below<T: PartialOrd>(x: T, best: T) -> bool {
    x < best
}

fn arg<T: Element + Copy>(
    memory: &Memory,
    input: &Value,
    axis: usize,
    indices: DType,
    start: T,
    beats: impl Fn(T, T) -> bool + Copy + Sync,
) -> Result<Value, NumericError> {
    let shape = input.shape();
    let rank = shape.rank();
    let extent = *shape.get(axis).ok_or(NumericError::Axis { axis, rank })?;
    if extent == 0 {
        return Err(NumericError::EmptyAxis { axis, shape: shape.clone() });
    }
    if !indices.is_integer() {
        return unsupported(indices);
    }
    let output: Shape = shape[..axis].iter().chain(&shape[axis + 1..]).copied().collect();
    let elements = input.as_slice::<T>()?;
    let found = build_zeroed(memory, output, |out: &mut [i64]| {
        if !elements.is_empty() {
            let inner = shape[axis + 1..].iter().product();
            find_all(elements, [extent, inner], start, beats, out);
        }
        Ok(())
    })?;
    cast(memory, &found, indices)
}

/// Finds along the middle axis of elements of shape `[_, extent, inner]`.
fn find_all<T: Copy + Sync>(
    elements: &[T],
    [extent, inner]: [usize; 2],
    start: T,
    beats: impl Fn(T, T) -> bool + Copy + Sync,
    out: &mut [i64],
) {
    let slab = extent * inner;
    let slabs = TILE.div_ceil(slab);
    for_each_chunk_mut(out, slabs * inner, |i, out| {
        let elements = elements[i * slabs * slab..].chunks_exact(slab);
        find_in_slabs(elements, inner, start, beats, out);
    });
}

fn find_in_slabs<T: Copy>(
    slabs: ChunksExact<'_, T>,
    inner: usize,
    start: T,
    beats: impl Fn(T, T) -> bool + Copy,
    out: &mut [i64],
) {
    if inner == 1 {
        for (row, o) in slabs.zip(out) {
            *o = find(row, start, beats);
        }
        return;
    }
    let mut best = vec![start; inner];
    for (slab, out) in slabs.zip(out.chunks_exact_mut(inner)) {
        best.fill(start);
        for (i, row) in (0..).zip(slab.chunks_exact(inner)) {
            for ((x, best), o) in row.iter().zip(&mut best).zip(&mut *out) {
                if beats(*x, *best) {
                    *best = *x;
                    *o = i;
                }
            }
        }
    }
}

fn find<T: Copy>(row: &[T], start: T, beats: impl Fn(T, T) -> bool) -> i64 {
    let (mut best, mut index) = (start, 0);
    for (i, x) in (0..).zip(row) {
        if beats(*x, best) {
            (best, index) = (*x, i);
        }
    }
    index
}

/// The ends of the range of finite elements.
trait Ends {
    const LOWEST: Self;
    const HIGHEST: Self;
}

macro_rules! ends {
    ($($rust:ident),*) => {$(
        impl Ends for $rust {
            const LOWEST: Self = $rust::MIN;
            const HIGHEST: Self = $rust::MAX;
        }
    )*};
}

ends!(f32, f64, f16, bf16, i32, i64, u64);
