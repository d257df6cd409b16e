//! Maximum and mean pooling over images.

use tidemill_graph::{
    Arg, AttrDef, AttrDefault, AttrKind, Fallible, GradCx, GradientError, Grads, Inferred, Kernel,
    KernelCx, KernelError, NodeBuilder, NodeView, OpDef, OpError, Sample, TensorRef, Widening,
};
use tidemill_kernels::pooling::{self as kernels, Pool};
use tidemill_kernels::window::{Padding, Slide};
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::array::{shape_as, zeros_like};
use super::conv::Conv;
use crate::data_format::{DataFormat, Formats};
use crate::family::{beside, grads};
use crate::index::{check_shape, integers, known_extents, known_integers, shape_of};
use crate::kernel::kernel;
use crate::operand::tensor;
use crate::operations::operations;
use crate::sample::array;
use crate::window::{EXPLICIT_PADDINGS, PADDING, STRIDES, WrongList, paddings, places, spatial};
use crate::{Operand, Tensor};

operations! {
    ops:
        AVG_POOL, AVG_POOL_GRAD, MAX_POOL, MAX_POOL_GRAD, MAX_POOL_GRAD_GRAD, MAX_POOL_GRAD_GRAD_V2,
        MAX_POOL_GRAD_V2, MAX_POOL_V2, MAX_POOL_WITH_ARGMAX;
    exports: avg_pool, max_pool, max_pool_with_argmax;
}

const KSIZE: AttrDef = AttrDef::new("ksize", AttrKind::Ints);
const FORMAT: AttrDef = DataFormat::ATTR;
const NUMBERS: AttrDef = AttrDef::widened("T", DType::NUMBERS);
/// For windows on padding alone, whose largest element is the lowest number.
const LIMITED: AttrDef = NUMBERS.widening(Widening::Saturating);
const FLOATS: AttrDef = AttrDef::widened("T", DType::FLOATS);

/// The attributes that move windows, whose extents and strides are attributes, too, or inputs.
struct Windows {
    format: DataFormat,
    paddings: [Padding; 2],
}

impl Windows {
    fn of(node: &NodeView<'_>) -> Result<Self, OpError> {
        let format = match node.op().attr(DataFormat::ATTR.name) {
            Some(_) => DataFormat::of(node, Formats::IMAGES.quoted())?,
            None => DataFormat::NHWC,
        };
        let paddings = paddings(node, format)?;
        Ok(Windows { format, paddings: [paddings[0], paddings[1]] })
    }

    /// The pool whose extents and strides for all four axes are these.
    fn pool(&self, extents: &[i64], strides: &[i64]) -> Result<Pool, OpError> {
        let (extents, strides) = (self.spatial(extents, KSIZE)?, self.spatial(strides, STRIDES)?);
        if (0..2).any(|i| hides_window(self.paddings[i], extents[i])) {
            return Err(OpError::attr(
                EXPLICIT_PADDINGS.name,
                "explicit paddings must be smaller than the window",
            ));
        }
        let slide = |i: usize| Slide { stride: strides[i], dilation: 1, padding: self.paddings[i] };
        let slides = [slide(0), slide(1)];
        Ok(Pool { extents, slides, channels_first: self.format.channels_first })
    }

    fn spatial(&self, list: &[i64], attr: AttrDef) -> Result<[usize; 2], OpError> {
        let name = attr.name;
        let numbers = spatial(list, self.format).map_err(|wrong| {
            let message = match wrong {
                WrongList::Length => format!("`{name}` must have 4 numbers, not {}", list.len()),
                WrongList::Ends => {
                    format!("`{name}` must be 1 along batch and channels, not {list:?}")
                }
                WrongList::Space => format!("`{name}` must be positive, not {list:?}"),
            };
            OpError::attr(name, message)
        })?;
        Ok([numbers[0], numbers[1]])
    }

    /// The pool of a node, if it is known: from its attributes, or else from its last two inputs.
    fn known_pool(&self, node: &NodeView<'_>) -> Result<Option<Pool>, OpError> {
        if node.op().attr(KSIZE.name).is_some() {
            let (extents, strides) = (node.ints_attr(KSIZE.name)?, node.ints_attr(STRIDES.name)?);
            return self.pool(&extents, &strides).map(Some);
        }
        let last = node.inputs().len() - 1;
        match (known_integers(node, last - 1), known_integers(node, last)) {
            (Some(extents), Some(strides)) => self.pool(&extents, &strides).map(Some),
            _ => Ok(None),
        }
    }

