//! The tables that define families of operations.

use tidemill_graph::{
    Arg, AttrDef, AttrKind, Fallible, GradCx, Grads, NodeBuilder, OpDef, OpError, Sample, TensorRef,
};
use tidemill_value::{DType, Value};

use crate::Tensor;
use crate::elementwise::{broadcast_shape, same_shape};
use crate::operand::tensor;

/// The gradients of a node's inputs, in order.
pub(crate) fn grads<const N: usize>(grads: [Option<Tensor>; N]) -> Grads {
    grads.into_iter().map(|grad| grad.map(TensorRef::from)).collect()
}

/// A node of another operation, with the attributes of the differentiated node that both operations
/// have.
pub(crate) fn beside<const N: usize>(
    op: &'static OpDef,
    cx: &GradCx<'_>,
    inputs: [Tensor; N],
) -> Result<Tensor, OpError> {
    let node = cx.node();
    let mut built = inputs.into_iter().fold(NodeBuilder::new(op), NodeBuilder::input);
    for attr in op.attrs.iter().filter(|attr| node.op().attr(attr.name).is_some()) {
        built = match attr.kind {
            AttrKind::Ints => built.attr(attr.name, &node.ints_attr(attr.name)?[..]),
            AttrKind::Int => built.attr(attr.name, node.int_attr(attr.name)?),
            AttrKind::Float => built.attr(attr.name, node.float_attr(attr.name)?),
            AttrKind::Str => built.attr(attr.name, node.str_attr(attr.name)?),
            AttrKind::Bool => built.attr(attr.name, node.bool_attr(attr.name)?),
            _ => built,
        };
    }
    Ok(tensor(built))
}

/// The type attribute `T` over all data types that arithmetic is defined on.
pub(crate) const NUMBERS: &[AttrDef] = &[AttrDef::widened("T", DType::NUMBERS)];
/// The type attribute `T` over the data types of numbers that can be negative.
pub(crate) const SIGNED: &[AttrDef] = &[AttrDef::widened(
    "T",
    &[
        DType::F32,
        DType::F64,
        DType::F16,
        DType::BF16,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
    ],
)];
/// The type attribute `T` over floats.
pub(crate) const FLOATS: &[AttrDef] = &[AttrDef::widened("T", DType::FLOATS)];

const X_AND_Y: &[Arg] = &[Arg::of("x", "T"), Arg::of("y", "T")];
const Y: &[Arg] = &[Arg::of("y", "T")];
const Z: &[Arg] = &[Arg::of("z", "T")];

/// An operation of one input and an output of its type and shape.
pub(crate) const fn unary_op(
    name: &'static str,
    summary: &'static str,
    input: &'static [Arg],
    types: &'static [AttrDef],
) -> OpDef {
    OpDef::new(name, summary)
        .inputs(input)
        .outputs(Y)
        .attrs(types)
        .fallible(Fallible::Never)
        .infer(same_shape)
}

/// An operation of two inputs of one type that broadcast.
pub(crate) const fn binary_op(
    name: &'static str,
    summary: &'static str,
    types: &'static [AttrDef],
) -> OpDef {
    OpDef::new(name, summary)
        .inputs(X_AND_Y)
        .outputs(Z)
        .attrs(types)
        .broadcasts()
        .infer(broadcast_shape)
}

/// A sample of lists of numbers: inputs and output.
pub(crate) fn sample<const N: usize, const M: usize>(
    inputs: [[f32; M]; N],
    output: [f32; M],
) -> Vec<Sample> {
    vec![Sample::new(inputs.map(Value::from), Value::from(output))]
}

/// The example of a row of a family: a call of its function, and the shape of its result.
macro_rules! example {
    ($function:ident($($argument:tt)*) => $shape:literal) => {
        concat!(
            "\n\n```\nuse tidemill_ops::*;\nlet y = ",
            stringify!($function($($argument)*)),
            ";\nassert_eq!(y.shape().to_string(), \"",
            $shape,
            "\");\n```"
        )
    };
}
pub(crate) use example;

