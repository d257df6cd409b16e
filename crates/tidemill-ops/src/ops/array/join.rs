//! `Pack` and `ConcatV2`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, BuildErrorKind, Elements, Fact, Fallible, Inferred, NodeBuilder, NodeView, OpDef,
    OpError, Sample, fail,
};
use tidemill_kernels::layout;
use tidemill_value::{DType, Dim, PartialShape, Value};

use super::join_gradients::split_like;
use super::unstack_count;
use crate::index::{axis_of, check_single, integers};
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::ops::constant::constant_node;
use crate::{Operand, Tensor};

operations! {
    ops: CONCAT, PACK;
    exports: concat, stack;
}

/// Tensors of one shape stacked along a new axis.
pub static PACK: OpDef = OpDef::new("Pack", "Tensors of one shape stacked along a new axis.")
    .inputs(&[Arg::list("values", "T", "N")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[AttrDef::types("T", DType::ANY), AttrDef::int("axis", 0)])
    .infer(infer_pack)
    .gradient(|cx| {
        let (grad, count): (Tensor, _) = (cx.grad(), cx.input_count());
        let parts = unstack_count(grad, count, cx.node().int_attr("axis")?);
        Ok(parts.into_iter().map(|part| Some(part.into())).collect())
    })
    .kernel(|node| {
        let axis = node.int_attr("axis")?;
        Ok(kernel(move |cx| {
            let values = cx.all_inputs()?;
            let rank = values.first().map_or(0, |value| value.shape().rank());
            Ok(layout::pack(cx.memory, &values, axis_of(axis, rank + 1)?)?)
        }))
    })
    .samples(|| {
        let rows = vec![Value::from([1.0_f32, 2.0]), Value::from([3.0_f32, 4.0])];
        let by_row = Value::from_vec([2, 2], vec![1.0_f32, 2.0, 3.0, 4.0]);
        let by_column = Value::from_vec([2, 2], vec![1.0_f32, 3.0, 2.0, 4.0]);
        let sample = |y| Sample { inputs: vec![rows.clone()], ..Sample::new([], y) };
        let by_column = by_column.map(|y| sample(y).attr("axis", -1_i64));
        by_row.map(sample).into_iter().chain(by_column).collect()
    });

fn infer_pack(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let shapes = node.inputs().iter().map(|fact| &fact.shape);
    let shape = shapes.clone().try_fold(PartialShape::unknown(), |merged, shape| {
        merged.merge(shape).map_err(OpError::from)
    })?;
    let Some(dims) = shape.dims() else { return Inferred::one(PartialShape::unknown()) };
    let mut dims = dims.to_vec();
    let axis = axis_of(node.int_attr("axis")?, dims.len() + 1)?;
    dims.insert(axis, Dim::from(node.inputs().len()));
    let is_integer = node.inputs().iter().all(|fact| DType::INDICES.contains(&fact.dtype));
    let elements = (is_integer && dims.len() == 1).then(|| {
        let element = |fact: &tidemill_graph::Fact| {
            fact.elements.as_ref().and_then(|elements| elements.first().copied().flatten())
        };
        node.inputs().iter().map(element).collect::<Elements>()
    });
    Ok([Inferred::with_elements(dims.into_iter().collect(), elements)].into_iter().collect())
}

/// The concatenation of tensors along an axis.
pub static CONCAT: OpDef = OpDef::new("ConcatV2", "The concatenation of tensors along an axis.")
    .inputs(&[Arg::list("values", "T", "N"), Arg::of("axis", "Tidx")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[AttrDef::types("T", DType::ALL), AttrDef::types("Tidx", DType::INDICES)])
    .fallible(Fallible::Elements(&[1]))
    .infer(infer_concat)
    .gradient(|cx| {
        let values: Vec<Tensor> = (1..cx.input_count()).map(|i| cx.input(i - 1)).collect();
        let parts = split_like(cx.grad(), &values, cx.input(values.len()));
        Ok(parts.into_iter().map(|part| Some(part.into())).chain([None]).collect())
    })
    .kernel(|_| {
        Ok(kernel(|cx| {
            let inputs = cx.all_inputs()?;
            let Some((axis, values)) = inputs.split_last() else {
                return Err(OpError::invalid("there is nothing to join").into());
            };
            let axis = match integers(axis)?[..] {
                [axis] => axis,
                _ => {
                    return Err(OpError::shape("axis", "`axis` must be a single number").into());
                }
            };
            let rank = values.first().map_or(0, |value| value.shape().rank());
            Ok(layout::concat(cx.memory, values, axis_of(axis, rank)?)?)
        }))
    })
    .samples(|| {
        let values = vec![Value::from([1.0_f32, 2.0]), Value::from([3.0_f32])];
        let joined = Sample::new([], Value::from([1.0_f32, 2.0, 3.0]));
        let wrong = Sample::error([], "axis 1");
        vec![
            Sample { inputs: vec![values.clone(), vec![Value::from(0)]], ..joined },
            Sample { inputs: vec![values, vec![Value::from(1)]], ..wrong },
        ]
    });

fn infer_concat(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let Some((axis, values)) = node.inputs().split_last() else {
        return Err(OpError::invalid("there is nothing to join"));
    };
    check_single(node, values.len())?;
    let axis = axis.elements.as_ref().and_then(|elements| elements.first().copied().flatten());
    concat_shape(axis, values)
}

/// The shape of tensors joined along an axis, and their elements if they are lists.
pub(super) fn concat_shape(
    axis: Option<i64>,
    values: &[Fact],
) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let rank = values.iter().find_map(|fact| fact.shape.rank());
    let Some(rank) = rank else { return Inferred::one(PartialShape::unknown()) };
    let Some(axis) = axis else { return Inferred::one(PartialShape::of_rank(rank)) };
    let axis = axis_of(axis, rank)?;
    let mut joined = Some(0usize);
    let mut merged = PartialShape::of_rank(rank);
    for (i, fact) in values.iter().enumerate() {
        let differ = |j: usize, rule: String| {
            let named = |i: usize| (format!("values[{i}]"), &values[i].shape);
            OpError::disagree(named(j), named(i), rule)
        };
        let shape = fact.shape.merge(&PartialShape::of_rank(rank)).map_err(|_| {
            let first = values.iter().position(|fact| fact.shape.rank() == Some(rank));
            differ(first.unwrap_or_default(), "have the same number of axes".to_owned())
        })?;
        let dims = shape.dims().unwrap_or_default();
        joined = joined.zip(dims[axis].known()).and_then(|(sum, extent)| sum.checked_add(extent));
        let others = dims.iter().enumerate();
        let others = others.map(|(i, dim)| if i == axis { Dim::UNKNOWN } else { *dim }).collect();
        merged = merged.merge(&others).map_err(|_| {
            let clashes = |j: &usize| !agree_but_along(axis, &values[*j].shape, &fact.shape);
            let first = (0..i).find(clashes).unwrap_or_default();
            differ(first, format!("agree in all extents except along axis {axis}"))
        })?;
    }
    let dims = merged.dims().unwrap_or_default().iter().enumerate();
    let dims = dims.map(|(i, dim)| if i == axis { Dim::from(joined) } else { *dim });
    let shape = dims.collect();
    let elements = if rank == 1 { joined_elements(values) } else { None };
    Ok([Inferred::with_elements(shape, elements)].into_iter().collect())
}

/// True if the extents of two shapes can be equal, except along one axis.
fn agree_but_along(axis: usize, left: &PartialShape, right: &PartialShape) -> bool {
    let (left, right) = (left.dims().unwrap_or_default(), right.dims().unwrap_or_default());
    let mut pairs = left.iter().zip(right).enumerate();
    pairs.all(|(i, (left, right))| i == axis || left.merge(*right).is_ok())
}

/// The elements of lists one after the other, if they are few.
fn joined_elements(values: &[Fact]) -> Option<Elements> {
    let mut joined: Vec<Option<i64>> = Vec::new();
    for fact in values {
        joined.extend(fact.elements.as_ref()?.iter());
    }
    (joined.len() <= Elements::LIMIT).then(|| joined.into_iter().collect())
}

/// Several tensors of one type and shape along a new axis, before axis `axis`; -1 puts it last.
///
/// # Errors
/// No tensors, tensors that differ in type or shape, or an axis that does not exist.
///
/// ```
/// use tidemill_ops::{constant, stack};
/// let x = stack([constant([1.0_f32, 2.0]), constant([3.0_f32, 4.0])], 1);
/// assert_eq!(x.shape().to_string(), "[2, 2]");
/// ```
#[doc(alias = "Pack")]
#[track_caller]
pub fn stack<T: Into<Operand>>(values: impl IntoIterator<Item = T>, axis: i64) -> Tensor {
    let mut tensors = Vec::new();
    for value in values {
        tensors.push(value.into().to_tensor());
    }
    if tensors.is_empty() {
        return nothing("stack");
    }
    tensor(NodeBuilder::new(&PACK).name("stack").inputs(tensors).attr("axis", axis))
}

/// Several tensors one after the other along axis `axis`.
///
/// # Errors
/// No tensors, tensors that differ in type or along another axis, or an axis that does not exist.
///
/// ```
/// use tidemill_ops::{concat, constant};
/// let x = concat([constant([[1.0_f32, 2.0]]), constant([[3.0_f32, 4.0]])], 0);
/// assert_eq!(x.shape().to_string(), "[2, 2]");
/// ```
#[doc(alias = "ConcatV2")]
#[track_caller]
pub fn concat<T: Into<Operand>>(values: impl IntoIterator<Item = T>, axis: i32) -> Tensor {
    let mut tensors = Vec::new();
    for value in values {
        tensors.push(value.into().to_tensor());
    }
    let Some(graph) = tensors.first().map(|first| first.graph()) else {
        return nothing("concat");
    };
    composite(graph.clone(), "concat", |full| {
        let axis = constant_node(graph.map(|graph| graph.key()), "axis", Value::from(axis));
        tensor(NodeBuilder::new(&CONCAT).exact_name(full).inputs(tensors).input(axis))
    })
}

#[track_caller]
fn nothing(what: &'static str) -> Tensor {
    let kind = BuildErrorKind::Op(OpError::invalid("there is nothing to join"));
    fail(None, what, kind, Vec::new()).output(0).into()
}