    /// The pool that the last two inputs describe.
    fn fed_pool(&self, cx: &KernelCx<'_>) -> Result<Pool, KernelError> {
        let last = cx.input_count().saturating_sub(1);
        let (extents, strides) = (cx.input(last.saturating_sub(1))?, cx.input(last)?);
        Ok(self.pool(&integers(extents)?, &integers(strides)?)?)
    }
}

/// True if a window of an extent can lie on padding alone.
fn hides_window(padding: Padding, extent: usize) -> bool {
    matches!(padding, Padding::Explicit(before, after) if before.max(after) >= extent)
}

/// The shape of the windows of images of a shape.
fn windows_of(node: &NodeView<'_>, images: &PartialShape) -> Result<PartialShape, OpError> {
    let images = images.merge(&PartialShape::of_rank(4)).map_err(|_| OpError::Rank {
        input: node.op().inputs[0].name,
        expected: "4 axes",
        actual: images.clone(),
    })?;
    let mut dims = images.dims().unwrap_or_default().to_vec();
    let windows = Windows::of(node)?;
    let pool = windows.known_pool(node)?;
    for (i, axis) in windows.format.spatial_axes().enumerate() {
        dims[axis] = match &pool {
            Some(pool) => places(pool.slides[i], dims[axis], pool.extents[i].into())?,
            None => Dim::UNKNOWN,
        };
    }
    Ok(dims.into_iter().collect())
}

