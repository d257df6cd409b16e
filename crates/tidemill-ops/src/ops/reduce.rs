//! Reductions over axes.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrDefault, Elements, Fallible, Inferred, Kernel, KernelError, NodeBuilder,
    NodeView, OpDef, OpError, Sample, Widening,
};
use tidemill_kernels::{NumericError, reduce as kernels};
use tidemill_value::{DType, Dim, Memory, PartialShape, Shape, Value};

use super::array::{broadcast_to, expand_dims, range, rank, reshape, shape, shape_tensor, size};
use super::cast::cast;
use super::compare::equal;
use super::division::div_no_nan;
use crate::family::{example, grads};
use crate::index::{axes_of, axis_of, check_not_empty, check_single, integers};
use crate::kernel::kernel;
use crate::operand::{composite, indexed, tensor};
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: ALL, ANY, ARG_MAX, ARG_MIN, EUCLIDEAN_NORM, MAX, MEAN, MIN, SUM;
    exports:
        Axes, arg_max, arg_min, reduce_all, reduce_any, reduce_euclidean_norm, reduce_max,
        reduce_mean, reduce_min, reduce_sum;
}

const INDEX: AttrDef =
    AttrDef::types("Tidx", DType::INDICES).default(AttrDefault::Type(DType::I32));
const KEEP_DIMS: AttrDef = AttrDef::bool("keep_dims", false);
const NUMBERS: &[AttrDef] = &numbers(Widening::Wrapping);

/// The attributes of a reduction of numbers.
const fn numbers(widening: Widening) -> [AttrDef; 3] {
    [AttrDef::widened("T", DType::NUMBERS).widening(widening), INDEX, KEEP_DIMS]
}

/// An operation that combines the elements along some axes.
pub(super) const fn reduction(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("input", "T"), Arg::of("reduction_indices", "Tidx")] })
        .outputs(const { &[Arg::of("output", "T")] })
        .attrs(NUMBERS)
        .fallible(Fallible::Elements(&[1]))
        .infer(infer)
}

/// The shape without the axes that are combined, or with an extent of 1 along them.
fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let keep_dims = node.bool_attr("keep_dims")?;
    let Some(dims) = node.shape(0).dims() else {
        return Inferred::one(PartialShape::unknown());
    };
    let Some(axes) = node.elements(1).and_then(Elements::known) else {
        return Inferred::one(match keep_dims {
            true => PartialShape::of_rank(dims.len()),
            false => PartialShape::unknown(),
        });
    };
    let axes = axes_of(&axes, dims.len())?;
    let dims =
        dims.iter().enumerate().filter_map(|(axis, dim)| match (axes.contains(&axis), keep_dims) {
            (false, _) => Some(*dim),
            (true, true) => Some(Dim::from(1)),
            (true, false) => None,
        });
    Inferred::one(dims.collect::<PartialShape>())
}

type Reduce = fn(&Memory, &Value, &[usize]) -> Result<Value, NumericError>;

pub(super) fn reduce_kernel(
    node: &NodeView<'_>,
    reduce: Reduce,
) -> Result<Box<dyn Kernel>, OpError> {
    let keep_dims = node.bool_attr("keep_dims")?;
    Ok(kernel(move |cx| {
        let x = cx.input(0)?;
        let axes = axes_of(&integers(cx.input(1)?)?, x.shape().rank())?;
        let reduced = reduce(cx.memory, x, &axes)?;
        if !keep_dims {
            return Ok(reduced);
        }
        let kept = x.shape().iter().enumerate();
        let kept: Shape = kept.map(|(i, &d)| if axes.contains(&i) { 1 } else { d }).collect();
        Ok(reduced.reshape(kept)?)
    }))
}

