//! Element-wise functions beyond arithmetic: the error function, the relatives of the gamma
//! function, and products with logarithms.

use std::f32::consts::LN_2;
use std::f64::consts::FRAC_2_SQRT_PI;

use tidemill_graph::{OpDef, Sample};
use tidemill_value::{BinaryOp, ScalarOp, Value};

use super::arithmetic::mul;
use super::array::ones_like;
use super::compare::{greater, greater_equal, not_equal};
use super::division::xdivy;
use super::math::{abs, exp, log, neg, square};
use super::select::select;
use crate::elementwise::scalar_kernel;
use crate::family::{FLOATS, binary_family, grads, unary_family};
use crate::operand::binary;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    tables: binary, unary;
    ops: POLYGAMMA;
    exports: polygamma;
}

unary_family! {
    /// The error function: 2 / √π times the integral of exp(-t²) from 0 to `x`. Its values are
    /// between -1 and 1.
    ERF erf = "Erf"("x"), FLOATS, Erf,
        (|cx| cx.grad::<Tensor>() * bell_curve(cx.input(0))),
        [-1.5, -0.25, 0.5, 2.0] => [-0.96610516, -0.2763264, 0.5204999, 0.9953223];

    /// One minus the error function, accurate where it is tiny.
    ERFC erfc = "Erfc"("x"), FLOATS, Erfc,
        (|cx| neg(cx.grad::<Tensor>() * bell_curve(cx.input(0)))),
        [-1.5, -0.25, 0.5, 2.0] => [1.9661052, 1.2763264, 0.4795001, 0.004677735];

    /// The logarithm of the absolute value of the gamma function.
    LGAMMA lgamma = "Lgamma"("x"), FLOATS, Lgamma,
        (|cx| cx.grad::<Tensor>() * digamma(cx.input::<Tensor>(0))),
        [0.3, 0.6, 1.2, 3.0] => [1.095798, 0.39823386, -0.08537409, LN_2];

    /// The derivative of the logarithm of the gamma function; NaN at its poles, 0 and the
    /// negative whole numbers.
    DIGAMMA digamma = "Digamma"("x"), FLOATS, Digamma,
        (|cx| cx.grad::<Tensor>() * polygamma(1.0, cx.input::<Tensor>(0))),
        [0.5, 1.0, 2.0, 3.0] => [-1.96351, -0.5772157, 0.42278434, 0.9227843];
}

/// The derivative of the error function.
fn bell_curve(x: Tensor) -> Tensor {
    mul(exp(neg(square(x))), FRAC_2_SQRT_PI)
}

/// A derivative of the digamma function.
pub static POLYGAMMA: OpDef = crate::family::binary_op(
    "Polygamma",
    "The derivative of order `a` of the digamma function.",
    FLOATS,
)
.inputs(&[tidemill_graph::Arg::of("a", "T"), tidemill_graph::Arg::of("x", "T")])
.gradient(|cx| {
    let (a, x, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
    Ok(grads([None, Some(grad * polygamma(a + 1.0, x))]))
})
.scalar(ScalarOp::Binary(BinaryOp::Polygamma))
.kernel(scalar_kernel)
.samples(|| {
    let (a, x) = (Value::from(1.0_f32), Value::from([0.5_f32, 1.0, 2.0, 3.0]));
    let trigamma = Value::from([4.934802_f32, 1.644934, 0.6449341, 0.3949341]);
    // Between the natural numbers there is no order, so it has no differences.
    vec![Sample::new([a, x], trigamma).at_kink()]
});

/// The derivative of order `a`, a natural number, of [`digamma`] at `x`; NaN for other orders.
///
/// Shapes broadcast; both operands are of one type, which a number takes from the other. The
/// order has no gradient.
///
/// ```
/// use tidemill_ops::{constant, polygamma};
/// assert_eq!(polygamma(1.0_f32, constant([1.0_f32, 2.0])).shape().to_string(), "[2]");
/// ```
#[doc(alias = "Polygamma")]
#[track_caller]
pub fn polygamma(a: impl Into<Operand>, x: impl Into<Operand>) -> Tensor {
    binary(&POLYGAMMA, "Polygamma", a, x)
}

binary_family! {
    /// The angle, from -π to π, of the point with the ordinate `x` and the abscissa `y`.
    ///
    /// It is the arc tangent of `x / y`, in the correct quadrant. The first operand is the ordinate.
    ATAN2 atan2 = "Atan2"["Atan2"], FLOATS, Atan2,
        (|cx|
            cx.grad::<Tensor>() * slopes_of_angle(cx.input(0), cx.input(1)).0,
            cx.grad::<Tensor>() * slopes_of_angle(cx.input(0), cx.input(1)).1),
        [0.5, 1.0, -1.0], [2.0, -0.5, 0.25] => [0.24497867, 2.0344439, -1.3258177];

    /// The product `x * log(y)`, and 0 where `x` is 0, whatever `y` is.
    ///
    /// Where `x` is 0 and `y` is not positive, there is no derivative, and the gradient is 0.
    XLOGY xlogy = "Xlogy"["Xlogy"], FLOATS, Xlogy,
        (|cx|
            cx.grad::<Tensor>() * log_where_defined(cx.input(0), cx.input(1)),
            cx.grad::<Tensor>() * xdivy(cx.input::<Tensor>(0), cx.input::<Tensor>(1))),
        [2.0, -1.0, 0.5], [0.5, 3.0, 1.0] => [-1.3862944, -1.0986123, 0.0];
}

/// The derivatives of the angle with respect to its ordinate, `y / (x² + y²)`, and its abscissa,
/// `-x / (x² + y²)`. They are computed from the quotient of the smaller and the larger coordinate,
/// because the squares could overflow or vanish.
fn slopes_of_angle(x: Tensor, y: Tensor) -> (Tensor, Tensor) {
    let is_flat = greater_equal(abs(y), abs(x));
    let (larger, smaller) = (select(is_flat, y, x), select(is_flat, x, y));
    let quotient = smaller / larger;
    let distance = larger + smaller * quotient;
    let one = ones_like(quotient);
    let by_x = select(is_flat, one, quotient) / distance;
    (by_x, neg(select(is_flat, quotient, one)) / distance)
}

/// The logarithm of `y`, and 0 where `x` is 0 and the logarithm is not finite.
fn log_where_defined(x: Tensor, y: Tensor) -> Tensor {
    let is_defined = not_equal(x, 0.0) | greater(y, 0.0);
    log(select(is_defined, y, ones_like(y)))
}
