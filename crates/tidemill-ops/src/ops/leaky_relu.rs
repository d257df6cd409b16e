//! `LeakyRelu` and its gradient.

use tidemill_graph::{Arg, Attr, AttrDef, KernelCx, KernelError, NodeBuilder, OpDef, Sample};
use tidemill_kernels::elementwise as kernels;
use tidemill_value::{DType, Value};

use super::array::zeros_like;
use crate::elementwise::{equal_shape, same_shape};
use crate::family::grads;
use crate::operand::tensor;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: LEAKY_RELU, LEAKY_RELU_GRAD;
    exports: leaky_relu;
}

const ATTRS: &[AttrDef] = &[AttrDef::float("alpha", 0.2), AttrDef::widened("T", DType::FLOATS)];

/// The rectifier that scales negative numbers by a factor.
pub static LEAKY_RELU: OpDef =
    OpDef::new("LeakyRelu", "The rectifier that scales negative numbers by a factor.")
        .inputs(&[Arg::of("features", "T")])
        .outputs(&[Arg::of("activations", "T")])
        .attrs(ATTRS)
        .fallible(tidemill_graph::Fallible::Never)
        .infer(same_shape)
        .gradient(|cx| {
            let alpha = cx.node().float_attr("alpha")?;
            Ok(grads([Some(leaky_relu_grad(cx.grad(), cx.input(0), alpha))]))
        })
        .kernel(|node| {
            let alpha = node.float_attr("alpha")?;
            Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let features = cx.take_unique(0)?;
                cx.set(0, kernels::leaky_relu(features, alpha)?);
                Ok(())
            }))
        })
        .samples(|| {
            let x = || Value::from([-1.5_f32, -0.25, 0.5, 2.0]);
            vec![
                Sample::new([x()], Value::from([-0.3_f32, -0.05, 0.5, 2.0])),
                Sample::new([x()], Value::from([-3.0_f32, -0.5, 0.5, 2.0]))
                    .attr("alpha", Attr::Float(2.0)),
            ]
        });

/// The gradient of `LeakyRelu`.
pub static LEAKY_RELU_GRAD: OpDef =
    OpDef::new("LeakyReluGrad", "The gradients where the features are positive, scaled elsewhere.")
        .inputs(&[Arg::of("gradients", "T"), Arg::of("features", "T")])
        .outputs(&[Arg::of("backprops", "T")])
        .attrs(ATTRS)
        .infer(equal_shape)
        .gradient(|cx| {
            let alpha = cx.node().float_attr("alpha")?;
            let x: Tensor = cx.input(1);
            Ok(grads([Some(leaky_relu_grad(cx.grad(), x, alpha)), Some(zeros_like(x))]))
        })
        .kernel(|node| {
            let alpha = node.float_attr("alpha")?;
            Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let gradients = cx.take_unique(0)?;
                let backprops = kernels::leaky_relu_grad(gradients, cx.input(1)?, alpha)?;
                cx.set(0, backprops);
                Ok(())
            }))
        })
        .samples(|| {
            let gradients = Value::from([1.0_f32, 2.0, 4.0]);
            let features = Value::from([0.5_f32, -0.5, 2.0]);
            let sample = Sample::new([gradients, features], Value::from([1.0_f32, 0.2, 4.0]));
            vec![sample.attr("alpha", Attr::Float(0.1))]
        });

#[track_caller]
fn leaky_relu_grad(dy: Tensor, x: Tensor, alpha: f32) -> Tensor {
    let node = NodeBuilder::new(&LEAKY_RELU_GRAD).input(dy).input(x);
    tensor(node.attr("alpha", Attr::Float(alpha)))
}

/// The leaky rectifier: `x` where it is positive, `alpha * x` elsewhere (Maas et al., 2013).
/// TensorFlow's default `alpha` is 0.2.
///
/// Its gradient at 0 is `alpha`.
///
/// ```
/// use tidemill_ops::{constant, leaky_relu};
/// assert_eq!(leaky_relu(constant([1.0_f32, -1.0]), 0.2).shape().to_string(), "[2]");
/// ```
#[doc(alias = "LeakyRelu")]
#[track_caller]
pub fn leaky_relu(x: impl Into<Operand>, alpha: f32) -> Tensor {
    let node = NodeBuilder::new(&LEAKY_RELU).input(x.into().to_tensor());
    tensor(node.attr("alpha", Attr::Float(alpha)))
}
