//! Shapes, and operations that only move values around.

use tidemill_graph::{Attrs, TensorId};
use tidemill_ops::ops::{array, cast, identity, placeholder, resource, select};
use tidemill_value::{DType, Scalar, Shape, Value};

use super::rule::{Outcome, Rule, no, only_if, rule};
use crate::{GraphEdit, WhyNot};

pub(super) const RULES: &[Rule] = &[
    rule("identity", "identity(x) = x", &identity::IDENTITY, |e| e.input(0)),
    rule("read", "a read of a variable = its value", &resource::READ_VARIABLE, |e| e.input(0)),
    rule("stop-gradient", "stop_gradient(x) = x", &identity::STOP_GRADIENT, |e| e.input(0)),
    rule("prevent-gradient", "prevent_gradient(x) = x", &identity::PREVENT_GRADIENT, |e| {
        e.input(0)
    }),
    rule(
        "default",
        "a placeholder that is not fed = its default",
        &placeholder::PLACEHOLDER_WITH_DEFAULT,
        |e| {
            // A default whose shape may turn out not to fit in a run has to stay.
            let admitted = e.with_view(|node| node.shape_attr("shape"));
            let admitted = admitted.map_err(|_| WhyNot("the shape is not given"))?;
            let default = &e.fact(e.input(0)?).shape;
            let fits = default.merge(&admitted).is_ok_and(|both| both == *default);
            only_if(fits, "the shape of the default may not fit")?;
            e.input(0)
        },
    ),
    rule("shape", "shape of x = a constant, if it is known", &array::SHAPE, shape_of_known),
    rule("size", "size of x = a constant, if its shape is known", &array::SIZE, size_of_known),
    rule("rank", "rank of x = a constant, if it is known", &array::RANK, rank_of_known),
    rule("zeros-like", "zeros like x = a constant, if small", &array::ZEROS_LIKE, |e| {
        filled_like(e, 0)
    }),
    rule("ones-like", "ones like x = a constant, if small", &array::ONES_LIKE, |e| {
        filled_like(e, 1)
    }),
    rule("cast", "cast(x) = x, to its own type", &cast::OP, same_fact),
    rule("reshape", "reshape(x, s) = x, of shape s", &array::RESHAPE, same_fact),
    rule("reshape-reshape", "reshape(reshape(x, s), t) = reshape(x, t)", &array::RESHAPE, |e| {
        let (inner, shape) = (e.input(0)?, e.input(1)?);
        let inner = e.produced_by(inner, &array::RESHAPE);
        let x = inner.and_then(|inner| inner.inputs.first().copied());
        let x = x.ok_or(WhyNot("the input is of another operation"))?;
        // An error shows the shape of the input.
        only_if(!e.may_fail(), "the elements may not fit the shape")?;
        let attrs = e.instr().attrs.clone();
        e.add(&array::RESHAPE, &attrs, &[&[x], &[shape]])
    }),
    rule("broadcast-to", "broadcast_to(x, s) = x, of shape s", &array::BROADCAST_TO, same_fact),
    rule("transpose", "transpose(x, p) = x, if p moves no axis", &array::TRANSPOSE, |e| {
        let (x, permutation) = (e.input(0)?, constant_elements(e, e.input(1)?)?);
        let moves_none = permutation.iter().enumerate().all(|(i, &axis)| axis == i as i64);
        only_if(moves_none, "the permutation moves an axis")?;
        // With another number of axes, the run has to fail.
        let has_its_axes = e.fact(x).shape.rank() == Some(permutation.len());
        only_if(has_its_axes, "the permutation may be of another number of axes")?;
        Ok(x)
    }),
    rule(
        "transpose-transpose",
        "transpose(transpose(x, p), q) = transpose(x, p∘q)",
        &array::TRANSPOSE,
        transpose_of_transpose,
    ),
    rule("select-true", "select(true, x, y) = x", &select::SELECT, |e| selected(e, true)),
    rule("select-false", "select(false, x, y) = y", &select::SELECT, |e| selected(e, false)),
];

/// A constant of up to this many elements costs little.
const SMALL: usize = 1024;

fn known_shape(edit: &GraphEdit<'_>) -> Result<Shape, WhyNot> {
    edit.fact(edit.input(0)?).shape.known().ok_or(WhyNot("the shape is not known"))
}

/// A number as an element of the output's type.
fn index(edit: &GraphEdit<'_>, number: usize) -> Result<Scalar, WhyNot> {
    let dtype = edit.output_fact(0)?.dtype;
    Scalar::U64(number as u64).adopt(dtype).map_err(|_| WhyNot(TOO_LARGE))
}

const TOO_LARGE: &str = "the result is too large for its data type";

