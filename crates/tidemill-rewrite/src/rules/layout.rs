//! Shapes, and operations that only move values around.

use tidemill_graph::{Attrs, TensorId, may_fail};
use tidemill_ops::ops::{array, select};
use tidemill_value::{DType, PartialShape, Scalar, Value};

use super::rule::{Rule, rule};
use crate::GraphEdit;

pub(super) const RULES: &[Rule] = &[
    rule("identity", "identity(x) = x", "Identity", |e| e.input(0)),
    rule("read", "a read of a variable = its value", "ReadVariableOp", |e| e.input(0)),
    rule("stop-gradient", "stop_gradient(x) = x", "StopGradient", |e| e.input(0)),
    rule("prevent-gradient", "prevent_gradient(x) = x", "PreventGradient", |e| e.input(0)),
    rule("default", "a placeholder that is not fed = its default", "PlaceholderWithDefault", |e| {
        // A default whose shape may turn out not to fit in a run has to stay.
        let admitted = e.with_view(|node| node.shape_attr("shape")).ok()?;
        let default = &e.fact(e.input(0)?).shape;
        let fits = default.merge(&admitted).ok()? == *default;
        if fits { e.input(0) } else { None }
    }),
    rule("shape", "shape of x = a constant, if it is known", "Shape", shape_of_known),
    rule("size", "size of x = a constant, if its shape is known", "Size", size_of_known),
    rule("rank", "rank of x = a constant, if it is known", "Rank", rank_of_known),
    rule("zeros-like", "zeros like x = a constant, if small", "ZerosLike", |e| filled_like(e, 0)),
    rule("ones-like", "ones like x = a constant, if small", "OnesLike", |e| filled_like(e, 1)),
    rule("cast", "cast(x) = x, to its own type", "Cast", same_fact),
    rule("reshape", "reshape(x, s) = x, of shape s", "Reshape", same_fact),
    rule("reshape-reshape", "reshape(reshape(x, s), t) = reshape(x, t)", "Reshape", |e| {
        let (inner, shape) = (e.input(0)?, e.input(1)?);
        let x = e.produced_by(inner, &array::RESHAPE)?.inputs.first().copied()?;
        e.add(&array::RESHAPE, e.node().attrs.clone(), [x, shape])
    }),
    rule("broadcast-to", "broadcast_to(x, s) = x, of shape s", "BroadcastTo", same_fact),
    rule("transpose", "transpose(x, p) = x, if p moves no axis", "Transpose", |e| {
        let (x, permutation) = (e.input(0)?, constant_elements(e, e.input(1)?)?);
        let moves_none = permutation.iter().enumerate().all(|(i, &axis)| axis == i as i64);
        // With another number of axes, the run has to fail.
        let has_its_axes = e.fact(x).shape.rank() == Some(permutation.len());
        if moves_none && has_its_axes { Some(x) } else { None }
    }),
    rule(
        "transpose-transpose",
        "transpose(transpose(x, p), q) = transpose(x, p∘q)",
        "Transpose",
        transpose_of_transpose,
    ),
    rule("select-true", "select(true, x, y) = x", "SelectV2", |e| selected(e, true)),
    rule("select-false", "select(false, x, y) = y", "SelectV2", |e| selected(e, false)),
];

/// A constant of up to this many elements costs little.
const SMALL: usize = 1024;

fn known_shape<'a>(edit: &'a GraphEdit<'_>) -> Option<&'a PartialShape> {
    Some(&edit.fact(edit.input(0)?).shape).filter(|shape| shape.is_known())
}

/// A number as an element of the output's type.
fn index(edit: &GraphEdit<'_>, number: usize) -> Option<Scalar> {
    Scalar::U64(number as u64).adopt(edit.output_fact(0)?.dtype).ok()
}

fn shape_of_known(edit: &mut GraphEdit<'_>) -> Option<TensorId> {
    let shape = known_shape(edit)?.known()?;
    let extents = shape.iter().map(|&extent| i64::try_from(extent).ok());
    let extents: Vec<i64> = extents.collect::<Option<_>>()?;
    let value = match edit.output_fact(0)?.dtype {
        DType::I32 => {
            let extents = extents.into_iter().map(|extent| extent.try_into().ok());
            Value::list(extents.collect::<Option<Vec<i32>>>()?)
        }
        _ => Value::list(extents),
    };
    Some(edit.add_constant(value))
}

fn size_of_known(edit: &mut GraphEdit<'_>) -> Option<TensorId> {
    let size = index(edit, known_shape(edit)?.elements()?)?;
    Some(edit.add_constant(size.into()))
}

fn rank_of_known(edit: &mut GraphEdit<'_>) -> Option<TensorId> {
    let rank = index(edit, edit.fact(edit.input(0)?).shape.rank()?)?;
    Some(edit.add_constant(rank.into()))
}

fn filled_like(edit: &mut GraphEdit<'_>, number: u8) -> Option<TensorId> {
    let shape = known_shape(edit)?.known()?;
    let dtype = edit.output_fact(0)?.dtype;
    if shape.elements()? > SMALL || !dtype.is_plain() || dtype == DType::Bool {
        return None;
    }
    let value = Value::full(Scalar::U8(number).adopt(dtype).ok()?, shape).ok()?;
    Some(edit.add_constant(value))
}

/// The input, if it has the type and the shape of the output, and both shapes are known.
fn same_fact(edit: &mut GraphEdit<'_>) -> Option<TensorId> {
    let input = edit.input(0)?;
    let (from, to) = (edit.fact(input), edit.output_fact(0)?);
    let same = from.dtype == to.dtype && from.shape == to.shape && from.shape.is_known();
    same.then_some(input)
}

/// The elements of a constant of integers.
fn constant_elements(edit: &GraphEdit<'_>, tensor: TensorId) -> Option<Vec<i64>> {
    let value = edit.constant(tensor)?;
    match value.dtype() {
        DType::I32 => Some(value.as_slice::<i32>().ok()?.iter().copied().map(i64::from).collect()),
        DType::I64 => Some(value.as_slice::<i64>().ok()?.to_vec()),
        _ => None,
    }
}

fn transpose_of_transpose(edit: &mut GraphEdit<'_>) -> Option<TensorId> {
    let outer = constant_elements(edit, edit.input(1)?)?;
    let inner = edit.produced_by(edit.input(0)?, &array::TRANSPOSE)?;
    let (x, inner) = (inner.inputs[0], inner.inputs[1]);
    let inner = constant_elements(edit, inner)?;
    let compose = |&axis: &i64| inner.get(usize::try_from(axis).ok()?).copied();
    let permutation = outer.iter().map(compose).collect::<Option<Vec<i64>>>()?;
    let permutation = edit.add_constant(Value::list(permutation));
    edit.add(&array::TRANSPOSE, Attrs::NONE, [x, permutation])
}

/// The branch of a select that is always taken, if it has the shape of the output, and the other
/// operands are known to broadcast to it.
fn selected(edit: &mut GraphEdit<'_>, condition: bool) -> Option<TensorId> {
    debug_assert_eq!(edit.node().op, &select::SELECT);
    let always = edit.constant(edit.input(0)?)?.as_slice::<bool>().ok()?;
    if always.is_empty() || always.iter().any(|&holds| holds != condition) {
        return None;
    }
    let branch = edit.input(if condition { 1 } else { 2 })?;
    let node = edit.node();
    let is_certain = !may_fail(node, node.inputs.iter().map(|&input| edit.fact(input)));
    (is_certain && edit.fact(branch).shape == edit.output_fact(0)?.shape).then_some(branch)
}
