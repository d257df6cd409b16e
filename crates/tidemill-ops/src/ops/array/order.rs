//! Order and equality of elements: `TopKV2`, `InTopKV2`, `Unique`, `ListDiff`, `Bincount`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrDefault, Fallible, GradCx, GradientError, Grads, Inferred, Kernel, KernelCx,
    NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::order as kernels;
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::split::list_kernel;
use super::{
    broadcast_to, expand_dims, range, reshape, reverse, scatter_nd, shape, shape_as, size,
};
use crate::family::grads;
use crate::index::{check_rank, count_of, integer, integers, known_integer};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::ops::arithmetic::{floor_div, maximum};
use crate::ops::cast::cast;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: BINCOUNT, IN_TOP_K, LIST_DIFF, TOP_K, UNIQUE, UNIQUE_WITH_COUNTS;
    exports:
        Direction, argsort, bincount, in_top_k, list_diff, sort, top_k, unique, unique_with_counts;
}

/// An attribute for the type of indices.
const fn index_type(name: &'static str) -> AttrDef {
    AttrDef::types(name, DType::INDICES).default(AttrDefault::Type(DType::I32))
}

/// The largest elements along the last axis, and their positions.
pub static TOP_K: OpDef =
    OpDef::new("TopKV2", "The largest elements along the last axis, and their positions.")
        .inputs(&[Arg::of("input", "T"), Arg::of("k", "Tk")])
        .outputs(&[Arg::of("values", "T"), Arg::of("indices", "index_type")])
        .attrs(
            const {
                &[
                    AttrDef::bool("sorted", true),
                    AttrDef::widened("T", DType::NUMBERS),
                    AttrDef::types("Tk", &[DType::I16, DType::I32, DType::I64])
                        .default(AttrDefault::Type(DType::I32)),
                    AttrDef::types("index_type", &[DType::I16, DType::I32, DType::I64])
                        .default(AttrDefault::Type(DType::I32)),
                ]
            },
        )
        .fallible(Fallible::Values)
        .infer(infer_top_k)
        .gradient(top_k_gradient)
        .kernel(|node| {
            let indices = node.type_attr("index_type")?;
            Ok(list_kernel(move |cx| {
                let count = count_of(integer(cx.input(1)?, "k")?, "k")?;
                let (values, places) = kernels::top_k(cx.memory, cx.input(0)?, count, indices)?;
                Ok(vec![values, places])
            }))
        })
        .samples(|| {
            let x = || array([2, 3], [1.0_f32, 5.0, 3.0, 4.0, 2.0, 6.0]);
            let sample = |k: i32| Sample::shapes([x(), Value::from(k)]);
            let values = array([2, 2], [5.0_f32, 3.0, 6.0, 4.0]);
            let none = array([2, 0], Vec::<f32>::new());
            let ties = Sample::shapes([Value::from([1.0_f32, 2.0, 2.0, 1.0]), Value::from(3)]);
            let tied = [Value::from([2.0_f32, 2.0, 1.0]), Value::from([1, 2, 0])];
            vec![
                sample(2).outputs([values, array([2, 2], [1, 2, 2, 0])]),
                sample(0).outputs([none, array([2, 0], Vec::<i32>::new())]),
                ties.outputs(tied).at_kink(),
                Sample::error([x(), Value::from(4)], "the 4 largest of 3 elements"),
                Sample::error([x(), Value::from(-1)], "must not be negative, but is -1"),
                Sample::error([Value::from(1.0_f32), Value::from(1)], "at least 1 axis"),
            ]
        });

fn infer_top_k(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    check_rank(node, 1, 0, "no axes")?;
    let count = known_integer(node, 1).map(|count| count_of(count, "k")).transpose()?;
    let shape = match node.shape(0).dims().map(<[Dim]>::split_last) {
        None => PartialShape::unknown(),
        Some(Some((last, outer))) => {
            if let (Some(count), Some(extent)) = (count, last.known())
                && count > extent
            {
                let message = format!("cannot take the {count} largest of {extent} elements");
                return Err(OpError::elements("k", message));
            }
            outer.iter().copied().chain([Dim::from(count)]).collect()
        }
        Some(None) => {
            let (input, actual) = ("input", node.shape(0).clone());
            return Err(OpError::Rank { input, expected: "at least 1 axis", actual });
        }
    };
    Ok((0..2).map(|_| shape.clone().into()).collect())
}

