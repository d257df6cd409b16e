//! Layers and losses of neural networks.

use std::f32::consts::LN_2;

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Fallible, Inferred, KernelCx, KernelError, NodeBuilder, NodeView, OpDef, OpError,
    Sample,
};
use tidemill_kernels::elementwise::add;
use tidemill_kernels::softmax::{self as kernels, CrossEntropy};
use tidemill_kernels::{reduce, with_binary};
use tidemill_value::{
    DType, Dim, Memory, NumericError, PartialShape, Shape, Value, broadcast, match_dtype,
};

use super::arithmetic::{maximum, minimum, mul};
use super::array::{broadcast_to, concat, expand_dims, ones_like, range, rank, reshape, shape};
use super::math::{exp, log1p, neg};
use super::reduce::{Axes, reduce_sum};
use crate::data_format::{DataFormat, Formats};
use crate::elementwise;
use crate::family::{FLOATS, NUMBERS, grads};
use crate::kernel::{kernel, map_kernel};
use crate::operand::{composite, tensor, unary};
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops:
        BIAS_ADD, BIAS_ADD_GRAD, L2_LOSS, LOG_SOFTMAX, SOFTMAX, SOFTMAX_CROSS_ENTROPY,
        SPARSE_SOFTMAX_CROSS_ENTROPY;
    exports:
        bias_add, l2_loss, log_softmax, sigmoid_cross_entropy_with_logits, softmax,
        softmax_cross_entropy_with_logits, sparse_softmax_cross_entropy_with_logits,
        weighted_cross_entropy_with_logits;
}

/// The position of the channels of a layer's values, which may have any number of axes.
fn format_of(node: &NodeView<'_>) -> Result<DataFormat, OpError> {
    DataFormat::of(node, Formats::IMAGES.quoted())
}

/// The axis of the channels of values of a rank.
fn channel_axis(node: &NodeView<'_>, rank: usize) -> Result<usize, OpError> {
    let format = format_of(node)?;
    if rank < 2 {
        let message = format!("a value with channels must have at least 2 axes, not {rank}");
        return Err(OpError::shape("value", message));
    }
    Ok(format.channel_axis_of(rank))
}