fn shape_of_known(edit: &mut GraphEdit<'_>) -> Outcome {
    let shape = known_shape(edit)?;
    let extents = shape.iter().map(|&extent| i64::try_from(extent).ok());
    let extents: Vec<i64> = extents.collect::<Option<_>>().ok_or(WhyNot(TOO_LARGE))?;
    let value = match edit.output_fact(0)?.dtype {
        DType::I32 => {
            let extents = extents.into_iter().map(|extent| extent.try_into().ok());
            Value::list(extents.collect::<Option<Vec<i32>>>().ok_or(WhyNot(TOO_LARGE))?)
        }
        _ => Value::list(extents),
    };
    Ok(edit.add_constant(value))
}

fn size_of_known(edit: &mut GraphEdit<'_>) -> Outcome {
    let elements = edit.fact(edit.input(0)?).shape.elements();
    let elements = elements.ok_or(WhyNot("the shape is not known"))?;
    let size = index(edit, elements)?;
    Ok(edit.add_constant(size.into()))
}

fn rank_of_known(edit: &mut GraphEdit<'_>) -> Outcome {
    let rank = edit.fact(edit.input(0)?).shape.rank().ok_or(WhyNot("the rank is not known"))?;
    let rank = index(edit, rank)?;
    Ok(edit.add_constant(rank.into()))
}

fn filled_like(edit: &mut GraphEdit<'_>, number: u8) -> Outcome {
    let shape = known_shape(edit)?;
    let dtype = edit.output_fact(0)?.dtype;
    only_if(shape.elements().is_some_and(|elements| elements <= SMALL), "the result is large")?;
    only_if(dtype.is_plain() && dtype != DType::Bool, "the result has no numbers")?;
    let number = Scalar::U8(number).adopt(dtype).map_err(|_| WhyNot(TOO_LARGE))?;
    let value = Value::full(number, shape).map_err(|_| WhyNot("the result is large"))?;
    Ok(edit.add_constant(value))
}

/// The input, if it has the type and the shape of the output, and both shapes are known.
fn same_fact(edit: &mut GraphEdit<'_>) -> Outcome {
    let input = edit.input(0)?;
    let (from, to) = (edit.fact(input), edit.output_fact(0)?);
    only_if(from.dtype == to.dtype, "the data type changes")?;
    only_if(from.shape.is_known() && to.shape.is_known(), "the shape is not known")?;
    only_if(from.shape == to.shape, "the shape changes")?;
    Ok(input)
}

/// The elements of a constant of integers.
fn constant_elements(edit: &GraphEdit<'_>, tensor: TensorId) -> Result<Vec<i64>, WhyNot> {
    let value = edit.constant(tensor).ok_or(WhyNot("the permutation is no constant"))?;
    if let Ok(elements) = value.as_slice::<i32>() {
        return Ok(elements.iter().copied().map(i64::from).collect());
    }
    value.as_slice::<i64>().map(<[i64]>::to_vec).map_err(|_| WhyNot("it is no permutation"))
}

fn transpose_of_transpose(edit: &mut GraphEdit<'_>) -> Outcome {
    let outer = constant_elements(edit, edit.input(1)?)?;
    let inner = edit.produced_by(edit.input(0)?, &array::TRANSPOSE);
    let Some([x, inner]) = inner.map(|inner| &inner.inputs[..]) else {
        return no("the input is of another operation");
    };
    let (x, inner) = (*x, constant_elements(edit, *inner)?);
    let compose = |&axis: &i64| inner.get(usize::try_from(axis).ok()?).copied();
    let permutation = outer.iter().map(compose).collect::<Option<Vec<i64>>>();
    let permutation = permutation.ok_or(WhyNot("it is no permutation"))?;
    let permutation = edit.add_constant(Value::list(permutation));
    edit.add(&array::TRANSPOSE, &Attrs::NONE, &[&[x], &[permutation]])
}

/// The branch of a select that is always taken, if it has the shape of the output, and the other
/// operands are known to broadcast to it.
fn selected(edit: &mut GraphEdit<'_>, condition: bool) -> Outcome {
    let always = edit.constant(edit.input(0)?).ok_or(WhyNot("the condition is no constant"))?;
    let always = always.as_slice::<bool>().unwrap_or_default();
    let is_always = !always.is_empty() && always.iter().all(|&holds| holds == condition);
    only_if(is_always, "the condition also has the other value")?;
    only_if(!edit.may_fail(), "the shapes may not broadcast")?;
    let branch = edit.input(if condition { 1 } else { 2 })?;
    only_if(edit.fact(branch).shape == edit.output_fact(0)?.shape, "the branch is broadcast")?;
    Ok(branch)
}
