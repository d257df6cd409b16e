//! Grey-scale dilation and its gradients.

use tidemill_graph::{
    Arg, AttrDef, AttrKind, Fallible, GradCx, GradientError, Grads, Inferred, Kernel, KernelCx,
    KernelError, NodeBuilder, NodeView, OpDef, OpError, Sample, Widening,
};
use tidemill_kernels::dilation::{Dilation, Side};
use tidemill_kernels::window::Slide;
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::conv::Conv;
use crate::data_format::DataFormat;
use crate::family::{beside, grads};
use crate::index::{check_rank, check_shape};
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::sample::array;
use crate::window::{PADDING, STRIDES, paddings, places, steps};
use crate::{Operand, Tensor};

operations! {
    ops:
        DILATION_2D, DILATION_2D_BACKPROP_FILTER, DILATION_2D_BACKPROP_INPUT,
        DILATION_2D_PICK_FILTER, DILATION_2D_PICK_INPUT;
    exports: dilation2d;
}

const ATTRS: &[AttrDef] = &[
    // The sums of short integers wrap before they are compared.
    AttrDef::types("T", DType::NUMBERS).widening(Widening::Floats),
    STRIDES,
    AttrDef::new("rates", AttrKind::Ints),
    PADDING,
];
const INPUTS: &[Arg; 3] =
    &[Arg::of("input", "T"), Arg::of("filter", "T"), Arg::of("out_backprop", "T")];

fn slides(node: &NodeView<'_>) -> Result<[Slide; 2], OpError> {
    let steps = |name| steps(node, name, DataFormat::NHWC);
    let (strides, rates) = (steps("strides")?, steps("rates")?);
    let paddings = paddings(node, DataFormat::NHWC)?;
    Ok([0, 1].map(|i| Slide { stride: strides[i], dilation: rates[i], padding: paddings[i] }))
}

/// Checks the operands, and returns the known shape of the output.
fn output_shape(node: &NodeView<'_>) -> Result<PartialShape, OpError> {
    let slides = slides(node)?;
    check_rank(node, 0, 4, "4 axes")?;
    check_rank(node, 1, 3, "3 axes")?;
    let input = node.shape(0).dims().map_or(vec![Dim::UNKNOWN; 4], <[Dim]>::to_vec);
    let filter = node.shape(1).dims().map_or(vec![Dim::UNKNOWN; 3], <[Dim]>::to_vec);
    let channels = input[3].merge(filter[2])?;
    let rows = places(slides[0], input[1], filter[0])?;
    let columns = places(slides[1], input[2], filter[1])?;
    Ok([input[0], rows, columns, channels].into_iter().collect())
}

/// The computation of a plan from the inputs of a node: images, filter and further ones.
type Compute = fn(&Dilation, &KernelCx<'_>) -> Result<Value, KernelError>;

fn plan_kernel(node: &NodeView<'_>, compute: Compute) -> Result<Box<dyn Kernel>, OpError> {
    let slides = slides(node)?;
    Ok(kernel(move |cx| {
        let plan = Dilation::new(cx.input(0)?.shape(), cx.input(1)?.shape(), &slides)?;
        compute(&plan, cx)
    }))
}

/// The gradient of a node that is linear in its third input, with respect to that input only.
fn linear(cx: &GradCx<'_>, op: &'static OpDef) -> Result<Grads, GradientError> {
    Ok(grads([None, None, Some(beside(op, cx, [cx.input(0), cx.input(1), cx.grad()])?)]))
}

const fn dilation(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary).attrs(ATTRS).fallible(Fallible::Values)
}

/// The largest sums of a filter and the images that it moves over.
pub static DILATION_2D: OpDef =
    dilation("Dilation2D", "The largest sums of a filter and the images that it moves over.")
        .inputs(INPUTS.split_at(2).0)
        .outputs(&[Arg::of("output", "T")])
        .infer(|node| Inferred::one(output_shape(node)?))
        .gradient(|cx| {
            let backprop = |op| beside(op, cx, [cx.input(0), cx.input(1), cx.grad()]);
            let by_input = backprop(&DILATION_2D_BACKPROP_INPUT)?;
            Ok(grads([Some(by_input), Some(backprop(&DILATION_2D_BACKPROP_FILTER)?)]))
        })
        .kernel(|node| {
            plan_kernel(node, |plan, cx| Ok(plan.forward(cx.memory, cx.input(0)?, cx.input(1)?)?))
        })
        .samples(samples);

