//! Convolutions and their gradients, which are each other's gradients.

mod functions;
mod layout;
mod samples;

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrDefault, AttrKind, Fallible, GradCx, GradientError, Grads, Inferred, Kernel,
    KernelCx, KernelError, NodeView, OpDef, OpError,
};
use tidemill_kernels::NumericError;
use tidemill_kernels::conv::Convolution;
use tidemill_kernels::window::Slide;
use tidemill_value::{DType, Dim, PartialShape, Shape, Value};

pub use functions::*;
use layout::Layout;

use super::array::shape;
use crate::Tensor;
use crate::data_format::DataFormat;
use crate::family::{beside, grads};
use crate::index::{check_rank, shape_of};
use crate::kernel::kernel;
use crate::operations::operations;
use crate::window::{EXPLICIT_PADDINGS, PADDING, STRIDES, places};

operations! {
    ops:
        CONV_2D, CONV_2D_BACKPROP_FILTER, CONV_2D_BACKPROP_INPUT, CONV_3D, CONV_3D_BACKPROP_FILTER,
        CONV_3D_BACKPROP_INPUT, DEPTHWISE_CONV_2D, DEPTHWISE_CONV_2D_BACKPROP_FILTER,
        DEPTHWISE_CONV_2D_BACKPROP_INPUT;
    exports:
        Conv, ConvPadding, conv1d, conv2d, conv2d_backprop_filter, conv2d_backprop_input,
        conv2d_transpose, conv3d, depthwise_conv2d_native;
}

type Plan = fn(&[usize], &[usize], &[Slide]) -> Result<Convolution, NumericError>;

/// A kind of convolution.
trait Kind {
    /// The number of axes that the filter moves along.
    const SPACE: usize;
    /// The number of axes of inputs and filters, in words.
    const AXES: &'static str;
    /// Plans the convolution of an input and a filter of these shapes, channels last.
    const PLAN: Plan;

    /// The convolution, the gradient of its input, and the gradient of its filter.
    fn family() -> [&'static OpDef; 3];

    /// True if filters that take `taken` channels, `filters` in number, can be applied to an input
    /// of `channels`.
    fn fits(channels: usize, taken: usize, filters: Option<usize>) -> bool;

    /// The number of output channels, if it is known, from the number of input channels and the
    /// last two extents of the filter.
    fn filters(channels: Dim, filter: [Dim; 2]) -> Dim;
}

/// Each filter takes all channels of its group.
struct Grouped<const SPACE: usize>;

/// Each filter takes one channel.
struct Depthwise;

impl<const SPACE: usize> Kind for Grouped<SPACE> {
    const SPACE: usize = SPACE;
    const AXES: &'static str = if SPACE == 2 { "4 axes" } else { "5 axes" };
    const PLAN: Plan = Convolution::new;

    fn family() -> [&'static OpDef; 3] {
        match SPACE {
            2 => [&CONV_2D, &CONV_2D_BACKPROP_INPUT, &CONV_2D_BACKPROP_FILTER],
            _ => [&CONV_3D, &CONV_3D_BACKPROP_INPUT, &CONV_3D_BACKPROP_FILTER],
        }
    }

    fn fits(channels: usize, taken: usize, filters: Option<usize>) -> bool {
        let groups = channels.checked_div(taken).filter(|&groups| groups * taken == channels);
        let divides = |groups: usize| {
            groups > 0 && filters.is_none_or(|filters| filters.is_multiple_of(groups))
        };
        groups.is_some_and(divides)
    }

    fn filters(_: Dim, [_, filters]: [Dim; 2]) -> Dim {
        filters
    }
}

impl Kind for Depthwise {
    const SPACE: usize = 2;
    const AXES: &'static str = "4 axes";
    const PLAN: Plan = Convolution::depthwise;

    fn family() -> [&'static OpDef; 3] {
        [&DEPTHWISE_CONV_2D, &DEPTHWISE_CONV_2D_BACKPROP_INPUT, &DEPTHWISE_CONV_2D_BACKPROP_FILTER]
    }