/// Samples over `[[1, 2, 3], [4, 5, 6]]`: along the last axis, and along both.
pub(super) fn samples(rows: [f32; 2], all: f32) -> Vec<Sample> {
    let x = Value::from_vec([2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let samples = x.map(|x| {
        let along = |axes: Value, y: Value| Sample::new([x.clone(), axes], y);
        let kept = Value::from(rows).reshape([2, 1]);
        let kept = kept.map(|y| along(Value::from(1), y).attr("keep_dims", true));
        let plain = [
            along(Value::from([-1]), Value::from(rows)),
            along(Value::from([0, 1]), Value::from(all)),
            Sample::error([x.clone(), Value::from(2)], "axis 2"),
        ];
        plain.into_iter().chain(kept).collect()
    });
    samples.unwrap_or_default()
}

/// The sum along some axes.
pub static SUM: OpDef = reduction("Sum", "The sum along some axes.")
    .kernel(|node| reduce_kernel(node, kernels::sum))
    .gradient(|cx| {
        let (x, axes): (Tensor, Tensor) = (cx.input(0), cx.input(1));
        let keeps = cx.node().bool_attr("keep_dims")?;
        Ok(grads([Some(spread(cx.grad(), x, axes, keeps)), None]))
    })
    .samples(|| samples([6.0, 15.0], 21.0));

/// The mean along some axes.
pub static MEAN: OpDef = reduction("Mean", "The mean along some axes.")
    .kernel(|node| reduce_kernel(node, kernels::mean))
    .gradient(|cx| {
        let (x, axes, grad): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.grad());
        let keeps = cx.node().bool_attr("keep_dims")?;
        let dtype = cx.node().dtype(0);
        let spread = spread(grad, x, axes, keeps);
        let (from, to) = (cx.node().shape(0).elements(), cx.node().outputs()[0].shape.elements());
        let grad = match from.zip(to) {
            Some((from, to)) => spread / (from as f64 / to.max(1) as f64),
            None => {
                let sizes = [size(x), size(cx.output::<Tensor>(0))];
                let [from, to] = sizes.map(|size| cast(size, dtype));
                spread / (from / super::arithmetic::maximum(to, 1.0))
            }
        };
        Ok(grads([Some(grad), None]))
    })
    .samples(|| samples([2.0, 5.0], 3.5));

/// The square root of the sum of squares along some axes.
pub static EUCLIDEAN_NORM: OpDef =
    reduction("EuclideanNorm", "The square root of the sum of squares along some axes.")
        // The sum of the squares of short integers wraps before its root is taken.
        .attrs(const { &numbers(Widening::Floats) })
        .kernel(|node| reduce_kernel(node, kernels::euclidean_norm))
        .gradient(|cx| {
            let (x, axes): (Tensor, Tensor) = (cx.input(0), cx.input(1));
            let keeps = cx.node().bool_attr("keep_dims")?;
            // Their quotient is at most 1, whereas the reciprocal of the norm could overflow.
            let direction = div_no_nan(x, spread(cx.output(0), x, axes, keeps));
            Ok(grads([Some(direction * spread(cx.grad(), x, axes, keeps)), None]))
        })
        .samples(|| samples([3.7416575, 8.774964], 9.539392));

/// The largest element along some axes.
pub static MAX: OpDef = reduction("Max", "The largest element along some axes.")
    .attrs(const { &numbers(Widening::Saturating) })
    .kernel(|node| reduce_kernel(node, kernels::max))
    .gradient(extremum_gradient)
    .samples(|| samples([3.0, 6.0], 6.0));

/// The smallest element along some axes.
pub static MIN: OpDef = reduction("Min", "The smallest element along some axes.")
    .attrs(const { &numbers(Widening::Saturating) })
    .kernel(|node| reduce_kernel(node, kernels::min))
    .gradient(extremum_gradient)
    .samples(|| samples([1.0, 4.0], 1.0));

/// The gradient of the largest or smallest element: split evenly among those that attain it.
fn extremum_gradient(
    cx: &tidemill_graph::GradCx<'_>,
) -> Result<tidemill_graph::Grads, tidemill_graph::GradientError> {
    let (x, axes): (Tensor, Tensor) = (cx.input(0), cx.input(1));
    let keeps = cx.node().bool_attr("keep_dims")?;
    let extremum = spread(cx.output(0), x, axes, keeps);
    let chosen = cast(equal(x, extremum), cx.node().dtype(0));
    let count = tensor(NodeBuilder::new(&SUM).input(chosen).input(axes).attr("keep_dims", true));
    Ok(grads([Some(chosen / count * spread(cx.grad(), x, axes, keeps)), None]))
}

/// A tensor of the shape of a reduction's output, repeated along the axes that were combined.
pub(super) fn spread(reduced: Tensor, x: Tensor, axes: Tensor, keeps_dims: bool) -> Tensor {
    let known_axes = axes.fact().and_then(|fact| fact.elements?.known());
    let known_axes = x.shape().rank().zip(known_axes);
    let kept = match known_axes.and_then(|(rank, axes)| axes_of(&axes, rank).ok()) {
        _ if keeps_dims => reduced,
        // Leading axes are added by broadcasting itself.
        Some(axes) if axes.iter().enumerate().all(|(i, &axis)| i == axis) => reduced,
        Some(axes) => axes.iter().fold(reduced, |kept, &axis| expand_dims(kept, axis as i32)),
        None => {
            let node = NodeBuilder::new(&SUM).input(x).input(axes).attr("keep_dims", true);
            reshape(reduced, shape(tensor(node)))
        }
    };
    match x.shape().known() {
        Some(known) => broadcast_to(kept, shape_tensor(&known)),
        None => broadcast_to(kept, shape(x)),
    }
}

const LOGICAL: &[AttrDef] = &[INDEX, KEEP_DIMS];

/// A test of all elements along some axes.
const fn logical_reduction(name: &'static str, summary: &'static str) -> OpDef {
    reduction(name, summary)
        .inputs(const { &[Arg::is("input", DType::Bool), Arg::of("reduction_indices", "Tidx")] })
        .outputs(const { &[Arg::is("output", DType::Bool)] })
        .attrs(LOGICAL)
        .not_differentiable()
}

fn logical_samples(expected: bool) -> Vec<Sample> {
    let x = Value::from([true, false, true]);
    vec![Sample::new([x, Value::from(0)], Value::from(expected))]
}

/// Whether all elements along some axes are true.
pub static ALL: OpDef = logical_reduction("All", "Whether all elements along some axes are true.")
    .kernel(|node| reduce_kernel(node, kernels::all))
    .samples(|| logical_samples(false));

/// Whether any element along some axes is true.
pub static ANY: OpDef = logical_reduction("Any", "Whether any element along some axes is true.")
    .kernel(|node| reduce_kernel(node, kernels::any))
    .samples(|| logical_samples(true));

/// The position of an extremum along an axis.
const fn position(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("input", "T"), Arg::of("dimension", "Tidx")] })
        .outputs(const { &[Arg::of("output", "output_type")] })
        .attrs(
            const {
                &[
                    AttrDef::types("T", DType::PLAIN),
                    INDEX,
                    AttrDef::types(
                        "output_type",
                        &[DType::I16, DType::U16, DType::I32, DType::I64],
                    )
                    .default(AttrDefault::Type(DType::I64)),
                ]
            },
        )
        .fallible(Fallible::Values)
        .infer(|node| {
            check_single(node, 1)?;
            let Some(dims) = node.shape(0).dims() else {
                return Inferred::one(PartialShape::unknown());
            };
            let rank = dims.len().saturating_sub(1);
            let Some(&[axis]) = node.elements(1).and_then(Elements::known).as_deref() else {
                return Inferred::one(PartialShape::of_rank(rank));
            };
            let axis = axis_of(axis, dims.len())?;
            check_not_empty(node, 0, [axis])?;
            let kept = dims.iter().enumerate().filter(|(i, _)| *i != axis);
            Inferred::one(kept.map(|(_, dim)| *dim).collect::<PartialShape>())
        })
        .not_differentiable()
}