const fn backprop<O: Summand>(name: &'static str, summary: &'static str) -> OpDef {
    dilation(name, summary)
        .inputs(INPUTS)
        .infer(|node| {
            check_shape(node, 2, &output_shape(node)?)?;
            Inferred::one(node.shape(O::INPUT))
        })
        .gradient(|cx| linear(cx, O::pick()))
        .kernel(|node| {
            plan_kernel(node, |plan, cx| {
                Ok(plan.gradient(cx.memory, O::SIDE, cx.input(0)?, cx.input(1)?, cx.input(2)?)?)
            })
        })
}

const fn pick<O: Summand>(name: &'static str, summary: &'static str) -> OpDef {
    dilation(name, summary)
        .inputs(const { &[INPUTS[0], INPUTS[1], Arg::of("values", "T")] })
        .outputs(const { &[Arg::of("output", "T")] })
        .infer(|node| {
            node.shape(O::INPUT).merge(node.shape(2))?;
            Inferred::one(output_shape(node)?)
        })
        .gradient(|cx| linear(cx, O::backprop()))
        .kernel(|node| {
            plan_kernel(node, |plan, cx| {
                Ok(plan.pick(cx.memory, O::SIDE, cx.input(0)?, cx.input(1)?, cx.input(2)?)?)
            })
        })
}

/// One of the two summands.
trait Summand {
    const SIDE: Side;
    const INPUT: usize;

    fn backprop() -> &'static OpDef;
    fn pick() -> &'static OpDef;
}

struct Images;

impl Summand for Images {
    const SIDE: Side = Side::Input;
    const INPUT: usize = 0;

    fn backprop() -> &'static OpDef {
        &DILATION_2D_BACKPROP_INPUT
    }

    fn pick() -> &'static OpDef {
        &DILATION_2D_PICK_INPUT
    }
}

struct Filter;

impl Summand for Filter {
    const SIDE: Side = Side::Filter;
    const INPUT: usize = 1;

    fn backprop() -> &'static OpDef {
        &DILATION_2D_BACKPROP_FILTER
    }

    fn pick() -> &'static OpDef {
        &DILATION_2D_PICK_FILTER
    }
}

/// The gradient of [`DILATION_2D`] with respect to its images.
pub static DILATION_2D_BACKPROP_INPUT: OpDef = backprop::<Images>(
    "Dilation2DBackpropInput",
    "The gradient of dilation with respect to the images.",
)
.outputs(&[Arg::of("in_backprop", "T")])
.samples(|| backprop_samples(array([1, 1, 3, 1], [0.0_f32, 1.0, 6.0])));

/// The gradient of [`DILATION_2D`] with respect to its filter.
pub static DILATION_2D_BACKPROP_FILTER: OpDef = backprop::<Filter>(
    "Dilation2DBackpropFilter",
    "The gradient of dilation with respect to the filter.",
)
.outputs(&[Arg::of("filter_backprop", "T")])
.samples(|| backprop_samples(array([1, 2, 1], [4.0_f32, 3.0])));

/// The gradient of [`DILATION_2D_BACKPROP_INPUT`], which TensorFlow lacks.
pub static DILATION_2D_PICK_INPUT: OpDef = pick::<Images>(
    "Dilation2DPickInput",
    "For each output of a dilation, the element of an images-shaped tensor at the largest sum.",
)
.samples(|| pick_samples(array([1, 1, 3, 1], [1.0_f32, 2.0, 3.0]), [2.0, 3.0, 3.0]));

/// The gradient of [`DILATION_2D_BACKPROP_FILTER`], which TensorFlow lacks.
pub static DILATION_2D_PICK_FILTER: OpDef = pick::<Filter>(
    "Dilation2DPickFilter",
    "For each output of a dilation, the element of a filter-shaped tensor at the largest sum.",
)
.samples(|| pick_samples(array([1, 2, 1], [1.0_f32, 2.0]), [2.0, 2.0, 1.0]));