    fn fits(channels: usize, taken: usize, _: Option<usize>) -> bool {
        channels > 0 && channels == taken
    }

    fn filters(channels: Dim, [taken, multiplier]: [Dim; 2]) -> Dim {
        let channels = channels.known().or(taken.known());
        channels.zip(multiplier.known()).and_then(|(x, y)| x.checked_mul(y)).into()
    }
}

const OUTPUT: &[Arg] = &[Arg::of("output", "T")];
const INPUT: Arg = Arg::of("input", "T");
const FILTER: Arg = Arg::of("filter", "T");
const OUT_BACKPROP: Arg = Arg::of("out_backprop", "T");
const INPUT_SIZES: Arg = Arg::is("input_sizes", DType::I32);
const FILTER_SIZES: Arg = Arg::is("filter_sizes", DType::I32);

const T: AttrDef = AttrDef::widened("T", DType::FLOATS);
const T_2D: AttrDef =
    AttrDef::widened("T", &[DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32]);
const DILATIONS: AttrDef =
    AttrDef::new("dilations", AttrKind::Ints).default(AttrDefault::Ints(&[1, 1, 1, 1]));
/// A hint for TensorFlow's own kernels, without any other meaning.
const USE_CUDNN: AttrDef = AttrDef::bool("use_cudnn_on_gpu", true);

const ATTRS_2D: &[AttrDef] =
    &[T_2D, STRIDES, USE_CUDNN, PADDING, EXPLICIT_PADDINGS, DataFormat::ATTR, DILATIONS];
const ATTRS_DEPTHWISE: &[AttrDef] =
    &[T, STRIDES, PADDING, EXPLICIT_PADDINGS, DataFormat::ATTR, DILATIONS];
const ATTRS_3D: &[AttrDef] = &[T, STRIDES, PADDING, DataFormat::ATTR_3D, DILATIONS_3D];
const ATTRS_3D_INPUT: &[AttrDef] = &[
    T,
    STRIDES,
    PADDING,
    DataFormat::ATTR_3D,
    DILATIONS_3D,
    AttrDef::types("Tshape", DType::INDICES),
];
const DILATIONS_3D: AttrDef = DILATIONS.default(AttrDefault::Ints(&[1, 1, 1, 1, 1]));

const fn forward<K: Kind>(
    name: &'static str,
    summary: &'static str,
    attrs: &'static [AttrDef],
) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[INPUT, FILTER] })
        .outputs(OUTPUT)
        .attrs(attrs)
        .infer(infer_forward::<K>)
        .gradient(|cx| {
            let (x, filter, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
            let [_, of_input, of_filter] = K::family();
            let of_input = beside(of_input, cx, [shape(x), filter, grad])?;
            let of_filter = beside(of_filter, cx, [x, shape(filter), grad])?;
            Ok(grads([Some(of_input), Some(of_filter)]))
        })
        .kernel(forward_kernel::<K>)
}

const fn backprop_input<K: Kind>(
    name: &'static str,
    summary: &'static str,
    inputs: &'static [Arg],
    attrs: &'static [AttrDef],
) -> OpDef {
    OpDef::new(name, summary)
        .inputs(inputs)
        .outputs(OUTPUT)
        .attrs(attrs)
        .fallible(Fallible::Values)
        .infer(infer_input::<K>)
        .gradient(backprop_input_gradient::<K>)
        .kernel(input_kernel::<K>)
}

fn backprop_input_gradient<K: Kind>(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (filter, backprop, grad): (Tensor, Tensor, Tensor) = (cx.input(1), cx.input(2), cx.grad());
    let [convolve, _, of_filter] = K::family();
    let of_filter = beside(of_filter, cx, [grad, shape(filter), backprop])?;
    let of_backprop = beside(convolve, cx, [grad, filter])?;
    Ok(grads([None, Some(of_filter), Some(of_backprop)]))
}

