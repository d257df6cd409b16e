//! Steps of training: a variable and its slots, such as momenta, updated by a gradient in one pass
//! over memory, in place.
//!
//! The arithmetic is that of TensorFlow's kernels for the processor, operation by operation.

mod rules;
mod work;

use smallvec::smallvec;
use tidemill_value::{DType, Scalar, Shape, Value, match_dtype};

use crate::NumericError;
use crate::float::Float;
use crate::layout::Indices;
use crate::output::{expect_shape, volume};
pub use rules::Rule;
use work::{Parts, Work};

/// Updates a variable, the first of `states`, and its slots, the others, in place by the gradient
/// of all its elements. A shared buffer is copied first.
///
/// # Errors
/// [`NumericError::Shape`] if a slot or the gradient does not have the shape of the variable,
/// [`NumericError::Operands`] if the rule takes another number of numbers or slots. Nothing is
/// written then.
pub fn apply(
    rule: Rule,
    states: &mut [Value],
    numbers: &[&Value],
    gradient: &Value,
) -> Result<(), NumericError> {
    let shape = common_shape(states)?;
    expect_shape(gradient, &shape)?;
    update(rule, states, numbers, gradient, Parts::Whole)
}

/// As [`apply`], of the rows that `indices` name, one after the other, by one row of the gradient
/// each.
///
/// # Errors
/// As for [`apply`], and [`NumericError::IndexOutOfRange`] if there is no such row.
pub fn apply_rows(
    rule: Rule,
    states: &mut [Value],
    numbers: &[&Value],
    gradient: &Value,
    indices: &Value,
) -> Result<(), NumericError> {
    let shape = common_shape(states)?;
    let rows = rows_of(&shape, gradient, indices)?;
    update(rule, states, numbers, gradient, rows)
}

/// Checks that [`apply_rows`] can update a variable of `shape`.
///
/// # Errors
/// As for [`apply_rows`].
pub fn check_rows(shape: &Shape, gradient: &Value, indices: &Value) -> Result<(), NumericError> {
    rows_of(shape, gradient, indices).map(drop)
}

/// The result of [`apply`] for a variable that is a single number and has no slots; `None` if it is
/// not one, or the rule takes others.
pub fn apply_to_number(
    rule: Rule,
    variable: &Value,
    numbers: &[&Value],
    gradient: &Value,
) -> Option<Scalar> {
    match_dtype!(variable.dtype(), floats, T => {
        let mut updated: T = variable.as_scalar()?;
        let gradient: T = gradient.as_scalar()?;
        let numbers = numbers.iter().map(|number| number.as_scalar());
        let work = Work {
            numbers: numbers.collect::<Option<_>>()?,
            states: smallvec![std::slice::from_mut(&mut updated)],
            gradient: std::slice::from_ref(&gradient),
            parts: Parts::Whole,
        };
        rules::apply::<T>(rule, work).ok()?;
        Some(updated.into())
    }, else None)
}

fn rows_of<'a>(
    shape: &Shape,
    gradient: &Value,
    indices: &'a Value,
) -> Result<Parts<'a>, NumericError> {
    let ([extent, row @ ..], [count]) = (&shape[..], &indices.shape()[..]) else {
        let (expected, actual) = (1, shape.rank().min(indices.shape().rank()));
        return Err(NumericError::Rank { expected, actual });
    };
    let rows: Shape = [*count].iter().chain(row).copied().collect();
    expect_shape(gradient, &rows)?;
    Ok(Parts::Rows(Indices::below(indices, *extent)?, volume(row)))
}

fn common_shape(states: &[Value]) -> Result<Shape, NumericError> {
    let [variable, slots @ ..] = states else { return Err(NumericError::NoOperands) };
    slots.iter().try_for_each(|slot| expect_shape(slot, variable.shape()))?;
    Ok(variable.shape().clone())
}

fn update(
    rule: Rule,
    states: &mut [Value],
    numbers: &[&Value],
    gradient: &Value,
    parts: Parts<'_>,
) -> Result<(), NumericError> {
    let dtype = gradient.dtype();
    match_dtype!(dtype, floats, T => {
        let gradient = gradient.as_slice::<T>()?;
        let numbers = numbers.iter().map(|number| to_number(number)).collect::<Result<_, _>>()?;
        let states = states.iter_mut().map(Value::as_mut_slice).collect::<Result<_, _>>()?;
        rules::apply::<T>(rule, Work { states, numbers, gradient, parts })
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

fn to_number<T: Float>(value: &Value) -> Result<T, NumericError> {
    Ok(match value.dtype() {
        DType::I64 => T::from_f64(value.to_scalar::<i64>()? as f64),
        _ => value.to_scalar()?,
    })
}
