//! Quotients and remainders in their less common forms.

use super::array::{ones_like, zeros_like};
use super::compare::not_equal;
use super::gradient::reciprocal_grad;
use super::math::{neg, reciprocal};
use super::select::select;
use crate::Tensor;
use crate::family::{binary_family, unary_family};
use crate::operations::operations;

operations! {
    tables: binary, unary;
}

binary_family! {
    /// The quotient, `x / y`; for integers, truncated towards zero. Dividing an integer by zero is
    /// an error.
    ///
    /// It is the oldest of TensorFlow's divisions; prefer [`div`](super::arithmetic::div) and
    /// [`floor_div`](super::arithmetic::floor_div), whose names say what they do.
    DIV_V1 div_v1 = "Div"["div"], NUMBERS(Integers), Div,
        (|cx|
            cx.grad::<Tensor>() / cx.input::<Tensor>(1),
            cx.grad::<Tensor>()
                * (-cx.input::<Tensor>(0) / cx.input::<Tensor>(1) / cx.input::<Tensor>(1))),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [2.0, -0.5, -1.0];

    /// The quotient of floats, and 0 where `y` is 0.
    DIV_NO_NAN div_no_nan = "DivNoNan"["div_no_nan"], FLOATS, DivNoNan,
        (|cx|
            div_no_nan(cx.grad::<Tensor>(), cx.input::<Tensor>(1)),
            cx.grad::<Tensor>()
                * div_no_nan(
                    div_no_nan(neg(cx.input::<Tensor>(0)), cx.input::<Tensor>(1)),
                    cx.input::<Tensor>(1))),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [2.0, -0.5, -1.0];

    /// The product of floats, and 0 where `y` is 0, even if `x` is infinite or NaN.
    MUL_NO_NAN mul_no_nan = "MulNoNan"["mul_no_nan"], FLOATS, MulNoNan,
        (|cx|
            mul_no_nan(cx.grad::<Tensor>(), cx.input::<Tensor>(1)),
            mul_no_nan(cx.input::<Tensor>(0), cx.grad::<Tensor>())),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [0.5, -8.0, -0.25];

    /// The product of floats, and 0 where either is 0, even if the other is infinite or NaN.
    ///
    /// Gradients of products multiply with it: beside a zero, other elements may have an infinite
    /// product.
    ABSORBING_MUL absorbing_mul = "AbsorbingMul"["absorbing_mul"], FLOATS, AbsorbingMul,
        (|cx|
            absorbing_mul(cx.grad::<Tensor>(), cx.input::<Tensor>(1)),
            absorbing_mul(cx.input::<Tensor>(0), cx.grad::<Tensor>())),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [0.5, -8.0, -0.25];

    /// The quotient `x / y`, and 0 where `x` is 0, whatever `y` is.
    ///
    /// Where both are 0, there is no derivative, and the gradient is 0.
    XDIVY xdivy = "Xdivy"["Xdivy"], FLOATS, Xdivy,
        (|cx|
            cx.grad::<Tensor>() * reciprocal_where_defined(cx.input(0), cx.input(1)),
            cx.grad::<Tensor>()
                * xdivy(
                    xdivy(neg(cx.input::<Tensor>(0)), cx.input::<Tensor>(1)),
                    cx.input::<Tensor>(1))),
        [1.0, -2.0, 0.5], [0.5, 4.0, -0.5] => [2.0, -0.5, -1.0];

    /// The quotient rounded towards zero to a whole number. Dividing an integer by zero is an
    /// error.
    TRUNCATE_DIV truncate_div = "TruncateDiv"["TruncateDiv"], NUMBERS(Integers),
        TruncateDiv,
        none,
        [7.0, -7.0, 7.5], [2.0, 2.0, -2.0] => [3.0, -3.0, -3.0];

    /// The remainder of [`truncate_div`], which has the sign of `x`. Dividing an integer by zero
    /// is an error.
    TRUNCATE_MOD truncate_mod = "TruncateMod"["TruncateMod"], NUMBERS(Integers),
        TruncateMod,
        (|cx|
            cx.grad(),
            cx.grad::<Tensor>()
                * neg(truncate_div(cx.input::<Tensor>(0), cx.input::<Tensor>(1)))),
        [7.0, -7.0, 7.5], [2.0, 2.0, -2.0] => [1.0, -1.0, 1.5];

    /// The remainder that has the sign of `x`: the older name of [`truncate_mod`].
    MOD_V1 mod_v1 = "Mod"["mod"], NUMBERS(Integers), TruncateMod,
        (|cx|
            cx.grad(),
            cx.grad::<Tensor>()
                * neg(truncate_div(cx.input::<Tensor>(0), cx.input::<Tensor>(1)))),
        [7.0, -7.0, 7.5], [2.0, 2.0, -2.0] => [1.0, -1.0, 1.5];
}

/// The reciprocal of `y`, and 0 where both are 0.
fn reciprocal_where_defined(x: Tensor, y: Tensor) -> Tensor {
    let is_defined = not_equal(x, 0.0) | not_equal(y, 0.0);
    let safe = select(is_defined, y, ones_like(y));
    select(is_defined, reciprocal(safe), zeros_like(y))
}

unary_family! {
    /// The reciprocal, `1 / x`, under its older name; see [`reciprocal`].
    INV inv = "Inv"("x"), FLOATS, Reciprocal,
        (|cx| reciprocal_grad(cx.output(0), cx.grad())),
        [-1.5, -0.25, 0.5, 2.0] => [-0.6666667, -4.0, 2.0, 0.5];

    /// The nearest whole number; the even one of two equally near.
    ROUND round = "Round"("x"), NUMBERS, Rint,
        none,
        [-1.5, -0.25, 0.5, 2.75] => [-2.0, 0.0, 0.0, 3.0];
}
