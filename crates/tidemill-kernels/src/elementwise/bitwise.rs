use tidemill_value::DType;

use super::function::{BinaryOp, UnaryOp};
use super::integer::Integer;
use super::{AnyBinary, AnyUnary, Binary, Unary};
use crate::NumericError;

binary_functions! {
    /// The bits that are set in both. TensorFlow's `BitwiseAnd`.
    bitwise_and BitwiseAnd { integers: (|x, y| x & y) }

    /// The bits that are set in either. TensorFlow's `BitwiseOr`.
    bitwise_or BitwiseOr { integers: (|x, y| x | y) }

    /// The bits that are set in one, but not in both. TensorFlow's `BitwiseXor`.
    bitwise_xor BitwiseXor { integers: (|x, y| x ^ y) }

    /// The bits of `x` moved up by `y`, which is taken as 0 below it, and as one less than the
    /// number of bits above that. TensorFlow's `LeftShift`.
    left_shift LeftShift { integers: (|x, y| x.shift_left(y)) }

    /// The bits of `x` moved down by `y`, which is limited as in [`left_shift`]; a negative
    /// number stays negative. TensorFlow's `RightShift`.
    right_shift RightShift { integers: (|x, y| x.shift_right(y)) }
}

unary_functions! {
    /// The bits that are not set. TensorFlow's `Invert`.
    invert Invert { integers: |x| !x }
}
