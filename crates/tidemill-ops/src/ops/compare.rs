//! Comparisons, tests and logic.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Fallible, Inferred, Kernel, KernelCx, KernelError, NodeView, OpDef, OpError,
    Sample,
};
use tidemill_value::{
    BinaryOp, CompareOp, DType, PartialShape, PredicateOp, ScalarOp, UnaryOp, Value, broadcast,
};

use crate::elementwise::{broadcast_shape, same_shape, scalar_kernel};
use crate::family::example;
use crate::operand::{binary, composite, unary};
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops:
        EQUAL, GREATER, GREATER_EQUAL, IS_FINITE, IS_INF, IS_NAN, LESS, LESS_EQUAL, LOGICAL_AND,
        LOGICAL_NOT, LOGICAL_OR, NOT_EQUAL;
    exports:
        equal, greater, greater_equal, is_finite, is_inf, is_nan, less, less_equal, logical_and,
        logical_not, logical_or, logical_xor, not_equal;
}

const NUMBERS: &[AttrDef] = &[AttrDef::widened("T", DType::NUMBERS)];
const EQUALITY: &[AttrDef] =
    &[AttrDef::widened("T", DType::ALL), AttrDef::bool(MUST_BROADCAST, true)];

const fn comparison(name: &'static str, summary: &'static str, types: &'static [AttrDef]) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("x", "T"), Arg::of("y", "T")] })
        .outputs(const { &[Arg::is("z", DType::Bool)] })
        .attrs(types)
        .broadcasts()
        .infer(compared_shape)
        .not_differentiable()
}

/// The attribute of `Equal` and `NotEqual` that requires shapes to broadcast. If it is false and
/// they do not, the tensors differ as a whole.
const MUST_BROADCAST: &str = "incompatible_shape_error";

fn must_broadcast(node: &NodeView<'_>) -> bool {
    node.bool_attr(MUST_BROADCAST).unwrap_or(true)
}

fn compared_shape(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    if must_broadcast(node) {
        return broadcast_shape(node);
    }
    let (left, right) = (node.shape(0), node.shape(1));
    match left.broadcast(right) {
        Ok(shape) if left.is_known() && right.is_known() => Inferred::one(shape),
        Ok(_) => Inferred::one(PartialShape::unknown()),
        Err(_) => Inferred::one(PartialShape::scalar()),
    }
}

/// Compares with `kernel`, unless the shapes need not broadcast and do not.
struct WholeKernel {
    kernel: Box<dyn Kernel>,
    /// The result for tensors that differ as a whole.
    differ: bool,
}

impl Kernel for WholeKernel {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        match broadcast(cx.input(0)?.shape(), cx.input(1)?.shape()) {
            Ok(_) => self.kernel.run(cx),
            Err(_) => {
                cx.set(0, Value::scalar(self.differ));
                Ok(())
            }
        }
    }
}

fn compare(node: &NodeView<'_>, kernel: Box<dyn Kernel>) -> Box<dyn Kernel> {
    match must_broadcast(node) {
        true => kernel,
        false => Box::new(WholeKernel { kernel, differ: *node.op() == NOT_EQUAL }),
    }
}

/// A sample over the three ways in which two numbers can compare, and NaN.
fn samples(expected: [bool; 4]) -> Vec<Sample> {
    let x = Value::from([1.0_f32, 2.0, 3.0, f32::NAN]);
    let y = Value::from([2.0_f32, 2.0, 2.0, f32::NAN]);
    vec![Sample::new([x, y], Value::from(expected))]
}

/// [`samples`], and tensors whose shapes do not broadcast.
fn equality_samples(expected: [bool; 4]) -> Vec<Sample> {
    let shapes = [Value::from([1.0_f32, 2.0]), Value::from([1.0_f32, 2.0, 3.0])];
    let differ = Sample::new(shapes, Value::from(expected[0])).attr(MUST_BROADCAST, false);
    [samples(expected), vec![differ]].concat()
}

macro_rules! comparison_family {
    ($(
        #[doc = $summary:literal]
        $op:ident $function:ident = $name:literal, $scalar:ident, $types:ident, $samples:expr;
    )*) => {$(
        #[doc = $summary]
        pub static $op: OpDef = comparison($name, $summary, $types)
            .scalar(ScalarOp::Compare(CompareOp::$scalar))
            .kernel(|node| Ok(compare(node, scalar_kernel(node)?)))
            .samples(|| $samples);

        #[doc = $summary]
        ///
        /// The result is `bool`. Shapes broadcast; both operands have the same type, which a number
        /// takes from the other.
        #[doc = example!($function(constant([0.5_f32, 2.0]), 1.0) => "[2]")]
        #[doc(alias = $name)]
        #[track_caller]
        pub fn $function(x: impl Into<Operand>, y: impl Into<Operand>) -> Tensor {
            binary(&$op, $name, x, y)
        }
    )*};
}

