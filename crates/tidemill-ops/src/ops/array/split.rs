//! `Split`, `SplitV` and `Unpack`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrKind, BuildErrorKind, Fallible, GradCx, Inferred, Kernel, KernelCx,
    KernelError, NodeBuilder, NodeView, OpDef, OpError, OperationRef, Sample, fail,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::join_gradients::concat_along;
use super::zeros_like;
use crate::family::grads;
use crate::index::{axis_of, check_rank, check_single, count_of, integer, integers, known_integer};
use crate::operand::composite;
use crate::operations::operations;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: SPLIT, SPLIT_V, UNPACK;
    exports: split, split_sizes, unstack, unstack_count;
}

/// A tensor split into parts of equal size along an axis.
pub static SPLIT: OpDef =
    OpDef::new("Split", "A tensor split into parts of equal size along an axis.")
        .inputs(&[Arg::is("split_dim", DType::I32), Arg::of("value", "T")])
        .outputs(&[Arg::list("output", "T", "num_split")])
        .attrs(&[AttrDef::types("T", DType::ALL), AttrDef::new("num_split", AttrKind::Int)])
        .fallible(Fallible::Values)
        .infer(infer_split)
        .gradient(|cx| {
            let grad = concat_along(&output_grads(cx), cx.input(0));
            Ok(grads([None, Some(grad)]))
        })
        .kernel(|node| {
            let count = parts(node, "num_split")?;
            Ok(list_kernel(move |cx| {
                let x = cx.input(1)?;
                let axis = axis_of(integer(cx.input(0)?, "split_dim")?, x.shape().rank())?;
                let size = even_size(x.shape()[axis], count)?;
                Ok(layout::split(cx.memory, x, axis, &vec![size; count])?)
            }))
        })
        .samples(|| {
            let x = || array([2, 4], [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
            let left = array([2, 2], [1.0_f32, 2.0, 5.0, 6.0]);
            let right = array([2, 2], [3.0_f32, 4.0, 7.0, 8.0]);
            let sample = Sample::shapes([Value::from(-1), x()]).attr("num_split", 2_i64);
            let wrong = |count: i64, message| {
                Sample::error([Value::from(1), x()], message).attr("num_split", count)
            };
            let empty = array([2, 0], Vec::<f32>::new());
            let of_empty = Sample::shapes([Value::from(1), empty.clone()]);
            vec![
                sample.outputs([left, right]),
                of_empty.attr("num_split", 2_i64).outputs([empty.clone(), empty]),
                wrong(3, "4 elements do not split into 3 equal parts"),
                wrong(0, "at least 1 part"),
            ]
        });

/// The number of parts given by an attribute.
fn parts(node: &NodeView<'_>, attr: &'static str) -> Result<usize, OpError> {
    let count = count_of(node.int_attr(attr)?, attr)?;
    if count == 0 {
        Err(OpError::attr("num_split", "there must be at least 1 part"))
    } else {
        Ok(count)
    }
}

fn even_size(extent: usize, count: usize) -> Result<usize, OpError> {
    if extent.is_multiple_of(count) {
        return Ok(extent / count);
    }
    Err(OpError::shape("value", format!("{extent} elements do not split into {count} equal parts")))
}

fn infer_split(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let count = parts(node, "num_split")?;
    check_single(node, 0)?;
    let shape = node.shape(1);
    let (Some(dims), Some(axis)) = (shape.dims(), known_integer(node, 0)) else {
        let part = shape.rank().map_or(PartialShape::unknown(), PartialShape::of_rank);
        return Ok(std::iter::repeat_n(part.into(), count).collect());
    };
    let axis = axis_of(axis, dims.len())?;
    let size = dims[axis].known().map(|extent| even_size(extent, count)).transpose()?;
    let part: PartialShape = with_dim(dims, axis, Dim::from(size));
    Ok(std::iter::repeat_n(part.into(), count).collect())
}

fn with_dim(dims: &[Dim], axis: usize, dim: Dim) -> PartialShape {
    dims.iter().enumerate().map(|(i, own)| if i == axis { dim } else { *own }).collect()
}

/// A tensor split into parts of given sizes along an axis.
pub static SPLIT_V: OpDef =
    OpDef::new("SplitV", "A tensor split into parts of given sizes along an axis.")
        .inputs(&[
            Arg::of("value", "T"),
            Arg::of("size_splits", "Tlen"),
            Arg::is("split_dim", DType::I32),
        ])
        .outputs(&[Arg::list("output", "T", "num_split")])
        .attrs(&[
            AttrDef::types("T", DType::ALL),
            AttrDef::types("Tlen", &[DType::I8, DType::I32, DType::I64]),
            AttrDef::new("num_split", AttrKind::Int),
        ])
        .fallible(Fallible::Values)
        .infer(infer_split_v)
        .gradient(|cx| {
            let grad = concat_along(&output_grads(cx), cx.input(2));
            Ok(grads([Some(grad), None, None]))
        })
        .kernel(|node| {
            let count = parts(node, "num_split")?;
            Ok(list_kernel(move |cx| {
                let x = cx.input(0)?;
                let axis = axis_of(integer(cx.input(2)?, "split_dim")?, x.shape().rank())?;
                let sizes = integers(cx.input(1)?)?;
                if sizes.len() != count {
                    return Err(wrong_count(sizes.len(), count).into());
                }
                let sizes = open_filled(&sizes, x.shape()[axis])?;
                Ok(layout::split(cx.memory, x, axis, &sizes)?)
            }))
        })
        .samples(|| {
            let x = || Value::from([1.0_f32, 2.0, 3.0]);
            let sample = |sizes: [i32; 2]| {
                Sample::shapes([x(), Value::from(sizes), Value::from(0)]).attr("num_split", 2_i64)
            };
            let error = |sizes: [i32; 2], message| Sample {
                expect: tidemill_graph::Expect::Error(message),
                ..sample(sizes)
            };
            let outputs = || [Value::from([1.0_f32]), Value::from([2.0_f32, 3.0])];
            vec![
                sample([1, 2]).outputs(outputs()),
                sample([1, -1]).outputs(outputs()),
                error([1, 1], "the sizes add up to 2"),
                error([-1, -1], "only one size"),
                error([4, -1], "the sizes add up to 4"),
            ]
        });

fn wrong_count(sizes: usize, count: usize) -> OpError {
    OpError::elements("size_splits", format!("{sizes} sizes are given for {count} parts"))
}

fn check_one_open(sizes: impl Iterator<Item = i64>) -> Result<(), OpError> {
    match sizes.filter(|size| *size == -1).count() {
        0 | 1 => Ok(()),
        _ => Err(OpError::elements("size_splits", "only one size can be -1")),
    }
}

/// Sizes of the parts of an axis; one may be -1, for the remainder.
fn open_filled(sizes: &[i64], extent: usize) -> Result<Vec<usize>, OpError> {
    check_one_open(sizes.iter().copied())?;
    let mut sum = 0_usize;
    for &size in sizes.iter().filter(|size| **size != -1) {
        sum = sum.saturating_add(count_of(size, "size_splits")?);
    }
    let rest = extent.checked_sub(sum);
    let is_open = sizes.contains(&-1);
    let rest = rest.filter(|rest| is_open || *rest == 0).ok_or_else(|| {
        OpError::elements(
            "size_splits",
            format!("the sizes add up to {sum}, but the axis has extent {extent}"),
        )
    })?;
    Ok(sizes.iter().map(|&size| usize::try_from(size).unwrap_or(rest)).collect())
}

fn infer_split_v(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let count = parts(node, "num_split")?;
    check_rank(node, 1, 1, "1 axis")?;
    check_single(node, 2)?;
    if let Some(sizes) = node.shape(1).elements().filter(|sizes| *sizes != count) {
        return Err(wrong_count(sizes, count));
    }
    if let Some(sizes) = node.elements(1) {
        check_one_open(sizes.iter().copied().flatten())?;
    }
    let (Some(dims), Some(axis)) = (node.shape(0).dims(), known_integer(node, 2)) else {
        let part = node.shape(0).rank().map_or(PartialShape::unknown(), PartialShape::of_rank);
        return Ok(std::iter::repeat_n(part.into(), count).collect());
    };
    let axis = axis_of(axis, dims.len())?;
    let known = crate::index::known_integers(node, 1);
    let size = |i: usize| node.elements(1).and_then(|sizes| sizes.get(i).copied().flatten());
    let sizes: Vec<Option<usize>> = match (known, dims[axis].known()) {
        (Some(sizes), Some(extent)) => open_filled(&sizes, extent)?.into_iter().map(Some).collect(),
        _ => (0..count).map(|i| size(i).and_then(|size| usize::try_from(size).ok())).collect(),
    };
    Ok(sizes.into_iter().map(|size| with_dim(dims, axis, Dim::from(size)).into()).collect())
}

/// The slices of a tensor along an axis, without that axis.
pub static UNPACK: OpDef =
    OpDef::new("Unpack", "The slices of a tensor along an axis, without that axis.")
        .inputs(&[Arg::of("value", "T")])
        .outputs(&[Arg::list("output", "T", "num")])
        .attrs(&[
            AttrDef::types("T", DType::ANY),
            AttrDef::new("num", AttrKind::Int),
            AttrDef::int("axis", 0),
        ])
        .infer(|node| {
            let count = count_of(node.int_attr("num")?, "num")?;
            let axis = node.int_attr("axis")?;
            let Some(dims) = node.shape(0).dims() else {
                return Ok(std::iter::repeat_n(PartialShape::unknown().into(), count).collect());
            };
            let axis = axis_of(axis, dims.len())?;
            if let Some(extent) = dims[axis].known() {
                check_parts(extent, count)?;
            }
            let kept = dims.iter().enumerate().filter(|(i, _)| *i != axis);
            let part: PartialShape = kept.map(|(_, dim)| *dim).collect();
            Ok(std::iter::repeat_n(part.into(), count).collect())
        })
        .gradient(|cx| {
            let axis = cx.node().int_attr("axis")?;
            Ok(grads([Some(super::stack(output_grads(cx), axis))]))
        })
        .kernel(|node| {
            let count = count_of(node.int_attr("num")?, "num")?;
            let axis = node.int_attr("axis")?;
            Ok(list_kernel(move |cx| {
                let x = cx.input(0)?;
                let axis = axis_of(axis, x.shape().rank())?;
                check_parts(x.shape()[axis], count)?;
                Ok(layout::unpack(cx.memory, x, axis)?)
            }))
        })
        .samples(|| {
            let x = || array([2, 2], [1.0_f32, 2.0, 3.0, 4.0]);
            let sample = Sample::shapes([x()]).attr("num", 2_i64);
            let rows = [Value::from([1.0_f32, 2.0]), Value::from([3.0_f32, 4.0])];
            let columns = [Value::from([1.0_f32, 3.0]), Value::from([2.0_f32, 4.0])];
            vec![
                sample.clone().outputs(rows),
                sample.attr("axis", -1_i64).outputs(columns),
                Sample::error([x()], "2 parts, not 3").attr("num", 3_i64),
            ]
        });

fn check_parts(extent: usize, count: usize) -> Result<(), OpError> {
    if extent == count {
        return Ok(());
    }
    Err(OpError::shape("value", format!("the axis splits into {extent} parts, not {count}")))
}

/// A kernel with as many outputs as a function returns.
pub(super) fn list_kernel<F>(compute: F) -> Box<dyn Kernel>
where
    F: Fn(&KernelCx<'_>) -> Result<Vec<Value>, KernelError> + Send + Sync + 'static,
{
    Box::new(move |cx: &mut KernelCx<'_>| {
        let outputs = compute(cx)?;
        outputs.into_iter().enumerate().for_each(|(i, output)| cx.set(i, output));
        Ok(())
    })
}

/// The gradients of all outputs; zeros for those without one.
pub(super) fn output_grads(cx: &GradCx<'_>) -> Vec<Tensor> {
    let outputs = 0..cx.node().outputs().len();
    outputs.map(|i| cx.grad_of(i).unwrap_or_else(|| zeros_like(cx.output::<Tensor>(i)))).collect()
}

/// All outputs of an operation of which the number is known.
fn outputs(node: OperationRef, count: usize) -> Vec<Tensor> {
    (0..count).map(|i| node.output(i as u32).into()).collect()
}

/// `x` in `count` parts of equal size along axis `axis`.
///
/// ```
/// use tidemill_ops::{constant, split};
/// let halves = split(constant([[1, 2, 3, 4]]), 2, 1);
/// assert_eq!(halves[1].shape().to_string(), "[1, 2]");
/// ```
///
/// Its gradient concatenates the gradients of the parts.
///
/// # Errors
/// An extent that `count` does not divide, no parts, or an axis that does not exist.
#[doc(alias = "Split")]
#[track_caller]
pub fn split(x: impl Into<Operand>, count: usize, axis: i32) -> Vec<Tensor> {
    let x = x.into().to_tensor();
    composite(x.graph(), "split", |full| {
        let axis = Operand::from(axis).to_tensor_beside(x, "split_dim");
        let node = NodeBuilder::new(&SPLIT).exact_name(full).input(axis).input(x);
        outputs(node.attr("num_split", count as i64).build(), count)
    })
}

/// `x` split into parts of these sizes along axis `axis`; one size may be -1, for the remainder.
///
/// # Errors
/// Sizes that do not add up to the extent, or an axis that does not exist.
///
/// ```
/// use tidemill_ops::{placeholder, split_sizes};
/// let parts = split_sizes(placeholder::<f32>([6]), &[1, 2, 3], 0);
/// assert_eq!(parts[2].shape().to_string(), "[3]");
/// ```
#[doc(alias = "SplitV")]
#[track_caller]
pub fn split_sizes(x: impl Into<Operand>, sizes: &[i32], axis: i32) -> Vec<Tensor> {
    let x = x.into().to_tensor();
    composite(x.graph(), "split", |full| {
        let list = Operand::from(sizes.to_vec()).to_tensor_beside(x, "Const");
        let axis = Operand::from(axis).to_tensor_beside(x, "split_dim");
        let node = NodeBuilder::new(&SPLIT_V).exact_name(full).input(x).input(list).input(axis);
        outputs(node.attr("num_split", sizes.len() as i64).build(), sizes.len())
    })
}

/// The slices of `x` along axis `axis`, without that axis: the opposite of [`stack`](crate::stack).
///
/// ```
/// use tidemill_ops::{constant, unstack};
/// let rows = unstack(constant([[1, 2, 3], [4, 5, 6]]), 0);
/// assert_eq!((rows.len(), rows[0].shape().to_string()), (2, "[3]".to_owned()));
/// ```
///
/// Its gradient stacks the gradients of the slices.
///
/// # Errors
/// An axis that does not exist, or whose length is unknown; then use [`unstack_count`].
#[doc(alias = "Unpack")]
#[track_caller]
pub fn unstack(x: impl Into<Operand>, axis: i64) -> Vec<Tensor> {
    let x = x.into().to_tensor();
    if x.is_invalid() {
        return vec![x];
    }
    let shape = x.shape();
    let extent = match shape.dims().map(|dims| axis_of(axis, dims.len()).map(|i| dims[i])) {
        Some(Ok(dim)) => dim.known().ok_or_else(|| {
            OpError::shape("value", format!("the extent of axis {axis} of {shape} is unknown"))
        }),
        Some(Err(error)) => Err(error),
        None => Err(OpError::shape("value", "an unknown shape has an unknown number of parts")),
    };
    match extent {
        Ok(count) => unstack_count(x, count, axis),
        Err(error) => {
            let graph = tidemill_graph::TensorRef::from(x).graph();
            let kind = BuildErrorKind::Op(error);
            vec![fail(Some(graph), "unstack", kind, Vec::new()).output(0).into()]
        }
    }
}

/// The `count` parts of `x` along axis `axis` (see [`unstack`]).
///
/// # Errors
/// An axis that does not exist, or that has another number of parts.
///
/// ```
/// use tidemill_ops::{placeholder, unstack_count};
/// let rows = unstack_count(placeholder::<f32>([3, 2]), 3, 0);
/// assert_eq!(rows[0].shape().to_string(), "[2]");
/// ```
#[doc(alias = "Unpack")]
#[track_caller]
pub fn unstack_count(x: impl Into<Operand>, count: usize, axis: i64) -> Vec<Tensor> {
    let node = NodeBuilder::new(&UNPACK).name("unstack").input(x.into().to_tensor());
    outputs(node.attr("num", count as i64).attr("axis", axis).build(), count)
}
