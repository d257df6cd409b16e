//! `Where` and `GatherV2`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Elements, Fallible, Inferred, NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::squeeze;
use crate::index::{axis_of, integers};
use crate::kernel::{kernel, map_kernel};
use crate::operand::{composite, tensor, unary};
use crate::ops::constant::constant_node;
use crate::{Operand, Tensor};

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

/// Slices of a tensor by their numbers along an axis.
pub static GATHER: OpDef =
    OpDef::new("GatherV2", "Slices of a tensor by their numbers along an axis.")
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
        ])
        .fallible(Fallible::Values)
        .infer(infer_gather)
        .kernel(|_| {
            Ok(kernel(|cx| {
                let axis = match integers(cx.input(2)?)?[..] {
                    [axis] => axis,
                    _ => return Err(OpError::invalid("`axis` must be a single number").into()),
                };
                let params = cx.input(0)?;
                let axis = axis_of(axis, params.shape().rank())?;
                Ok(layout::gather(params, cx.input(1)?, axis)?)
            }))
        })
        .samples(|| {
            let params = Value::from([1.0_f32, 2.0, 3.0]);
            let picked = Value::from([3.0_f32, 1.0]);
            vec![
                Sample::new([params.clone(), Value::from([2, 0]), Value::from(0)], picked),
                Sample::error([params, Value::from([3]), Value::from(0)], "index 3"),
            ]
        });

fn infer_gather(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let (Some(params), Some(indices)) = (node.shape(0).dims(), node.shape(1).dims()) else {
        return Inferred::one(PartialShape::unknown());
    };
    let Some(&[axis]) = node.elements(2).and_then(Elements::known).as_deref() else {
        let rank = (params.len() + indices.len()).checked_sub(1);
        return Inferred::one(rank.map_or(PartialShape::unknown(), PartialShape::of_rank));
    };
    let axis = axis_of(axis, params.len())?;
    let (outer, inner) = (&params[..axis], &params[axis + 1..]);
    Inferred::one(outer.iter().chain(indices).chain(inner).copied().collect::<PartialShape>())
}

/// The positions of the elements of `x` that are true, or not zero: an `int64` tensor of shape
/// `[count, rank]`, in row-major order.
#[doc(alias = "Where")]
#[track_caller]
pub fn where_true(x: impl Into<Operand>) -> Tensor {
    unary(&WHERE, x)
}

/// The slices of `params` along axis `axis` whose numbers are in `indices`, in their place.
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

/// The elements of `x`, a list or a stack of slices, where `mask`, a list, is true.
#[track_caller]
pub fn boolean_mask(x: impl Into<Operand>, mask: impl Into<Operand>) -> Tensor {
    let (x, mask) = (x.into().to_tensor(), mask.into().to_tensor());
    composite(x.graph(), "boolean_mask", |_| gather(x, squeeze(where_true(mask), &[1]), 0))
}