type Position = fn(&Memory, &Value, usize, DType) -> Result<Value, NumericError>;

fn position_kernel(node: &NodeView<'_>, position: Position) -> Result<Box<dyn Kernel>, OpError> {
    let dtype = node.type_attr("output_type")?;
    Ok(kernel(move |cx| {
        let x = cx.input(0)?;
        let axis = match integers(cx.input(1)?)?[..] {
            [axis] => axis_of(axis, x.shape().rank())?,
            _ => {
                return Err(
                    OpError::shape("dimension", "`dimension` must be a single number").into()
                );
            }
        };
        Ok::<_, KernelError>(position(cx.memory, x, axis, dtype)?)
    }))
}

fn position_samples(expected: [i64; 2]) -> Vec<Sample> {
    let x = Value::from_vec([2, 3], vec![1.0_f32, 5.0, 5.0, 4.0, 0.0, 0.0]);
    let samples = x.map(|x| {
        vec![
            Sample::new([x.clone(), Value::from(1)], Value::from(expected)),
            Sample::error([x, Value::from(-3)], "axis -3"),
        ]
    });
    samples.unwrap_or_default()
}

/// The position of the largest element along an axis.
pub static ARG_MAX: OpDef =
    position("ArgMax", "The position of the largest element along an axis.")
        .kernel(|node| position_kernel(node, kernels::arg_max))
        .samples(|| position_samples([1, 0]));

