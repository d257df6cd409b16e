//! Normalization of the channels of a batch.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Fallible, GradCx, GradientError, Grads, Inferred, Kernel, KernelCx, KernelError,
    NodeBuilder, NodeView, OpDef, OpError, Sample, TensorRef,
};
use tidemill_kernels::batch_norm::{self as kernels, Normalization};
use tidemill_kernels::elementwise;
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::arithmetic::maximum;
use super::array::{reshape, size, zeros_like};
use super::cast::cast;
use super::math::rsqrt;
use super::reduce::{Axes, reduce_sum};
use crate::data_format::{DataFormat, Formats};
use crate::operand::composite;
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: FUSED_BATCH_NORM, FUSED_BATCH_NORM_GRAD_V3, FUSED_BATCH_NORM_V2, FUSED_BATCH_NORM_V3;
    exports: BatchStatistics, FusedBatchNorm, fused_batch_norm;
}

/// The axis of the channels, and the number of axes.
#[derive(Clone, Copy)]
struct Channels {
    axis: usize,
    rank: usize,
}

impl Channels {
    fn of(node: &NodeView<'_>) -> Result<Self, OpError> {
        let format = DataFormat::of(node, Formats::ALL.quoted())?;
        Ok(Channels { axis: format.channel_axis(), rank: format.rank() })
    }

    /// A list of one number for each channel, so that it broadcasts with the values.
    fn spread(self, list: Tensor) -> Tensor {
        match self.rank - 1 - self.axis {
            0 => list,
            trailing => {
                let extents = std::iter::once(-1).chain(std::iter::repeat_n(1, trailing));
                reshape(list, extents.collect::<Vec<i32>>())
            }
        }
    }

    /// The sum over each channel.
    fn sum(self, x: Tensor) -> Tensor {
        let axes = (0..self.rank).filter(|&axis| axis != self.axis).map(|axis| axis as i64);
        reduce_sum(x, Axes::from(&axes.collect::<Vec<i64>>()[..]))
    }
}

const SETTINGS: [AttrDef; 4] = [
    AttrDef::float("epsilon", 0.0001),
    AttrDef::float("exponential_avg_factor", 1.0),
    DataFormat::ATTR,
    AttrDef::bool("is_training", true),
];
const VALUES: AttrDef = AttrDef::widened("T", DType::FLOATS);
const STATISTICS: AttrDef = AttrDef::widened("U", DType::FLOATS);

/// The inputs of a normalization whose statistics are of the type `attr`.
const fn inputs(attr: &'static str) -> [Arg; 5] {
    [
        Arg::of("x", "T"),
        Arg::of("scale", attr),
        Arg::of("offset", attr),
        Arg::of("mean", attr),
        Arg::of("variance", attr),
    ]
}

/// The outputs of a normalization whose statistics are of the type `attr`.
const fn outputs(attr: &'static str) -> [Arg; 6] {
    [
        Arg::of("y", "T"),
        Arg::of("batch_mean", attr),
        Arg::of("batch_variance", attr),
        Arg::of("reserve_space_1", attr),
        Arg::of("reserve_space_2", attr),
        Arg::of("reserve_space_3", attr),
    ]
}

const OF_VALUES: &[Arg; 6] = &outputs("T");
const OF_STATISTICS: &[Arg; 6] = &outputs("U");

const fn normalization(name: &'static str) -> OpDef {
    OpDef::new(name, "Channels scaled to a mean and a variance.")
        .fallible(Fallible::Values)
        .infer(infer)
        .gradient(gradient)
        .kernel(normalization_kernel)
}

/// [`FUSED_BATCH_NORM_V3`] whose statistics are of the type of the values.
pub static FUSED_BATCH_NORM: OpDef = normalization("FusedBatchNorm")
    .inputs(const { &inputs("T") })
    .outputs(OF_VALUES.split_at(5).0)
    .attrs(const { &[VALUES, SETTINGS[0], SETTINGS[1], SETTINGS[2], SETTINGS[3]] })
    .samples(|| samples(5));

