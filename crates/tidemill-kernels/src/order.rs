//! Order and equality of elements: the largest, the distinct, their counts.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use tidemill_value::{
    ByteString, DType, Element, Memory, Shape, Value, ValueError, bf16, f16, match_dtype,
};

use crate::NumericError;
use crate::elementwise::cast;
use crate::layout::gather;
use crate::number::Number;
use crate::output::{build, build_zeroed};

/// The `count` largest elements along the last axis, in descending order, and their positions, as
/// `int32` or `int64`. Of equal ones, the first comes first; NaN counts as larger than any number.
/// TensorFlow's `TopKV2`.
///
/// # Errors
/// [`NumericError::Rank`] if there is no axis, [`NumericError::TooFew`] if it has fewer elements,
/// [`NumericError::UnsupportedDType`] if the elements are not numbers or `indices` is another type.
pub fn top_k(
    memory: &Memory,
    value: &Value,
    count: usize,
    indices: DType,
) -> Result<(Value, Value), NumericError> {
    let Some((&extent, outer)) = value.shape().split_last() else {
        return Err(NumericError::Rank { expected: 1, actual: 0 });
    };
    if count > extent {
        return Err(NumericError::TooFew { count, extent });
    }
    let shape: Shape = outer.iter().copied().chain([count]).collect();
    let dtype = value.dtype();
    match_dtype!(dtype, wide, T => {
        let elements = value.as_slice::<T>()?;
        let places = match count {
            0 => Vec::new(),
            _ => elements.chunks_exact(extent).flat_map(|row| largest_of(row, count)).collect(),
        };
        let values = build(memory, shape.clone(), |out: &mut [T]| {
            for (i, (o, &place)) in out.iter_mut().zip(&places).enumerate() {
                *o = elements[i / count * extent + place];
            }
            Ok(())
        })?;
        Ok((values, index_value(memory, &places, shape, indices)?))
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

/// The positions of the largest elements of a row, in descending order.
fn largest_of<T: Number + PartialOrd>(row: &[T], count: usize) -> Vec<usize> {
    first_of(row.len(), count, &|&l, &r| {
        let (x, y) = (row[l], row[r]);
        let by_value = y.partial_cmp(&x).unwrap_or_else(|| is_nan(y).cmp(&is_nan(x)));
        by_value.then(l.cmp(&r))
    })
}

/// The first `count` numbers below `all` in the given order. The order is dynamic so that the sort,
/// which is much code, is compiled only once.
fn first_of(all: usize, count: usize, order: &dyn Fn(&usize, &usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..all).collect();
    if count < places.len() {
        places.select_nth_unstable_by(count, order);
        places.truncate(count);
    }
    places.sort_unstable_by(order);
    places
}

fn is_nan<T: PartialOrd>(x: T) -> bool {
    x.partial_cmp(&x) != Some(Ordering::Equal)
}

fn index_value(
    memory: &Memory,
    places: &[usize],
    shape: Shape,
    dtype: DType,
) -> Result<Value, NumericError> {
    let places: Vec<i64> = places.iter().map(|&place| place as i64).collect();
    match dtype.is_integer() {
        true => cast(memory, &Value::from_vec(shape, places)?, dtype),
        false => Err(NumericError::UnsupportedDType { dtype }),
    }
}

/// For each row of `predictions`, which are `float32`, whether the element at its target is among
/// the `count` largest; elements equal to the last of these count. A row that holds NaN or
/// infinities, or has no such element, is false. TensorFlow's `InTopKV2`.
///
/// # Errors
/// [`NumericError::Rank`] if the predictions are not a matrix, [`NumericError::Length`] if there is
/// not a target for each row.
pub fn in_top_k(predictions: &Value, targets: &[i64], count: i64) -> Result<Value, NumericError> {
    let [rows, classes] = predictions.shape()[..] else {
        return Err(NumericError::Rank { expected: 2, actual: predictions.shape().rank() });
    };
    if targets.len() != rows {
        return Err(NumericError::Length { expected: rows, actual: targets.len() });
    }
    let elements = predictions.as_slice::<f32>()?;
    let is_in = |(row, &target): (usize, &i64)| {
        let row = &elements[row * classes..][..classes];
        let own = usize::try_from(target).ok().and_then(|target| row.get(target));
        own.is_some_and(|own| {
            let above = row.iter().filter(|x| *x > own).count();
            row.iter().all(|x| x.is_finite()) && i64::try_from(above).is_ok_and(|n| n < count)
        })
    };
    Ok(Value::list(targets.iter().enumerate().map(is_in).collect()))
}

/// An element as a key to look up. NaN, which equals nothing, has none.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Bits(u64),
    Bytes(&'a [u8]),
}

trait Keyed: Element {
    fn key(&self) -> Option<Key<'_>>;
}

macro_rules! keyed {
    ($($rust:ty: $key:expr;)*) => {$(
        impl Keyed for $rust {
            fn key(&self) -> Option<Key<'_>> {
                $key(self)
            }
        }
    )*};
}

/// The bits of a number; both zeros have the same.
fn float_key(x: f64) -> Option<Key<'static>> {
    (!x.is_nan()).then(|| Key::Bits((x + 0.0).to_bits()))
}

keyed! {
    f32: |x: &f32| float_key((*x).into());
    f64: |x: &f64| float_key(*x);
    f16: |x: &f16| float_key((*x).into());
    bf16: |x: &bf16| float_key((*x).into());
    i8: |x: &i8| Some(Key::Bits(*x as u64));
    i16: |x: &i16| Some(Key::Bits(*x as u64));
    i32: |x: &i32| Some(Key::Bits(*x as u64));
    i64: |x: &i64| Some(Key::Bits(*x as u64));
    u8: |x: &u8| Some(Key::Bits((*x).into()));
    u16: |x: &u16| Some(Key::Bits((*x).into()));
    u32: |x: &u32| Some(Key::Bits((*x).into()));
    u64: |x: &u64| Some(Key::Bits(*x));
    bool: |x: &bool| Some(Key::Bits((*x).into()));
}

impl Keyed for ByteString {
    fn key(&self) -> Option<Key<'_>> {
        Some(Key::Bytes(self))
    }
}