const fn backprop_filter<K: Kind>(
    name: &'static str,
    summary: &'static str,
    attrs: &'static [AttrDef],
) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[INPUT, FILTER_SIZES, OUT_BACKPROP] })
        .outputs(OUTPUT)
        .attrs(attrs)
        .fallible(Fallible::Values)
        .infer(infer_filter::<K>)
        .gradient(|cx| {
            let (x, backprop, grad): (Tensor, Tensor, Tensor) =
                (cx.input(0), cx.input(2), cx.grad());
            let [convolve, of_input, _] = K::family();
            let of_input = beside(of_input, cx, [shape(x), grad, backprop])?;
            let of_backprop = beside(convolve, cx, [x, grad])?;
            Ok(grads([Some(of_input), None, Some(of_backprop)]))
        })
        .kernel(filter_kernel::<K>)
}

/// Two-dimensional filters over images.
pub static CONV_2D: OpDef =
    forward::<Grouped<2>>("Conv2D", "Two-dimensional filters over images.", ATTRS_2D)
        .samples(samples::conv_2d);

/// The gradient of the images that two-dimensional filters were applied to.
pub static CONV_2D_BACKPROP_INPUT: OpDef = backprop_input::<Grouped<2>>(
    "Conv2DBackpropInput",
    "The gradient of the images that two-dimensional filters were applied to.",
    const { &[INPUT_SIZES, FILTER, OUT_BACKPROP] },
    ATTRS_2D,
)
.samples(samples::conv_2d_backprop_input);

/// The gradient of two-dimensional filters.
pub static CONV_2D_BACKPROP_FILTER: OpDef = backprop_filter::<Grouped<2>>(
    "Conv2DBackpropFilter",
    "The gradient of two-dimensional filters.",
    ATTRS_2D,
)
.samples(samples::conv_2d_backprop_filter);

/// Two-dimensional filters over each channel of images separately.
pub static DEPTHWISE_CONV_2D: OpDef = forward::<Depthwise>(
    "DepthwiseConv2dNative",
    "Two-dimensional filters over each channel of images separately.",
    ATTRS_DEPTHWISE,
)
.samples(samples::depthwise);

/// The gradient of the images in a depthwise convolution.
pub static DEPTHWISE_CONV_2D_BACKPROP_INPUT: OpDef = backprop_input::<Depthwise>(
    "DepthwiseConv2dNativeBackpropInput",
    "The gradient of the images in a depthwise convolution.",
    const { &[INPUT_SIZES, FILTER, OUT_BACKPROP] },
    ATTRS_DEPTHWISE,
)
.samples(samples::depthwise_backprop_input);

/// The gradient of the filters in a depthwise convolution.
pub static DEPTHWISE_CONV_2D_BACKPROP_FILTER: OpDef = backprop_filter::<Depthwise>(
    "DepthwiseConv2dNativeBackpropFilter",
    "The gradient of the filters in a depthwise convolution.",
    ATTRS_DEPTHWISE,
)
.samples(samples::depthwise_backprop_filter);

/// Three-dimensional filters over volumes.
pub static CONV_3D: OpDef =
    forward::<Grouped<3>>("Conv3D", "Three-dimensional filters over volumes.", ATTRS_3D)
        .samples(samples::conv_3d);

/// The gradient of the volumes that three-dimensional filters were applied to.
pub static CONV_3D_BACKPROP_INPUT: OpDef = backprop_input::<Grouped<3>>(
    "Conv3DBackpropInputV2",
    "The gradient of the volumes that three-dimensional filters were applied to.",
    const { &[Arg::of("input_sizes", "Tshape"), FILTER, OUT_BACKPROP] },
    ATTRS_3D_INPUT,
)
.samples(samples::conv_3d_backprop_input);

/// The gradient of three-dimensional filters.
pub static CONV_3D_BACKPROP_FILTER: OpDef = backprop_filter::<Grouped<3>>(
    "Conv3DBackpropFilterV2",
    "The gradient of three-dimensional filters.",
    ATTRS_3D,
)
.samples(samples::conv_3d_backprop_filter);

