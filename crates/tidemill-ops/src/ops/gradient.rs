//! The operations of the gradients of element-wise functions. They have gradients themselves.

use tidemill_graph::{Arg, OpDef, Sample};
use tidemill_value::{BinaryOp, ScalarOp, Value};

use super::activation::sigmoid;
use super::array::zeros_like;
use super::compare::less;
use super::division::{mul_no_nan, xdivy};
use super::math::{abs, sign, square};
use super::select::select;
use crate::Tensor;
use crate::elementwise::{equal_shape, scalar_kernel};
use crate::family::{FLOATS, NUMBERS, grads};
use crate::operand::tensor;
use crate::operations::operations;

operations! {
    ops:
        ELU_GRAD, RECIPROCAL_GRAD, RELU6_GRAD, RELU_GRAD, RSQRT_GRAD, SELU_GRAD, SIGMOID_GRAD,
        SOFTPLUS_GRAD, SOFTSIGN_GRAD, SQRT_GRAD, TANH_GRAD;
}

/// `dy` is the gradient of the output, `y` the output.
const OUTPUT_AND_GRADIENT: &[Arg] = &[Arg::of("y", "T"), Arg::of("dy", "T")];
const GRADIENT_AND_FEATURES: &[Arg] = &[Arg::of("gradients", "T"), Arg::of("features", "T")];
const GRADIENT_AND_OUTPUTS: &[Arg] = &[Arg::of("gradients", "T"), Arg::of("outputs", "T")];

const fn gradient_op(name: &'static str, summary: &'static str, inputs: &'static [Arg]) -> OpDef {
    OpDef::new(name, summary)
        .inputs(inputs)
        .outputs(const { &[Arg::of("z", "T")] })
        .attrs(FLOATS)
        .infer(equal_shape)
}

fn samples(inputs: [[f32; 3]; 2], output: [f32; 3]) -> Vec<Sample> {
    vec![Sample::new(inputs.map(Value::from), Value::from(output))]
}