/// Values with a bias added to each channel.
pub static BIAS_ADD: OpDef = OpDef::new("BiasAdd", "Values with a bias added to each channel.")
    .inputs(&[Arg::of("value", "T"), Arg::of("bias", "T")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(const { &[NUMBERS[0], DataFormat::ATTR] })
    .infer(infer_bias_add)
    .gradient(|cx| {
        let grad: Tensor = cx.grad();
        let of_bias = NodeBuilder::new(&BIAS_ADD_GRAD).input(grad);
        let of_bias = of_bias.attr("data_format", cx.node().str_attr("data_format")?);
        Ok(grads([Some(grad), Some(tensor(of_bias))]))
    })
    .kernel(|node| {
        let (format, dtype) = (format_of(node)?, node.dtype(0));
        let unsupported = OpError::UnsupportedDType { op: "BiasAdd", dtype };
        let add = add(dtype).ok_or(unsupported)?;
        Ok(kernel(move |cx| {
            let bias = stretched_bias(cx, format)?;
            with_binary!(add, add => elementwise::broadcast(cx.memory, &add, cx.input(0)?, &bias))
        }))
    })
    .samples(|| {
        let value = Value::from_vec([2, 2], vec![1.0_f32, 2.0, 3.0, 4.0]);
        let sum = Value::from_vec([2, 2], vec![11.0_f32, 22.0, 13.0, 24.0]);
        let (Ok(value), Ok(sum)) = (value, sum) else { return Vec::new() };
        let bias = Value::from([10.0_f32, 20.0]);
        vec![
            Sample::new([value.clone(), bias.clone()], sum.clone()),
            Sample::new([value.clone(), bias], sum).attr("data_format", "NCHW"),
            Sample::error([value, Value::from([1.0_f32])], "2 channels"),
        ]
    });

fn infer_bias_add(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    if node.shape(1).rank().is_some_and(|rank| rank != 1) {
        let (input, actual) = ("bias", node.shape(1).clone());
        return Err(OpError::Rank { input, expected: "1 axis", actual });
    }
    let Some(dims) = node.shape(0).dims() else {
        return Inferred::one(PartialShape::unknown());
    };
    let axis = channel_axis(node, dims.len())?;
    let bias = node.shape(1).dims().and_then(|dims| dims.first().copied());
    let channels = dims[axis].merge(bias.unwrap_or(Dim::UNKNOWN)).map_err(|_| {
        let biases = bias.unwrap_or(Dim::UNKNOWN);
        OpError::shape("bias", format!("there are {} channels, but {biases} biases", dims[axis]))
    })?;
    let dims = dims.iter().enumerate().map(|(i, dim)| if i == axis { channels } else { *dim });
    Inferred::one(dims.collect::<PartialShape>())
}

/// The bias in a shape that broadcasts to that of the value.
fn stretched_bias(cx: &KernelCx<'_>, format: DataFormat) -> Result<Value, KernelError> {
    let (value, bias) = (cx.input(0)?, cx.input(1)?);
    // Along the last axis, a list broadcasts by itself; along others, it needs the axes after them.
    let rank = value.shape().rank();
    let trailing = rank.saturating_sub(1 + format.channel_axis_of(rank));
    let extents = bias.shape().iter().copied().chain(std::iter::repeat_n(1, trailing));
    let stretched: Shape = extents.collect();
    if broadcast(value.shape(), &stretched)? != *value.shape() {
        let message = format!(
            "a bias of shape {} does not match values of shape {}",
            bias.shape(),
            value.shape()
        );
        return Err(OpError::shape("bias", message).into());
    }
    Ok(bias.clone().reshape(stretched)?)
}

/// The gradient of a bias: the sum over all but the channels.
pub static BIAS_ADD_GRAD: OpDef =
    OpDef::new("BiasAddGrad", "The gradient of a bias: the sum over all but the channels.")
        .inputs(&[Arg::of("out_backprop", "T")])
        .outputs(&[Arg::of("output", "T")])
        .attrs(const { &[NUMBERS[0], DataFormat::ATTR] })
        .infer(|node| match node.shape(0).dims() {
            Some(dims) => Inferred::one(
                [dims[channel_axis(node, dims.len())?]].into_iter().collect::<PartialShape>(),
            ),
            None => Inferred::one(PartialShape::of_rank(1)),
        })
        .gradient(|cx| {
            let (x, grad): (Tensor, Tensor) = (cx.input(0), cx.grad());
            let stretched = if format_of(cx.node())?.channels_first {
                let trailing = ones_like(range(2, rank(x), 1));
                reshape(grad, concat([shape(grad), trailing], 0))
            } else {
                grad
            };
            Ok(grads([Some(broadcast_to(stretched, shape(x)))]))
        })
        .kernel(|node| {
            let format = format_of(node)?;
            Ok(map_kernel(move |memory, x| {
                let rank = x.shape().rank();
                let channels = format.channel_axis_of(rank);
                let axes: SmallVec<[usize; 4]> =
                    (0..rank).filter(|&axis| axis != channels).collect();
                reduce::sum(memory, x, &axes)
            }))
        })
        .samples(|| {
            let x = Value::from_vec([2, 2], vec![1.0_f32, 2.0, 3.0, 4.0]);
            let sample = |x| Sample::new([x], Value::from([4.0_f32, 6.0]));
            x.map(sample).into_iter().collect()
        });

/// The shape of the input, which must have a last axis.
fn infer_rows(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    match node.shape(0).rank() {
        Some(0) => {
            let (input, actual) = ("logits", node.shape(0).clone());
            Err(OpError::Rank { input, expected: "an axis", actual })
        }
        _ => Inferred::one(node.shape(0)),
    }
}

/// The exponentials along the last axis divided by their sum.
pub static SOFTMAX: OpDef =
    OpDef::new("Softmax", "The exponentials along the last axis divided by their sum.")
        .inputs(&[Arg::of("logits", "T")])
        .outputs(&[Arg::of("softmax", "T")])
        .attrs(FLOATS)
        .infer(infer_rows)
        .gradient(|cx| {
            let (y, grad): (Tensor, Tensor) = (cx.output(0), cx.grad());
            let sum = reduce_sum(grad * y, Axes::from(-1).keep_dims());
            Ok(grads([Some((grad - sum) * y)]))
        })
        .kernel(|_| Ok(over_last_axis(kernels::softmax)))
        .samples(|| {
            let logits = Value::from([0.0_f32, 1.0, 2.0]);
            vec![Sample::new([logits], Value::from([0.09003057_f32, 0.24472848, 0.66524094]))]
        });

/// The logarithms of softmax.
pub static LOG_SOFTMAX: OpDef = OpDef::new("LogSoftmax", "The logarithms of softmax.")
    .inputs(&[Arg::of("logits", "T")])
    .outputs(&[Arg::of("logsoftmax", "T")])
    .attrs(FLOATS)
    .infer(infer_rows)
    .gradient(|cx| {
        let (y, grad): (Tensor, Tensor) = (cx.output(0), cx.grad());
        let sum = reduce_sum(grad, Axes::from(-1).keep_dims());
        Ok(grads([Some(grad - sum * exp(y))]))
    })
    .kernel(|_| Ok(over_last_axis(kernels::log_softmax)))
    .samples(|| {
        let logits = Value::from([0.0_f32, 1.0, 2.0]);
        vec![Sample::new([logits], Value::from([-2.407606_f32, -1.407606, -0.407606]))]
    });

type OverRows = fn(&Memory, Value) -> Result<Value, NumericError>;

/// A kernel that overwrites its input where it may.
fn over_last_axis(compute: OverRows) -> Box<dyn tidemill_graph::Kernel> {
    Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
        let logits = cx.take(0)?;
        cx.set(0, compute(cx.memory, logits)?);
        Ok(())
    })
}