/// Checks the ranks of the inputs that are not sizes, and reads the attributes.
fn checked<K: Kind>(node: &NodeView<'_>, inputs: [usize; 2]) -> Result<Layout, OpError> {
    for i in inputs {
        check_rank(node, i, K::SPACE + 2, K::AXES)?;
    }
    Layout::of(node, K::SPACE)
}

/// The output shape, channels last, from the known facts about input and filter.
fn output<K: Kind>(
    layout: &Layout,
    input: &[Dim],
    filter: &[Dim],
) -> Result<SmallVec<[Dim; 5]>, OpError> {
    let last = K::SPACE + 1;
    if let Some((channels, taken)) = input[last].known().zip(filter[last - 1].known())
        && !K::fits(channels, taken, filter[last].known())
    {
        let filters: PartialShape = filter.into();
        let input = layout.shape(input);
        let rule = format!("agree in channels: the filters take {taken}, but there are {channels}");
        return Err(OpError::disagree(("filter", &filters), ("input", &input), rule));
    }
    let known = |dims: &[Dim]| dims.iter().map(|dim| dim.known()).collect::<Option<Shape>>();
    if let Some((input, filter)) = known(input).zip(known(filter)) {
        let plan = (K::PLAN)(&input, &filter, &layout.slides)?;
        return Ok(plan.output().iter().map(|&extent| extent.into()).collect());
    }
    let mut dims: SmallVec<[Dim; 5]> = input.into();
    for (i, slide) in layout.slides.iter().enumerate() {
        dims[i + 1] = places(*slide, input[i + 1], filter[i])?;
    }
    dims[last] = K::filters(input[last], [filter[last - 1], filter[last]]);
    Ok(dims)
}

fn infer_forward<K: Kind>(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let layout = checked::<K>(node, [0, 1])?;
    let filter = filter_dims::<K>(node.shape(1));
    let dims = output::<K>(&layout, &layout.dims(node.shape(0)), &filter)?;
    Inferred::one(layout.shape(&dims))
}

fn infer_input<K: Kind>(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let layout = checked::<K>(node, [1, 2])?;
    let filter = filter_dims::<K>(node.shape(1));
    let grad = layout.dims(node.shape(2));
    let input = match sizes_of(node, 0)? {
        // If only the spatial extents are given, the others follow.
        Some(sizes) if sizes.len() == K::SPACE => {
            let ends = ([grad[0]], [filter[K::SPACE]]);
            ends.0.into_iter().chain(sizes).chain(ends.1).collect()
        }
        Some(sizes) if sizes.len() == K::SPACE + 2 => {
            layout.dims(&sizes.into_iter().collect::<PartialShape>())
        }
        Some(sizes) => return Err(wrong_sizes("input_sizes", K::SPACE + 2, sizes.len())),
        None => SmallVec::from_elem(Dim::UNKNOWN, K::SPACE + 2),
    };
    check_grad::<K>(node, &layout, &input, &filter)?;
    Inferred::one(layout.shape(&input))
}

fn infer_filter<K: Kind>(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let layout = checked::<K>(node, [0, 2])?;
    let filter = match sizes_of(node, 1)? {
        Some(sizes) if sizes.len() == K::SPACE + 2 => sizes,
        Some(sizes) => return Err(wrong_sizes("filter_sizes", K::SPACE + 2, sizes.len())),
        None => SmallVec::from_elem(Dim::UNKNOWN, K::SPACE + 2),
    };
    check_grad::<K>(node, &layout, &layout.dims(node.shape(0)), &filter)?;
    Inferred::one(filter.into_iter().collect::<PartialShape>())
}

/// Checks that the incoming gradient can have the shape of the output for this input and filter.
fn check_grad<K: Kind>(
    node: &NodeView<'_>,
    layout: &Layout,
    input: &[Dim],
    filter: &[Dim],
) -> Result<(), OpError> {
    layout.shape(&output::<K>(layout, input, filter)?).merge(node.shape(2))?;
    Ok(())
}