/// The incoming gradient goes to the original positions of the elements.
fn top_k_gradient(cx: &GradCx<'_>) -> Result<Grads, GradientError> {
    let (x, grad, indices): (Tensor, Tensor, Tensor) = (cx.input(0), cx.grad(), cx.output(1));
    let places = cast(indices, DType::I32);
    let extents = shape(x);
    let extent = extents.slice([crate::SliceItem::from(-1)]);
    let (total, picked) = (size(x), size(places));
    let rows = floor_div(total, maximum(extent, 1));
    let width = floor_div(picked, maximum(rows, 1));
    // The start of each row in the list of all elements, once for each of its positions.
    let starts = expand_dims(range(0, rows, 1) * extent, 1);
    let starts = broadcast_to(starts, super::stack([rows, width], 0));
    let flat = reshape(starts + reshape(places, super::stack([rows, width], 0)), [-1]);
    let spread = scatter_nd(expand_dims(flat, 1), reshape(grad, [-1]), reshape(total, [1]));
    Ok(grads([Some(reshape(spread, shape_as(x, DType::I32))), None]))
}

/// Whether the target of each row is among its largest elements.
pub static IN_TOP_K: OpDef =
    OpDef::new("InTopKV2", "Whether the target of each row is among its largest elements.")
        .inputs(&[Arg::is("predictions", DType::F32), Arg::of("targets", "T"), Arg::of("k", "T")])
        .outputs(&[Arg::is("precision", DType::Bool)])
        .attrs(const { &[index_type("T")] })
        .fallible(Fallible::Values)
        .infer(|node| {
            check_rank(node, 0, 2, "2 axes")?;
            check_rank(node, 1, 1, "1 axis")?;
            check_rank(node, 2, 0, "no axes")?;
            let rows = |i: usize| node.shape(i).dims().map_or(Dim::UNKNOWN, |dims| dims[0]);
            Inferred::one([rows(0).merge(rows(1))?].into_iter().collect::<PartialShape>())
        })
        .not_differentiable()
        .kernel(|_| {
            Ok(kernel(|cx| {
                let (targets, k) = (integers(cx.input(1)?)?, integer(cx.input(2)?, "k")?);
                Ok(kernels::in_top_k(cx.input(0)?, &targets, k)?)
            }))
        })
        .samples(|| {
            let x = || array([2, 3], [1.0_f32, 5.0, 5.0, f32::NAN, 2.0, 6.0]);
            let inputs = |targets: &[i32]| [x(), Value::list(targets.to_vec()), Value::from(1)];
            vec![
                Sample::new(inputs(&[2, 2]), Value::from([true, false])),
                Sample::new(inputs(&[0, 9]), Value::from([false, false])),
                Sample::error(inputs(&[0]), "contradict"),
            ]
        });

/// The distinct elements of a list, and the index of each element among them.
pub static UNIQUE: OpDef =
    of_list("Unique", "The distinct elements of a list, and the index of each element among them.")
        .outputs(&[Arg::of("y", "T"), Arg::of("idx", "out_idx")])
        .infer(|node| infer_unique(node, 2))
        .kernel(|node| unique_kernel(node, 2))
        .samples(|| {
            let x = Value::from([3.0_f32, 1.0, 3.0]);
            let outputs = [Value::from([3.0_f32, 1.0]), Value::from([0, 1, 0])];
            vec![
                Sample::shapes([x]).outputs(outputs),
                Sample::error([Value::from(1.0_f32)], "1 axis"),
            ]
        });