/// A kernel that combines the elements of windows.
fn pool_kernel<F>(node: &NodeView<'_>, compute: F) -> Result<Box<dyn Kernel>, OpError>
where
    F: Fn(&KernelCx<'_>, &Pool) -> Result<Value, KernelError> + Send + Sync + 'static,
{
    let windows = Windows::of(node)?;
    let pool = windows.known_pool(node)?;
    Ok(kernel(move |cx| match &pool {
        Some(pool) => compute(cx, pool),
        None => compute(cx, &windows.fed_pool(cx)?),
    }))
}

/// The gradients of a node that is linear in its third input; those of the first two are zero.
fn through_last<const N: usize>(
    cx: &GradCx<'_>,
    op: &'static OpDef,
    inputs: [Tensor; N],
) -> Result<Grads, GradientError> {
    let through = beside(op, cx, inputs)?;
    let none = [0, 1].map(|i| Some(zeros_like(cx.input::<Tensor>(i))));
    let grads = none.into_iter().chain([Some(through)]).chain((3..N).map(|_| None));
    Ok(grads.map(|grad| grad.map(TensorRef::from)).collect())
}

const fn pooled(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .outputs(const { &[Arg::of("output", "T")] })
        .fallible(Fallible::Values)
        .infer(|node| Inferred::one(windows_of(node, node.shape(0))?))
}

/// The largest element of each window.
pub static MAX_POOL: OpDef = pooled("MaxPool", "The largest element of each window.")
    .inputs(&[Arg::of("input", "T")])
    .attrs(const { &[LIMITED, KSIZE, STRIDES, PADDING, EXPLICIT_PADDINGS, FORMAT] })
    .gradient(|cx| {
        let inputs = [cx.input(0), cx.output(0), cx.grad()];
        Ok(grads([Some(beside(&MAX_POOL_GRAD, cx, inputs)?)]))
    })
    .kernel(|node| {
        pool_kernel(node, |cx, pool| Ok(kernels::max_pool(cx.memory, cx.input(0)?, pool)?))
    })
    .samples(|| {
        let x = || image([1, 2, 3, 1]);
        let largest = Value::from_vec([1, 1, 2, 1], vec![5.0_f32, 6.0]);
        let across = || image([1, 1, 2, 3]);
        let explicit = vec![0_i64, 0, 1, 0, 0, 1, 0, 0];
        let mut samples = vec![
            windowed(Sample::shapes([x()]), [2, 2], [2, 2], "SAME"),
            windowed(Sample::shapes([x()]), [3, 3], [1, 1], "VALID"),
            windowed(Sample::shapes([x()]), [2, 2], [1, 2], "EXPLICIT")
                .attr("explicit_paddings", explicit.clone()),
            Sample::shapes([across()])
                .attr("ksize", vec![1_i64, 1, 2, 2])
                .attr("strides", vec![1_i64, 1, 1, 1])
                .attr("padding", "VALID")
                .attr("data_format", "NCHW"),
            windowed(Sample::shapes([image([0, 2, 3, 1])]), [2, 2], [1, 1], "VALID"),
            windowed(Sample::error([x()], "smaller than the window"), [1, 2], [1, 1], "EXPLICIT")
                .attr("explicit_paddings", explicit),
            windowed(Sample::error([x()], "must be positive"), [0, 1], [1, 1], "SAME"),
            windowed(Sample::error([x()], "unknown padding"), [1, 1], [1, 1], "NONE"),
            windowed(Sample::error([Value::from(1.0_f32)], "4 axes"), [1, 1], [1, 1], "SAME"),
        ];
        let exact = largest.map(|largest| Sample::new([x()], largest));
        samples.extend(exact.map(|exact| windowed(exact, [2, 2], [1, 1], "VALID")));
        samples
    });

/// [`MAX_POOL`] with windows that inputs describe.
pub static MAX_POOL_V2: OpDef =
    pooled("MaxPoolV2", "The largest element of each window, with window sizes as inputs.")
        .inputs(&[
            Arg::of("input", "T"),
            Arg::is("ksize", DType::I32),
            Arg::is("strides", DType::I32),
        ])
        .attrs(const { &[LIMITED, PADDING, FORMAT] })
        .gradient(|cx| {
            let inputs = [cx.input(0), cx.output(0), cx.grad(), cx.input(1), cx.input(2)];
            Ok(grads([Some(beside(&MAX_POOL_GRAD_V2, cx, inputs)?), None, None]))
        })
        .kernel(|node| {
            pool_kernel(node, |cx, pool| Ok(kernels::max_pool(cx.memory, cx.input(0)?, pool)?))
        })
        .samples(|| {
            let inputs = |extents: [i32; 4]| {
                [image([1, 2, 3, 1]), Value::from(extents), Value::from([1, 1, 1, 1])]
            };
            vec![
                Sample::new(inputs([1, 2, 2, 1]), array([1, 1, 2, 1], [5.0_f32, 6.0]))
                    .attr("padding", "VALID"),
                Sample::error(inputs([2, 1, 1, 1]), "`ksize` must be 1 along batch and channels")
                    .attr("padding", "VALID"),
            ]
        });

const GRAD_INPUTS: &[Arg; 5] = &[
    Arg::of("orig_input", "T"),
    Arg::of("orig_output", "T"),
    Arg::of("grad", "T"),
    Arg::is("ksize", DType::I32),
    Arg::is("strides", DType::I32),
];
const BY_ATTRS: &[AttrDef] = &[KSIZE, STRIDES, PADDING, EXPLICIT_PADDINGS, FORMAT, NUMBERS];
const BY_INPUTS: &[AttrDef] = &[PADDING, FORMAT, NUMBERS];

const fn grad_of_max(name: &'static str) -> OpDef {
    pooled(name, "The gradient of max pooling: each window's gradient, at its first maximum.")
        .infer(|node| {
            check_shape(node, 2, &windows_of(node, node.shape(0))?)?;
            Inferred::one(node.shape(0))
        })
        .kernel(|node| {
            pool_kernel(node, |cx, pool| {
                Ok(kernels::max_pool_grad(cx.memory, cx.input(0)?, cx.input(2)?, pool)?)
            })
        })
}

const fn grad_of_grad(name: &'static str) -> OpDef {
    pooled(name, "The elements of `grad` at the position of the first maximum of each window.")
        .infer(|node| {
            check_shape(node, 2, node.shape(0))?;
            Inferred::one(windows_of(node, node.shape(0))?)
        })
        .kernel(|node| {
            pool_kernel(node, |cx, pool| {
                Ok(kernels::pick_largest(cx.memory, cx.input(0)?, cx.input(2)?, pool)?)
            })
        })
}

/// The gradient of [`MAX_POOL`].
pub static MAX_POOL_GRAD: OpDef = grad_of_max("MaxPoolGrad")
    .inputs(GRAD_INPUTS.split_at(3).0)
    .attrs(BY_ATTRS)
    .gradient(|cx| {
        let inputs = [cx.input(0), cx.input(1), cx.grad()];
        through_last(cx, &MAX_POOL_GRAD_GRAD, inputs)
    })
    .samples(|| {
        let grad = array([1, 1, 2, 1], [1.0_f32, 2.0]);
        let spread = array([1, 2, 3, 1], [0.0_f32, 0.0, 0.0, 0.0, 1.0, 2.0]);
        let outputs = array([1, 1, 2, 1], [5.0_f32, 6.0]);
        let sample = Sample::new([image([1, 2, 3, 1]), outputs.clone(), grad], spread);
        let wrong = [image([1, 2, 3, 1]), outputs, array([1, 1, 1, 1], [1.0_f32])];
        vec![
            windowed(sample, [2, 2], [1, 1], "VALID"),
            windowed(Sample::error(wrong, "[1, 1, 2, 1]"), [2, 2], [1, 1], "VALID"),
        ]
    });

/// [`MAX_POOL_GRAD`] with windows that inputs describe.
pub static MAX_POOL_GRAD_V2: OpDef = grad_of_max("MaxPoolGradV2")
    .inputs(GRAD_INPUTS)
    .attrs(BY_INPUTS)
    .gradient(|cx| {
        let inputs = [cx.input(0), cx.input(1), cx.grad(), cx.input(3), cx.input(4)];
        through_last(cx, &MAX_POOL_GRAD_GRAD_V2, inputs)
    })
    .samples(|| {
        let outputs = array([1, 1, 2, 1], [5.0_f32, 6.0]);
        let grad = array([1, 1, 2, 1], [1.0_f32, 2.0]);
        let inputs = [image([1, 2, 3, 1]), outputs, grad, [1, 2, 2, 1].into(), [1, 1, 1, 1].into()];
        vec![Sample::shapes(inputs).attr("padding", "VALID")]
    });

/// The gradient of [`MAX_POOL_GRAD`].
pub static MAX_POOL_GRAD_GRAD: OpDef = grad_of_grad("MaxPoolGradGrad")
    .inputs(GRAD_INPUTS.split_at(3).0)
    .attrs(BY_ATTRS)
    .gradient(|cx| {
        let inputs = [cx.input(0), cx.input(1), cx.grad()];
        through_last(cx, &MAX_POOL_GRAD, inputs)
    })
    .samples(|| {
        let outputs = array([1, 1, 2, 1], [5.0_f32, 6.0]);
        let values = array([1, 2, 3, 1], [0.5_f32, 1.0, 1.5, 2.0, 2.5, 3.0]);
        let inputs = [image([1, 2, 3, 1]), outputs, values];
        let sample = Sample::new(inputs, array([1, 1, 2, 1], [2.5_f32, 3.0]));
        vec![windowed(sample, [2, 2], [1, 1], "VALID")]
    });

/// [`MAX_POOL_GRAD_GRAD`] with windows that inputs describe.
pub static MAX_POOL_GRAD_GRAD_V2: OpDef = grad_of_grad("MaxPoolGradGradV2")
    .inputs(GRAD_INPUTS)
    .attrs(BY_INPUTS)
    .gradient(|cx| {
        let inputs = [cx.input(0), cx.input(1), cx.grad(), cx.input(3), cx.input(4)];
        through_last(cx, &MAX_POOL_GRAD_V2, inputs)
    })
    .samples(|| {
        let outputs = array([1, 1, 2, 1], [5.0_f32, 6.0]);
        let values = array([1, 2, 3, 1], [0.5_f32, 1.0, 1.5, 2.0, 2.5, 3.0]);
        let image = image([1, 2, 3, 1]);
        let inputs = [image, outputs, values, [1, 2, 2, 1].into(), [1, 1, 1, 1].into()];
        vec![Sample::shapes(inputs).attr("padding", "VALID")]
    });

/// The largest element of each window, and its position.
pub static MAX_POOL_WITH_ARGMAX: OpDef =
    OpDef::new("MaxPoolWithArgmax", "The largest element of each window, and its position.")
        .inputs(&[Arg::of("input", "T")])
        .outputs(&[Arg::of("output", "T"), Arg::of("argmax", "Targmax")])
        .attrs(
            const {
                &[
                    KSIZE,
                    STRIDES,
                    AttrDef::types("Targmax", DType::INDICES)
                        .default(AttrDefault::Type(DType::I64)),
                    PADDING,
                    AttrDef::bool("include_batch_in_index", false),
                    NUMBERS,
                ]
            },
        )
        .fallible(Fallible::Values)
        .infer(|node| {
            let shape = windows_of(node, node.shape(0))?;
            Ok([shape.clone().into(), shape.into()].into_iter().collect())
        })
        .gradient(|cx| {
            let inputs = [cx.input(0), cx.output(0), cx.grad()];
            Ok(grads([Some(beside(&MAX_POOL_GRAD, cx, inputs)?)]))
        })
        .kernel(|node| {
            let indices = node.type_attr("Targmax")?;
            let of_image = !node.bool_attr("include_batch_in_index")?;
            let (extents, strides) = (node.ints_attr(KSIZE.name)?, node.ints_attr(STRIDES.name)?);
            let pool = Windows::of(node)?.pool(&extents, &strides)?;
            Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let x = cx.input(0)?;
                // Unlike in `MaxPool`, a NaN that comes first is the result.
                let largest = kernels::pick_largest(cx.memory, x, x, &pool)?;
                let places = kernels::arg_max_pool(cx.memory, x, &pool, of_image, indices)?;
                cx.set(0, largest);
                cx.set(1, places);
                Ok(())
            }))
        })
        .samples(|| {
            let outputs = [array([1, 1, 2, 1], [5.0_f32, 6.0]), array([1, 1, 2, 1], [4_i64, 5])];
            let sample = Sample::shapes([image([1, 2, 3, 1])]).outputs(outputs);
            vec![windowed(sample, [2, 2], [1, 1], "VALID")]
        });

