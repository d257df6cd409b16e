use tidemill_value::DType;

use super::function::UnaryOp;
use super::special::Special;
use super::{AnyUnary, Unary};
use crate::float::Float;

unary_functions! {
    /// `-x`; the lowest integer wraps to itself. TensorFlow's `Neg`.
    neg Neg {
        floats: |x| -x,
        signed: |x| x.wrapping_neg(),
    }

    /// `|x|`; the lowest integer wraps to itself. TensorFlow's `Abs`.
    abs Abs {
        floats: |x| x.abs(),
        signed: |x| x.wrapping_abs(),
    }

    /// -1, 0 or 1 as `x` is below, at or above 0; NaN stays NaN. TensorFlow's `Sign`.
    sign Sign {
        floats: |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else if x == 0.0 { 0.0 } else { x },
        signed: |x| x.signum(),
    }

    /// `x²`; integers wrap. TensorFlow's `Square`.
    square Square {
        floats: |x| x * x,
        integers: |x| x.wrapping_mul(x),
    }

    /// The square root of `x`; NaN below 0. TensorFlow's `Sqrt`.
    sqrt Sqrt { floats: |x| x.sqrt() }

    /// `1 / √x`. TensorFlow's `Rsqrt`.
    rsqrt Rsqrt { floats: |x| 1.0 / x.sqrt() }

    /// `1 / x`. TensorFlow's `Reciprocal` and `Inv`.
    reciprocal Reciprocal { floats: |x| 1.0 / x }

    /// `e` to the power of `x`. TensorFlow's `Exp`.
    exp Exp { floats: |x| Float::exp(x) }

    /// `exp x - 1`, exact near 0 too. TensorFlow's `Expm1`.
    expm1 Expm1 { floats: |x| Float::exp_m1(x) }

    /// The natural logarithm of `x`. TensorFlow's `Log`.
    log Log { floats: |x| Float::ln(x) }

    /// The natural logarithm of `1 + x`, exact near 0 too. TensorFlow's `Log1p`.
    log1p Log1p { floats: |x| Float::ln_1p(x) }

    /// The sine of `x` radians. TensorFlow's `Sin`.
    sin Sin { floats: scalar |x| x.sin() }

    /// The cosine of `x` radians. TensorFlow's `Cos`.
    cos Cos { floats: scalar |x| x.cos() }

    /// The tangent of `x` radians. TensorFlow's `Tan`.
    tan Tan { floats: scalar |x| x.tan() }

    /// The arc sine of `x` in radians. TensorFlow's `Asin`.
    asin Asin { floats: scalar |x| x.asin() }

    /// The arc cosine of `x` in radians. TensorFlow's `Acos`.
    acos Acos { floats: scalar |x| x.acos() }

    /// The arc tangent of `x` in radians. TensorFlow's `Atan`.
    atan Atan { floats: scalar |x| x.atan() }

    /// The hyperbolic sine of `x`. TensorFlow's `Sinh`.
    sinh Sinh { floats: scalar |x| x.sinh() }

    /// The hyperbolic cosine of `x`. TensorFlow's `Cosh`.
    cosh Cosh { floats: scalar |x| x.cosh() }

    /// The hyperbolic tangent of `x`. TensorFlow's `Tanh`.
    tanh Tanh { floats: |x| Float::tanh(x) }

    /// The inverse of [`sinh`]. TensorFlow's `Asinh`.
    asinh Asinh { floats: scalar |x| x.asinh() }

    /// The inverse of [`cosh`]; NaN below 1. TensorFlow's `Acosh`.
    acosh Acosh { floats: scalar |x| x.acosh() }

    /// The inverse of [`tanh`]; NaN outside of -1 to 1. TensorFlow's `Atanh`.
    atanh Atanh { floats: scalar |x| x.atanh() }

    /// `1 / (1 + exp -x)`. TensorFlow's `Sigmoid`.
    sigmoid Sigmoid { floats: |x| logistic(x) }

    /// `ln(1 + exp x)`. TensorFlow's `Softplus`.
    softplus Softplus { floats: |x| log_one_plus_exp(x) }

    /// `x` where it is above 0, and 0 below; NaN stays NaN. TensorFlow's `Relu`.
    relu Relu {
        floats: |x| if x < 0.0 { 0.0 } else { x },
        signed: |x| x.max(0),
        unsigned: |x| x,
    }

    /// `x` between 0 and 6, 0 below and 6 above; NaN stays NaN. TensorFlow's `Relu6`.
    relu6 Relu6 {
        floats: |x| x.clamp(0.0, 6.0),
        signed: |x| x.clamp(0, 6),
        unsigned: |x| x.min(6),
    }

    /// `x` where it is above 0, and `exp x - 1` below. TensorFlow's `Elu`.
    elu Elu { floats: |x| if x < 0.0 { Float::exp(x) - 1.0 } else { x } }

    /// `scale · x` where it is above 0, and `scale · alpha · (exp x - 1)` below, with the
    /// constants of Klambauer et al. (2017). TensorFlow's `Selu`.
    selu Selu {
        floats: |x| scaled_exponential(x),
    }

    /// `x / (1 + |x|)`. TensorFlow's `Softsign`.
    softsign Softsign { floats: |x| x / (x.abs() + 1.0) }

    /// The error function, `2 / √π` times the integral of `exp -t²` from 0 to `x`. TensorFlow's
    /// `Erf`.
    erf Erf { floats: |x| x.error_function() }

    /// 1 minus the error function. TensorFlow's `Erfc`.
    erfc Erfc { floats: |x| x.complementary_error_function() }

    /// The logarithm of the absolute value of the gamma function. TensorFlow's `Lgamma`.
    lgamma Lgamma { floats: scalar |x| x.log_gamma() }

    /// The derivative of the logarithm of the gamma function; NaN at its poles. TensorFlow's
    /// `Digamma`.
    digamma Digamma { floats: scalar |x| Special::digamma(x) }

    /// The largest whole number that is not above `x`. TensorFlow's `Floor`.
    floor Floor { floats: |x| x.floor() }

    /// The smallest whole number that is not below `x`. TensorFlow's `Ceil`.
    ceil Ceil { floats: |x| x.ceil() }

    /// The nearest whole number to `x`; of two as near, the even one. TensorFlow's `Rint` and
    /// `Round`.
    rint Rint {
        floats: |x| x.round_ties_even(),
        integers: |x| x,
    }

    /// Whether `x` is false. TensorFlow's `LogicalNot`.
    logical_not LogicalNot { bool: |x| !x }
}

#[inline(always)]
fn scaled_exponential<T: Float>(x: T) -> T {
    if x < T::ZERO { T::SELU_SCALE_ALPHA * (x.exp() - T::ONE) } else { T::SELU_SCALE * x }
}

/// Only the exponential of `-|x|` is taken, so nothing overflows.
#[inline(always)]
fn logistic<T: Float>(x: T) -> T {
    let decay = (-x.abs()).exp();
    let numerator = if x < T::ZERO { decay } else { T::ONE };
    numerator / (T::ONE + decay)
}

/// Above the threshold, the exponential could overflow, and the result is `x` to the last bit.
#[inline(always)]
fn log_one_plus_exp<T: Float>(x: T) -> T {
    let threshold = -T::LN_EPSILON - T::TWO;
    if x > threshold { x } else { x.exp().ln_1p() }
}
