//! The element-wise functions between the layers of neural networks.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use super::arithmetic::mul;
use super::array::concat;
use super::gradient::{
    elu_grad, relu_grad, relu6_grad, selu_grad, sigmoid_grad, softplus_grad, softsign_grad,
};
use super::math::{neg, square, tanh};
use super::special::erf;
use crate::family::unary_family;
use crate::operand::composite;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    tables: unary;
    exports: crelu, gelu, gelu_approximate, log_sigmoid, swish;
}

unary_family! {
    /// The logistic function, `1 / (1 + exp(-x))`.
    SIGMOID sigmoid = "Sigmoid"("x"), FLOATS, Sigmoid,
        (|cx| sigmoid_grad(cx.output(0), cx.grad())),
        [-1.5, -0.25, 0.5, 2.0] => [0.18242551, 0.4378235, 0.62245935, 0.8807971];

    /// A smooth rectifier, `log(1 + exp(x))`.
    SOFTPLUS softplus = "Softplus"("features"), FLOATS, Softplus,
        (|cx| softplus_grad(cx.grad(), cx.input(0))),
        [-1.5, -0.25, 0.5, 2.0] => [0.20141329, 0.5759394, 0.974077, 2.126928];

    /// The rectifier: `x` where it is positive, 0 elsewhere. NaN stays NaN.
    ///
    /// Its gradient at 0 is 0.
    RELU relu = "Relu"("features"), NUMBERS, Relu,
        (|cx| relu_grad(cx.grad(), cx.output(0))),
        [-1.5, -0.25, 0.5, 2.0] => [0.0, 0.0, 0.5, 2.0];

    /// The rectifier that saturates at 6.
    RELU6 relu6 = "Relu6"("features"), NUMBERS, Relu6,
        (|cx| relu6_grad(cx.grad(), cx.output(0))),
        [-1.5, -0.25, 2.0, 7.0] => [0.0, 0.0, 2.0, 6.0];

    /// The exponential linear unit: `exp(x) - 1` where `x` is negative, `x` elsewhere (Clevert
    /// et al., 2015).
    ELU elu = "Elu"("features"), FLOATS, Elu,
        (|cx| elu_grad(cx.grad(), cx.output(0))),
        [-1.5, -0.25, 0.5, 2.0] => [-0.77686983, -0.22119921, 0.5, 2.0];

    /// The scaled exponential linear unit, whose constants keep activations normalized
    /// (Klambauer et al., 2017).
    SELU selu = "Selu"("features"), FLOATS, Selu,
        (|cx| selu_grad(cx.grad(), cx.output(0))),
        [-1.5, -0.25, 0.5, 2.0] => [-1.3658144, -0.3888902, 0.5253505, 2.101402];

    /// The quotient `x / (1 + |x|)`.
    SOFTSIGN softsign = "Softsign"("features"), FLOATS, Softsign,
        (|cx| softsign_grad(cx.grad(), cx.input(0))),
        [-1.5, -0.25, 0.5, 2.0] => [-0.6, -0.2, 0.33333334, 0.6666667];
}

/// The rectifier of `x` and of `-x`, concatenated along the last axis.
///
/// ```
/// use tidemill_ops::{constant, crelu};
/// let y = crelu(constant([[1.0_f32, -2.0]]));
/// assert_eq!(y.shape().to_string(), "[1, 4]");
/// ```
#[track_caller]
pub fn crelu(x: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    composite(x.graph(), "CRelu", |_| relu(concat([x, neg(x)], -1)))
}

/// The Gaussian error linear unit, `x` times the probability that a standard normal number is
/// below it: `x * (1 + erf(x / √2)) / 2` (Hendrycks and Gimpel, 2016).
///
/// ```
/// use tidemill_ops::{constant, gelu};
/// assert_eq!(gelu(constant([1.0_f32, -1.0])).shape().to_string(), "[2]");
/// ```
#[track_caller]
pub fn gelu(x: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    composite(x.graph(), "Gelu", |_| mul(x, 0.5) * (erf(mul(x, FRAC_1_SQRT_2)) + 1.0))
}

/// [`gelu`] approximated with a hyperbolic tangent: `x * (1 + tanh(√(2 / π) * (x + 0.044715 * x³)))
/// / 2`.
///
/// ```
/// use tidemill_ops::{constant, gelu_approximate};
/// let y = gelu_approximate(constant([1.0_f32, -2.0]));
/// assert_eq!(y.shape().to_string(), "[2]");
/// ```
#[track_caller]
pub fn gelu_approximate(x: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    composite(x.graph(), "Gelu", |_| {
        let inner = (x + mul(square(x) * x, 0.044715)) * (FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
        mul(x, 0.5) * (tanh(inner) + 1.0)
    })
}

/// The sigmoid linear unit, `x * sigmoid(beta * x)` (Ramachandran et al., 2017).
///
/// ```
/// use tidemill_ops::{constant, swish};
/// let y = swish(constant([1.0_f32, -2.0]), 1.0);
/// assert_eq!(y.shape().to_string(), "[2]");
/// ```
#[doc(alias = "silu")]
#[track_caller]
pub fn swish(x: impl Into<Operand>, beta: impl Into<Operand>) -> Tensor {
    let (x, beta) = (x.into().to_tensor(), beta.into());
    composite(x.graph(), "swish", |_| x * sigmoid(mul(x, beta)))
}

/// The logarithm of [`sigmoid`], accurate even for tiny values: `-softplus(-x)`.
///
/// ```
/// use tidemill_ops::{constant, log_sigmoid};
/// let y = log_sigmoid(constant([1.0_f32, -2.0]));
/// assert_eq!(y.shape().to_string(), "[2]");
/// ```
#[track_caller]
pub fn log_sigmoid(x: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    composite(x.graph(), "LogSigmoid", |_| neg(softplus(neg(x))))
}
