//! Normalization of channels by those around them, and its gradient.

use tidemill_graph::{
    Arg, Attr, AttrDef, AttrDefault, Fallible, GradCx, GradientError, Grads, Inferred, NodeBuilder,
    NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::local_response::LocalResponse;
use tidemill_value::{DType, Value};

use super::arithmetic::{minimum, pow};
use super::array::{MATRIX_BAND_PART, broadcast_to, concat, shape, slice, squeeze};
use super::batch_matmul::batch_matmul;
use super::math::square;
use crate::elementwise::same_shape;
use crate::family::{beside, grads};
use crate::index::{check_rank, count_of};
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: LRN, LRN_GRAD;
    exports: lrn;
}

const ATTRS: &[AttrDef] = &[
    AttrDef::int("depth_radius", 5),
    AttrDef::float("bias", 1.0),
    AttrDef::float("alpha", 1.0),
    AttrDef::float("beta", 0.5),
    AttrDef::widened("T", &[DType::F32, DType::F16, DType::BF16])
        .default(AttrDefault::Type(DType::F32)),
];

fn options(node: &NodeView<'_>) -> Result<LocalResponse, OpError> {
    Ok(LocalResponse {
        radius: count_of(node.int_attr("depth_radius")?, "depth_radius")?,
        bias: node.float_attr("bias")?,
        alpha: node.float_attr("alpha")?,
        beta: node.float_attr("beta")?,
    })
}

/// Channels normalized by their neighbors.
pub static LRN: OpDef = OpDef::new("LRN", "Channels normalized by their neighbors.")
    .inputs(&[Arg::of("input", "T")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(ATTRS)
    .infer(|node| {
        options(node)?;
        check_rank(node, 0, 4, "4 axes")?;
        same_shape(node)
    })
    .gradient(|cx| {
        let inputs = [cx.grad(), cx.input(0), cx.output(0)];
        Ok(grads([Some(beside(&LRN_GRAD, cx, inputs)?)]))
    })
    .kernel(|node| {
        let options = options(node)?;
        Ok(kernel(move |cx| Ok(options.normalize(cx.memory, cx.input(0)?)?)))
    })
    .samples(|| {
        let x = || array([1, 1, 1, 3], [1.0_f32, 2.0, 2.0]);
        let halved = array([1, 1, 1, 3], [0.5_f32, 0.5, 0.25]);
        // Gradients in `float32` are too coarse to compare with.
        vec![
            with(
                Sample::new([x()], array([1, 1, 1, 3], [0.166_666_67_f32, 0.2, 0.222_222_22])),
                1,
                1.0,
            ),
            with(Sample::new([x()], array([1, 1, 1, 3], [0.5_f32, 0.4, 0.4])), 0, 1.0),
            with(Sample::shapes([x()]), 5, 0.75),
            with(Sample::error([Value::from([1.0_f32])], "4 axes"), 1, 1.0),
            with(Sample::error([halved], "-1"), -1, 1.0),
        ]
    });

fn with(sample: Sample, radius: i64, beta: f32) -> Sample {
    sample.attr("depth_radius", radius).attr("beta", Attr::Float(beta)).at_kink()
}

/// The gradient of [`LRN`].
pub static LRN_GRAD: OpDef =
    OpDef::new("LRNGrad", "The gradient of channels normalized by others.")
        .inputs(&[
            Arg::of("input_grads", "T"),
            Arg::of("input_image", "T"),
            Arg::of("output_image", "T"),
        ])
        .outputs(&[Arg::of("output", "T")])
        .attrs(ATTRS)
        .fallible(Fallible::Shapes)
        .infer(|node| {
            options(node)?;
            (0..3).try_for_each(|i| check_rank(node, i, 4, "4 axes"))?;
            Inferred::one(node.shape(0).merge(node.shape(1))?.merge(node.shape(2))?)
        })
        .gradient(gradient)
        .kernel(|node| {
            let options = options(node)?;
            Ok(kernel(move |cx| {
                Ok(options.gradient(cx.memory, cx.input(0)?, cx.input(1)?, cx.input(2)?)?)
            }))
        })
        .samples(|| {
            let row = |elements: [f32; 3]| array([1, 1, 1, 3], elements);
            let inputs = |grad: Value| [grad, row([1.0, 2.0, 2.0]), row([0.5, 0.4, 0.4])];
            let single = row([0.0, -0.12, 0.0]);
            vec![
                with(Sample::new(inputs(row([0.0, 1.0, 0.0])), single), 0, 1.0),
                with(Sample::shapes(inputs(row([1.0, -1.0, 0.5]))), 1, 0.75),
                with(
                    Sample::error(inputs(array([1, 1, 1, 2], [1.0_f32, 2.0])), "[1, 1, 1, 2]"),
                    1,
                    1.0,
                ),
            ]
        });

/// With `n = bias + alpha * B(x²)`, where `B` sums the neighborhood of each channel, the gradient
/// of `LRN` is `grad * n^-beta - 2 * alpha * beta * x * B(grad * y / n)`. This is the gradient of
/// that gradient.
fn gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let LocalResponse { radius, bias, alpha, beta } = options(cx.node())?;
    let (up, grad): (Tensor, Tensor) = (cx.grad(), cx.input(0));
    let (x, y): (Tensor, Tensor) = (cx.input(1), cx.input(2));
    let depth = slice(shape(x), [3], [1]);
    let one = Operand::from(1.0_f32).to_tensor_like(x, "one");
    let ones = broadcast_to(one, concat([depth, depth], 0));
    // There are no more diagonals than channels.
    let reach = minimum(squeeze(depth, &[0]), i32::try_from(radius).unwrap_or(i32::MAX));
    let band = NodeBuilder::new(&MATRIX_BAND_PART).input(ones).input(reach).input(reach);
    let band = tensor(band);
    let around = |values: Tensor| batch_matmul(values, band);
    let norm = around(square(x)) * alpha + bias;
    let slope = -2.0 * alpha * beta;
    let (weighted, power) = (around(up * x), pow(norm, -beta));
    let by_grad = up * power + weighted * y / norm * slope;
    let by_y = weighted * grad / norm * slope;
    let by_norm = up * grad * power / norm * -beta - weighted * grad * y / square(norm) * slope;
    let by_x = up * around(grad * y / norm) * slope + x * around(by_norm) * (2.0 * alpha);
    Ok(grads([Some(by_grad), Some(by_x), Some(by_y)]))
}

/// The channels of the images `x`, `float32` of shape `[batch, height, width, channels]`, each
/// divided by `(bias + alpha * s)^beta`, where `s` is the sum of the squares of the channels up to
/// `depth_radius` away, including its own (Krizhevsky et al., 2012). TensorFlow's defaults are 5,
/// 1, 1 and 0.5.
///
/// # Errors
/// Tensors of another type or rank, or a radius below 0.
///
/// ```
/// use tidemill_ops::{lrn, placeholder};
/// let images = placeholder::<f32>([1, 8, 8, 16]);
/// assert_eq!(lrn(images, 5, 1.0, 1.0, 0.5).shape().to_string(), "[1, 8, 8, 16]");
/// ```
#[doc(alias = "LRN")]
#[track_caller]
pub fn lrn(x: impl Into<Operand>, depth_radius: i64, bias: f32, alpha: f32, beta: f32) -> Tensor {
    let node = NodeBuilder::new(&LRN).input(x.into().to_tensor());
    let node = node.attr("depth_radius", depth_radius).attr("bias", Attr::Float(bias));
    tensor(node.attr("alpha", Attr::Float(alpha)).attr("beta", Attr::Float(beta)))
}
