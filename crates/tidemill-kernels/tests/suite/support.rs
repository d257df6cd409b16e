//! Shared by the tests.

use proptest::prelude::*;
use tidemill_kernels::elementwise::{
    AnyBinary, AnyComparison, AnyPredicate, AnyUnary, Binary, Unary,
};
use tidemill_kernels::{
    Broadcast, NumericError, with_binary, with_comparison, with_predicate, with_unary,
};
use tidemill_value::{DType, Element, IntoValue, Memory, Value};

pub(crate) const NAN: f32 = f32::NAN;
pub(crate) const INF: f32 = f32::INFINITY;

pub(crate) fn value(data: impl IntoValue) -> Value {
    data.into_value().unwrap()
}

/// A value of `shape` whose elements are `f(0)`, `f(1)`, …
pub(crate) fn filled<T: Element>(shape: &[usize], f: impl Fn(usize) -> T) -> Value {
    Value::from_vec(shape, (0..shape.iter().product()).map(f).collect()).unwrap()
}

fn map<A: Element, O: Element>(f: Unary<A, O>, x: &Value) -> Value {
    let input = x.as_slice().unwrap();
    let mut out = vec![O::default(); input.len()];
    f.slice(input, &mut out);
    Value::from_vec(x.shape().clone(), out).unwrap()
}

fn zip<A: Element, O: Element>(
    f: Binary<A, O>,
    left: &Value,
    right: &Value,
) -> Result<Value, NumericError> {
    let plan = Broadcast::new([left.shape(), right.shape()])?;
    let mut out = vec![O::default(); plan.elements()];
    f.broadcast(&plan, left.as_slice()?, right.as_slice()?, &mut out)?;
    Ok(Value::from_vec(plan.shape().clone(), out)?)
}

pub(crate) fn unary(f: fn(DType) -> Option<AnyUnary>, x: impl IntoValue) -> Value {
    let x = value(x);
    with_unary!(f(x.dtype()).unwrap(), f => map(f, &x))
}

pub(crate) fn predicate(f: fn(DType) -> Option<AnyPredicate>, x: impl IntoValue) -> Value {
    let x = value(x);
    with_predicate!(f(x.dtype()).unwrap(), f => map(f, &x))
}

pub(crate) fn try_binary(
    f: fn(DType) -> Option<AnyBinary>,
    left: impl IntoValue,
    right: impl IntoValue,
) -> Result<Value, NumericError> {
    let (left, right) = (value(left), value(right));
    with_binary!(f(left.dtype()).unwrap(), f => zip(f, &left, &right))
}

pub(crate) fn binary(
    f: fn(DType) -> Option<AnyBinary>,
    left: impl IntoValue,
    right: impl IntoValue,
) -> Value {
    try_binary(f, left, right).unwrap()
}

pub(crate) fn compare(
    f: fn(DType) -> Option<AnyComparison>,
    left: impl IntoValue,
    right: impl IntoValue,
) -> Value {
    let (left, right) = (value(left), value(right));
    with_comparison!(f(left.dtype()).unwrap(), f => zip(f, &left, &right).unwrap())
}

/// Asserts that numbers differ by no more than `tolerance`, relative to the expected ones. NaN
/// is equal to NaN, and an infinity to the same infinity.
#[track_caller]
pub(crate) fn assert_close(actual: &Value, expected: &[f64], tolerance: f64) {
    let wide = tidemill_kernels::elementwise::cast(&Memory::new(), actual, DType::F64).unwrap();
    let actual = wide.as_slice::<f64>().unwrap();
    assert_eq!(actual.len(), expected.len());
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        let same = a == e || (a.is_nan() && e.is_nan());
        assert!(same || (a - e).abs() <= tolerance * e.abs(), "element {i} is {a}, not {e}");
    }
}

/// A shape of up to `rank` axes and few elements, some of them empty.
pub(crate) fn small_shape(rank: usize) -> impl Strategy<Value = Vec<usize>> {
    let extent = prop_oneof![1 => Just(0_usize), 3 => Just(1), 12 => 2_usize..6];
    prop::collection::vec(extent, 0..=rank)
}

/// Every position of a shape, in row-major order.
pub(crate) fn positions(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &extent in shape {
        let longer = |position: &Vec<usize>| {
            let position = position.clone();
            (0..extent).map(move |i| [&position[..], &[i]].concat())
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// The offset of `position` in a buffer of `shape`; positions along axes of extent 1 and along
/// missing axes do not matter.
pub(crate) fn offset(shape: &[usize], position: &[usize]) -> usize {
    let own = &position[position.len() - shape.len()..];
    shape.iter().zip(own).fold(0, |at, (&extent, &i)| at * extent + if extent == 1 { 0 } else { i })
}