/// A loss over the last axis, and its gradient.
const fn cross_entropy(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary).outputs(const { &[Arg::of("loss", "T"), Arg::of("backprop", "T")] })
}

fn set_cross_entropy(
    cx: &mut KernelCx<'_>,
    computed: Result<CrossEntropy, NumericError>,
) -> Result<(), KernelError> {
    let CrossEntropy { loss, backprop } = computed?;
    cx.set(0, loss);
    cx.set(1, backprop);
    Ok(())
}

fn classes_error(input: &'static str, expected: &'static str, actual: &PartialShape) -> OpError {
    OpError::Rank { input, expected, actual: actual.clone() }
}

/// The cross entropy of softmax and given probabilities.
pub static SOFTMAX_CROSS_ENTROPY: OpDef = cross_entropy(
    "SoftmaxCrossEntropyWithLogits",
    "The cross entropy of softmax and given probabilities.",
)
.inputs(&[Arg::of("features", "T"), Arg::of("labels", "T")])
.attrs(FLOATS)
.broadcasts()
.infer(|node| {
    let both = node.shape(0).broadcast(node.shape(1))?;
    let both = both.merge(&PartialShape::of_rank(2));
    let both = both.map_err(|_| classes_error("features", "2 axes", node.shape(0)))?;
    let rows = both.dims().unwrap_or_default()[0];
    let loss: PartialShape = [rows].into_iter().collect();
    Ok([loss.into(), both.into()].into_iter().collect())
})
.gradient(|cx| {
    let logits = with_all_classes(cx.input(0), cx.output(1));
    let of_loss: Option<Tensor> = cx.grad_of(0);
    let through_loss = of_loss.map(|grad| by_row(grad, cx.output(1)));
    let of_logits = sum_of(through_loss, through_backprop(cx.grad_of(1), logits));
    let of_labels = of_loss.map(|grad| by_row(grad, neg(log_softmax(logits))));
    let of_labels = sum_of(of_labels, cx.grad_of(1).map(|grad: Tensor| neg(grad)));
    Ok(grads([of_logits, of_labels]))
})
.kernel(|_| {
    Ok(Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
        let features = cx.take_unique(0)?;
        let computed = kernels::softmax_cross_entropy(cx.memory, features, cx.input(1)?);
        set_cross_entropy(cx, computed)
    }))
})
.samples(|| {
    let features = Value::from_vec([1, 2], vec![0.0_f32, 0.0]);
    let labels = Value::from_vec([1, 2], vec![1.0_f32, 0.0]);
    let backprop = Value::from_vec([1, 2], vec![-0.5_f32, 0.5]);
    let (Ok(features), Ok(labels), Ok(backprop)) = (features, labels, backprop) else {
        return Vec::new();
    };
    let loss = Value::from([LN_2]);
    let sample = Sample::new([features, labels], loss.clone());
    let sample = Sample { expect: tidemill_graph::Expect::Outputs(vec![loss, backprop]), ..sample };
    // The rows of labels add up to 1.
    let row = || array([1, 2], [0.0_f32, 1.0]);
    let column = || array([2, 1], [0.5_f32, 0.5]);
    let both = || array([2, 2], [1.0_f32, 0.0, 0.0, 1.0]);
    vec![
        sample,
        Sample::shapes([row(), both()]),
        Sample::shapes([both(), row()]),
        Sample::shapes([column(), both()]),
        Sample::shapes([row(), column()]),
        Sample::error([both(), array([1, 3], [0.0_f32; 3])], "broadcast"),
    ]
});