/// The mean of each window.
pub static AVG_POOL: OpDef = pooled("AvgPool", "The mean of each window.")
    .inputs(&[Arg::of("value", "T")])
    .attrs(const { &[KSIZE, STRIDES, PADDING, FORMAT, FLOATS] })
    .gradient(|cx| {
        let extents = shape_as(cx.input::<Tensor>(0), DType::I32);
        Ok(grads([Some(beside(&AVG_POOL_GRAD, cx, [extents, cx.grad()])?)]))
    })
    .kernel(|node| {
        pool_kernel(node, |cx, pool| Ok(kernels::mean_pool(cx.memory, cx.input(0)?, pool)?))
    })
    .samples(|| {
        let x = || image([1, 2, 3, 1]);
        vec![
            windowed(
                Sample::new([x()], array([1, 1, 2, 1], [3.0_f32, 4.0])),
                [2, 2],
                [1, 1],
                "VALID",
            ),
            windowed(Sample::shapes([x()]), [2, 2], [2, 2], "SAME"),
            windowed(Sample::shapes([image([0, 2, 3, 1])]), [2, 2], [1, 1], "VALID"),
            windowed(Sample::error([x()], "must be positive"), [1, 1], [0, 1], "SAME"),
        ]
    });

/// The gradient of [`AVG_POOL`].
pub static AVG_POOL_GRAD: OpDef = pooled(
    "AvgPoolGrad",
    "The gradient of mean pooling: each window's gradient, divided among its elements.",
)
.inputs(&[Arg::is("orig_input_shape", DType::I32), Arg::of("grad", "T")])
.attrs(const { &[KSIZE, STRIDES, PADDING, FORMAT, FLOATS] })
.infer(|node| {
    check_shape(node, 0, &[4].into())?;
    let shape = known_extents(node, 0)?.unwrap_or_else(|| PartialShape::of_rank(4));
    check_shape(node, 1, &windows_of(node, &shape)?)?;
    Inferred::one(shape)
})
.gradient(|cx| Ok(grads([None, Some(beside(&AVG_POOL, cx, [cx.grad()])?)])))
.kernel(|node| {
    pool_kernel(node, |cx, pool| {
        Ok(kernels::mean_pool_grad(cx.memory, &shape_of(cx.input(0)?)?, cx.input(1)?, pool)?)
    })
})
.samples(|| {
    let inputs = |grad| [Value::from([1, 2, 3, 1]), grad];
    let grad = array([1, 1, 2, 1], [4.0_f32, 8.0]);
    let spread = array([1, 2, 3, 1], [1.0_f32, 3.0, 2.0, 1.0, 3.0, 2.0]);
    let wrong = array([1, 1, 1, 1], [4.0_f32]);
    vec![
        windowed(Sample::new(inputs(grad), spread), [2, 2], [1, 1], "VALID"),
        windowed(Sample::error(inputs(wrong), "[1, 1, 2, 1]"), [2, 2], [1, 1], "VALID"),
    ]
});