/// [`FUSED_BATCH_NORM_V3`] without its last output.
pub static FUSED_BATCH_NORM_V2: OpDef = normalization("FusedBatchNormV2")
    .inputs(const { &inputs("U") })
    .outputs(OF_STATISTICS.split_at(5).0)
    .attrs(const { &[VALUES, STATISTICS, SETTINGS[0], SETTINGS[1], SETTINGS[2], SETTINGS[3]] })
    .samples(|| samples(5));

/// Channels scaled to a mean and a variance: given ones, or those of the batch in training.
///
/// The variance used for scaling, the second reserve, is the biased one; the reported one is
/// unbiased. The first reserve is the mean; the third is unused.
pub static FUSED_BATCH_NORM_V3: OpDef = normalization("FusedBatchNormV3")
    .inputs(const { &inputs("U") })
    .outputs(OF_STATISTICS)
    .attrs(const { &[VALUES, STATISTICS, SETTINGS[0], SETTINGS[1], SETTINGS[2], SETTINGS[3]] })
    .samples(|| samples(6));

fn samples(outputs: usize) -> Vec<Sample> {
    let list = |numbers: [f32; 2]| Value::from(numbers);
    let x = || array([1, 3, 1, 2], [1.0_f32, 2.0, 3.0, -2.0, 2.0, 6.0]);
    let inputs = |x| {
        let none = || Value::list(Vec::<f32>::new());
        [x, list([1.0, 2.0]), list([0.0, 1.0]), none(), none()]
    };
    let given = |x| {
        let statistics = (list([1.0, 0.5]), list([4.0, 0.25]));
        [x, list([1.0, 2.0]), list([0.0, 1.0]), statistics.0, statistics.1]
    };
    let first = |values: [Value; 6]| values.into_iter().take(outputs);
    let root = (2.0_f32 / 3.0).sqrt();
    let wide = 6.0_f32.sqrt();
    let trained = first([
        array([1, 3, 1, 2], [-1.0 / root, 1.0, 1.0 / root, 1.0 - wide, 0.0, 1.0 + wide]),
        list([2.0, 2.0]),
        list([1.0, 16.0]),
        list([2.0, 2.0]),
        list([2.0 / 3.0, 32.0 / 3.0]),
        Value::from(0.0_f32),
    ]);
    let inferred = first([
        array([1, 3, 1, 2], [0.0, 7.0, 1.0, -9.0, 0.5, 23.0_f32]),
        list([1.0, 0.5]),
        list([4.0, 0.25]),
        list([1.0, 0.5]),
        list([4.0, 0.25]),
        Value::from(0.0_f32),
    ]);
    let across = || array([1, 2, 1, 3], [1.0_f32, 3.0, 2.0, 2.0, -2.0, 6.0]);
    let empty = array([0, 1, 1, 2], Vec::<f32>::new());
    vec![
        Sample::shapes(inputs(x())).outputs(trained).attr("epsilon", 0.0),
        Sample::shapes(inputs(across())).attr("data_format", "NCHW"),
        Sample::shapes(given(x())).attr("exponential_avg_factor", 0.25),
        Sample::shapes(given(x()))
            .outputs(inferred)
            .attr("epsilon", 0.0)
            .attr("is_training", false),
        Sample::shapes(given(across())).attr("data_format", "NCHW").attr("is_training", false),
        Sample::shapes(given(empty)).attr("is_training", false),
        Sample::error(given(list([1.0, 2.0])), "4 axes"),
        Sample::error(given(array([1, 1, 1, 3], [0.0_f32; 3])), "3"),
    ]
}

fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let is_training = node.bool_attr("is_training")?;
    let replaces_statistics = is_training && node.float_attr("exponential_avg_factor")? == 1.0;
    let (x, channels) = infer_channels(node, 0, if replaces_statistics { 1..3 } else { 1..5 })?;
    let list = || PartialShape::from_iter([channels]);
    let shapes = [x, list(), list(), list(), list(), [].into_iter().collect()];
    Ok(shapes.into_iter().take(node.op().outputs.len()).map(Inferred::from).collect())
}