comparison_family! {
    /// Whether `x` equals `y`. NaN equals nothing.
    EQUAL equal = "Equal", Equal, EQUALITY, equality_samples([false, true, false, false]);

    /// Whether `x` differs from `y`. NaN differs from everything.
    NOT_EQUAL not_equal = "NotEqual", NotEqual, EQUALITY, equality_samples([true, false, true, true]);

    /// Whether `x` is less than `y`.
    LESS less = "Less", Less, NUMBERS, samples([true, false, false, false]);

    /// Whether `x` is at most `y`.
    LESS_EQUAL less_equal = "LessEqual", LessEqual, NUMBERS, samples([true, true, false, false]);

    /// Whether `x` is greater than `y`.
    GREATER greater = "Greater", Greater, NUMBERS, samples([false, false, true, false]);

    /// Whether `x` is at least `y`.
    GREATER_EQUAL greater_equal = "GreaterEqual", GreaterEqual, NUMBERS, samples([false, true, true, false]);
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

/// The logical and.
pub static LOGICAL_AND: OpDef = logical("LogicalAnd", "The logical and.", BOTH)
    .broadcasts()
    .infer(broadcast_shape)
    .scalar(ScalarOp::Binary(BinaryOp::LogicalAnd))
    .kernel(scalar_kernel)
    .samples(|| truth_table([false, false, false, true]));

/// The logical or.
pub static LOGICAL_OR: OpDef = logical("LogicalOr", "The logical or.", BOTH)
    .broadcasts()
    .infer(broadcast_shape)
    .scalar(ScalarOp::Binary(BinaryOp::LogicalOr))
    .kernel(scalar_kernel)
    .samples(|| truth_table([false, true, true, true]));

/// The logical not.
pub static LOGICAL_NOT: OpDef =
    logical("LogicalNot", "The logical not.", &[Arg::is("x", DType::Bool)])
        .outputs(&[Arg::is("y", DType::Bool)])
        .fallible(Fallible::Never)
        .infer(same_shape)
        .scalar(ScalarOp::Unary(UnaryOp::LogicalNot))
        .kernel(scalar_kernel)
        .samples(|| vec![Sample::new([Value::from([true, false])], Value::from([false, true]))]);

/// The logical and. Shapes broadcast.
///
/// ```
/// use tidemill_ops::{constant, logical_and};
/// let both = logical_and(constant([true, false]), true);
/// assert_eq!(both.shape().to_string(), "[2]");
/// ```
#[doc(alias = "LogicalAnd")]
#[track_caller]
pub fn logical_and(x: impl Into<Operand>, y: impl Into<Operand>) -> Tensor {
    binary(&LOGICAL_AND, "LogicalAnd", x, y)
}

/// The logical or. Shapes broadcast.
///
/// ```
/// use tidemill_ops::{constant, logical_or};
/// let one = logical_or(constant([true, false]), true);
/// assert_eq!(one.shape().to_string(), "[2]");
/// ```
#[doc(alias = "LogicalOr")]
#[track_caller]
pub fn logical_or(x: impl Into<Operand>, y: impl Into<Operand>) -> Tensor {
    binary(&LOGICAL_OR, "LogicalOr", x, y)
}

/// True where exactly one is true. Shapes broadcast.
///
/// ```
/// use tidemill_ops::{constant, logical_xor};
/// let one = logical_xor(constant([true, false]), true);
/// assert_eq!(one.shape().to_string(), "[2]");
/// ```
#[track_caller]
pub fn logical_xor(x: impl Into<Operand>, y: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    let y = y.into().to_tensor_beside(x, "y");
    composite(x.graph(), "LogicalXor", |_| {
        logical_and(logical_or(x, y), logical_not(logical_and(x, y)))
    })
}

/// True where `x` is false.
///
/// ```
/// use tidemill_ops::{constant, logical_not};
/// assert_eq!(logical_not(constant([true, false])).shape().to_string(), "[2]");
/// ```
#[doc(alias = "LogicalNot")]
#[track_caller]
pub fn logical_not(x: impl Into<Operand>) -> Tensor {
    unary(&LOGICAL_NOT, x)
}

macro_rules! predicate_family {
    ($(
        #[doc = $summary:literal]
        $op:ident $function:ident = $name:literal, $scalar:ident, $expected:expr;
    )*) => {$(
        #[doc = $summary]
        pub static $op: OpDef = OpDef::new($name, $summary)
            .inputs(&[Arg::of("x", "T")])
            .outputs(&[Arg::is("y", DType::Bool)])
            .attrs(crate::family::FLOATS)
            .fallible(Fallible::Never)
            .infer(same_shape)
            .not_differentiable()
            .scalar(ScalarOp::Predicate(PredicateOp::$scalar))
            .kernel(scalar_kernel)
            .samples(|| {
                let x = Value::from([1.0_f32, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]);
                vec![Sample::new([x], Value::from($expected))]
            });

        #[doc = $summary]
        #[doc = example!($function(constant([0.5_f32, 2.0])) => "[2]")]
        #[doc(alias = $name)]
        #[track_caller]
        pub fn $function(x: impl Into<Operand>) -> Tensor {
            unary(&$op, x)
        }
    )*};
}

predicate_family! {
    /// Whether a float is neither infinite nor NaN.
    IS_FINITE is_finite = "IsFinite", IsFinite, [true, false, false, false];

    /// Whether a float is infinite.
    IS_INF is_inf = "IsInf", IsInf, [false, true, true, false];

    /// Whether a float is NaN.
    IS_NAN is_nan = "IsNan", IsNan, [false, false, false, true];
}
