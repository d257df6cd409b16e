//! `Where`, `GatherV2` and `Gather`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Fallible, Inferred, NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::transpose::transpose_by;
use super::{
    broadcast_to, concat, ones_like, range, rank, reshape, shape, size, squeeze,
    unsorted_segment_sum,
};
use crate::family::grads;
use crate::index::{axis_of, check_single, integer, known_integer};
use crate::indexed_slices::rows_gradient;
use crate::kernel::{kernel, map_kernel};
use crate::operand::{composite, tensor, unary};
use crate::operations::operations;
use crate::ops::arithmetic::floor_mod;
use crate::ops::cast::cast;
use crate::ops::constant::constant_node;
use crate::sample::array;
use crate::{Operand, Tensor};

operations! {
    ops: GATHER, GATHER_V1, WHERE;
    exports: boolean_mask, gather, gather_batches, where_true;
}

/// The positions of the elements that are true.
pub static WHERE: OpDef = OpDef::new("Where", "The positions of the elements that are true.")
    .inputs(&[Arg::of("input", "T")])
    .outputs(&[Arg::is("index", DType::I64)])
    .attrs(&[AttrDef::types("T", DType::PLAIN)])
    .fallible(Fallible::Never)
    .infer(|node| {
        let rank = Dim::from(node.shape(0).rank());
        Inferred::one([Dim::UNKNOWN, rank].into_iter().collect::<PartialShape>())
    })
    .kernel(|_| Ok(map_kernel(layout::nonzero)))
    .not_differentiable()
    .samples(|| {
        let positions = Value::from_vec([2, 1], vec![0_i64, 2]);
        let sample = |y| Sample::new([Value::from([true, false, true])], y);
        positions.map(sample).into_iter().collect()
    });

