//! Reductions over axes: sums, extremes, truth, and the positions of extremes.
//!
//! Axes are counted from 0 and may be in any order. The axes reduced are dropped from the shape of
//! the result; a caller that keeps them reshapes it.

mod arg;
mod axes;
mod fold;

use std::marker::PhantomData;

use tidemill_value::{DType, Element, Memory, Value, match_dtype};

use crate::NumericError;
use crate::elementwise::cast;
use crate::number::Number;
use crate::output::build;
use crate::vector::is_single;
use axes::Reduction;
use fold::Loops;

pub use arg::{arg_max, arg_min};
use fold::Reducer;
pub(crate) use fold::fold_row;

/// The sum over `axes`; integers wrap. Of no elements it is 0. TensorFlow's `Sum`.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if the elements are not numbers, [`NumericError::Axis`] and
/// [`NumericError::DuplicateAxis`] if `axes` are not axes of the value.
pub fn sum(memory: &Memory, input: &Value, axes: &[usize]) -> Result<Value, NumericError> {
    match_dtype!(input.dtype(), wide, T => reduce::<Sum<T>>(memory, input, axes),
        else unsupported(input.dtype()))
}

/// The product over `axes`; integers wrap. Of no elements it is 1. TensorFlow's `Prod`.
///
/// # Errors
/// As for [`sum`].
pub fn prod(memory: &Memory, input: &Value, axes: &[usize]) -> Result<Value, NumericError> {
    match_dtype!(input.dtype(), wide, T => reduce::<Product<T>>(memory, input, axes),
        else unsupported(input.dtype()))
}

/// The largest element over `axes`; NaN where there is one. Of no elements it is the lowest
/// number, for floats negative infinity. TensorFlow's `Max`.
///
/// # Errors
/// As for [`sum`].
pub fn max(memory: &Memory, input: &Value, axes: &[usize]) -> Result<Value, NumericError> {
    match_dtype!(input.dtype(), wide, T => reduce::<Max<T>>(memory, input, axes),
        else unsupported(input.dtype()))
}

/// The smallest element over `axes`; NaN where there is one. Of no elements it is the highest
/// number, for floats infinity. TensorFlow's `Min`.
///
/// # Errors
/// As for [`sum`].
pub fn min(memory: &Memory, input: &Value, axes: &[usize]) -> Result<Value, NumericError> {
    match_dtype!(input.dtype(), wide, T => reduce::<Min<T>>(memory, input, axes),
        else unsupported(input.dtype()))
}

/// The mean over `axes`. Integers are summed in 64 bits and the quotient is truncated toward
/// zero. Of no elements it is NaN for floats and 0 for integers. TensorFlow's `Mean`.
///
/// # Errors
/// As for [`sum`].
pub fn mean(memory: &Memory, input: &Value, axes: &[usize]) -> Result<Value, NumericError> {
    match_dtype!(input.dtype(), wide, T => mean_of::<T>(memory, input, axes),
        else unsupported(input.dtype()))
}

/// The square root of the sum of squares over `axes`; that of integers is truncated. Of no
/// elements it is 0. The squares of floats neither overflow nor vanish. TensorFlow's
/// `EuclideanNorm`.
///
/// # Errors
/// As for [`sum`].
pub fn euclidean_norm(
    memory: &Memory,
    input: &Value,
    axes: &[usize],
) -> Result<Value, NumericError> {
    match input.dtype() {
        DType::F32 => norm_f32(memory, input, axes),
        DType::F64 => norm_f64(memory, input, axes),
        dtype => match_dtype!(dtype.wide(), wide, T => {
            let sums = reduce::<SquareSum<T>>(memory, &cast(memory, input, T::DTYPE)?, axes)?;
            // They wrap in the type of the elements.
            let mut norms = cast(memory, &cast(memory, &sums, dtype)?, T::DTYPE)?;
            norms.as_mut_slice::<T>()?.iter_mut().for_each(|x| *x = x.root());
            cast(memory, &norms, dtype)
        }, else unsupported(dtype)),
    }
}

/// Whether all elements over `axes` are true. Of no elements it is true. TensorFlow's `All`.
///
/// # Errors
/// As for [`sum`], for elements other than `bool`.
pub fn all(memory: &Memory, input: &Value, axes: &[usize]) -> Result<Value, NumericError> {
    reduce::<All>(memory, input, axes)
}

/// Whether any element over `axes` is true. Of no elements it is false. TensorFlow's `Any`.
///
/// # Errors
/// As for [`sum`], for elements other than `bool`.
pub fn any(memory: &Memory, input: &Value, axes: &[usize]) -> Result<Value, NumericError> {
    reduce::<Any>(memory, input, axes)
}

fn unsupported(dtype: DType) -> Result<Value, NumericError> {
    Err(NumericError::UnsupportedDType { dtype })
}

fn reduce<R: Reducer<Item: Element, Total: Element>>(
    memory: &Memory,
    input: &Value,
    axes: &[usize],
) -> Result<Value, NumericError> {
    reduce_by(memory, (Loops::of::<R>(), Loops::of::<R::Again>()), input, axes)
}