/// The distinct elements of a list, the index of each element among them, and their counts.
pub static UNIQUE_WITH_COUNTS: OpDef = of_list(
    "UniqueWithCounts",
    "The distinct elements of a list, the index of each element among them, and their counts.",
)
.outputs(&[Arg::of("y", "T"), Arg::of("idx", "out_idx"), Arg::of("count", "out_idx")])
.infer(|node| infer_unique(node, 3))
.kernel(|node| unique_kernel(node, 3))
.samples(|| {
    let x = Value::from([7.0_f32, 5.0, 7.0]);
    let outputs = [Value::from([7.0_f32, 5.0]), Value::from([0, 1, 0]), Value::from([2, 1])];
    let empty = Sample::shapes([Value::list(Vec::<f32>::new())]);
    vec![Sample::shapes([x]).outputs(outputs), empty]
});

const fn of_list(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("x", "T")] })
        .attrs(const { &[AttrDef::types("T", DType::ALL), index_type("out_idx")] })
        .not_differentiable()
}

fn infer_unique(node: &NodeView<'_>, count: usize) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    check_rank(node, 0, 1, "1 axis")?;
    let places = node.shape(0).merge(&PartialShape::of_rank(1))?;
    let found = PartialShape::of_rank(1);
    Ok([found.clone(), places, found].into_iter().take(count).map(Inferred::from).collect())
}

fn unique_kernel(node: &NodeView<'_>, count: usize) -> Result<Box<dyn Kernel>, OpError> {
    let indices = node.type_attr("out_idx")?;
    Ok(list_kernel(move |cx: &KernelCx<'_>| {
        let kernels::Unique { values, indices, counts } =
            kernels::unique(cx.memory, cx.input(0)?, indices)?;
        Ok([values, indices, counts].into_iter().take(count).collect())
    }))
}

/// The elements of a list that are not in another list, and their positions.
pub static LIST_DIFF: OpDef = of_list(
    "ListDiff",
    "The elements of a list that are not in another list, and their positions.",
)
.inputs(&[Arg::of("x", "T"), Arg::of("y", "T")])
.outputs(&[Arg::of("out", "T"), Arg::of("idx", "out_idx")])
.infer(|node| {
    check_rank(node, 0, 1, "1 axis")?;
    check_rank(node, 1, 1, "1 axis")?;
    Ok((0..2).map(|_| PartialShape::of_rank(1).into()).collect())
})
.kernel(|node| {
    let indices = node.type_attr("out_idx")?;
    Ok(list_kernel(move |cx| {
        let (values, places) = kernels::list_diff(cx.memory, cx.input(0)?, cx.input(1)?, indices)?;
        Ok(vec![values, places])
    }))
})
.samples(|| {
    let lists = [Value::from([1.0_f32, 2.0, 3.0, 2.0]), Value::from([2.0_f32, 4.0])];
    let outputs = [Value::from([1.0_f32, 3.0]), Value::from([0, 2])];
    vec![Sample::shapes(lists).outputs(outputs)]
});

/// The number of occurrences of each number.
pub static BINCOUNT: OpDef = OpDef::new("Bincount", "The number of occurrences of each number.")
    .inputs(&[Arg::is("arr", DType::I32), Arg::is("size", DType::I32), Arg::of("weights", "T")])
    .outputs(&[Arg::of("bins", "T")])
    .attrs(&[AttrDef::types("T", &[DType::I32, DType::I64, DType::F32, DType::F64])])
    .fallible(Fallible::Values)
    .infer(|node| {
        check_rank(node, 1, 0, "no axes")?;
        let count = known_integer(node, 1).map(|count| count_of(count, "size")).transpose()?;
        // Without weights, each number counts 1.
        let weights = node.shape(2).elements();
        if let Some(weights) = weights.filter(|weights| *weights > 0)
            && node.shape(0).elements().is_some_and(|numbers| numbers != weights)
        {
            let (arr, weights) = (("arr", node.shape(0)), ("weights", node.shape(2)));
            return Err(OpError::disagree(weights, arr, "have the same number of elements"));
        }
        Inferred::one([Dim::from(count)].into_iter().collect::<PartialShape>())
    })
    .not_differentiable()
    .kernel(|_| {
        Ok(kernel(|cx| {
            let count = count_of(integer(cx.input(1)?, "size")?, "size")?;
            Ok(kernels::bincount(cx.memory, cx.slice(0)?, count, cx.input(2)?)?)
        }))
    })
    .samples(|| {
        let inputs = |last: i32, weights: &[f32]| {
            [Value::from([1, 1, last]), Value::from(3), Value::list(weights.to_vec())]
        };
        vec![
            Sample::new(inputs(0, &[]), Value::from([1.0_f32, 2.0, 0.0])),
            Sample::new(inputs(7, &[0.5, 1.0, 2.0]), Value::from([0.0_f32, 1.5, 0.0])),
            Sample::error(inputs(-1, &[]), "index -1"),
            Sample::error(inputs(0, &[1.0]), "the same number of elements"),
        ]
    });

