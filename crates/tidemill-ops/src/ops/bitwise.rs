//! Operations on the bits of integers.

use tidemill_graph::{Arg, AttrDef, Kernel, NodeView, OpDef, OpError, Sample};
use tidemill_kernels::elementwise::{self, cast, clip};
use tidemill_kernels::with_binary;
use tidemill_value::{BinaryOp, DType, ScalarOp, UnaryOp, Value};

use crate::elementwise::{broadcast, scalar_kernel};
use crate::family::{binary_op, example, unary_op};
use crate::kernel::kernel;
use crate::operand::{binary, unary};
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: BITWISE_AND, BITWISE_OR, BITWISE_XOR, INVERT, LEFT_SHIFT, RIGHT_SHIFT;
    exports: bitwise_and, bitwise_or, bitwise_xor, invert, left_shift, right_shift;
}

const INTEGERS: &[AttrDef] = &[AttrDef::widened("T", DType::INTEGERS)];
/// For functions that depend on the number of bits.
const OWN_BITS: &[AttrDef] = &[AttrDef::types("T", DType::INTEGERS)];

macro_rules! bitwise_family {
    ($(
        #[doc = $summary:literal]
        $(#[doc = $doc:literal])*
        $op:ident $function:ident = $name:literal, $scalar:ident, $types:ident, $kernel:ident,
            $x:expr, $y:expr => $expected:expr;
    )*) => {$(
        #[doc = $summary]
        pub static $op: OpDef = binary_op($name, $summary, $types)
            .not_differentiable()
            .scalar(ScalarOp::Binary(BinaryOp::$scalar))
            .kernel($kernel)
            .samples(|| vec![Sample::new([$x, $y].map(Value::from), Value::from($expected))]);

        #[doc = $summary]
        $(#[doc = $doc])*
        ///
        /// Shapes broadcast; both operands have the same type, which a number takes from the other.
        #[doc = example!($function(constant([12, 5]), 3) => "[2]")]
        #[doc(alias = $name)]
        #[track_caller]
        pub fn $function(x: impl Into<Operand>, y: impl Into<Operand>) -> Tensor {
            binary(&$op, $name, x, y)
        }
    )*};
}

bitwise_family! {
    /// The bits that are set in both of two integers.
    BITWISE_AND bitwise_and = "BitwiseAnd", BitwiseAnd, INTEGERS, scalar_kernel,
        [12, 5, -1], [10, 3, 7] => [8, 1, 7];

    /// The bits that are set in either of two integers.
    BITWISE_OR bitwise_or = "BitwiseOr", BitwiseOr, INTEGERS, scalar_kernel,
        [12, 5, -1], [10, 3, 7] => [14, 7, -1];

    /// The bits that are set in one of two integers, but not in both.
    BITWISE_XOR bitwise_xor = "BitwiseXor", BitwiseXor, INTEGERS, scalar_kernel,
        [12, 5, -1], [10, 3, 7] => [6, 6, -8];

    /// The bits of `x` moved up by `y`.
    ///
    /// A negative `y` counts as 0, one that is too large as one less than the number of bits.
    LEFT_SHIFT left_shift = "LeftShift", LeftShift, OWN_BITS, shift_kernel,
        [1, 5, -1], [3, 0, 2] => [8, 5, -4];

    /// The bits of `x` moved down by `y`; a negative `x` stays negative.
    ///
    /// A negative `y` counts as 0, one that is too large as one less than the number of bits.
    RIGHT_SHIFT right_shift = "RightShift", RightShift, OWN_BITS, shift_kernel,
        [8, 5, -4], [3, 0, 1] => [1, 5, -2];
}

/// A kernel for a shift. Short integers are shifted in their wide type, but not by more bits than
/// they have.
fn shift_kernel(node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    let (op, dtype) = (node.op(), node.dtype(0));
    let wide = dtype.wide();
    let function = match op.scalar {
        Some(ScalarOp::Binary(function)) if wide != dtype => function,
        _ => return scalar_kernel(node),
    };
    let unsupported = OpError::UnsupportedDType { op: op.name, dtype };
    let shift = elementwise::binary_loops(function, wide).ok_or(unsupported)?;
    let [least, most] = [0, 8 * dtype.size() as i64 - 1].map(Value::scalar);
    Ok(kernel(move |cx| {
        let [x, by] = [cast(cx.memory, cx.input(0)?, wide)?, cast(cx.memory, cx.input(1)?, wide)?];
        let by =
            clip(cx.memory, &by, &cast(cx.memory, &least, wide)?, &cast(cx.memory, &most, wide)?)?;
        Ok(cast(cx.memory, &with_binary!(shift, f => broadcast(cx.memory, &f, &x, &by))?, dtype)?)
    }))
}

/// The bits that are not set in an integer.
pub static INVERT: OpDef =
    unary_op("Invert", "The bits that are not set in an integer.", &[Arg::of("x", "T")], INTEGERS)
        .not_differentiable()
        .scalar(ScalarOp::Unary(UnaryOp::Invert))
        .kernel(scalar_kernel)
        .samples(|| vec![Sample::new([Value::from([0, 5, -1])], Value::from([-1, -6, 0]))]);

/// The bits that are not set in `x`.
///
/// ```
/// use tidemill_ops::{constant, invert};
/// assert_eq!(invert(constant([0_u8, 255])).shape().to_string(), "[2]");
/// ```
#[doc(alias = "Invert")]
#[track_caller]
pub fn invert(x: impl Into<Operand>) -> Tensor {
    unary(&INVERT, x)
}
