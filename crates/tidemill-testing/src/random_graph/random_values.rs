use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use tidemill_graph::Fact;
use tidemill_value::{DType, Dim, PartialShape, Shape, Value};

use crate::values::from_numbers;

/// The data types of random tensors; frequent ones are listed more than once.
const DTYPES: &[DType] = &[
    DType::F32,
    DType::F32,
    DType::F32,
    DType::F64,
    DType::I32,
    DType::I32,
    DType::I64,
    DType::I8,
    DType::U8,
    DType::Bool,
    DType::Bool,
];

/// The shapes of random tensors: few, so that they often match.
const SHAPES: &[&[usize]] = &[
    &[],
    &[],
    &[],
    &[1],
    &[2],
    &[2],
    &[3],
    &[2, 3],
    &[2, 3],
    &[3, 2],
    &[2, 2],
    &[1, 3],
    &[2, 1],
    &[0],
    &[2, 1, 3],
];

const SPECIAL_FLOATS: &[f64] =
    &[0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-310, -1e-40, 3.0e38];

pub(super) fn random_dtype(rng: &mut Xoshiro256PlusPlus) -> DType {
    pick(DTYPES, rng)
}

pub(super) fn random_shape(rng: &mut Xoshiro256PlusPlus) -> Shape {
    pick(SHAPES, rng).into()
}

/// One of `items`, which must not be empty.
pub(crate) fn pick<T: Copy>(items: &[T], rng: &mut Xoshiro256PlusPlus) -> T {
    items[rng.random_range(0..items.len())]
}

/// A value of small numbers, and occasionally of special ones.
pub(super) fn random_value(dtype: DType, shape: &[usize], rng: &mut Xoshiro256PlusPlus) -> Value {
    let has_special = rng.random_bool(0.2);
    let number = |_| match dtype {
        DType::F32 | DType::F64 if has_special && rng.random_bool(0.5) => pick(SPECIAL_FLOATS, rng),
        DType::F32 | DType::F64 => f64::from(rng.random_range(-8..=8_i8)) / 4.0,
        DType::Bool => rng.random_range(0..=1_u8).into(),
        DType::U8 => rng.random_range(0..=4_u8).into(),
        _ => rng.random_range(-3..=3_i8).into(),
    };
    let numbers: Vec<f64> = (0..shape.iter().product()).map(number).collect();
    from_numbers(shape, &numbers, dtype)
}

/// A shape with some extents unknown, or without a known rank.
pub(crate) fn forget(shape: &[usize], rng: &mut Xoshiro256PlusPlus) -> PartialShape {
    match rng.random_range(0..10) {
        0..5 => shape.into(),
        5..9 => {
            let dim = |&d: &usize| if rng.random_bool(0.5) { Dim::UNKNOWN } else { Dim::from(d) };
            shape.iter().map(dim).collect()
        }
        _ => PartialShape::unknown(),
    }
}

/// A shape that a partly known one admits.
pub(super) fn admitted(shape: &PartialShape, rng: &mut Xoshiro256PlusPlus) -> Shape {
    let Some(dims) = shape.dims() else { return random_shape(rng) };
    let extent = |dim: &Dim| dim.known().unwrap_or_else(|| pick(&[2, 2, 2, 3, 1, 0], rng));
    dims.iter().map(extent).collect()
}

/// A random value that fits a tensor.
pub fn random_value_of(fact: &Fact, rng: &mut Xoshiro256PlusPlus) -> Value {
    let shape = admitted(&fact.shape, rng);
    random_value(fact.dtype, &shape, rng)
}