/// The `k` largest elements of `x` along the last axis, in descending order, and their positions,
/// as `int32`. Equal elements keep their order.
///
/// ```
/// use tidemill_ops::{constant, top_k};
/// let (values, indices) = top_k(constant([3.0, 1.0, 2.0]), 2);
/// assert_eq!((values.shape(), indices.shape()), ([2].into(), [2].into()));
/// ```
///
/// Its gradient goes to the elements' original positions.
///
/// # Errors
/// No axis, or fewer elements than `k`.
#[doc(alias = "TopKV2")]
#[track_caller]
pub fn top_k(x: impl Into<Operand>, k: impl Into<Operand>) -> (Tensor, Tensor) {
    let (x, k) = (x.into().to_tensor(), k.into());
    let node = composite(x.graph(), "TopKV2", |full| {
        let k = k.to_tensor_beside(x, "k");
        NodeBuilder::new(&TOP_K).exact_name(full).input(x).input(k).build()
    });
    (node.output(0).into(), node.output(1).into())
}

/// The direction of [`sort`] and [`argsort`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// The smallest element first.
    Ascending,
    /// The largest element first.
    Descending,
}

/// The elements of `x` along the last axis in order. NaN counts as larger than any number.
///
/// Its gradient goes to the elements' original positions.
///
/// # Errors
/// No axis, or elements that are not numbers.
///
/// ```
/// use tidemill_ops::{Direction, constant, sort};
/// let x = sort(constant([3.0_f32, 1.0, 2.0]), Direction::Descending);
/// assert_eq!(x.shape().to_string(), "[3]");
/// ```
#[track_caller]
pub fn sort(x: impl Into<Operand>, direction: Direction) -> Tensor {
    let x = x.into().to_tensor();
    composite(x.graph(), "sort", |_| {
        let (values, _) = top_k(x, last_extent(x));
        match direction {
            Direction::Descending => values,
            Direction::Ascending => reverse(values, last_axis(x)),
        }
    })
}

/// The positions, as `int32`, that sort the elements of `x` along the last axis. Equal elements
/// keep their order.
///
/// # Errors
/// As for [`sort`].
///
/// ```
/// use tidemill_ops::{Direction, argsort, constant};
/// let order = argsort(constant([3.0_f32, 1.0, 2.0]), Direction::Ascending);
/// assert_eq!(order.shape().to_string(), "[3]");
/// ```
#[track_caller]
pub fn argsort(x: impl Into<Operand>, direction: Direction) -> Tensor {
    let x = x.into().to_tensor();
    composite(x.graph(), "argsort", |_| {
        let extent = last_extent(x);
        match direction {
            Direction::Descending => top_k(x, extent).1,
            Direction::Ascending => {
                let axis = last_axis(x);
                let (_, from_behind) = top_k(reverse(x, axis), extent);
                reverse(extent - 1 - from_behind, axis)
            }
        }
    })
}

fn last_extent(x: Tensor) -> Tensor {
    shape(x).slice([crate::SliceItem::from(-1)])
}

fn last_axis(x: Tensor) -> Tensor {
    Operand::from([-1]).to_tensor_beside(x, "axis")
}