fn row() -> Value {
    array([1, 1, 3, 1], [1.0_f32, 3.0, 8.0])
}

fn filter() -> Value {
    array([1, 2, 1], [0.5_f32, 0.25])
}

fn moved(sample: Sample, strides: [i64; 2], rates: [i64; 2], padding: &'static str) -> Sample {
    let four = |[height, width]: [i64; 2]| vec![1, height, width, 1];
    let sample = sample.attr("strides", four(strides)).attr("rates", four(rates));
    sample.attr("padding", padding)
}

fn samples() -> Vec<Sample> {
    let largest = array([1, 1, 3, 1], [3.25_f32, 8.25, 8.5]);
    let inputs = || [row(), filter()];
    let image = || array([1, 3, 3, 2], (0..18).map(|i| ((i * 7) % 18) as f32).collect::<Vec<_>>());
    let square = || array([2, 2, 2], (0..8).map(|i| 0.25 * i as f32).collect::<Vec<_>>());
    vec![
        moved(Sample::new(inputs(), largest), [1, 1], [1, 1], "SAME"),
        moved(Sample::shapes([image(), square()]), [2, 1], [1, 1], "VALID"),
        moved(Sample::shapes([image(), square()]), [1, 2], [2, 1], "SAME"),
        moved(Sample::error(inputs(), "above 0"), [0, 1], [1, 1], "SAME"),
        moved(Sample::error(inputs(), "unknown padding"), [1, 1], [1, 1], "NONE"),
        moved(Sample::error([row(), square()], "2"), [1, 1], [1, 1], "SAME"),
    ]
}

fn backprop_samples(sums: Value) -> Vec<Sample> {
    let inputs = |grad: Value| [row(), filter(), grad];
    let grad = array([1, 1, 3, 1], [1.0_f32, 2.0, 4.0]);
    let wrong = array([1, 1, 2, 1], [1.0_f32, 2.0]);
    vec![
        moved(Sample::new(inputs(grad), sums), [1, 1], [1, 1], "SAME"),
        moved(Sample::error(inputs(wrong), "[1, 1, 3, 1]"), [1, 1], [1, 1], "SAME"),
    ]
}

fn pick_samples(values: Value, picked: [f32; 3]) -> Vec<Sample> {
    let sample = Sample::new([row(), filter(), values], array([1, 1, 3, 1], picked));
    let wrong = Sample::error([row(), filter(), Value::from([1.0_f32])], "[1]");
    vec![moved(sample, [1, 1], [1, 1], "SAME"), moved(wrong, [1, 1], [1, 1], "SAME")]
}

/// The images `input`, numbers of shape `[batch, height, width, channels]`, dilated by a `filter` of
/// shape `[height, width, channels]`: the largest of
/// `input[b, y * strides[0] + i * dilations[0], x * strides[1] + j * dilations[1], c] +
/// filter[i, j, c]` over `i` and `j`. The gradient goes to the first of the largest.
///
/// # Errors
/// Tensors that differ in type or channels or have other ranks; strides and dilations below 1;
/// explicit padding; images whose channels come first.
///
/// ```
/// use tidemill_ops::{Conv, dilation2d, fill, placeholder};
/// let images = placeholder::<f32>([1, 9, 9, 3]);
/// let dilated = dilation2d(images, fill([3, 3, 3], 0.0_f32), Conv::SAME.strides([2, 2]));
/// assert_eq!(dilated.shape().to_string(), "[1, 5, 5, 3]");
/// ```
#[doc(alias = "Dilation2D")]
#[track_caller]
pub fn dilation2d(
    input: impl Into<Operand>,
    filter: impl Into<Operand>,
    options: Conv<2>,
) -> Tensor {
    let (input, filter) = (input.into().to_tensor(), filter.into().to_tensor());
    let node = options.moved(NodeBuilder::new(&DILATION_2D).input(input).input(filter));
    tensor(node.attr("rates", options.spread(options.dilations, 1)))
}