/// Slices of a tensor selected by index along an axis.
pub static GATHER: OpDef =
    OpDef::new("GatherV2", "Slices of a tensor selected by index along an axis.")
        .inputs(&[
            Arg::of("params", "Tparams"),
            Arg::of("indices", "Tindices"),
            Arg::of("axis", "Taxis"),
        ])
        .outputs(&[Arg::of("output", "Tparams")])
        .attrs(&[
            AttrDef::types("Tparams", DType::ALL),
            AttrDef::types("Tindices", DType::INDICES),
            AttrDef::types("Taxis", DType::INDICES),
            AttrDef::int("batch_dims", 0),
        ])
        .fallible(Fallible::Values)
        .infer(|node| {
            check_single(node, 2)?;
            infer_gather(node, known_integer(node, 2), node.int_attr("batch_dims")?)
        })
        .gradient(|cx| {
            let (params, indices): (Tensor, Tensor) = (cx.input(0), cx.input(1));
            let batch = cx.node().int_attr("batch_dims")?;
            if batch == 0 && known_integer(cx.node(), 2) == Some(0) {
                return Ok(grads([Some(rows_gradient(cx.grad(), params, indices)), None, None]));
            }
            let axis = cast(cx.input::<Tensor>(2), DType::I32);
            let grad = spread_back(cx.grad(), params, indices, axis, batch)?;
            Ok(grads([Some(grad), None, None]))
        })
        .kernel(|node| {
            let batch = node.int_attr("batch_dims")?;
            Ok(kernel(move |cx| {
                let (params, indices) = (cx.input(0)?, cx.input(1)?);
                let axis = axis_of(integer(cx.input(2)?, "axis")?, params.shape().rank())?;
                let batch = batch_axes(batch, indices.shape().rank())?;
                Ok(layout::gather_batches(cx.memory, params, indices, axis, batch)?)
            }))
        })
        .samples(|| {
            let params = Value::from([1.0_f32, 2.0, 3.0]);
            let picked = Value::from([3.0_f32, 1.0]);
            let rows = || array([2, 3], [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
            let sample = |indices, axis: i32, y| Sample::new([rows(), indices, axis.into()], y);
            let twice = array([2, 2], [2, 0, 1, 1]);
            vec![
                Sample::new([params.clone(), Value::from([2, 0]), Value::from(0)], picked),
                sample(Value::from(2), -1, Value::from([3.0_f32, 6.0])),
                sample(array([0], Vec::<i32>::new()), 1, array([2, 0], Vec::<f32>::new())),
                sample(twice, 1, array([2, 2], [3.0_f32, 1.0, 5.0, 5.0])).attr("batch_dims", 1_i64),
                Sample::error([params, Value::from([3]), Value::from(0)], "index 3"),
                Sample::error([rows(), Value::from([0]), Value::from(2)], "axis 2"),
            ]
        });

/// Slices of a tensor selected by index along its first axis.
pub static GATHER_V1: OpDef =
    OpDef::new("Gather", "Slices of a tensor selected by index along its first axis.")
        .inputs(&[Arg::of("params", "Tparams"), Arg::of("indices", "Tindices")])
        .outputs(&[Arg::of("output", "Tparams")])
        .attrs(&[
            AttrDef::types("Tparams", DType::ALL),
            AttrDef::types("Tindices", DType::INDICES),
            AttrDef::bool("validate_indices", true),
        ])
        .fallible(Fallible::Values)
        .infer(|node| infer_gather(node, Some(0), 0))
        .gradient(|cx| {
            let (params, indices): (Tensor, Tensor) = (cx.input(0), cx.input(1));
            Ok(grads([Some(rows_gradient(cx.grad(), params, indices)), None]))
        })
        .kernel(|_| Ok(kernel(|cx| Ok(layout::gather(cx.memory, cx.input(0)?, cx.input(1)?, 0)?))))
        .samples(|| {
            let params = || array([3, 1], [1.0_f32, 2.0, 3.0]);
            vec![
                Sample::new([params(), Value::from([2, 2])], array([2, 1], [3.0_f32, 3.0])),
                Sample::error([params(), Value::from([-1])], "index -1"),
            ]
        });

/// The number of axes that both inputs share; a negative one counts from the end of the axes of the
/// indices.
pub(crate) fn batch_axes(batch: i64, rank: usize) -> Result<usize, OpError> {
    axis_of(batch, rank + 1 - usize::from(batch < 0)).map_err(|_| {
        OpError::attr(
            "batch_dims",
            format!("`batch_dims` is {batch}, but the indices have {rank} axes"),
        )
    })
}

pub(crate) fn infer_gather(
    node: &NodeView<'_>,
    axis: Option<i64>,
    batch: i64,
) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let (Some(params), Some(indices)) = (node.shape(0).dims(), node.shape(1).dims()) else {
        return Inferred::one(PartialShape::unknown());
    };
    let batch = batch_axes(batch, indices.len())?;
    let Some(axis) = axis else {
        let rank = (params.len() + indices.len()).checked_sub(1 + batch);
        return Inferred::one(rank.map_or(PartialShape::unknown(), PartialShape::of_rank));
    };
    let axis = axis_of(axis, params.len())?;
    if axis < batch {
        let message = format!("axis {axis} is one of the {batch} batch axes");
        return Err(OpError::elements("axis", message));
    }
    let common: PartialShape = params[..batch].into();
    let common = common.merge(&indices[..batch].into())?;
    let before = common.dims().unwrap_or_default().iter().chain(&params[batch..axis]);
    let shape = before.chain(&indices[batch..]).chain(&params[axis + 1..]).copied().collect();
    let elements = match (params.len(), node.elements(0), node.elements(1)) {
        (1, Some(params), Some(indices)) => {
            let pick = |index: &Option<i64>| {
                index.and_then(|index| params.get(usize::try_from(index).ok()?).copied().flatten())
            };
            Some(indices.iter().map(pick).collect())
        }
        _ => None,
    };
    Ok([Inferred::with_elements(shape, elements)].into_iter().collect())
}

/// The gradient of `params`: the incoming gradient of each slice is added at its index.
///
/// The axes of `grad` are those of the batch, of `params` before `axis`, of the indices, and of
/// `params` after it. Those of the indices are moved to the front, so that they number segments.
pub(crate) fn spread_back(
    grad: Tensor,
    params: Tensor,
    indices: Tensor,
    axis: Tensor,
    batch: i64,
) -> Result<Tensor, OpError> {
    let axis = floor_mod(axis, rank(params));
    let wide = indices.dtype().unwrap_or(DType::I32);
    let batch = match indices.shape().rank() {
        Some(rank) => batch_axes(batch, rank)? as i32,
        None if batch >= 0 => batch as i32,
        None => {
            return Err(OpError::shape("indices", "the gradient needs the number of batch axes"));
        }
    };
    let behind = rank(indices) - batch + axis;
    let common = list_beside(params, 0..batch);
    let order =
        [common, range(axis, behind, 1), range(batch, axis, 1), range(behind, rank(grad), 1)];
    let moved = transpose_by(grad, concat(order, 0));
    let extents = shape(params);
    let extent = gather(extents, axis, 0);
    let (outer, inner) = (range(batch, axis, 1), range(axis + 1, rank(params), 1));
    let sums = if batch == 0 {
        unsorted_segment_sum(moved, indices, extent)
    } else {
        let batches = gather(extents, common, 0);
        let count = size(broadcast_to(Operand::from(0).to_tensor_beside(params, "Const"), batches));
        let own = shape(indices);
        let ones = ones_like(gather(own, range(batch, rank(indices), 1), 0));
        let offsets = cast(range(0, count, 1) * extent, wide);
        let ids = indices + reshape(offsets, concat([batches, ones], 0));
        let sums = unsorted_segment_sum(moved, ids, count * extent);
        let parts = [batches, reshape(extent, [1]), gather(extents, outer, 0)];
        reshape(sums, concat(parts.into_iter().chain([gather(extents, inner, 0)]), 0))
    };
    let order = [common, outer + 1, list_beside(params, batch..batch + 1), inner];
    Ok(transpose_by(sums, concat(order, 0)))
}

/// Numbers as a constant in the graph of a tensor.
fn list_beside(x: Tensor, numbers: std::ops::Range<i32>) -> Tensor {
    Operand::from(numbers.collect::<Vec<i32>>()).to_tensor_beside(x, "Const")
}

/// The positions of the elements of `x` that are true, or not zero: an `int64` tensor of shape
/// `[count, rank]`, in row-major order.
#[doc(alias = "Where")]
#[track_caller]
pub fn where_true(x: impl Into<Operand>) -> Tensor {
    unary(&WHERE, x)
}

/// The slices of `params` along axis `axis` selected by `indices`; the axes of `indices` replace
/// that axis.
///
/// Its gradient adds each incoming slice at its index. Along the first axis it is a sum of
/// [`IndexedSlices`](crate::IndexedSlices).
///
/// # Errors
/// A run fails if an index is out of range.
#[doc(alias = "GatherV2")]
#[track_caller]
pub fn gather(params: impl Into<Operand>, indices: impl Into<Operand>, axis: i32) -> Tensor {
    let params = params.into().to_tensor();
    let indices = indices.into().to_tensor();
    let graph = params.graph();
    composite(graph.clone(), "GatherV2", |full| {
        let axis = constant_node(graph.map(|graph| graph.key()), "axis", Value::from(axis));
        let node = NodeBuilder::new(&GATHER).exact_name(full);
        tensor(node.input(params).input(indices).input(axis))
    })
}

/// [`gather`] within each batch: the first `batch_axes` axes of both inputs are batch axes and must
/// match.
///
/// # Errors
/// As for [`gather`]; first axes that differ, or `axis` among them.
#[doc(alias = "GatherV2")]
#[track_caller]
pub fn gather_batches(
    params: impl Into<Operand>,
    indices: impl Into<Operand>,
    axis: i32,
    batch_axes: i64,
) -> Tensor {
    let params = params.into().to_tensor();
    let indices = indices.into().to_tensor();
    composite(params.graph(), "GatherV2", |full| {
        let axis = Operand::from(axis).to_tensor_beside(params, "axis");
        let node = NodeBuilder::new(&GATHER).exact_name(full).input(params).input(indices);
        tensor(node.input(axis).attr("batch_dims", batch_axes))
    })
}

/// The elements of `x`, a list or a stack of slices, where `mask`, a list, is true.
#[track_caller]
pub fn boolean_mask(x: impl Into<Operand>, mask: impl Into<Operand>) -> Tensor {
    let (x, mask) = (x.into().to_tensor(), mask.into().to_tensor());
    composite(x.graph(), "boolean_mask", |_| gather(x, squeeze(where_true(mask), &[1]), 0))
}