/// The cross entropy of softmax and given classes.
pub static SPARSE_SOFTMAX_CROSS_ENTROPY: OpDef = cross_entropy(
    "SparseSoftmaxCrossEntropyWithLogits",
    "The cross entropy of softmax and given classes.",
)
.inputs(&[Arg::of("features", "T"), Arg::of("labels", "Tlabels")])
.attrs(const { &[FLOATS[0], AttrDef::types("Tlabels", DType::INDICES)] })
.fallible(Fallible::Values)
.infer(|node| {
    let features = node.shape(0).merge(&PartialShape::of_rank(2));
    let features = features.map_err(|_| classes_error("features", "2 axes", node.shape(0)))?;
    let rows: PartialShape = features.dims().unwrap_or_default().iter().take(1).copied().collect();
    let loss = rows.merge(node.shape(1)).map_err(|_| {
        let (features, labels) = (("features", node.shape(0)), ("labels", node.shape(1)));
        OpError::disagree(labels, features, "have equal first extents: one label for each row")
    })?;
    Ok([loss.into(), features.into()].into_iter().collect())
})
.gradient(|cx| {
    let of_loss: Option<Tensor> = cx.grad_of(0);
    let through_loss = of_loss.map(|grad| by_row(grad, cx.output(1)));
    let of_logits = sum_of(through_loss, through_backprop(cx.grad_of(1), cx.input(0)));
    Ok(grads([of_logits, None]))
})
.kernel(|_| {
    Ok(Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
        let features = cx.take_unique(0)?;
        let computed = kernels::sparse_softmax_cross_entropy(cx.memory, features, cx.input(1)?);
        set_cross_entropy(cx, computed)
    }))
})
.samples(|| {
    let features = Value::from_vec([1, 2], vec![0.0_f32, 0.0]);
    let backprop = Value::from_vec([1, 2], vec![-0.5_f32, 0.5]);
    let (Ok(features), Ok(backprop)) = (features, backprop) else { return Vec::new() };
    let loss = Value::from([LN_2]);
    let sample = Sample::new([features.clone(), Value::from([0])], loss.clone());
    vec![
        Sample { expect: tidemill_graph::Expect::Outputs(vec![loss, backprop]), ..sample },
        Sample::error([features, Value::from([2])], "index 2"),
    ]
});

/// Logits stretched along the axis of classes, as far as `stretched` is; the following arithmetic
/// broadcasts the rows.
fn with_all_classes(logits: Tensor, stretched: Tensor) -> Tensor {
    let classes = |tensor: Tensor| {
        let last = tensor.shape().dims().and_then(|dims| dims.last().copied());
        last.and_then(Dim::known)
    };
    match (classes(logits), classes(stretched)) {
        (Some(own), Some(all)) if own == all => logits,
        _ => broadcast_to(logits, shape(stretched)),
    }
}

/// Rows, each times a number.
fn by_row(numbers: Tensor, rows: Tensor) -> Tensor {
    mul(expand_dims(numbers, -1), rows)
}

fn sum_of(left: Option<Tensor>, right: Option<Tensor>) -> Option<Tensor> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left + right),
        (left, right) => left.or(right),
    }
}

/// The gradient of logits, given the gradient of a cross entropy's second output.
fn through_backprop(grad: Option<Tensor>, logits: Tensor) -> Option<Tensor> {
    let grad = grad?;
    let softmax = softmax(logits);
    let projected = reduce_sum(grad * softmax, Axes::from(-1).keep_dims());
    Some((grad - projected) * softmax)
}

