//! `Reshape`, `ExpandDims` and `Squeeze`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, AttrDefault, Elements, Fallible, Inferred, KernelCx, KernelError, NodeBuilder,
    NodeView, OpDef, OpError, Sample,
};
use tidemill_value::{DType, Dim, PartialShape, Shape, Value};

use super::shape;
use crate::family::grads;
use crate::index::{axes_of, axis_of, check_single, integers};
use crate::operand::{indexed, tensor};
use crate::operations::operations;
use crate::{IntoNewShape, Operand, Tensor};

operations! {
    ops: EXPAND_DIMS, RESHAPE, SQUEEZE;
    exports: expand_dims, reshape, squeeze;
}

/// The elements of a tensor with another shape.
pub static RESHAPE: OpDef = OpDef::new("Reshape", "The elements of a tensor with another shape.")
    .inputs(&[Arg::of("tensor", "T"), Arg::of("shape", "Tshape")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[AttrDef::types("T", DType::ALL), AttrDef::types("Tshape", DType::INDICES)])
    .infer(infer_reshape)
    .gradient(|cx| {
        let x: Tensor = cx.input(0);
        Ok(grads([Some(reshape(cx.grad::<Tensor>(), shape(x))), None]))
    })
    .kernel(|_| {
        Ok(Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
            let wanted = integers(cx.input(1)?)?;
            let x = cx.take(0)?;
            let shape = reshaped(x.shape(), &wanted)?;
            cx.set(0, x.reshape(shape)?);
            Ok(())
        }))
    })
    .samples(|| {
        let x = Value::from([1.0_f32, 2.0, 3.0, 4.0]);
        let rows = x.clone().reshape([2, 2]);
        let rows = rows.map(|y| Sample::new([x.clone(), Value::from([2, -1])], y));
        let wrong = Sample::error([x, Value::from([3, -1])], "[3, ?]");
        rows.into_iter().chain([wrong]).collect()
    });

/// The shape given by a list of extents; -1 is inferred.
fn reshaped(from: &Shape, wanted: &[i64]) -> Result<Shape, OpError> {
    let actual = from.elements().unwrap_or_default();
    let to: PartialShape = wanted_shape(wanted.iter().map(|&extent| Some(extent)))?;
    let mismatch =
        |expected| Err(OpError::Reshape { from: from.into(), to: to.clone(), actual, expected });
    if let Some(shape) = to.known() {
        let expected = shape.elements().unwrap_or(usize::MAX);
        return if expected == actual { Ok(shape) } else { mismatch(expected) };
    }
    let known: Shape = to.dims().unwrap_or_default().iter().filter_map(|dim| dim.known()).collect();
    match known.elements() {
        Some(0) if actual == 0 => Ok(filled_in(&to, 0)),
        Some(known) if known > 0 && actual.is_multiple_of(known) => {
            Ok(filled_in(&to, actual / known))
        }
        Some(known @ 1..) => Err(OpError::ReshapeMultiple { from: from.into(), to, actual, known }),
        known => mismatch(known.unwrap_or(usize::MAX)),
    }
}

/// Extents as a shape; at most one may be -1.
fn wanted_shape(extents: impl Iterator<Item = Option<i64>>) -> Result<PartialShape, OpError> {
    let mut open = 0;
    extents
        .map(|extent| match extent {
            None => Ok(Dim::UNKNOWN),
            Some(-1) => {
                open += 1;
                match open {
                    1 => Ok(Dim::UNKNOWN),
                    _ => Err(OpError::elements("shape", "only one extent of a shape can be -1")),
                }
            }
            Some(extent) => usize::try_from(extent)
                .map(Dim::from)
                .map_err(|_| OpError::elements("shape", format!("{extent} is not a valid extent"))),
        })
        .collect()
}

/// The shape with its unknown extent replaced by `extent`.
fn filled_in(shape: &PartialShape, extent: usize) -> Shape {
    let dims = shape.dims().unwrap_or_default();
    dims.iter().map(|dim| dim.known().unwrap_or(extent)).collect()
}