/// The shape of input `x`, and the number of channels that it and the lists have.
fn infer_channels(
    node: &NodeView<'_>,
    x: usize,
    lists: std::ops::Range<usize>,
) -> Result<(PartialShape, Dim), OpError> {
    let Channels { axis, rank } = Channels::of(node)?;
    let expected = if rank == 4 { "4 axes" } else { "5 axes" };
    let wrong = |input: usize, expected| OpError::Rank {
        input: node.op().inputs[input].name,
        expected,
        actual: node.shape(input).clone(),
    };
    let shape = node.shape(x).merge(&PartialShape::of_rank(rank));
    let mut dims = shape.map_err(|_| wrong(x, expected))?.dims().unwrap_or_default().to_vec();
    let mut channels = dims[axis];
    for i in lists {
        let list =
            node.shape(i).merge(&PartialShape::of_rank(1)).map_err(|_| wrong(i, "1 axis"))?;
        let extent = list.dims().unwrap_or_default()[0];
        channels = channels.merge(extent).map_err(|_| {
            let input = node.op().inputs[i].name;
            let message = format!("there are {channels} channels, but `{input}` has {extent}");
            OpError::shape(input, message)
        })?;
    }
    dims[axis] = channels;
    Ok((dims.into_iter().collect(), channels))
}

fn normalization_kernel(node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    let Channels { axis, rank } = Channels::of(node)?;
    let (training, epsilon) = (node.bool_attr("is_training")?, node.float_attr("epsilon")?);
    let factor = f64::from(node.float_attr("exponential_avg_factor")?);
    let reserves = node.op().outputs.len() - 3;
    Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
        let x = cx.take_unique(0)?;
        check_axes(&x, rank)?;
        let (dtype, of_lists) = (x.dtype(), cx.input(1)?.dtype());
        let list = |i| list_as(cx, i, dtype);
        let (scale, offset) = (list(1)?, list(2)?);
        let (mean, variance) = match training {
            true => kernels::channel_moments(cx.memory, &x, axis)?,
            false => (list(3)?, list(4)?),
        };
        let (next_mean, next_variance) = if training {
            let count = (x.elements().checked_div(mean.elements())).unwrap_or_default() as f64;
            let unbiased = count / (count - 1.0).max(1.0);
            let old = if factor == 1.0 { None } else { Some((list(3)?, list(4)?)) };
            let old = old.as_ref();
            let blend = |new, bias: f64, old: Option<&Value>| {
                kernels::blend(cx.memory, new, bias * factor, old.map(|old| (old, 1.0 - factor)))
            };
            let next_mean = blend(&mean, 1.0, old.map(|old| &old.0))?;
            (next_mean, blend(&variance, unbiased, old.map(|old| &old.1))?)
        } else {
            (mean.clone(), variance.clone())
        };
        let by = Normalization { axis, scale: &scale, mean: &mean, variance: &variance, epsilon };
        cx.set(0, kernels::normalize(cx.memory, x, &by, &offset)?);
        let lists = [next_mean, next_variance, mean, variance, Value::from(0.0_f32)];
        for (i, list) in lists.into_iter().enumerate() {
            if i < 2 + reserves {
                cx.set(1 + i, elementwise::cast(cx.memory, &list, of_lists)?);
            }
            cx.memory.recycle(list);
        }
        Ok(())
    }))
}

/// Input `i`, a list, with elements of type `dtype`.
fn list_as(cx: &KernelCx<'_>, i: usize, dtype: DType) -> Result<Value, KernelError> {
    Ok(elementwise::cast(cx.memory, cx.input(i)?, dtype)?)
}

fn check_axes(x: &Value, rank: usize) -> Result<(), OpError> {
    match x.shape().rank() {
        actual if actual == rank => Ok(()),
        actual => Err(OpError::shape("x", format!("`x` must have {rank} axes, not {actual}"))),
    }
}