fn filter_dims<K: Kind>(shape: &PartialShape) -> SmallVec<[Dim; 5]> {
    let dims = shape.dims().map(SmallVec::from_slice);
    dims.unwrap_or_else(|| SmallVec::from_elem(Dim::UNKNOWN, K::SPACE + 2))
}

/// The known extents that input `i` lists.
fn sizes_of(node: &NodeView<'_>, i: usize) -> Result<Option<SmallVec<[Dim; 5]>>, OpError> {
    check_rank(node, i, 1, "1 axis")?;
    let Some(elements) = node.elements(i) else { return Ok(None) };
    let size = |element: &Option<i64>| match element {
        Some(size) => usize::try_from(*size).map(Dim::from).map_err(|_| {
            OpError::elements(node.op().inputs[i].name, format!("{size} is not a valid extent"))
        }),
        None => Ok(Dim::UNKNOWN),
    };
    elements.iter().map(size).collect::<Result<_, _>>().map(Some)
}

fn wrong_sizes(name: &'static str, expected: usize, actual: usize) -> OpError {
    OpError::elements(name, format!("`{name}` must have {expected} entries, not {actual}"))
}

/// The extents that a value lists, one for each axis.
fn sizes(value: &Value, name: &'static str, rank: usize) -> Result<Shape, KernelError> {
    let sizes = shape_of(value)?;
    if sizes.len() != rank {
        return Err(wrong_sizes(name, rank, sizes.len()).into());
    }
    Ok(sizes)
}

fn forward_kernel<K: Kind>(node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    let layout = Layout::of(node, K::SPACE)?;
    Ok(kernel(move |cx| {
        let (input, filter) = (layout.channels_last(cx.memory, cx.input(0)?)?, cx.input(1)?);
        let plan = (K::PLAN)(input.shape(), filter.shape(), &layout.slides)?;
        layout.restored(cx.memory, plan.forward(cx.memory, &input, filter)?)
    }))
}

fn input_kernel<K: Kind>(node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    let layout = Layout::of(node, K::SPACE)?;
    Ok(kernel(move |cx: &KernelCx<'_>| {
        let (filter, grad) = (cx.input(1)?, layout.channels_last(cx.memory, cx.input(2)?)?);
        let input = input_shape::<K>(&layout, cx.input(0)?, filter, &grad)?;
        let plan = (K::PLAN)(&input, filter.shape(), &layout.slides)?;
        layout.restored(cx.memory, plan.input_gradient(cx.memory, filter, &grad)?)
    }))
}

/// The shape of the input, channels last, from its sizes, or from its spatial sizes alone.
fn input_shape<K: Kind>(
    layout: &Layout,
    list: &Value,
    filter: &Value,
    grad: &Value,
) -> Result<Shape, KernelError> {
    let ends = grad.shape().first().zip(filter.shape().get(K::SPACE));
    if let Some((&batch, &channels)) = ends
        && list.elements() == K::SPACE
    {
        let space = shape_of(list)?;
        return Ok([batch].into_iter().chain(space.iter().copied()).chain([channels]).collect());
    }
    let sizes = sizes(list, "input_sizes", K::SPACE + 2)?;
    let dims = layout.dims(&(&sizes).into());
    Ok(dims.iter().filter_map(|dim| dim.known()).collect())
}

fn filter_kernel<K: Kind>(node: &NodeView<'_>) -> Result<Box<dyn Kernel>, OpError> {
    let layout = Layout::of(node, K::SPACE)?;
    Ok(kernel(move |cx: &KernelCx<'_>| {
        let input = layout.channels_last(cx.memory, cx.input(0)?)?;
        let filter = sizes(cx.input(1)?, "filter_sizes", K::SPACE + 2)?;
        let grad = layout.channels_last(cx.memory, cx.input(2)?)?;
        let plan = (K::PLAN)(input.shape(), &filter, &layout.slides)?;
        Ok(plan.filter_gradient(cx.memory, &input, &grad)?)
    }))
}