fn infer_reshape(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let Some(wanted) = node.elements(1) else {
        return Inferred::one(match node.shape(1).dims() {
            Some([length]) => length.known().map_or(PartialShape::unknown(), PartialShape::of_rank),
            _ => PartialShape::unknown(),
        });
    };
    let elements = node.elements(0).cloned();
    let to = wanted_shape(wanted.iter().copied())?;
    let shape = match (node.shape(0).known(), wanted.known()) {
        (Some(from), Some(wanted)) => reshaped(&from, &wanted)?.into(),
        _ => to,
    };
    Ok([Inferred::with_elements(shape, elements)].into_iter().collect())
}

/// A tensor with an additional axis of length 1.
pub static EXPAND_DIMS: OpDef =
    OpDef::new("ExpandDims", "A tensor with an additional axis of length 1.")
        .inputs(&[Arg::of("input", "T"), Arg::of("dim", "Tdim")])
        .outputs(&[Arg::of("output", "T")])
        .attrs(&[AttrDef::types("T", DType::ALL), AttrDef::types("Tdim", DType::INDICES)])
        .infer(|node| {
            check_single(node, 1)?;
            let elements = node.elements(0).cloned();
            let axis = node.elements(1).and_then(Elements::known);
            let shape = match (node.shape(0).dims(), axis.as_deref()) {
                (Some(dims), Some(&[axis])) => {
                    let mut dims = dims.to_vec();
                    dims.insert(axis_of(axis, dims.len() + 1)?, Dim::from(1));
                    dims.into_iter().collect()
                }
                (Some(dims), _) => PartialShape::of_rank(dims.len() + 1),
                (None, _) => PartialShape::unknown(),
            };
            Ok([Inferred::with_elements(shape, elements)].into_iter().collect())
        })
        .fallible(Fallible::Elements(&[1]))
        .gradient(|cx| {
            let x: Tensor = cx.input(0);
            Ok(grads([Some(reshape(cx.grad::<Tensor>(), shape(x))), None]))
        })
        .kernel(|_| {
            Ok(Box::new(|cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
                let axis = match integers(cx.input(1)?)?[..] {
                    [axis] => axis,
                    _ => return Err(OpError::shape("dim", "`dim` must be a single number").into()),
                };
                let x = cx.take(0)?;
                let (before, after) = x.shape().split_at(axis_of(axis, x.shape().rank() + 1)?);
                let dims: Shape = before.iter().chain(&[1]).chain(after).copied().collect();
                cx.set(0, x.reshape(dims)?);
                Ok(())
            }))
        })
        .samples(|| {
            let x = Value::from([1.0_f32, 2.0]);
            let column = x.clone().reshape([2, 1]);
            let column = column.map(|y| Sample::new([x.clone(), Value::from(-1)], y));
            column.into_iter().chain([Sample::error([x, Value::from(3)], "axis 3")]).collect()
        });