/// The gradient of `y` passes through [`FUSED_BATCH_NORM_GRAD_V3`]; the gradients of the statistics
/// are added.
fn gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (node, channels) = (cx.node(), Channels::of(cx.node())?);
    let training = node.bool_attr("is_training")?;
    let (x, scale): (Tensor, Tensor) = (cx.input(0), cx.input(1));
    let mut found: [Option<Tensor>; 5] = [None; 5];
    if let Some(grad) = cx.grad_of::<Tensor>(0) {
        let grads = through_values(cx, grad)?;
        found[..3].copy_from_slice(&grads.map(Some));
        if !training {
            let (of_scale, of_offset) = (grads[1], grads[2]);
            let variance = cx.input::<Tensor>(4) + node.float_attr("epsilon")?;
            found[3] = Some(-(scale * rsqrt(variance) * of_offset));
            found[4] = Some(scale * of_scale / variance * -0.5);
        }
    }
    let factor = node.float_attr("exponential_avg_factor")?;
    let reported = [cx.grad_of::<Tensor>(1), cx.grad_of::<Tensor>(2)];
    let reserved = [cx.grad_of::<Tensor>(3), cx.grad_of::<Tensor>(4)];
    if !training {
        for i in 0..2 {
            let through = sum_of([reported[i], reserved[i]]);
            found[3 + i] = sum_of([found[3 + i], through]);
        }
        return Ok(found.map(|grad| grad.map(TensorRef::from)).into_iter().collect());
    }
    let count = cast(size(x), node.dtype(1)) / cast(size(scale), node.dtype(1));
    let unbiased = count / maximum(count - 1.0, 1.0);
    let of_mean = sum_of([reported[0].map(|grad| grad * factor), reserved[0]]);
    let of_variance = sum_of([reported[1].map(|grad| grad * unbiased * factor), reserved[1]]);
    let spread = |list: Tensor| channels.spread(cast(list / count, node.dtype(0)));
    let by_mean = of_mean.map(|grad| zeros_like(x) + spread(grad));
    let by_variance = of_variance.map(|grad| {
        let mean = channels.spread(cast(cx.output::<Tensor>(3), node.dtype(0)));
        (x - mean) * spread(grad * 2.0)
    });
    found[0] = sum_of([found[0], sum_of([by_mean, by_variance])]);
    if factor != 1.0 {
        for i in 0..2 {
            found[3 + i] = reported[i].map(|grad| grad * (1.0 - factor));
        }
    }
    Ok(found.map(|grad| grad.map(TensorRef::from)).into_iter().collect())
}

fn sum_of(terms: [Option<Tensor>; 2]) -> Option<Tensor> {
    terms.into_iter().flatten().reduce(|left, right| left + right)
}

/// The gradients of values, scale and offset.
fn through_values(cx: &GradCx<'_>, grad: Tensor) -> Result<[Tensor; 3], GradientError> {
    let node = cx.node();
    let training = node.bool_attr("is_training")?;
    let (mean, variance): (Tensor, Tensor) = match training {
        true => (cx.output(3), cx.output(4)),
        false => (cx.input(3), cx.input(4)),
    };
    let unused = if node.outputs().len() == 6 { cx.output(5) } else { mean };
    let inputs: [Tensor; 6] = [grad, cx.input(0), cx.input(1), mean, variance, unused];
    let built = inputs
        .into_iter()
        .fold(NodeBuilder::new(&FUSED_BATCH_NORM_GRAD_V3), |built, x| built.input(x));
    let built = built.attr("epsilon", node.float_attr("epsilon")?);
    let built = built.attr("data_format", node.str_attr("data_format")?);
    let built = built.attr("is_training", training).build();
    Ok([0, 1, 2].map(|i| built.output(i).into()))
}