/// The keys of the elements of a value. They are dynamic so that hashing, which is much code, is
/// compiled only once.
fn keys<'a>(value: &'a Value) -> Result<Box<dyn Fn(usize) -> Option<Key<'a>> + 'a>, NumericError> {
    let dtype = value.dtype();
    match_dtype!(dtype, all, T => {
        let elements = value.as_slice::<T>()?;
        Ok(Box::new(move |i: usize| elements[i].key()))
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

/// The distinct elements of a list, in the order of their first occurrence.
#[derive(Clone, Debug)]
pub struct Unique {
    /// The elements.
    pub values: Value,
    /// The index into `values` of each element of the list.
    pub indices: Value,
    /// The number of occurrences of each.
    pub counts: Value,
}

/// The distinct elements of a list; indices and counts are `int32` or `int64`. TensorFlow's
/// `Unique` and `UniqueWithCounts`.
///
/// # Errors
/// [`NumericError::Rank`] if the value is not a list, [`NumericError::UnsupportedDType`] if
/// `indices` is another type.
pub fn unique(memory: &Memory, value: &Value, indices: DType) -> Result<Unique, NumericError> {
    check_list(value)?;
    let key = keys(value)?;
    let mut numbers: HashMap<Key<'_>, usize> = HashMap::new();
    let (mut first, mut counts) = (Vec::new(), Vec::new());
    let mut places = Vec::with_capacity(value.elements());
    for i in 0..value.elements() {
        let next = counts.len();
        let number = key(i).map_or(next, |key| *numbers.entry(key).or_insert(next));
        if number == next {
            first.push(i as i64);
            counts.push(0);
        }
        counts[number] += 1;
        places.push(number);
    }
    let (of_places, of_counts) = ([places.len()].into(), [counts.len()].into());
    Ok(Unique {
        values: gather(memory, value, &Value::list(first), 0)?,
        indices: index_value(memory, &places, of_places, indices)?,
        counts: index_value(memory, &counts, of_counts, indices)?,
    })
}

/// The elements of a list that are not in another one, and their positions, as `int32` or `int64`.
/// TensorFlow's `ListDiff`.
///
/// # Errors
/// As for [`unique`], and [`NumericError::Value`] if the types differ.
pub fn list_diff(
    memory: &Memory,
    value: &Value,
    other: &Value,
    indices: DType,
) -> Result<(Value, Value), NumericError> {
    check_list(value)?;
    check_list(other)?;
    let (expected, actual) = (value.dtype(), other.dtype());
    if expected != actual {
        return Err(ValueError::DType { expected, actual }.into());
    }
    let (key, other_key) = (keys(value)?, keys(other)?);
    let dropped: HashSet<Key<'_>> = (0..other.elements()).filter_map(other_key).collect();
    let is_kept = |i: &usize| key(*i).is_none_or(|key| !dropped.contains(&key));
    let kept: Vec<usize> = (0..value.elements()).filter(is_kept).collect();
    let positions = index_value(memory, &kept, [kept.len()].into(), DType::I64)?;
    Ok((
        gather(memory, value, &positions, 0)?,
        index_value(memory, &kept, [kept.len()].into(), indices)?,
    ))
}

fn check_list(value: &Value) -> Result<(), NumericError> {
    match value.shape().rank() {
        1 => Ok(()),
        actual => Err(NumericError::Rank { expected: 1, actual }),
    }
}

/// The number of occurrences among `numbers` of each number below `count`, or the sum of the
/// weights of its occurrences; no weights count as ones. Numbers of `count` and above are left out.
/// TensorFlow's `Bincount`.
///
/// # Errors
/// [`NumericError::IndexOutOfRange`] if a number is negative, [`NumericError::Length`] if there are
/// not as many weights, [`NumericError::UnsupportedDType`] if they are not numbers,
/// [`NumericError::Value`] if memory cannot hold the result.
pub fn bincount(
    memory: &Memory,
    numbers: &[i32],
    count: usize,
    weights: &Value,
) -> Result<Value, NumericError> {
    let (expected, actual) = (numbers.len(), weights.elements());
    if actual != 0 && actual != expected {
        return Err(NumericError::Length { expected, actual });
    }
    let negative = numbers.iter().position(|number| *number < 0);
    if let Some(position) = negative {
        let index = numbers[position].into();
        return Err(NumericError::IndexOutOfRange { index, position, extent: count });
    }
    let dtype = weights.dtype();
    match_dtype!(dtype, wide, T => {
        let weights = weights.as_slice::<T>()?;
        build_zeroed(memory, [count], |out: &mut [T]| {
            for (i, &number) in numbers.iter().enumerate() {
                if let Some(o) = out.get_mut(number as usize) {
                    *o = o.plus(weights.get(i).copied().unwrap_or(T::ONE));
                }
            }
            Ok(())
        })
    }, else Err(NumericError::UnsupportedDType { dtype }))
}