/// The gradient of `Sigmoid`.
pub static SIGMOID_GRAD: OpDef =
    gradient_op("SigmoidGrad", "`dy * y * (1 - y)`.", OUTPUT_AND_GRADIENT)
        .scalar(ScalarOp::Binary(BinaryOp::SigmoidGrad))
        .kernel(scalar_kernel)
        .gradient(|cx| {
            let (y, dy, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
            let by_dy = grad * dy;
            Ok(grads([Some(by_dy - 2.0 * by_dy * y), Some(sigmoid_grad(y, grad))]))
        })
        .samples(|| samples([[0.25, 0.5, 0.75], [1.0, 2.0, -1.0]], [0.1875, 0.5, -0.1875]));

/// The gradient of `Tanh`.
pub static TANH_GRAD: OpDef = gradient_op("TanhGrad", "`dy * (1 - y * y)`.", OUTPUT_AND_GRADIENT)
    .scalar(ScalarOp::Binary(BinaryOp::TanhGrad))
    .kernel(scalar_kernel)
    .gradient(|cx| {
        let (y, dy, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
        Ok(grads([Some(grad * -2.0 * dy * y), Some(tanh_grad(y, grad))]))
    })
    .samples(|| samples([[0.5, 0.0, -0.5], [1.0, 2.0, 4.0]], [0.75, 2.0, 3.0]));

/// The gradient of `Sqrt`.
pub static SQRT_GRAD: OpDef =
    gradient_op("SqrtGrad", "`dy * 0.5 / y`, and 0 where `dy` is.", OUTPUT_AND_GRADIENT)
        .scalar(ScalarOp::Binary(BinaryOp::SqrtGrad))
        .kernel(scalar_kernel)
        .gradient(|cx| {
            let (y, z, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.output(0), cx.grad());
            Ok(grads([Some(-grad * xdivy(z, y)), Some(sqrt_grad(y, grad))]))
        })
        .samples(|| samples([[0.5, 2.0, -1.0], [1.0, 3.0, 4.0]], [1.0, 0.75, -2.0]));

/// The gradient of `Rsqrt`.
pub static RSQRT_GRAD: OpDef =
    gradient_op("RsqrtGrad", "`dy * -0.5 * y * y * y`.", OUTPUT_AND_GRADIENT)
        .scalar(ScalarOp::Binary(BinaryOp::RsqrtGrad))
        .kernel(scalar_kernel)
        .gradient(|cx| {
            let (y, dy, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
            let of_y = grad * mul_no_nan(-1.5 * square(y), dy);
            Ok(grads([Some(of_y), Some(rsqrt_grad(y, grad))]))
        })
        .samples(|| samples([[1.0, 2.0, -1.0], [1.0, 3.0, 4.0]], [-0.5, -12.0, 2.0]));

/// The gradient of `Reciprocal`.
pub static RECIPROCAL_GRAD: OpDef =
    gradient_op("ReciprocalGrad", "`-dy * y * y`.", OUTPUT_AND_GRADIENT)
        .scalar(ScalarOp::Binary(BinaryOp::ReciprocalGrad))
        .kernel(scalar_kernel)
        .gradient(|cx| {
            let (y, dy, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
            let of_y = grad * mul_no_nan(-2.0 * y, dy);
            Ok(grads([Some(of_y), Some(reciprocal_grad(y, grad))]))
        })
        .samples(|| samples([[1.0, 2.0, -1.0], [1.0, 3.0, 4.0]], [-1.0, -12.0, -4.0]));

/// The gradient of `Softplus`.
pub static SOFTPLUS_GRAD: OpDef =
    gradient_op("SoftplusGrad", "`gradients / (exp(-features) + 1)`.", GRADIENT_AND_FEATURES)
        .scalar(ScalarOp::Binary(BinaryOp::SoftplusGrad))
        .kernel(scalar_kernel)
        .gradient(|cx| {
            let (dy, x, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
            let of_x = sigmoid_grad(sigmoid(x), grad * dy);
            Ok(grads([Some(softplus_grad(grad, x)), Some(of_x)]))
        })
        .samples(|| samples([[1.0, 2.0, 4.0], [0.0, 0.5, -1.0]], [0.5, 1.2449187, 1.0757657]));

/// The gradient of `Relu`.
pub static RELU_GRAD: OpDef = gradient_op(
    "ReluGrad",
    "The gradients where the features are positive, 0 elsewhere.",
    GRADIENT_AND_FEATURES,
)
.attrs(NUMBERS)
.scalar(ScalarOp::Binary(BinaryOp::ReluGrad))
.kernel(scalar_kernel)
.gradient(|cx| {
    let x: Tensor = cx.input(1);
    Ok(grads([Some(relu_grad(cx.grad(), x)), Some(zeros_like(x))]))
})
.samples(|| samples([[1.0, 2.0, 4.0], [0.5, -0.5, 2.0]], [1.0, 0.0, 4.0]));

/// The gradient of `Relu6`.
pub static RELU6_GRAD: OpDef = gradient_op(
    "Relu6Grad",
    "The gradients where the features are between 0 and 6, 0 elsewhere.",
    GRADIENT_AND_FEATURES,
)
.attrs(NUMBERS)
.scalar(ScalarOp::Binary(BinaryOp::Relu6Grad))
.kernel(scalar_kernel)
.gradient(|cx| {
    let x: Tensor = cx.input(1);
    Ok(grads([Some(relu6_grad(cx.grad(), x)), Some(zeros_like(x))]))
})
.samples(|| samples([[1.0, 2.0, 4.0], [0.5, -0.5, 7.0]], [1.0, 0.0, 0.0]));

/// The gradient of `Elu`.
pub static ELU_GRAD: OpDef = gradient_op(
    "EluGrad",
    "`gradients * (outputs + 1)` where the outputs are negative, the gradients elsewhere.",
    GRADIENT_AND_OUTPUTS,
)
.scalar(ScalarOp::Binary(BinaryOp::EluGrad))
.kernel(scalar_kernel)
.gradient(|cx| {
    let (dy, y, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
    let of_y = select(less(y, 0.0), grad * dy, zeros_like(y));
    Ok(grads([Some(elu_grad(grad, y)), Some(of_y)]))
})
.samples(|| samples([[1.0, 2.0, 4.0], [-0.5, 0.5, -0.25]], [0.5, 2.0, 3.0]));

/// The gradient of `Selu`.
pub static SELU_GRAD: OpDef = gradient_op(
    "SeluGrad",
    "`gradients * (outputs + scale * alpha)` where the outputs are negative, \
     `gradients * scale` elsewhere.",
    GRADIENT_AND_OUTPUTS,
)
.scalar(ScalarOp::Binary(BinaryOp::SeluGrad))
.kernel(scalar_kernel)
.gradient(|cx| {
    let (dy, y, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
    let of_y = select(less(y, 0.0), grad * dy, zeros_like(y));
    Ok(grads([Some(selu_grad(grad, y)), Some(of_y)]))
})
.samples(|| samples([[1.0, 2.0, 4.0], [-0.5, 0.5, -0.25]], [1.2580993, 2.101402, 6.0323973]));

/// The gradient of `Softsign`.
pub static SOFTSIGN_GRAD: OpDef =
    gradient_op("SoftsignGrad", "`gradients / (1 + |features|)²`.", GRADIENT_AND_FEATURES)
        .scalar(ScalarOp::Binary(BinaryOp::SoftsignGrad))
        .kernel(scalar_kernel)
        .gradient(|cx| {
            let (dy, x, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
            let of_x = softsign_grad(grad * dy, x) * -2.0 * sign(x) / (abs(x) + 1.0);
            Ok(grads([Some(softsign_grad(grad, x)), Some(of_x)]))
        })
        .samples(|| samples([[1.0, 2.0, 4.0], [1.0, -0.5, 0.25]], [0.25, 0.8888889, 2.56]));

macro_rules! gradient_functions {
    ($($function:ident($x:ident, $y:ident) = $op:ident;)*) => {$(
        #[track_caller]
        pub(crate) fn $function($x: Tensor, $y: Tensor) -> Tensor {
            tensor(tidemill_graph::NodeBuilder::new(&$op).input($x).input($y))
        }
    )*};
}

gradient_functions! {
    sigmoid_grad(y, dy) = SIGMOID_GRAD;
    tanh_grad(y, dy) = TANH_GRAD;
    sqrt_grad(y, dy) = SQRT_GRAD;
    rsqrt_grad(y, dy) = RSQRT_GRAD;
    reciprocal_grad(y, dy) = RECIPROCAL_GRAD;
    softplus_grad(dy, x) = SOFTPLUS_GRAD;
    relu_grad(dy, x) = RELU_GRAD;
    relu6_grad(dy, x) = RELU6_GRAD;
    elu_grad(dy, y) = ELU_GRAD;
    selu_grad(dy, y) = SELU_GRAD;
    softsign_grad(dy, x) = SOFTSIGN_GRAD;
}