/// The position of the smallest element along an axis.
pub static ARG_MIN: OpDef =
    position("ArgMin", "The position of the smallest element along an axis.")
        .kernel(|node| position_kernel(node, kernels::arg_min))
        .samples(|| position_samples([0, 1]));

/// The axes that a reduction combines: a number, a list of numbers, `..` or `None` for all of them,
/// or a tensor of integers. Negative numbers count from the end.
#[derive(Clone, Debug)]
pub struct Axes {
    axes: Which,
    keep_dims: bool,
}

#[derive(Clone, Debug)]
enum Which {
    All,
    These(Operand),
}

impl Axes {
    /// The same axes, kept in the result with length 1.
    pub fn keep_dims(mut self) -> Self {
        self.keep_dims = true;
        self
    }
}

impl Which {
    const fn dropped(self) -> Axes {
        Axes { axes: self, keep_dims: false }
    }
}

impl From<std::ops::RangeFull> for Axes {
    fn from(_: std::ops::RangeFull) -> Self {
        Which::All.dropped()
    }
}

impl From<Option<i32>> for Axes {
    /// All axes if it is `None`.
    fn from(axis: Option<i32>) -> Self {
        axis.map_or(Which::All.dropped(), Axes::from)
    }
}

impl From<&[i64]> for Axes {
    fn from(axes: &[i64]) -> Self {
        Which::These(axes.to_vec().into()).dropped()
    }
}

impl<const N: usize> From<[i32; N]> for Axes {
    fn from(axes: [i32; N]) -> Self {
        Which::These(axes.into()).dropped()
    }
}

impl From<i32> for Axes {
    fn from(axis: i32) -> Self {
        Which::These(axis.into()).dropped()
    }
}

impl From<Tensor> for Axes {
    fn from(axes: Tensor) -> Self {
        Which::These(axes.into()).dropped()
    }
}

#[track_caller]
pub(super) fn reduce(op: &'static OpDef, x: impl Into<Operand>, axes: impl Into<Axes>) -> Tensor {
    let (x, Axes { axes, keep_dims }) = (x.into().to_tensor(), axes.into());
    let node = |node: NodeBuilder| node.attr("keep_dims", keep_dims);
    if x.is_invalid() {
        return tensor(node(NodeBuilder::new(op).input(x).input(x)));
    }
    match (axes, x.shape().rank()) {
        (Which::These(axes), _) => indexed(op, op.name, x, ("reduction_indices", axes), node),
        (Which::All, Some(rank)) => {
            let all = Value::list((0..rank as i32).collect());
            let graph = tidemill_graph::TensorRef::from(x).graph();
            let all = super::constant::constant_node(Some(graph), "Const", all);
            tensor(node(NodeBuilder::new(op).input(x).input(all)))
        }
        (Which::All, None) => composite(x.graph(), op.name, |full| {
            let all = range(0, rank(x), 1);
            tensor(node(NodeBuilder::new(op).exact_name(full).input(x).input(all)))
        }),
    }
}