/// For each row of `predictions`, which are `float32`, whether the element at its target is among
/// the `k` largest. Elements equal to the smallest of these count too; in a row with NaN or
/// infinity, no element counts.
///
/// # Errors
/// Shapes that do not fit.
///
/// ```
/// use tidemill_ops::{in_top_k, placeholder};
/// let found = in_top_k(placeholder::<f32>([8, 10]), placeholder::<i32>([8]), 3);
/// assert_eq!(found.shape().to_string(), "[8]");
/// ```
#[doc(alias = "InTopKV2")]
#[track_caller]
pub fn in_top_k(
    predictions: impl Into<Operand>,
    targets: impl Into<Operand>,
    k: impl Into<Operand>,
) -> Tensor {
    let predictions = predictions.into().to_tensor();
    let (targets, k) = (targets.into(), k.into());
    composite(predictions.graph(), "in_top_k", |full| {
        let targets = targets.to_tensor_beside(predictions, "targets");
        let node = NodeBuilder::new(&IN_TOP_K).exact_name(full).input(predictions);
        tensor(node.input(targets).input(k.to_tensor_like(targets, "k")))
    })
}

/// The distinct elements of a list in order of first occurrence, and for each element its index
/// among them, as `int32`.
///
/// # Errors
/// A tensor that is not a list.
///
/// ```
/// use tidemill_ops::{constant, unique};
/// let (elements, indices) = unique(constant([4, 2, 4]));
/// assert_eq!((elements.shape().rank(), indices.shape().to_string()), (Some(1), "[3]".into()));
/// ```
#[doc(alias = "Unique")]
#[track_caller]
pub fn unique(x: impl Into<Operand>) -> (Tensor, Tensor) {
    let node = NodeBuilder::new(&UNIQUE).input(x.into().to_tensor()).build();
    (node.output(0).into(), node.output(1).into())
}

/// [`unique`], and the count of each distinct element.
///
/// # Errors
/// A tensor that is not a list.
///
/// ```
/// use tidemill_ops::{constant, unique_with_counts};
/// let (_, indices, _) = unique_with_counts(constant([4, 2, 4]));
/// assert_eq!(indices.shape().to_string(), "[3]");
/// ```
#[doc(alias = "UniqueWithCounts")]
#[track_caller]
pub fn unique_with_counts(x: impl Into<Operand>) -> (Tensor, Tensor, Tensor) {
    let node = NodeBuilder::new(&UNIQUE_WITH_COUNTS).input(x.into().to_tensor()).build();
    (node.output(0).into(), node.output(1).into(), node.output(2).into())
}

/// The elements of the list `x` that are not in `y`, and their positions, as `int32`.
///
/// # Errors
/// Tensors that are not lists of one type.
///
/// ```
/// use tidemill_ops::{constant, list_diff};
/// let (left, indices) = list_diff(constant([1, 2, 3]), constant([2]));
/// assert_eq!((left.shape().rank(), indices.shape().rank()), (Some(1), Some(1)));
/// ```
#[doc(alias = "ListDiff")]
#[doc(alias = "setdiff1d")]
#[track_caller]
pub fn list_diff(x: impl Into<Operand>, y: impl Into<Operand>) -> (Tensor, Tensor) {
    let x = x.into().to_tensor();
    let y = y.into().to_tensor_like(x, "y");
    let node = NodeBuilder::new(&LIST_DIFF).input(x).input(y).build();
    (node.output(0).into(), node.output(1).into())
}

/// Counts how often each number from 0 to below `count` occurs among the `int32` elements of `x`: a
/// list of `int32`. Larger numbers are ignored.
///
/// # Errors
/// A negative count; a run fails if a number is negative.
///
/// ```
/// use tidemill_ops::{bincount, constant};
/// assert_eq!(bincount(constant([1, 0, 1]), 3).shape().to_string(), "[3]");
/// ```
#[doc(alias = "Bincount")]
#[track_caller]
pub fn bincount(x: impl Into<Operand>, count: impl Into<Operand>) -> Tensor {
    let (x, count) = (x.into().to_tensor(), count.into());
    composite(x.graph(), "Bincount", |full| {
        let node = NodeBuilder::new(&BINCOUNT).exact_name(full).input(x);
        let node = node.input(count.to_tensor_beside(x, "size"));
        tensor(node.input(Operand::from(Vec::<i32>::new()).to_tensor_beside(x, "weights")))
    })
}