/// Adds the gradient to an operation: a rule that returns the gradients of the inputs, or `none`.
macro_rules! with_gradient {
    ($op:expr, none) => {
        $op.not_differentiable()
    };
    ($op:expr, (|$cx:ident| $($grad:expr),+)) => {
        $op.gradient(|$cx| Ok($crate::family::grads([$(Some($grad)),+])))
    };
}
pub(crate) use with_gradient;

/// Declares element-wise operations of one input and their builder functions, a row for each:
///
/// ```text
/// /// Its documentation.
/// STATIC function = "TensorFlowName"("input"), TYPES, Function,
///     (|cx| gradient of the input) or none,
///     [sample input] => [sample output];
/// ```
macro_rules! unary_family {
    ($(
        #[doc = $summary:literal]
        $(#[doc = $doc:literal])*
        $op:ident $function:ident = $name:literal($input:literal), $types:ident, $scalar:ident,
            $gradient:tt,
            $sample:expr => $expected:expr;
    )*) => {$(
        #[doc = $summary]
        pub static $op: tidemill_graph::OpDef = $crate::family::with_gradient!(
            $crate::family::unary_op(
                $name,
                $summary,
                &[tidemill_graph::Arg::of($input, "T")],
                $crate::family::$types,
            )
            .scalar(tidemill_value::ScalarOp::Unary(tidemill_value::UnaryOp::$scalar))
            .kernel($crate::elementwise::scalar_kernel)
            .samples(|| $crate::family::sample([$sample], $expected)),
            $gradient
        );

        #[doc = $summary]
        $(#[doc = $doc])*
        #[doc = $crate::family::example!($function(constant([0.5_f32, 2.0])) => "[2]")]
        #[doc(alias = $name)]
        #[track_caller]
        pub fn $function(x: impl Into<$crate::Operand>) -> $crate::Tensor {
            $crate::operand::unary(&$op, x)
        }
    )*

        $crate::operations::table!(unary: [$($op),*] [$($function),*]);
    };
}
pub(crate) use unary_family;

/// Declares element-wise operations of two inputs that broadcast, a row for each, like
/// [`unary_family!`]; the name in brackets is the default name of nodes. For operations that can
/// fail on more than their shapes, the types are followed by the reason: `NUMBERS(Integers)`.
macro_rules! binary_family {
    ($(
        #[doc = $summary:literal]
        $(#[doc = $doc:literal])*
        $op:ident $function:ident = $name:literal [$node:literal],
            $types:ident $(($fallible:ident))?, $scalar:ident,
            $gradient:tt,
            $x:expr, $y:expr => $expected:expr;
    )*) => {$(
        #[doc = $summary]
        pub static $op: tidemill_graph::OpDef = $crate::family::with_gradient!(
            $crate::family::binary_op($name, $summary, $crate::family::$types)
                $(.fallible(tidemill_graph::Fallible::$fallible))?
                .scalar(tidemill_value::ScalarOp::Binary(tidemill_value::BinaryOp::$scalar))
                .kernel($crate::elementwise::scalar_kernel)
                .samples(|| $crate::family::sample([$x, $y], $expected)),
            $gradient
        );

        #[doc = $summary]
        $(#[doc = $doc])*
        ///
        /// Shapes broadcast; both operands have the same type, which a number takes from the other.
        #[doc = $crate::family::example!($function(constant([0.5_f32, 2.0]), 3.0) => "[2]")]
        #[doc(alias = $name)]
        #[track_caller]
        pub fn $function(
            x: impl Into<$crate::Operand>,
            y: impl Into<$crate::Operand>,
        ) -> $crate::Tensor {
            $crate::operand::binary(&$op, $node, x, y)
        }
    )*

        $crate::operations::table!(binary: [$($op),*] [$($function),*]);
    };
}
pub(crate) use binary_family;
