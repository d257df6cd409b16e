//! Comparisons, tests and logic.

use smallvec::SmallVec;
use tidemill_graph::{Arg, AttrDef, Fallible, Inferred, NodeView, OpDef, OpError, Sample};
use tidemill_kernels::elementwise as kernels;
use tidemill_value::{DType, Value};

use crate::elementwise::{
    binary_kernel, broadcast_shape, comparison_kernel, predicate_kernel, same_shape, unary_kernel,
};
use crate::operand::{binary, unary};
use crate::{Operand, Tensor};

const NUMBERS: &[AttrDef] = &[AttrDef::types("T", DType::NUMBERS)];
const EQUALITY: &[AttrDef] =
    &[AttrDef::types("T", DType::ALL), AttrDef::bool("incompatible_shape_error", true)];

const fn comparison(name: &'static str, summary: &'static str, types: &'static [AttrDef]) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("x", "T"), Arg::of("y", "T")] })
        .outputs(const { &[Arg::is("z", DType::Bool)] })
        .attrs(types)
        .broadcasts()
        .infer(compared_shape)
        .not_differentiable()
}

fn compared_shape(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    match node.bool_attr("incompatible_shape_error") {
        Ok(false) => Err(OpError::invalid("`incompatible_shape_error` = false is not supported")),
        _ => broadcast_shape(node),
    }
}

/// A sample over the three ways in which two numbers can compare, and NaN.
fn samples(expected: [bool; 4]) -> Vec<Sample> {
    let x = Value::from([1.0_f32, 2.0, 3.0, f32::NAN]);
    let y = Value::from([2.0_f32, 2.0, 2.0, f32::NAN]);
    vec![Sample::new([x, y], Value::from(expected))]
}

macro_rules! comparison_family {
    ($(
        #[doc = $summary:literal]
        $op:ident $function:ident = $name:literal, $types:ident, $expected:expr;
    )*) => {$(
        #[doc = $summary]
        pub static $op: OpDef = comparison($name, $summary, $types)
            .kernel(|node| comparison_kernel(node, kernels::$function))
            .samples(|| samples($expected));

        #[doc = $summary]
        ///
        /// The result is `bool`. Shapes broadcast; both operands are of one type, which a number
        /// takes from the other.
        #[doc(alias = $name)]
        #[track_caller]
        pub fn $function(x: impl Into<Operand>, y: impl Into<Operand>) -> Tensor {
            binary(&$op, $name, x, y)
        }
    )*};
}

comparison_family! {
    /// Whether `x` equals `y`. NaN equals nothing.
    EQUAL equal = "Equal", EQUALITY, [false, true, false, false];

    /// Whether `x` differs from `y`. NaN differs from everything.
    NOT_EQUAL not_equal = "NotEqual", EQUALITY, [true, false, true, true];

    /// Whether `x` is less than `y`.
    LESS less = "Less", NUMBERS, [true, false, false, false];

    /// Whether `x` is at most `y`.
    LESS_EQUAL less_equal = "LessEqual", NUMBERS, [true, true, false, false];

    /// Whether `x` is more than `y`.
    GREATER greater = "Greater", NUMBERS, [false, false, true, false];

    /// Whether `x` is at least `y`.
    GREATER_EQUAL greater_equal = "GreaterEqual", NUMBERS, [false, true, true, false];
}

const fn logical(name: &'static str, summary: &'static str, inputs: &'static [Arg]) -> OpDef {
    OpDef::new(name, summary)
        .inputs(inputs)
        .outputs(const { &[Arg::is("z", DType::Bool)] })
        .not_differentiable()
}

const BOTH: &[Arg] = &[Arg::is("x", DType::Bool), Arg::is("y", DType::Bool)];

fn truth_table(expected: [bool; 4]) -> Vec<Sample> {
    let x = Value::from([false, false, true, true]);
    let y = Value::from([false, true, false, true]);
    vec![Sample::new([x, y], Value::from(expected))]
}

/// Whether both hold.
pub static LOGICAL_AND: OpDef = logical("LogicalAnd", "Whether both hold.", BOTH)
    .broadcasts()
    .infer(broadcast_shape)
    .kernel(|node| binary_kernel(node, kernels::logical_and))
    .samples(|| truth_table([false, false, false, true]));

/// Whether one holds, or both.
pub static LOGICAL_OR: OpDef = logical("LogicalOr", "Whether one holds, or both.", BOTH)
    .broadcasts()
    .infer(broadcast_shape)
    .kernel(|node| binary_kernel(node, kernels::logical_or))
    .samples(|| truth_table([false, true, true, true]));

/// Whether it does not hold.
pub static LOGICAL_NOT: OpDef =
    logical("LogicalNot", "Whether it does not hold.", &[Arg::is("x", DType::Bool)])
        .fallible(Fallible::Never)
        .infer(same_shape)
        .kernel(|node| unary_kernel(node, kernels::logical_not))
        .samples(|| vec![Sample::new([Value::from([true, false])], Value::from([false, true]))]);

/// Whether both hold. Shapes broadcast.
#[doc(alias = "LogicalAnd")]
#[track_caller]
pub fn logical_and(x: impl Into<Operand>, y: impl Into<Operand>) -> Tensor {
    binary(&LOGICAL_AND, "LogicalAnd", x, y)
}

/// Whether one holds, or both. Shapes broadcast.
#[doc(alias = "LogicalOr")]
#[track_caller]
pub fn logical_or(x: impl Into<Operand>, y: impl Into<Operand>) -> Tensor {
    binary(&LOGICAL_OR, "LogicalOr", x, y)
}

/// Whether it does not hold.
#[doc(alias = "LogicalNot")]
#[track_caller]
pub fn logical_not(x: impl Into<Operand>) -> Tensor {
    unary(&LOGICAL_NOT, x)
}

macro_rules! predicate_family {
    ($(
        #[doc = $summary:literal]
        $op:ident $function:ident = $name:literal, $expected:expr;
    )*) => {$(
        #[doc = $summary]
        pub static $op: OpDef = OpDef::new($name, $summary)
            .inputs(&[Arg::of("x", "T")])
            .outputs(&[Arg::is("y", DType::Bool)])
            .attrs(crate::family::FLOATS)
            .fallible(Fallible::Never)
            .infer(same_shape)
            .not_differentiable()
            .kernel(|node| predicate_kernel(node, kernels::$function))
            .samples(|| {
                let x = Value::from([1.0_f32, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]);
                vec![Sample::new([x], Value::from($expected))]
            });

        #[doc = $summary]
        #[doc(alias = $name)]
        #[track_caller]
        pub fn $function(x: impl Into<Operand>) -> Tensor {
            unary(&$op, x)
        }
    )*};
}

predicate_family! {
    /// Whether a float is neither infinite nor NaN.
    IS_FINITE is_finite = "IsFinite", [true, false, false, false];

    /// Whether a float is infinite.
    IS_INF is_inf = "IsInf", [false, true, true, false];

    /// Whether a float is NaN.
    IS_NAN is_nan = "IsNan", [false, false, false, true];
}
