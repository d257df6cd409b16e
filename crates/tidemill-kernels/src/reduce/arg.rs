use std::slice::ChunksExact;

use tidemill_value::{DType, Element, Shape, Value, bf16, f16, match_dtype};

use super::unsupported;
use crate::NumericError;
use crate::elementwise::cast;
use crate::output::build;
use crate::pool::{TILE, for_each_chunk_mut};

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
pub fn arg_max(input: &Value, axis: usize, indices: DType) -> Result<Value, NumericError> {
    match_dtype!(input.dtype(), plain, T => {
        arg(input, axis, indices, T::LOWEST, is_above)
    }, else unsupported(input.dtype()))
}

/// The position of the smallest element along `axis`, as `indices`; of equal ones, the first.
/// TensorFlow's `ArgMin`.
///
/// NaN is passed over. As in TensorFlow, an element counts only if it is below the highest
/// finite number; if none is, the result is 0.
///
/// # Errors
/// As for [`arg_max`].
pub fn arg_min(input: &Value, axis: usize, indices: DType) -> Result<Value, NumericError> {
    match_dtype!(input.dtype(), plain, T => {
        arg(input, axis, indices, T::HIGHEST, is_below)
    }, else unsupported(input.dtype()))
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
    let found = build(output, |out: &mut [i64]| {
        if !elements.is_empty() {
            let inner = shape[axis + 1..].iter().product();
            find_all(elements, [extent, inner], start, beats, out);
        }
        Ok(())
    })?;
    cast(&found, indices)
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

ends!(f32, f64, f16, bf16, i8, i16, i32, i64, u8, u16, u32, u64);

impl Ends for bool {
    const LOWEST: Self = false;
    const HIGHEST: Self = true;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_value::IntoValue;

    const NAN: f32 = f32::NAN;
    const INF: f32 = f32::INFINITY;

    fn both(row: &[f32]) -> [i64; 2] {
        let row = Value::list(row.to_vec());
        [arg_max, arg_min].map(|f| f(&row, 0, DType::I64).unwrap().to_scalar().unwrap())
    }

    #[test]
    fn the_first_of_equals_wins() {
        assert_eq!(both(&[1.0, 3.0, 3.0, 1.0]), [1, 0]);
    }

    #[test]
    fn nan_is_passed_over() {
        assert_eq!(both(&[NAN, 1.0, 2.0, 2.0]), [2, 1]);
        assert_eq!(both(&[NAN, NAN, -INF, 5.0, NAN, 7.0, 7.0]), [5, 2]);
        assert_eq!(both(&[NAN, NAN, NAN]), [0, 0]);
    }

    #[test]
    fn nothing_beats_the_lowest_finite_number_but_what_is_above_it() {
        assert_eq!(both(&[NAN, -INF, NAN]), [0, 1]);
        assert_eq!(both(&[-INF, -INF]), [0, 0]);
        assert_eq!(both(&[NAN, f32::MIN]), [0, 1]);
    }

    #[test]
    fn integers_and_truth_values_have_extremes_too() {
        let row = Value::from([-128_i8, -128, -127, -127]);
        assert_eq!(arg_max(&row, 0, DType::I32), Ok(2_i32.into()));
        let truth = Value::from([true, false, true]);
        assert_eq!(arg_max(&truth, 0, DType::I32), Ok(0_i32.into()));
        assert_eq!(arg_min(&truth, 0, DType::I32), Ok(1_i32.into()));
    }

    #[test]
    fn an_axis_in_the_middle_is_searched_column_by_column() {
        let cube = [[[1, 6], [5, 2], [3, 6]], [[9, 9], [9, 9], [0, 10]]].into_value().unwrap();
        let expected = [[1_i64, 0], [0, 2]].into_value();
        assert_eq!(arg_max(&cube, 1, DType::I64).ok(), expected.ok());
    }

    #[test]
    fn an_empty_axis_is_an_error_and_an_empty_rest_is_not() {
        let value = Value::zeros(DType::F32, [0, 3]).unwrap();
        let error = NumericError::EmptyAxis { axis: 0, shape: [0, 3].into() };
        assert_eq!(arg_max(&value, 0, DType::I64), Err(error));
        assert_eq!(arg_max(&value, 1, DType::I64), Ok(Value::list(Vec::<i64>::new())));
        assert_eq!(arg_max(&value, 2, DType::I64), Err(NumericError::Axis { axis: 2, rank: 2 }));
    }
}