/// An image of the numbers from 1 on.
fn image(shape: [usize; 4]) -> Value {
    let count: usize = shape.iter().product();
    array(shape, (1..=count).map(|i| i as f32).collect::<Vec<f32>>())
}

fn windowed(sample: Sample, extents: [i64; 2], strides: [i64; 2], padding: &'static str) -> Sample {
    let four = |[height, width]: [i64; 2]| vec![1, height, width, 1];
    let sample = sample.attr("ksize", four(extents)).attr("strides", four(strides));
    sample.attr("padding", padding)
}

#[track_caller]
fn pool_node(
    op: &'static OpDef,
    x: impl Into<Operand>,
    extents: [i64; 2],
    options: Conv<2>,
) -> NodeBuilder {
    let node = options.moved(NodeBuilder::new(op).input(x.into().to_tensor()));
    let node = node.attr("ksize", options.spread(extents, 1));
    // Pools have no dilations, so the missing attribute is the error.
    match options.dilations {
        [1, 1] => node,
        dilations => node.attr("dilations", options.spread(dilations, 1)),
    }
}

/// The largest element of each window of `extents`, `[height, width]`, that moves over the images
/// `x`, numbers of shape `[batch, height, width, channels]`. NaN is ignored. The gradient goes to
/// the first of the largest.
///
/// # Errors
/// Images of another rank, windows or strides that are not positive, or dilations.
///
/// ```
/// use tidemill_ops::{Conv, max_pool, placeholder};
/// let x = placeholder::<f32>([1, 5, 5, 3]);
/// let y = max_pool(x, [2, 2], Conv::VALID.strides([2, 2]));
/// assert_eq!(y.shape().to_string(), "[1, 2, 2, 3]");
/// ```
#[doc(alias = "MaxPool")]
#[track_caller]
pub fn max_pool(x: impl Into<Operand>, extents: [i64; 2], options: Conv<2>) -> Tensor {
    tensor(pool_node(&MAX_POOL, x, extents, options))
}