/// The gradients of values, scale and offset through a normalization.
///
/// In training, the statistics are taken as functions of the values. The last two outputs are
/// empty.
pub static FUSED_BATCH_NORM_GRAD_V3: OpDef =
    OpDef::new("FusedBatchNormGradV3", "The gradients of a normalization.")
        .inputs(&[
            Arg::of("y_backprop", "T"),
            Arg::of("x", "T"),
            Arg::of("scale", "U"),
            Arg::of("reserve_space_1", "U"),
            Arg::of("reserve_space_2", "U"),
            Arg::of("reserve_space_3", "U"),
        ])
        .outputs(&[
            Arg::of("x_backprop", "T"),
            Arg::of("scale_backprop", "U"),
            Arg::of("offset_backprop", "U"),
            Arg::of("reserve_space_4", "U"),
            Arg::of("reserve_space_5", "U"),
        ])
        .attrs(const { &[VALUES, STATISTICS, SETTINGS[0], SETTINGS[2], SETTINGS[3]] })
        .fallible(Fallible::Values)
        .infer(|node| {
            let (x, channels) = infer_channels(node, 1, 2..5)?;
            let x = x.merge(node.shape(0))?;
            let list = || PartialShape::from_iter([channels]);
            let none = || PartialShape::from_iter([Dim::from(0)]);
            let shapes = [x, list(), list(), none(), none()];
            Ok(shapes.into_iter().map(Inferred::from).collect())
        })
        .gradient(second_gradient)
        .kernel(|node| {
            let Channels { axis, rank } = Channels::of(node)?;
            let (training, epsilon) = (node.bool_attr("is_training")?, node.float_attr("epsilon")?);
            Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let grad = cx.take_unique(0)?;
                let x = cx.input(1)?;
                check_axes(x, rank)?;
                let (dtype, of_lists) = (x.dtype(), cx.input(2)?.dtype());
                let list = |i| list_as(cx, i, dtype);
                let (scale, mean, variance) = (list(2)?, list(3)?, list(4)?);
                let by = Normalization {
                    axis,
                    scale: &scale,
                    mean: &mean,
                    variance: &variance,
                    epsilon,
                };
                let grads = kernels::normalize_grad(cx.memory, grad, x, &by, training)?;
                cx.set(0, grads.x);
                cx.set(1, elementwise::cast(cx.memory, &grads.scale, of_lists)?);
                cx.set(2, elementwise::cast(cx.memory, &grads.offset, of_lists)?);
                cx.set(3, cx.memory.zeros(of_lists, [0])?);
                cx.set(4, cx.memory.zeros(of_lists, [0])?);
                Ok(())
            }))
        })
        .samples(|| {
            let list = |numbers: [f32; 2]| Value::from(numbers);
            let inputs = |shape: [usize; 4]| {
                [
                    array(shape, [0.5_f32, 1.0, -1.0, 0.25, 2.0, -0.75]),
                    array(shape, [1.0_f32, 2.0, 3.0, -2.0, 2.0, 6.0]),
                    list([1.0, 2.0]),
                    list([2.0, 1.5]),
                    list([0.5, 4.0]),
                    Value::from(0.0_f32),
                ]
            };
            let (last, first) = ([1, 3, 1, 2], [1, 2, 1, 3]);
            vec![
                Sample::shapes(inputs(last)),
                Sample::shapes(inputs(last)).attr("is_training", false),
                Sample::shapes(inputs(first)).attr("data_format", "NCHW"),
                Sample::error(inputs([1, 1, 1, 6]), "6 channels"),
            ]
        });

/// The gradients of [`FUSED_BATCH_NORM_GRAD_V3`].
///
/// With `r = 1 / sqrt(variance + epsilon)`, `z = x - mean`, and the incoming gradients `a`, `b` and
/// `c`, the function to differentiate is, summed over each channel of `n` elements,
/// `scale r (Σ a dy - [Σa Σdy / n + r² Σaz Σ(dy z) / n]) + b r Σ(dy z) + c Σdy`,
/// where the bracketed part applies only in training.
fn second_gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (node, channels) = (cx.node(), Channels::of(cx.node())?);
    let (dtype, of_lists) = (node.dtype(0), node.dtype(2));
    let training = node.bool_attr("is_training")?;
    let (dy, x): (Tensor, Tensor) = (cx.input(0), cx.input(1));
    let scale: Tensor = cx.input(2);
    let variance = cx.input::<Tensor>(4) + node.float_attr("epsilon")?;
    let r = rsqrt(variance);
    let spread = |list: Tensor| channels.spread(cast(list, dtype));
    let sum = |x: Tensor| cast(channels.sum(x), of_lists);
    let count = cast(size(x), of_lists) / cast(size(scale), of_lists);
    let z = x - spread(cx.input(3));
    let a = cx.grad_of(0).unwrap_or_else(|| zeros_like(x));
    let b = cx.grad_of(1).unwrap_or_else(|| zeros_like(scale));
    let c = cx.grad_of(2).unwrap_or_else(|| zeros_like(scale));

    let products = sum(dy * z);
    let mut of_dy = a * spread(scale * r) + z * spread(b * r) + spread(c);
    let mut by_scale = sum(a * dy);
    let mut of_x = dy * spread(b * r);
    let mut by_r = scale * by_scale + b * products;
    if training {
        let (of_a, of_dy_sum, along) = (sum(a), sum(dy), sum(a * z));
        let cube = r * r * r;
        of_dy = of_dy - spread(scale * r * of_a / count) - z * spread(scale * cube * along / count);
        let shared = of_a * of_dy_sum / count;
        let curved = r * r * along * products / count;
        by_scale = by_scale - shared - curved;
        by_r = by_r - scale * (shared + 3.0 * curved);
        let weight = scale * cube / count;
        of_x = of_x - a * spread(weight * products) - dy * spread(weight * along);
    }
    let grads = [of_dy, of_x, r * by_scale, -sum(of_x), by_r * r / variance * -0.5];
    let grads = grads.into_iter().map(|grad| Some(TensorRef::from(grad)));
    Ok(grads.chain([None]).collect())
}

