//! Element-wise functions of one input.

use super::arithmetic::mul;
use super::division::mul_no_nan;
use super::gradient::{reciprocal_grad, rsqrt_grad, sqrt_grad, tanh_grad};
use crate::Tensor;
use crate::family::unary_family;
use crate::operations::operations;

operations! {
    tables: unary;
}

unary_family! {
    /// The negative, `-x`.
    NEG neg = "Neg"("x"), SIGNED, Neg,
        (|cx| -cx.grad::<Tensor>()),
        [-1.5, -0.25, 0.5, 2.0] => [1.5, 0.25, -0.5, -2.0];

    /// The absolute value. Its gradient at 0 is 0.
    ABS abs = "Abs"("x"), SIGNED, Abs,
        (|cx| cx.grad::<Tensor>() * sign(cx.input::<Tensor>(0))),
        [-1.5, -0.25, 0.5, 2.0] => [1.5, 0.25, 0.5, 2.0];

    /// -1, 0 or 1, as `x` is negative, zero or positive; NaN for NaN.
    ///
    /// Its gradient is zero.
    SIGN sign = "Sign"("x"), SIGNED, Sign,
        (|cx| super::array::zeros_like(cx.grad::<Tensor>())),
        [-1.5, -0.25, 0.5, 2.0] => [-1.0, -1.0, 1.0, 1.0];

    /// The square, `x * x`.
    SQUARE square = "Square"("x"), NUMBERS, Square,
        (|cx| cx.grad::<Tensor>() * mul(cx.input::<Tensor>(0), 2.0)),
        [-1.5, -0.25, 0.5, 2.0] => [2.25, 0.0625, 0.25, 4.0];

    /// The square root; NaN for negative numbers.
    ///
    /// Its gradient is 0 wherever the incoming gradient is, even at 0.
    SQRT sqrt = "Sqrt"("x"), FLOATS, Sqrt,
        (|cx| sqrt_grad(cx.output(0), cx.grad())),
        [0.25, 0.5, 1.0, 3.0] => [0.5, 0.70710677, 1.0, 1.7320508];

    /// The reciprocal of the square root.
    RSQRT rsqrt = "Rsqrt"("x"), FLOATS, Rsqrt,
        (|cx| rsqrt_grad(cx.output(0), cx.grad())),
        [0.3, 0.6, 1.2, 3.0] => [1.8257418, 1.2909944, 0.9128709, 0.57735026];

    /// The reciprocal, `1 / x`.
    RECIPROCAL reciprocal = "Reciprocal"("x"), FLOATS, Reciprocal,
        (|cx| reciprocal_grad(cx.output(0), cx.grad())),
        [-1.5, -0.25, 0.5, 2.0] => [-0.6666667, -4.0, 2.0, 0.5];

    /// The exponential function.
    ///
    /// Where the function is 0, so is its gradient, whatever the incoming gradient.
    EXP exp = "Exp"("x"), FLOATS, Exp,
        (|cx| mul_no_nan(cx.grad::<Tensor>(), cx.output::<Tensor>(0))),
        [-1.5, -0.25, 0.5, 2.0] => [0.22313017, 0.7788008, 1.6487212, 7.389056];

    /// The exponential function minus one, exact for small numbers.
    EXPM1 expm1 = "Expm1"("x"), FLOATS, Expm1,
        (|cx| cx.grad::<Tensor>() * exp(cx.input::<Tensor>(0))),
        [-1.5, -0.25, 0.5, 2.0] => [-0.77686983, -0.22119921, 0.6487213, 6.389056];

    /// The natural logarithm; negative infinity at 0, NaN for negative numbers.
    LOG log = "Log"("x"), FLOATS, Log,
        (|cx| cx.grad::<Tensor>() * reciprocal(cx.input::<Tensor>(0))),
        [0.3, 0.6, 1.2, 3.0] => [-1.2039728, -0.5108256, 0.1823216, 1.0986123];

    /// The natural logarithm of one plus the number, exact for small numbers.
    LOG1P log1p = "Log1p"("x"), FLOATS, Log1p,
        (|cx| cx.grad::<Tensor>() * reciprocal(cx.input::<Tensor>(0) + 1.0)),
        [0.3, 0.6, 1.2, 3.0] => [0.26236427, 0.47000366, 0.7884574, 1.3862944];

    /// The sine of an angle in radians.
    SIN sin = "Sin"("x"), FLOATS, Sin,
        (|cx| cx.grad::<Tensor>() * cos(cx.input::<Tensor>(0))),
        [-1.5, -0.25, 0.5, 2.0] => [-0.997495, -0.24740396, 0.47942555, 0.9092974];

    /// The cosine of an angle in radians.
    COS cos = "Cos"("x"), FLOATS, Cos,
        (|cx| -cx.grad::<Tensor>() * sin(cx.input::<Tensor>(0))),
        [-1.5, -0.25, 0.5, 2.0] => [0.0707372, 0.9689124, 0.87758255, -0.41614684];

    /// The tangent of an angle in radians.
    TAN tan = "Tan"("x"), FLOATS, Tan,
        (|cx| cx.grad::<Tensor>() * square(reciprocal(cos(cx.input::<Tensor>(0))))),
        [-0.75, -0.25, 0.0, 0.5] => [-0.93159646, -0.25534192, 0.0, 0.5463025];

    /// The angle in radians of a sine; NaN outside of -1 to 1.
    ASIN asin = "Asin"("x"), FLOATS, Asin,
        (|cx| cx.grad::<Tensor>() * rsqrt(1.0 - square(cx.input::<Tensor>(0)))),
        [-0.7, -0.2, 0.1, 0.6] => [-0.7753975, -0.20135793, 0.10016742, 0.64350116];

    /// The angle in radians of a cosine; NaN outside of -1 to 1.
    ACOS acos = "Acos"("x"), FLOATS, Acos,
        (|cx| -cx.grad::<Tensor>() * rsqrt(1.0 - square(cx.input::<Tensor>(0)))),
        [-0.7, -0.2, 0.1, 0.6] => [2.3461938, 1.7721542, 1.4706289, 0.9272952];

    /// The angle in radians of a tangent.
    ATAN atan = "Atan"("x"), FLOATS, Atan,
        (|cx| cx.grad::<Tensor>() * reciprocal(square(cx.input::<Tensor>(0)) + 1.0)),
        [-1.5, -0.25, 0.5, 2.0] => [-0.98279375, -0.24497867, 0.4636476, 1.1071488];

    /// The hyperbolic sine.
    SINH sinh = "Sinh"("x"), FLOATS, Sinh,
        (|cx| cx.grad::<Tensor>() * cosh(cx.input::<Tensor>(0))),
        [-1.5, -0.25, 0.5, 2.0] => [-2.1292794, -0.25261232, 0.5210953, 3.6268604];

    /// The hyperbolic cosine.
    COSH cosh = "Cosh"("x"), FLOATS, Cosh,
        (|cx| cx.grad::<Tensor>() * sinh(cx.input::<Tensor>(0))),
        [-1.5, -0.25, 0.5, 2.0] => [2.3524096, 1.0314131, 1.127626, 3.7621958];

    /// The hyperbolic tangent.
    TANH tanh = "Tanh"("x"), FLOATS, Tanh,
        (|cx| tanh_grad(cx.output(0), cx.grad())),
        [-1.5, -0.25, 0.5, 2.0] => [-0.9051483, -0.24491866, 0.46211714, 0.9640276];

    /// The inverse of the hyperbolic sine.
    ASINH asinh = "Asinh"("x"), FLOATS, Asinh,
        (|cx| cx.grad::<Tensor>() / cosh(cx.output::<Tensor>(0))),
        [-1.5, -0.25, 0.5, 2.0] => [-1.1947632, -0.24746647, 0.48121184, 1.4436355];

    /// The inverse of the hyperbolic cosine; NaN below 1.
    ACOSH acosh = "Acosh"("x"), FLOATS, Acosh,
        (|cx| cx.grad::<Tensor>() / sinh(cx.output::<Tensor>(0))),
        [1.1, 1.6, 2.2, 3.0] => [0.4435683, 1.046968, 1.425417, 1.7627472];

    /// The inverse of the hyperbolic tangent; NaN outside of -1 to 1.
    ATANH atanh = "Atanh"("x"), FLOATS, Atanh,
        (|cx| cx.grad::<Tensor>() * reciprocal(1.0 - square(cx.input::<Tensor>(0)))),
        [-0.75, -0.25, 0.0, 0.5] => [-0.9729551, -0.25541282, 0.0, 0.54930615];

    /// The largest whole number that is at most `x`.
    FLOOR floor = "Floor"("x"), FLOATS, Floor,
        none,
        [-1.5, -0.25, 0.5, 2.0] => [-2.0, -1.0, 0.0, 2.0];

    /// The smallest whole number that is at least `x`.
    CEIL ceil = "Ceil"("x"), FLOATS, Ceil,
        none,
        [-1.5, -0.25, 0.5, 2.0] => [-1.0, -0.0, 1.0, 2.0];

    /// The nearest whole number; the even one of two equally near.
    RINT rint = "Rint"("x"), FLOATS, Rint,
        none,
        [-1.5, -0.25, 0.5, 2.5] => [-2.0, -0.0, 0.0, 2.0];
}
