//! Arithmetic and logic.

use tidemill_graph::{Attrs, OpDef, TensorId};
use tidemill_ops::ops::{activation, arithmetic, batch_matmul, compare, math, matmul, nn};
use tidemill_value::{DType, Element, Value, match_dtype};

use super::rule::{Outcome, Rule, no, only_if, rule};
use crate::{GraphEdit, WhyNot};

pub(super) const RULES: &[Rule] = &[
    rule("mul-one", "x * 1 = x", &arithmetic::MUL, |e| neutral_right(e, is_one)),
    rule("one-mul", "1 * x = x", &arithmetic::MUL, |e| neutral_left(e, is_one)),
    rule("div-one", "x / 1 = x", &arithmetic::DIV, |e| neutral_right(e, is_one)),
    rule("floor-div-one", "x // 1 = x, of integers", &arithmetic::FLOOR_DIV, |e| {
        neutral_right(e, |value| value.dtype().is_integer() && is_one(value))
    }),
    // Adding positive zero would turn -0 into +0.
    rule("add-zero", "x + -0 = x; x + 0 = x, of integers", &arithmetic::ADD, |e| {
        neutral_right(e, is_negative_zero)
    }),
    rule("zero-add", "-0 + x = x; 0 + x = x, of integers", &arithmetic::ADD, |e| {
        neutral_left(e, is_negative_zero)
    }),
    rule("sub-zero", "x - 0 = x", &arithmetic::SUB, |e| neutral_right(e, is_positive_zero)),
    rule("neg-neg", "-(-x) = x", &math::NEG, |e| inner(e, &math::NEG)),
    rule("not-not", "!!x = x", &compare::LOGICAL_NOT, |e| inner(e, &compare::LOGICAL_NOT)),
    rule("abs-abs", "|(|x|)| = |x|", &math::ABS, |e| same(e, &math::ABS)),
    rule("abs-neg", "|-x| = |x|", &math::ABS, |e| through(e, &math::NEG)),
    rule("square-neg", "(-x)² = x²", &math::SQUARE, |e| through(e, &math::NEG)),
    rule("square-abs", "|x|² = x²", &math::SQUARE, |e| through(e, &math::ABS)),
    rule("relu-relu", "relu(relu(x)) = relu(x)", &activation::RELU, |e| same(e, &activation::RELU)),
    rule("floor-floor", "floor(floor(x)) = floor(x)", &math::FLOOR, |e| same(e, &math::FLOOR)),
    rule("ceil-ceil", "ceil(ceil(x)) = ceil(x)", &math::CEIL, |e| same(e, &math::CEIL)),
    rule("rint-rint", "rint(rint(x)) = rint(x)", &math::RINT, |e| same(e, &math::RINT)),
    rule("and-true", "x & true = x", &compare::LOGICAL_AND, |e| neutral_right(e, is_true)),
    rule("true-and", "true & x = x", &compare::LOGICAL_AND, |e| neutral_left(e, is_true)),
    rule("or-false", "x | false = x", &compare::LOGICAL_OR, |e| neutral_right(e, is_false)),
    rule("false-or", "false | x = x", &compare::LOGICAL_OR, |e| neutral_left(e, is_false)),
    rule("bias-add", "bias_add(x, b) = x + b, if the channels come last", &nn::BIAS_ADD, bias_add),
    rule("add-n-one", "sum of one tensor = the tensor", &arithmetic::ADD_N, |e| {
        only_if(e.instr().inputs.len() == 1, "there are several")?;
        e.input(0)
    }),
    rule("add-n", "sum of x, y, z = (x + y) + z, if one is a product", &arithmetic::ADD_N, add_n),
];

/// As an addition, it can be fused.
fn bias_add(edit: &mut GraphEdit<'_>) -> Outcome {
    let (x, bias) = (edit.input(0)?, edit.input(1)?);
    let rank = edit.fact(x).shape.rank().ok_or(WhyNot("the rank is not known"))?;
    let format = edit.with_view(|node| node.str_attr("data_format").map(|f| f.starts_with(b"NC")));
    let is_channels_first = format.map_err(|_| WhyNot("the format is not known"))?;
    only_if(rank == 2 || !is_channels_first, "the channels come first")?;
    only_if(!edit.may_fail(), "the bias may not fit")?;
    edit.add(&arithmetic::ADD, &Attrs::NONE, &[&[x], &[bias]])
}

/// Products can add what they are added to.
fn add_n(edit: &mut GraphEdit<'_>) -> Outcome {
    let is_product = |&x: &TensorId| {
        let op = edit.producer(x).op;
        (op == &matmul::OP || op == &batch_matmul::BATCH_MATMUL_V2) && edit.uses(x) == 1
    };
    only_if(edit.instr().inputs.iter().any(is_product), "there is no product to add to")?;
    only_if(!edit.may_fail(), "the shapes may differ")?;
    let inputs = edit.instr().inputs.clone();
    let (first, others) = inputs.split_first().ok_or(WhyNot("it lacks an input"))?;
    others
        .iter()
        .try_fold(*first, |sum, &x| edit.add(&arithmetic::ADD, &Attrs::NONE, &[&[sum], &[x]]))
}

/// The left operand, if the right one is a single number that is neutral.
fn neutral_right(edit: &GraphEdit<'_>, is_neutral: fn(&Value) -> bool) -> Outcome {
    neutral(edit, edit.input(0)?, edit.input(1)?, is_neutral)
}

/// The right operand, if the left one is a single number that is neutral.
fn neutral_left(edit: &GraphEdit<'_>, is_neutral: fn(&Value) -> bool) -> Outcome {
    neutral(edit, edit.input(1)?, edit.input(0)?, is_neutral)
}

fn neutral(
    edit: &GraphEdit<'_>,
    kept: TensorId,
    dropped: TensorId,
    is_neutral: fn(&Value) -> bool,
) -> Outcome {
    let Some(value) = edit.constant(dropped) else { return no("the other operand is no constant") };
    // A number of rank zero broadcasts to any shape, and never enlarges the other operand.
    only_if(value.shape().rank() == 0, "the constant is no single number")?;
    only_if(is_neutral(value), "the constant is not neutral")?;
    Ok(kept)
}

const OTHER_INPUT: &str = "the input is of another operation";

/// The input of the input, if that is of type `op`.
fn inner(edit: &GraphEdit<'_>, op: &OpDef) -> Outcome {
    let inner = edit.produced_by(edit.input(0)?, op).ok_or(WhyNot(OTHER_INPUT))?;
    inner.inputs.first().copied().ok_or(WhyNot(OTHER_INPUT))
}

/// The input, if it is of type `op`.
fn same(edit: &GraphEdit<'_>, op: &OpDef) -> Outcome {
    let input = edit.input(0)?;
    only_if(edit.produced_by(input, op).is_some(), OTHER_INPUT)?;
    Ok(input)
}

/// The same operation on the input of the input, if that is of type `op`.
fn through(edit: &mut GraphEdit<'_>, op: &OpDef) -> Outcome {
    let input = inner(edit, op)?;
    let root = edit.instr().op;
    edit.add(root, &Attrs::NONE, &[&[input]])
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
