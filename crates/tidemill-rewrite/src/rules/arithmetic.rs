//! Arithmetic and logic.

use tidemill_graph::{Attrs, OpDef, TensorId};
use tidemill_ops::ops::{activation, compare, math};
use tidemill_value::{DType, Element, Value, match_dtype};

use super::rule::{Rule, rule};
use crate::GraphEdit;

pub(super) const RULES: &[Rule] = &[
    rule("mul-one", "x * 1 = x", "Mul", |e| neutral_right(e, is_one)),
    rule("one-mul", "1 * x = x", "Mul", |e| neutral_left(e, is_one)),
    rule("div-one", "x / 1 = x", "RealDiv", |e| neutral_right(e, is_one)),
    rule("floor-div-one", "x // 1 = x, of integers", "FloorDiv", |e| {
        neutral_right(e, |value| value.dtype().is_integer() && is_one(value))
    }),
    // Adding positive zero would turn -0 into +0.
    rule("add-zero", "x + -0 = x; x + 0 = x, of integers", "AddV2", |e| {
        neutral_right(e, is_negative_zero)
    }),
    rule("zero-add", "-0 + x = x; 0 + x = x, of integers", "AddV2", |e| {
        neutral_left(e, is_negative_zero)
    }),
    rule("sub-zero", "x - 0 = x", "Sub", |e| neutral_right(e, is_positive_zero)),
    rule("neg-neg", "-(-x) = x", "Neg", |e| inner(e, &math::NEG)),
    rule("not-not", "!!x = x", "LogicalNot", |e| inner(e, &compare::LOGICAL_NOT)),
    rule("abs-abs", "|(|x|)| = |x|", "Abs", |e| same(e, &math::ABS)),
    rule("abs-neg", "|-x| = |x|", "Abs", |e| through(e, &math::NEG)),
    rule("square-neg", "(-x)² = x²", "Square", |e| through(e, &math::NEG)),
    rule("square-abs", "|x|² = x²", "Square", |e| through(e, &math::ABS)),
    rule("relu-relu", "relu(relu(x)) = relu(x)", "Relu", |e| same(e, &activation::RELU)),
    rule("floor-floor", "floor(floor(x)) = floor(x)", "Floor", |e| same(e, &math::FLOOR)),
    rule("ceil-ceil", "ceil(ceil(x)) = ceil(x)", "Ceil", |e| same(e, &math::CEIL)),
    rule("rint-rint", "rint(rint(x)) = rint(x)", "Rint", |e| same(e, &math::RINT)),
    rule("and-true", "x & true = x", "LogicalAnd", |e| neutral_right(e, is_true)),
    rule("true-and", "true & x = x", "LogicalAnd", |e| neutral_left(e, is_true)),
    rule("or-false", "x | false = x", "LogicalOr", |e| neutral_right(e, is_false)),
    rule("false-or", "false | x = x", "LogicalOr", |e| neutral_left(e, is_false)),
    rule("add-n-one", "sum of one tensor = the tensor", "AddN", |e| {
        if e.node().inputs.len() == 1 { e.input(0) } else { None }
    }),
];

/// The left operand, if the right one is a single number that is neutral.
fn neutral_right(edit: &GraphEdit<'_>, is_neutral: fn(&Value) -> bool) -> Option<TensorId> {
    neutral(edit, edit.input(0)?, edit.input(1)?, is_neutral)
}

/// The right operand, if the left one is a single number that is neutral.
fn neutral_left(edit: &GraphEdit<'_>, is_neutral: fn(&Value) -> bool) -> Option<TensorId> {
    neutral(edit, edit.input(1)?, edit.input(0)?, is_neutral)
}

fn neutral(
    edit: &GraphEdit<'_>,
    kept: TensorId,
    dropped: TensorId,
    is_neutral: fn(&Value) -> bool,
) -> Option<TensorId> {
    let value = edit.constant(dropped)?;
    // A number of rank zero broadcasts to any shape, and never enlarges the other operand.
    (value.shape().rank() == 0 && is_neutral(value)).then_some(kept)
}

/// The input of the input, if that is of type `op`.
fn inner(edit: &GraphEdit<'_>, op: &OpDef) -> Option<TensorId> {
    edit.produced_by(edit.input(0)?, op)?.inputs.first().copied()
}

/// The input, if it is of type `op`.
fn same(edit: &GraphEdit<'_>, op: &OpDef) -> Option<TensorId> {
    let input = edit.input(0)?;
    edit.produced_by(input, op).map(|_| input)
}

/// The same operation on the input of the input, if that is of type `op`.
fn through(edit: &mut GraphEdit<'_>, op: &OpDef) -> Option<TensorId> {
    let input = inner(edit, op)?;
    let root = edit.node().op;
    edit.add(root, Attrs::NONE, [input])
}

fn only<T: Element>(value: &Value) -> Option<T> {
    value.as_slice::<T>().ok()?.first().cloned()
}

fn is_one(value: &Value) -> bool {
    match_dtype!(value.dtype(), numbers, T => only::<T>(value) == Some(1 as T), else false)
}

fn is_positive_zero(value: &Value) -> bool {
    match value.dtype() {
        DType::F32 => only::<f32>(value).is_some_and(|x| x.to_bits() == 0),
        DType::F64 => only::<f64>(value).is_some_and(|x| x.to_bits() == 0),
        _ => is_integer_zero(value),
    }
}

fn is_negative_zero(value: &Value) -> bool {
    match value.dtype() {
        DType::F32 => only::<f32>(value).is_some_and(|x| x.to_bits() == (-0f32).to_bits()),
        DType::F64 => only::<f64>(value).is_some_and(|x| x.to_bits() == (-0f64).to_bits()),
        _ => is_integer_zero(value),
    }
}

fn is_integer_zero(value: &Value) -> bool {
    match_dtype!(value.dtype(), integers, T => only::<T>(value) == Some(0), else false)
}

fn is_true(value: &Value) -> bool {
    only::<bool>(value) == Some(true)
}

fn is_false(value: &Value) -> bool {
    only::<bool>(value) == Some(false)
}