/// [`max_pool`], and the position of each maximum within its image, in row-major order.
///
/// # Errors
/// As for [`max_pool`], and images whose channels come first or with explicit padding.
///
/// ```
/// use tidemill_ops::{Conv, max_pool_with_argmax, placeholder};
/// let x = placeholder::<f32>([1, 4, 4, 3]);
/// let (y, places) = max_pool_with_argmax(x, [2, 2], Conv::VALID.strides([2, 2]));
/// assert_eq!(y.shape(), places.shape());
/// ```
#[doc(alias = "MaxPoolWithArgmax")]
#[track_caller]
pub fn max_pool_with_argmax(
    x: impl Into<Operand>,
    extents: [i64; 2],
    options: Conv<2>,
) -> (Tensor, Tensor) {
    let node = pool_node(&MAX_POOL_WITH_ARGMAX, x, extents, options).build();
    (node.output(0).into(), node.output(1).into())
}

/// The mean of each window as in [`max_pool`], of floats, not counting the padding.
///
/// # Errors
/// As for [`max_pool`], and explicit padding.
///
/// ```
/// use tidemill_ops::{Conv, avg_pool, placeholder};
/// let y = avg_pool(placeholder::<f32>([1, 5, 5, 3]), [2, 2], Conv::VALID.strides([2, 2]));
/// assert_eq!(y.shape().to_string(), "[1, 2, 2, 3]");
/// ```
#[doc(alias = "AvgPool")]
#[track_caller]
pub fn avg_pool(x: impl Into<Operand>, extents: [i64; 2], options: Conv<2>) -> Tensor {
    tensor(pool_node(&AVG_POOL, x, extents, options))
}