macro_rules! reductions {
    ($(
        $(#[doc = $doc:literal])*
        $function:ident = $op:ident, $alias:literal, $sample:expr;
    )*) => {$(
        $(#[doc = $doc])*
        ///
        /// # Errors
        /// An axis that does not exist, or that is named twice.
        #[doc = example!($function(constant($sample), 0) => "[2]")]
        #[doc(alias = $alias)]
        #[track_caller]
        pub fn $function(x: impl Into<Operand>, axes: impl Into<Axes>) -> Tensor {
            reduce(&$op, x, axes)
        }
    )*};
}

reductions! {
    /// The sum of `x` along `axes`: `reduce_sum(x, 0)`, `reduce_sum(x, [0, 1])`, and over all
    /// elements, `reduce_sum(x, ..)`. The sum of no elements is 0.
    reduce_sum = SUM, "Sum", [[1.0_f32, 2.0]];

    /// The mean of `x` along `axes` (see [`reduce_sum`]). The mean of no elements is NaN. For
    /// integers, it is truncated.
    reduce_mean = MEAN, "Mean", [[1.0_f32, 2.0]];

    /// The Euclidean norm of `x` along `axes` (see [`reduce_sum`]), the square root of the sum of
    /// squares. For integers, it is truncated. Its gradient at 0 is 0.
    reduce_euclidean_norm = EUCLIDEAN_NORM, "EuclideanNorm", [[1.0_f32, 2.0]];

    /// The largest element of `x` along `axes` (see [`reduce_sum`]); NaN if there is one. Its
    /// gradient is split evenly among equal elements.
    reduce_max = MAX, "Max", [[1.0_f32, 2.0]];

    /// The smallest element of `x` along `axes` (see [`reduce_sum`]); NaN if there is one. Its
    /// gradient is split evenly among equal elements.
    reduce_min = MIN, "Min", [[1.0_f32, 2.0]];

    /// Whether all elements of `x` along `axes` (see [`reduce_sum`]) are true.
    reduce_all = ALL, "All", [[true, false]];

    /// Whether any element of `x` along `axes` (see [`reduce_sum`]) is true.
    reduce_any = ANY, "Any", [[true, false]];
}

/// The position, as `int64`, of the largest element of `x` along an axis; the first of equal ones.
/// NaN is ignored.
///
/// # Errors
/// An axis that does not exist.
///
/// ```
/// use tidemill_ops::{arg_max, placeholder};
/// assert_eq!(arg_max(placeholder::<f32>([8, 3]), 1).shape().to_string(), "[8]");
/// ```
#[doc(alias = "ArgMax")]
#[track_caller]
pub fn arg_max(x: impl Into<Operand>, axis: i32) -> Tensor {
    let x = x.into().to_tensor();
    indexed(&ARG_MAX, "ArgMax", x, ("dimension", axis.into()), |node| node)
}

/// The position, as `int64`, of the smallest element of `x` along an axis; the first of equal ones.
/// NaN is ignored.
///
/// # Errors
/// An axis that does not exist.
///
/// ```
/// use tidemill_ops::{arg_min, placeholder};
/// assert_eq!(arg_min(placeholder::<f32>([8, 3]), -1).shape().to_string(), "[8]");
/// ```
#[doc(alias = "ArgMin")]
#[track_caller]
pub fn arg_min(x: impl Into<Operand>, axis: i32) -> Tensor {
    let x = x.into().to_tensor();
    indexed(&ARG_MIN, "ArgMin", x, ("dimension", axis.into()), |node| node)
}