/// Half the sum of the squares.
pub static L2_LOSS: OpDef = OpDef::new("L2Loss", "Half the sum of the squares.")
    .inputs(&[Arg::of("t", "T")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(FLOATS)
    .fallible(Fallible::Never)
    .infer(|_| Inferred::one(PartialShape::scalar()))
    .gradient(|cx| Ok(grads([Some(cx.input::<Tensor>(0) * cx.grad::<Tensor>())])))
    .kernel(|_| Ok(map_kernel(half_sum_of_squares)))
    .samples(|| vec![Sample::new([Value::from([3.0_f32, 4.0])], Value::from(12.5_f32))]);

fn half_sum_of_squares(memory: &Memory, x: &Value) -> Result<Value, NumericError> {
    match_dtype!(x.dtype(), floats, T => {
        let squares: Vec<T> = x.as_slice::<T>()?.iter().map(|x| x * x).collect();
        let sum: T = reduce::sum(memory, &Value::list(squares), &[0])?.to_scalar()?;
        Ok(Value::from(sum / 2.0))
    }, else Err(NumericError::UnsupportedDType { dtype: x.dtype() }))
}

/// `value` plus `bias`, a list with a number for each channel, along the last axis.
///
/// # Errors
/// A value of fewer than 2 axes, or a number of channels other than the number of biases.
///
/// ```
/// use tidemill_ops::{bias_add, constant, placeholder};
/// let x = bias_add(placeholder::<f32>([8, 3]), constant([1.0_f32, 2.0, 3.0]));
/// assert_eq!(x.shape().to_string(), "[8, 3]");
/// ```
#[doc(alias = "BiasAdd")]
#[track_caller]
pub fn bias_add(value: impl Into<Operand>, bias: impl Into<Operand>) -> Tensor {
    let value = value.into().to_tensor();
    let bias = bias.into().to_tensor_like(value, "bias");
    tensor(NodeBuilder::new(&BIAS_ADD).input(value).input(bias))
}

/// The exponentials of `logits` divided by their sum, along the last axis.
///
/// ```
/// use tidemill_ops::{placeholder, softmax};
/// assert_eq!(softmax(placeholder::<f32>([8, 3])).shape().to_string(), "[8, 3]");
/// ```
#[doc(alias = "Softmax")]
#[track_caller]
pub fn softmax(logits: impl Into<Operand>) -> Tensor {
    unary(&SOFTMAX, logits)
}

/// The logarithms of [`softmax`], accurate even for tiny probabilities.
///
/// ```
/// use tidemill_ops::{log_softmax, placeholder};
/// assert_eq!(log_softmax(placeholder::<f32>([8, 3])).shape().to_string(), "[8, 3]");
/// ```
#[doc(alias = "LogSoftmax")]
#[track_caller]
pub fn log_softmax(logits: impl Into<Operand>) -> Tensor {
    unary(&LOG_SOFTMAX, logits)
}

/// The cross entropy of [`softmax`] of `logits` and of `labels`, which are probabilities: both
/// broadcast to the shape `[rows, classes]`, the result is of shape `[rows]`.
///
/// # Errors
/// Tensors that differ in type or do not broadcast.
///
/// ```
/// use tidemill_ops::{placeholder, softmax_cross_entropy_with_logits};
/// let (labels, logits) = (placeholder::<f32>([8, 3]), placeholder::<f32>([8, 3]));
/// let losses = softmax_cross_entropy_with_logits(labels, logits);
/// assert_eq!(losses.shape().to_string(), "[8]");
/// ```
#[doc(alias = "SoftmaxCrossEntropyWithLogits")]
#[track_caller]
pub fn softmax_cross_entropy_with_logits(
    labels: impl Into<Operand>,
    logits: impl Into<Operand>,
) -> Tensor {
    let (labels, logits) = (labels.into().to_tensor(), logits.into().to_tensor());
    tensor(NodeBuilder::new(&SOFTMAX_CROSS_ENTROPY).input(logits).input(labels))
}

/// The cross entropy of [`softmax`] of `logits`, of shape `[rows, classes]`, and of `labels`, one
/// class number for each row. The result has shape `[rows]`.
///
/// # Errors
/// A run fails if a label is out of range.
///
/// ```
/// use tidemill_ops::{placeholder, sparse_softmax_cross_entropy_with_logits};
/// let (labels, logits) = (placeholder::<i32>([8]), placeholder::<f32>([8, 3]));
/// let losses = sparse_softmax_cross_entropy_with_logits(labels, logits);
/// assert_eq!(losses.shape().to_string(), "[8]");
/// ```
#[doc(alias = "SparseSoftmaxCrossEntropyWithLogits")]
#[track_caller]
pub fn sparse_softmax_cross_entropy_with_logits(
    labels: impl Into<Operand>,
    logits: impl Into<Operand>,
) -> Tensor {
    let (labels, logits) = (labels.into().to_tensor(), logits.into().to_tensor());
    tensor(NodeBuilder::new(&SPARSE_SOFTMAX_CROSS_ENTROPY).input(logits).input(labels))
}

/// The cross entropy of the logistic function of `logits` and of `labels`, element by element,
/// computed as `max(x, 0) - x * z + log(1 + exp(-|x|))` so that it does not overflow.
///
/// # Errors
/// Tensors that differ in type or do not broadcast.
///
/// ```
/// use tidemill_ops::{placeholder, sigmoid_cross_entropy_with_logits};
/// let (labels, logits) = (placeholder::<f32>([8]), placeholder::<f32>([8]));
/// let losses = sigmoid_cross_entropy_with_logits(labels, logits);
/// assert_eq!(losses.shape().to_string(), "[8]");
/// ```
#[track_caller]
pub fn sigmoid_cross_entropy_with_logits(
    labels: impl Into<Operand>,
    logits: impl Into<Operand>,
) -> Tensor {
    let logits = logits.into().to_tensor();
    let labels = labels.into().to_tensor_like(logits, "labels");
    composite(logits.graph(), "logistic_loss", |_| {
        let [positive, negative] = parts(logits);
        positive - logits * labels + log1p(exp(negative - positive))
    })
}

/// The positive and the negative part of numbers. At 0, where [`relu`](super::activation::relu) and
/// [`abs`](super::math::abs) both have slope 0, the first has slope 1, so that a sum of both is
/// smooth where it should be.
fn parts(x: Tensor) -> [Tensor; 2] {
    [maximum(x, 0.0), minimum(0.0, x)]
}

/// [`sigmoid_cross_entropy_with_logits`] in which positive labels weigh `pos_weight` times as
/// much: `(1 - z) * x + (1 + (pos_weight - 1) * z) * (log(1 + exp(-|x|)) + max(-x, 0))`.
///
/// # Errors
/// Tensors that differ in type or do not broadcast.
///
/// ```
/// use tidemill_ops::{placeholder, weighted_cross_entropy_with_logits};
/// let (labels, logits) = (placeholder::<f32>([8]), placeholder::<f32>([8]));
/// let losses = weighted_cross_entropy_with_logits(labels, logits, 2.0);
/// assert_eq!(losses.shape().to_string(), "[8]");
/// ```
#[track_caller]
pub fn weighted_cross_entropy_with_logits(
    labels: impl Into<Operand>,
    logits: impl Into<Operand>,
    pos_weight: impl Into<Operand>,
) -> Tensor {
    let logits = logits.into().to_tensor();
    let labels = labels.into().to_tensor_like(logits, "labels");
    let pos_weight = pos_weight.into().to_tensor_like(logits, "pos_weight");
    composite(logits.graph(), "logistic_loss", |_| {
        let weight = 1.0 + (pos_weight - 1.0) * labels;
        let [positive, negative] = parts(logits);
        (1.0 - labels) * logits + weight * (log1p(exp(negative - positive)) - negative)
    })
}

/// Half the sum of the squares of the elements of `x`.
///
/// ```
/// use tidemill_ops::{constant, l2_loss};
/// assert_eq!(l2_loss(constant([3.0_f32, 4.0])).shape().to_string(), "[]");
/// ```
#[doc(alias = "L2Loss")]
#[track_caller]
pub fn l2_loss(x: impl Into<Operand>) -> Tensor {
    unary(&L2_LOSS, x)
}
