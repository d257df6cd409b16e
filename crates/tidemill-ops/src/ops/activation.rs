//! The element-wise functions between the layers of neural networks.

use tidemill_kernels::elementwise as kernels;

use super::gradient::{elu_grad, relu_grad, relu6_grad, sigmoid_grad, softplus_grad};
use crate::family::unary_family;

unary_family! {
    /// The logistic function, `1 / (1 + exp(-x))`.
    SIGMOID sigmoid = "Sigmoid"("x"), FLOATS, kernels::sigmoid,
        (|cx| sigmoid_grad(cx.output(0), cx.grad())),
        [-1.5, -0.25, 0.5, 2.0] => [0.18242551, 0.4378235, 0.62245935, 0.8807971];

    /// A smooth rectifier, `log(1 + exp(x))`.
    SOFTPLUS softplus = "Softplus"("features"), FLOATS, kernels::softplus,
        (|cx| softplus_grad(cx.grad(), cx.input(0))),
        [-1.5, -0.25, 0.5, 2.0] => [0.20141329, 0.5759394, 0.974077, 2.126928];

    /// The rectifier: `x` where it is positive, 0 elsewhere. NaN stays NaN.
    ///
    /// Its gradient at 0 is 0.
    RELU relu = "Relu"("features"), NUMBERS, kernels::relu,
        (|cx| relu_grad(cx.grad(), cx.output(0))),
        [-1.5, -0.25, 0.5, 2.0] => [0.0, 0.0, 0.5, 2.0];

    /// The rectifier that saturates at 6.
    RELU6 relu6 = "Relu6"("features"), NUMBERS, kernels::relu6,
        (|cx| relu6_grad(cx.grad(), cx.output(0))),
        [-1.5, -0.25, 2.0, 7.0] => [0.0, 0.0, 2.0, 6.0];

    /// The exponential linear unit: `exp(x) - 1` where `x` is negative, `x` elsewhere (Clevert
    /// et al., 2015).
    ELU elu = "Elu"("features"), FLOATS, kernels::elu,
        (|cx| elu_grad(cx.grad(), cx.output(0))),
        [-1.5, -0.25, 0.5, 2.0] => [-0.77686983, -0.22119921, 0.5, 2.0];
}