/// A tensor without axes of length 1.
pub static SQUEEZE: OpDef = OpDef::new("Squeeze", "A tensor without axes of length 1.")
    .inputs(&[Arg::of("input", "T")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(&[
        AttrDef::types("T", DType::ALL),
        AttrDef::new("squeeze_dims", tidemill_graph::AttrKind::Ints)
            .default(AttrDefault::Ints(&[])),
    ])
    .infer(|node| {
        let axes = node.ints_attr("squeeze_dims")?;
        let elements = node.elements(0).cloned();
        let shape = match node.shape(0).dims() {
            Some(dims) if !axes.is_empty() || dims.iter().all(|dim| dim.known().is_some()) => {
                squeezed(dims, &axes)?.into_iter().collect()
            }
            _ => PartialShape::unknown(),
        };
        Ok([Inferred::with_elements(shape, elements)].into_iter().collect())
    })
    .gradient(|cx| {
        let x: Tensor = cx.input(0);
        Ok(grads([Some(reshape(cx.grad::<Tensor>(), shape(x)))]))
    })
    .kernel(|node| {
        let axes = node.ints_attr("squeeze_dims")?;
        Ok(Box::new(move |cx: &mut KernelCx<'_>| -> Result<(), KernelError> {
            let x = cx.take(0)?;
            let dims: Vec<Dim> = x.shape().iter().map(|&extent| Dim::from(extent)).collect();
            let kept = squeezed(&dims, &axes)?;
            let shape: Shape = kept.into_iter().filter_map(Dim::known).collect();
            cx.set(0, x.reshape(shape)?);
            Ok(())
        }))
    })
    .samples(|| {
        let x = Value::from([1.0_f32, 2.0]);
        let column = x.clone().reshape([1, 2, 1]);
        let samples = column.map(|column| {
            let row = column.clone().reshape([1, 2]);
            let all = Sample::new([column.clone()], x.clone());
            let last = row.map(|row| Sample::new([column.clone()], row));
            let last = last.map(|sample| sample.attr("squeeze_dims", vec![-1_i64]));
            let wrong = Sample::error([column], "axis 1").attr("squeeze_dims", vec![1_i64]);
            last.into_iter().chain([all, wrong]).collect::<Vec<_>>()
        });
        samples.unwrap_or_default()
    });

/// The extents without those of the axes to drop: all that are 1 if none are given.
fn squeezed(dims: &[Dim], axes: &[i64]) -> Result<Vec<Dim>, OpError> {
    let is_one = |dim: &Dim| dim.known() == Some(1);
    if axes.is_empty() {
        return Ok(dims.iter().copied().filter(|dim| !is_one(dim)).collect());
    }
    let axes = axes_of(axes, dims.len())?;
    let wrong = axes.iter().find(|&&axis| dims[axis].known().is_some_and(|extent| extent != 1));
    if let Some(&axis) = wrong {
        let message = format!("axis {axis} cannot be dropped: its extent is {}, not 1", dims[axis]);
        return Err(OpError::attr("squeeze_dims", message));
    }
    let kept = dims.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
    Ok(kept.map(|(_, dim)| *dim).collect())
}

/// The elements of `x` in another shape: a list of extents, or an integer tensor. An extent of -1
/// is inferred. With extents of type `usize`, write `shape![?, n]`.
///
/// # Errors
/// A shape with a different number of elements.
///
/// ```
/// use tidemill_ops::{placeholder, reshape};
/// let x = placeholder::<f32>([2, 6]);
/// assert_eq!(reshape(x, [3, -1]).shape().to_string(), "[3, 4]");
/// ```
#[doc(alias = "Reshape")]
#[track_caller]
pub fn reshape(x: impl Into<Operand>, shape: impl IntoNewShape) -> Tensor {
    let x = x.into().to_tensor();
    indexed(&RESHAPE, "Reshape", x, ("shape", shape.into_operand()), |node| node)
}

/// `x` with an additional axis of length 1 before axis `axis`; -1 puts it last.
///
/// # Errors
/// An axis that does not exist.
///
/// ```
/// use tidemill_ops::{constant, expand_dims};
/// assert_eq!(expand_dims(constant([1.0_f32, 2.0]), 0).shape().to_string(), "[1, 2]");
/// ```
#[doc(alias = "ExpandDims")]
#[track_caller]
pub fn expand_dims(x: impl Into<Operand>, axis: i32) -> Tensor {
    let x = x.into().to_tensor();
    indexed(&EXPAND_DIMS, "ExpandDims", x, ("dim", axis.into()), |node| node)
}

/// `x` without the given `axes`, which must have length 1; if `axes` is empty, without any axis of
/// length 1.
///
/// # Errors
/// An axis whose extent is not 1.
///
/// ```
/// use tidemill_ops::{placeholder, squeeze};
/// let x = placeholder::<f32>([1, 2, 1]);
/// assert_eq!(squeeze(x, &[0]).shape().to_string(), "[2, 1]");
/// ```
#[doc(alias = "Squeeze")]
#[track_caller]
pub fn squeeze(x: impl Into<Operand>, axes: &[i64]) -> Tensor {
    let x = x.into().to_tensor();
    tensor(NodeBuilder::new(&SQUEEZE).input(x).attr("squeeze_dims", axes))
}