/// The statistics that [`fused_batch_norm`] normalizes with.
#[derive(Clone, Copy, Debug)]
pub enum BatchStatistics {
    /// The mean and the variance of the batch.
    OfBatch,
    /// The statistics of the batch, which are mixed into running ones: `factor` of the new, the
    /// rest of the old.
    Running {
        /// The running mean.
        mean: Tensor,
        /// The running variance.
        variance: Tensor,
        /// The weight of the batch.
        factor: f32,
    },
    /// The given statistics.
    Given {
        /// The mean of each channel.
        mean: Tensor,
        /// The variance of each channel.
        variance: Tensor,
    },
}

/// Options of [`fused_batch_norm`].
#[derive(Clone, Copy, Debug)]
pub struct FusedBatchNorm {
    /// The mean and the variance.
    pub statistics: BatchStatistics,
    /// A small number that is added to the variance.
    pub epsilon: f32,
    /// The position of the channels: `NHWC`, `NCHW`, `NDHWC` or `NCDHW`.
    pub data_format: &'static str,
}

impl Default for FusedBatchNorm {
    fn default() -> Self {
        let statistics = BatchStatistics::OfBatch;
        FusedBatchNorm { statistics, epsilon: 0.001, data_format: "NHWC" }
    }
}

/// `(x - mean) / sqrt(variance + epsilon) * scale + offset` for each channel of `x`, and the mean
/// and the unbiased variance, or their running values.
///
/// `x` has 4 axes, or 5 for volume formats; the other inputs have one number for each channel.
///
/// # Errors
/// Lists whose lengths differ from the number of channels.
///
/// ```
/// use tidemill_ops::{FusedBatchNorm, fused_batch_norm, placeholder};
/// let x = placeholder::<f32>([8, 5, 5, 2]);
/// let (y, mean, _) = fused_batch_norm(x, [1.0_f32, 1.0], [0.0_f32, 0.0], FusedBatchNorm::default());
/// assert_eq!((y.shape(), mean.shape()), (x.shape(), [2].into()));
/// ```
#[doc(alias = "FusedBatchNormV3")]
#[track_caller]
pub fn fused_batch_norm(
    x: impl Into<Operand>,
    scale: impl Into<Operand>,
    offset: impl Into<Operand>,
    options: FusedBatchNorm,
) -> (Tensor, Tensor, Tensor) {
    let x = x.into().to_tensor();
    let scale = scale.into().to_tensor_beside(x, "scale");
    let offset = offset.into().to_tensor_beside(x, "offset");
    composite(x.graph(), "FusedBatchNorm", |full| {
        let (mean, variance, training, factor) = match options.statistics {
            BatchStatistics::OfBatch => {
                let none = Operand::from(Value::list(Vec::<f32>::new()));
                let none = match scale.dtype() {
                    Some(dtype) => cast(none.to_tensor_beside(x, "none"), dtype),
                    None => scale,
                };
                (none, none, true, 1.0)
            }
            BatchStatistics::Running { mean, variance, factor } => (mean, variance, true, factor),
            BatchStatistics::Given { mean, variance } => (mean, variance, false, 1.0),
        };
        let node = NodeBuilder::new(&FUSED_BATCH_NORM_V3).exact_name(full).input(x);
        let node = node.input(scale).input(offset).input(mean).input(variance);
        let node = node.attr("epsilon", options.epsilon).attr("is_training", training);
        let node = node.attr("data_format", options.data_format);
        let node = node.attr("exponential_avg_factor", factor).build();
        (node.output(0).into(), node.output(1).into(), node.output(2).into())
    })
}