fn reduce_by<I: Element + Copy, T: Element + Copy>(
    memory: &Memory,
    loops: (Loops<I, T>, Loops<T, T>),
    input: &Value,
    axes: &[usize],
) -> Result<Value, NumericError> {
    let dtype = input.dtype();
    let elements = input.as_slice().map_err(|_| NumericError::UnsupportedDType { dtype })?;
    let reduction = Reduction::new(input.shape(), axes)?;
    build(
        memory,
        reduction.output().clone(),
        |out| Ok(reduction.run(memory, loops, elements, out)?),
    )
}

fn mean_of<T: Number>(
    memory: &Memory,
    input: &Value,
    axes: &[usize],
) -> Result<Value, NumericError> {
    let count = Reduction::new(input.shape(), axes)?.count;
    let totals = if T::IS_FLOAT {
        reduce::<Sum<T>>(memory, input, axes)?
    } else {
        reduce::<WideSum<T>>(memory, input, axes)?
    };
    let elements = totals.as_slice::<T::Wide>()?;
    let means = build(memory, totals.shape().clone(), |out| {
        for (total, o) in elements.iter().zip(out) {
            *o = T::mean(*total, count);
        }
        Ok(())
    });
    memory.recycle(totals);
    means
}

/// Sums in `float64`, whose range holds the square of every `float32`.
fn norm_f32(memory: &Memory, input: &Value, axes: &[usize]) -> Result<Value, NumericError> {
    let sums = reduce::<WideSquareSum>(memory, input, axes)?;
    let elements = sums.as_slice::<f64>()?;
    let norms = build(memory, sums.shape().clone(), |out: &mut [f32]| {
        for (sum, o) in elements.iter().zip(out) {
            *o = sum.sqrt() as f32;
        }
        Ok(())
    });
    memory.recycle(sums);
    norms
}

/// Squares that overflow or vanish are summed again from scaled elements.
fn norm_f64(memory: &Memory, input: &Value, axes: &[usize]) -> Result<Value, NumericError> {
    // Powers of two scale exactly.
    let large = 2.0_f64.powi(600);
    let is_small: fn(f64) -> bool = |sum| sum < 1e-270;
    let is_large: fn(f64) -> bool = |sum| sum > 1e300;
    let sums = reduce::<SquareSum<f64>>(memory, input, axes)?;
    let mut norms = sums.clone();
    norms.as_mut_slice::<f64>()?.iter_mut().for_each(|x| *x = x.sqrt());
    for (is_bad, scale) in [(is_small, large), (is_large, large.recip())] {
        if !sums.as_slice::<f64>()?.iter().any(|sum| is_bad(*sum)) {
            continue;
        }
        let scaled = input.as_slice::<f64>()?.iter().map(|x| x * scale).collect();
        let scaled = Value::from_vec(input.shape().clone(), scaled)?;
        let scaled = reduce::<SquareSum<f64>>(memory, &scaled, axes)?;
        let each = sums.as_slice::<f64>()?.iter().zip(scaled.as_slice::<f64>()?);
        for (norm, (sum, scaled)) in norms.as_mut_slice::<f64>()?.iter_mut().zip(each) {
            if is_bad(*sum) {
                *norm = scaled.sqrt() / scale;
            }
        }
    }
    Ok(norms)
}

pub(crate) struct Sum<T>(PhantomData<T>);
struct WideSum<T>(PhantomData<T>);
struct SquareSum<T>(PhantomData<T>);
struct WideSquareSum;
struct Product<T>(PhantomData<T>);
pub(crate) struct Max<T>(PhantomData<T>);
struct Min<T>(PhantomData<T>);
struct All;
struct Any;

macro_rules! reducer {
    (
        $reducer:ident $(<$T:ident>)?: $item:ty => $total:ty, again $again:ty, vector $vector:expr,
        $identity:expr, $take:expr, $combine:expr
    ) => {
        impl $(<$T: Number>)? Reducer for $reducer $(<$T>)? {
            type Item = $item;
            type Total = $total;
            type Again = $again;

            const VECTOR: bool = $vector;
            const IDENTITY: $total = $identity;

            #[inline(always)]
            fn take(item: $item) -> $total {
                $take(item)
            }

            #[inline(always)]
            fn combine(left: $total, right: $total) -> $total {
                $combine(left, right)
            }
        }
    };
    ($reducer:ident $(<$T:ident>)?: $item:ty, vector $vector:expr, $identity:expr, $combine:expr) => {
        reducer!($reducer $(<$T>)?: $item => $item, again Self, vector $vector,
            $identity, std::convert::identity, $combine);
    };
}

reducer!(Sum<T>: T, vector is_single(T::DTYPE), T::ZERO, T::plus);
reducer!(WideSum<T>: T => T::Wide, again Sum<T::Wide>, vector false,
    T::Wide::ZERO, T::widen, T::Wide::plus);
reducer!(SquareSum<T>: T => T, again Sum<T>, vector false,
    T::ZERO, |x: T| x.times(x), T::plus);
reducer!(WideSquareSum: f32 => f64, again Sum<f64>, vector false,
    0.0, |x: f32| f64::from(x) * f64::from(x), std::ops::Add::add);
reducer!(Product<T>: T, vector false, T::ONE, T::times);
reducer!(Max<T>: T, vector is_single(T::DTYPE), T::BOTTOM, T::larger);
reducer!(Min<T>: T, vector is_single(T::DTYPE), T::TOP, T::smaller);
reducer!(All: bool, vector false, true, std::ops::BitAnd::bitand);
reducer!(Any: bool, vector false, false, std::ops::BitOr::bitor);
