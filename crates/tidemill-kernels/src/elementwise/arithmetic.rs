use tidemill_value::DType;

use super::function::BinaryOp;
use super::integer::Integer;
use super::special::Special;
use super::{AnyBinary, Binary};
use crate::NumericError;
use crate::float::Float;

binary_functions! {
    /// `x + y`; integers wrap. TensorFlow's `Add` and `AddV2`.
    add Add {
        floats: (|x, y| x + y),
        integers: (|x, y| x.wrapping_add(y)),
    }

    /// `x - y`; integers wrap. TensorFlow's `Sub`.
    sub Sub {
        floats: (|x, y| x - y),
        integers: (|x, y| x.wrapping_sub(y)),
    }

    /// `x · y`; integers wrap. TensorFlow's `Mul`.
    mul Mul {
        floats: (|x, y| x * y),
        integers: (|x, y| x.wrapping_mul(y)),
    }

    /// `x / y`. Integers are truncated toward zero; the lowest one divided by -1 is itself.
    /// TensorFlow's `Div`, and its `RealDiv` on floats.
    ///
    /// The function fails with [`NumericError::DivisionByZero`] where an integer is divided by 0.
    div Div {
        floats: (|x, y| x / y),
        integers: (try |x, y| x.divide(y)),
    }

    /// The largest whole number that is not above `x / y`. TensorFlow's `FloorDiv`.
    ///
    /// The function fails with [`NumericError::DivisionByZero`] where an integer is divided by 0.
    floor_div FloorDiv {
        floats: (|x, y| (x / y).floor()),
        integers: (try |x, y| x.floor_divide(y)),
    }

    /// The remainder of [`floor_div`]; it has the sign of `y`. TensorFlow's `FloorMod`.
    ///
    /// The function fails with [`NumericError::DivisionByZero`] where an integer is divided by 0.
    floor_mod FloorMod {
        floats: (scalar |x, y| {
            let remainder = x % y;
            let opposite = (remainder < 0.0) != (y < 0.0);
            if remainder != 0.0 && opposite { remainder + y } else { remainder }
        }),
        integers: (try |x, y| x.floor_remainder(y)),
    }

    /// `x / y` without its fraction. TensorFlow's `TruncateDiv`.
    ///
    /// The function fails with [`NumericError::DivisionByZero`] where an integer is divided by 0.
    truncate_div TruncateDiv {
        floats: (|x, y| (x / y).trunc()),
        integers: (try |x, y| x.divide(y)),
    }

    /// The remainder of [`truncate_div`]; it has the sign of `x`. TensorFlow's `TruncateMod` and
    /// `Mod`.
    ///
    /// The function fails with [`NumericError::DivisionByZero`] where an integer is divided by 0.
    truncate_mod TruncateMod {
        floats: (scalar |x, y| x % y),
        integers: (try |x, y| x.remainder(y)),
    }

    /// `x` to the power of `y`; integers wrap. Anything to the power of 0 is 1, and so is 1 to
    /// the power of anything. TensorFlow's `Pow`.
    ///
    /// The function fails with [`NumericError::NegativeExponent`] where an integer exponent is
    /// negative.
    pow Pow {
        floats: (scalar |x, y| x.powf(y)),
        integers: (try |x, y| x.power(y)),
    }

    /// The larger of `x` and `y`; NaN where either is NaN. TensorFlow's `Maximum`.
    maximum Maximum {
        floats: (|x, y| if x < y || y.is_nan() { y } else { x }),
        integers: (|x, y| x.max(y)),
    }

    /// The smaller of `x` and `y`; NaN where either is NaN. TensorFlow's `Minimum`.
    minimum Minimum {
        floats: (|x, y| if y < x || y.is_nan() { y } else { x }),
        integers: (|x, y| x.min(y)),
    }

    /// `(x - y)²`; integers wrap. TensorFlow's `SquaredDifference`.
    squared_difference SquaredDifference {
        floats: (|x, y| (x - y) * (x - y)),
        integers: (|x, y| x.wrapping_sub(y).wrapping_mul(x.wrapping_sub(y))),
    }

    /// `x / y`, and 0 where `y` is 0. TensorFlow's `DivNoNan`.
    div_no_nan DivNoNan {
        floats: (|x, y| if y == 0.0 { 0.0 } else { x / y }),
    }

    /// `x · y`, and 0 where `y` is 0, even if `x` is infinite or NaN. TensorFlow's `MulNoNan`.
    mul_no_nan MulNoNan {
        floats: (|x, y| if y == 0.0 { 0.0 } else { x * y }),
    }

    /// `x · y`, and 0 where either is 0, even if the other is infinite or NaN.
    absorbing_mul AbsorbingMul {
        floats: (|x, y| if x == 0.0 || y == 0.0 { 0.0 } else { x * y }),
    }

    /// The angle of the point (`y`, `x`): the arc tangent of `x / y` in the right quadrant.
    /// TensorFlow's `Atan2`, whose first operand is the ordinate.
    atan2 Atan2 {
        floats: (scalar |x, y| x.atan2(y)),
    }

    /// `x · ln y`, and 0 where `x` is 0. TensorFlow's `Xlogy`.
    xlogy Xlogy {
        // A product of two NaNs may be either.
        floats: (pairs |x, y| {
            if x == 0.0 {
                0.0
            } else if x.is_nan() {
                x
            } else {
                x * Float::ln(y)
            }
        }),
    }

    /// `x / y`, and 0 where `x` is 0. TensorFlow's `Xdivy`.
    xdivy Xdivy {
        floats: (|x, y| if x == 0.0 { 0.0 } else { x / y }),
    }

    /// The derivative of order `x`, a natural number, of [`digamma`](super::digamma) at `y`; NaN
    /// for other orders. TensorFlow's `Polygamma`.
    polygamma Polygamma {
        floats: (scalar |x, y| Special::polygamma(x, y)),
    }

    /// Whether both are true. TensorFlow's `LogicalAnd`.
    logical_and LogicalAnd {
        bool: (|x, y| x & y),
    }

    /// Whether either is true. TensorFlow's `LogicalOr`.
    logical_or LogicalOr {
        bool: (|x, y| x | y),
    }
}
