use tidemill_value::{DType, Element, Memory, Scalar, Shape, Value, match_dtype};

use crate::NumericError;
use crate::elementwise::cast;
use crate::moved;
use crate::output::build;

/// The numbers `start`, `start + delta`, `start + 2 · delta`, … before `limit`.
/// TensorFlow's `Range`.
///
/// All three are numbers of one type. There are `⌈(limit - start) / delta⌉`, computed in that
/// type.
///
/// # Errors
/// [`NumericError::Range`] if the steps do not lead to `limit`, or one of the numbers is not
/// finite, [`NumericError::Value`] if the types differ or memory cannot hold the numbers,
/// [`NumericError::UnsupportedDType`] if they are truth values.
pub fn range(
    memory: &Memory,
    start: Scalar,
    limit: Scalar,
    delta: Scalar,
) -> Result<Value, NumericError> {
    let dtype = start.dtype();
    match_dtype!(dtype, wide, T => {
        let [start, limit, delta] = numbers_of::<T>([start, limit, delta])?;
        build(memory, [length_of(start, limit, delta)?], |out| {
            for (i, o) in out.iter_mut().enumerate() {
                *o = T::nth(start, delta, i);
            }
            Ok(())
        })
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

/// The number of elements of [`range`].
///
/// # Errors
/// As for [`range`], except that memory is not needed.
pub fn range_length(start: Scalar, limit: Scalar, delta: Scalar) -> Result<usize, NumericError> {
    let dtype = start.dtype();
    match_dtype!(dtype, wide, T => {
        let [start, limit, delta] = numbers_of::<T>([start, limit, delta])?;
        length_of(start, limit, delta)
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

fn numbers_of<T: Steps>(scalars: [Scalar; 3]) -> Result<[T; 3], NumericError> {
    let [start, limit, delta] = scalars.map(|scalar| Value::from(scalar).to_scalar());
    Ok([start?, limit?, delta?])
}

fn length_of<T: Steps>(start: T, limit: T, delta: T) -> Result<usize, NumericError> {
    T::count(start, limit, delta).ok_or_else(|| {
        let [start, limit, delta] = [start, limit, delta].map(T::to_f64);
        NumericError::Range { start, limit, delta }
    })
}

/// The arithmetic of a range.
trait Steps: Element + Copy {
    /// The number of steps of `delta` from `start` to `limit` or beyond.
    fn count(start: Self, limit: Self, delta: Self) -> Option<usize>;

    /// The number after `i` steps.
    fn nth(start: Self, delta: Self, i: usize) -> Self;

    fn to_f64(self) -> f64;
}

macro_rules! floats {
    ($($rust:ident),*) => {$(
        impl Steps for $rust {
            fn count(start: Self, limit: Self, delta: Self) -> Option<usize> {
                let leads = if delta > 0.0 { start <= limit } else { delta < 0.0 && start >= limit };
                let count = ((limit - start) / delta).abs().ceil();
                // Counts above 2^63 leave no index.
                (leads && count < i64::MAX as $rust).then_some(count as usize)
            }

            fn nth(start: Self, delta: Self, i: usize) -> Self {
                start + i as $rust * delta
            }

            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}

macro_rules! integers {
    ($($rust:ident),*) => {$(
        impl Steps for $rust {
            fn count(start: Self, limit: Self, delta: Self) -> Option<usize> {
                let delta = i128::from(delta);
                let distance = i128::from(limit) - i128::from(start);
                let leads = if delta > 0 { distance >= 0 } else { delta < 0 && distance <= 0 };
                let count = leads.then(|| distance.unsigned_abs().div_ceil(delta.unsigned_abs()))?;
                count.try_into().ok()
            }

            fn nth(start: Self, delta: Self, i: usize) -> Self {
                start.wrapping_add((i as $rust).wrapping_mul(delta))
            }

            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}

floats!(f32, f64);
integers!(i32, i64, u64);

/// `count` numbers at equal distances, `start` the first and `stop` the last of them.
/// TensorFlow's `LinSpace`.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if `start` is not a float, [`NumericError::Value`] if the
/// types differ or memory cannot hold the numbers.
pub fn lin_space(
    memory: &Memory,
    start: Scalar,
    stop: Scalar,
    count: usize,
) -> Result<Value, NumericError> {
    let dtype = start.dtype();
    match_dtype!(dtype, floats, T => {
        let (start, stop): (T, T) = (Value::from(start).to_scalar()?, Value::from(stop).to_scalar()?);
        build(memory, [count], |out| {
            let step = (stop - start) / count.saturating_sub(1).max(1) as T;
            for (i, o) in out.iter_mut().enumerate() {
                *o = start + step * i as T;
            }
            if let [_, .., last] = out {
                *last = stop;
            }
            Ok(())
        })
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

/// Rows of `depth` elements, `on` at the index of the row and `off` elsewhere. The rows lie along a
/// new axis before axis `axis` of the indices. TensorFlow's `OneHot`.
///
/// `indices` are integers; one that is not in `[0, depth)` gives a row of `off` alone.
///
/// # Errors
/// [`NumericError::Axis`] if `axis` is above the rank of the indices,
/// [`NumericError::UnsupportedDType`] if they are not integers, [`NumericError::Value`] if `on` and
/// `off` are not single elements of one type or memory cannot hold the result.
pub fn one_hot(
    memory: &Memory,
    indices: &Value,
    depth: usize,
    axis: usize,
    on: &Value,
    off: &Value,
) -> Result<Value, NumericError> {
    let rank = indices.shape().rank();
    if axis > rank {
        return Err(NumericError::Axis { axis, rank: rank + 1 });
    }
    let (outer, inner) = indices.shape().split_at(axis);
    let shape: Shape = outer.iter().chain([&depth]).chain(inner).copied().collect();
    let width = inner.iter().fold(1, |width: usize, extent| width.saturating_mul(*extent));
    let dtype = indices.dtype();
    if !dtype.is_integer() {
        return Err(NumericError::UnsupportedDType { dtype });
    }
    let indices = match_dtype!(dtype, indices, I => indices_or_none(indices.as_slice::<I>()?),
        else indices_or_none(cast(memory, indices, DType::I64)?.as_slice::<i64>()?));
    let dtype = on.dtype();
    match_moved!(dtype, T => {
        let (on, off) = (moved::read_one::<T>(on, dtype)?, moved::read_one::<T>(off, dtype)?);
        moved::build(memory, dtype, shape, |out| {
            moved::fill(out, &off);
            mark(&indices, [depth, width], &on, out);
        })
    })
}

fn indices_or_none<I: Copy>(indices: &[I]) -> Vec<Option<usize>>
where
    usize: TryFrom<I>,
{
    indices.iter().map(|&index| usize::try_from(index).ok()).collect()
}

/// Writes `on` at the indices into `out`, of shape `[_, depth, width]`.
fn mark<T: Clone>(indices: &[Option<usize>], [depth, width]: [usize; 2], on: &T, out: &mut [T]) {
    for (position, index) in indices.iter().enumerate() {
        if let Some(index) = index.filter(|&index| index < depth) {
            let (row, column) = (position / width, position % width);
            out[(row * depth + index) * width + column] = on.clone();
        }
    }
}
