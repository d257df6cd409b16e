//! Bounds: on elements, and on the lengths of vectors.

use smallvec::SmallVec;
use tidemill_graph::{Arg, Graph, Inferred, NodeView, OpDef, OpError, Sample};
use tidemill_kernels::elementwise;
use tidemill_value::{PartialShape, Value};

use super::arithmetic::{maximum, minimum};
use super::array::{ones_like, stack, zeros_like};
use super::compare::{equal, greater, is_finite, less};
use super::math::sqrt;
use super::nn::l2_loss;
use super::reduce::{Axes, reduce_sum};
use super::select::select;
use crate::family::{NUMBERS, grads};
use crate::kernel::kernel;
use crate::operand::composite;
use crate::operations::operations;
use crate::{IndexedSlices, Operand, Tensor};

operations! {
    ops: CLIP_BY_VALUE;
    exports: clip_by_global_norm, clip_by_norm, clip_by_value, global_norm;
}

/// The elements, clipped to a range.
pub static CLIP_BY_VALUE: OpDef = OpDef::new("ClipByValue", "The elements, clipped to a range.")
    .inputs(&[Arg::of("t", "T"), Arg::of("clip_value_min", "T"), Arg::of("clip_value_max", "T")])
    .outputs(&[Arg::of("output", "T")])
    .attrs(NUMBERS)
    .broadcasts()
    .infer(infer)
    .gradient(|cx| {
        let (t, low, high): (Tensor, Tensor, Tensor) = (cx.input(0), cx.input(1), cx.input(2));
        let grad: Tensor = cx.grad();
        let (is_below, is_above, zeros) = (less(t, low), greater(t, high), zeros_like(grad));
        Ok(grads([
            Some(select(is_below | is_above, zeros, grad)),
            Some(select(is_below, grad, zeros)),
            Some(select(is_above, grad, zeros)),
        ]))
    })
    .kernel(|_| {
        Ok(kernel(|cx| {
            let (t, low, high) = (cx.input(0)?, cx.input(1)?, cx.input(2)?);
            for bound in [low, high] {
                if bound.shape().rank() > 0 && bound.shape() != t.shape() {
                    return Err(unfit(&t.shape().into(), &bound.shape().into()).into());
                }
            }
            Ok(elementwise::clip(cx.memory, t, low, high)?)
        }))
    })
    .samples(samples);

fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let mut shape = node.shape(0).clone();
    for i in [1, 2] {
        if node.shape(i).rank().is_some_and(|rank| rank > 0) {
            shape = shape.merge(node.shape(i)).map_err(|_| unfit(&shape, node.shape(i)))?;
        }
    }
    Inferred::one(shape)
}

fn unfit(t: &PartialShape, bound: &PartialShape) -> OpError {
    OpError::shape(
        "clip_value_min",
        format!("a bound must be a number or of shape {t}, but its shape is {bound}"),
    )
}

fn samples() -> Vec<Sample> {
    let t = || Value::from([-1.5_f32, 0.25, 0.75, 3.0]);
    let (low, high) = (Value::from(-1.0_f32), Value::from(0.5_f32));
    let lows = Value::from([-2.0_f32, 0.5, 0.5, 0.5]);
    let empty = || Value::from(Vec::<f32>::new());
    vec![
        Sample::new([t(), low.clone(), high.clone()], Value::from([-1.0_f32, 0.25, 0.5, 0.5])),
        Sample::new([t(), lows, 2.0_f32.into()], Value::from([-1.5_f32, 0.5, 0.75, 2.0])),
        Sample::new([empty(), low.clone(), high.clone()], empty()),
        Sample::error([t(), Value::from([0.0_f32]), high], "a bound must be a number or of shape"),
    ]
}

/// `t`, limited to the range from `low` to `high`: `max(min(t, high), low)`. NaN stays NaN.
///
/// The bounds are numbers, or tensors that broadcast with `t`. The gradient passes where `t` is in
/// the range, including its ends. For [`IndexedSlices`], the values are clipped.
///
/// # Errors
/// Tensors that differ in type or do not broadcast.
///
/// ```
/// use tidemill_ops::{clip_by_value, constant};
/// let clipped = clip_by_value(constant([-2.0_f32, 0.5, 7.0]), 0.0, 1.0);
/// assert_eq!(clipped.shape().to_string(), "[3]");
/// ```
#[doc(alias = "ClipByValue")]
#[track_caller]
pub fn clip_by_value(
    t: impl Into<Operand>,
    low: impl Into<Operand>,
    high: impl Into<Operand>,
) -> Tensor {
    let (t, low, high) = (t.into().to_tensor(), low.into(), high.into());
    composite(t.graph(), "clip_by_value", |_| of_values(t, |t| maximum(minimum(t, high), low)))
}

/// `t`, scaled down to norm `limit` where its Euclidean norm along `axes` exceeds it. For
/// [`IndexedSlices`], the norm is that of their values.
///
/// # Errors
/// Tensors that differ in type, or axes that do not exist.
///
/// ```
/// use tidemill_ops::{clip_by_norm, constant};
/// let clipped = clip_by_norm(constant([3.0_f32, 4.0]), 1.0, ..);
/// assert_eq!(clipped.shape().to_string(), "[2]");
/// ```
#[track_caller]
pub fn clip_by_norm(
    t: impl Into<Operand>,
    limit: impl Into<Operand>,
    axes: impl Into<Axes>,
) -> Tensor {
    let (t, limit, axes) = (t.into().to_tensor(), limit.into(), axes.into());
    let clipped = |t: Tensor| {
        let limit = limit.to_tensor_like(t, "clip_norm");
        let norm = root_or_zero(reduce_sum(t * t, axes.keep_dims()));
        t * limit / maximum(norm, limit)
    };
    composite(t.graph(), "clip_by_norm", |_| of_values(t, clipped))
}

/// Applies `change` to a tensor, or to the values of one that is a sum of slices.
#[track_caller]
fn of_values(t: Tensor, change: impl FnOnce(Tensor) -> Tensor) -> Tensor {
    match IndexedSlices::of(t) {
        Some(slices) => IndexedSlices { values: change(slices.values), ..slices }.to_dense(),
        None => change(t),
    }
}

/// The Euclidean norm of all elements of several tensors of one type. For [`IndexedSlices`], it is
/// the norm of their values.
///
/// # Errors
/// No tensors, or tensors that differ in type.
///
/// ```
/// use tidemill_ops::{constant, global_norm};
/// let norm = global_norm([constant([3.0_f32]), constant([4.0_f32])]);
/// assert_eq!(norm.shape().to_string(), "[]");
/// ```
#[track_caller]
pub fn global_norm<T: Into<Operand>>(tensors: impl IntoIterator<Item = T>) -> Tensor {
    let tensors = all_tensors(tensors);
    composite(graph_of(&tensors), "global_norm", |_| norm_of(&tensors))
}

/// Scales down several tensors of one type together to norm `limit`, if their [`global_norm`]
/// exceeds it. Returns the tensors and their norm before scaling. If the norm is not finite, the
/// tensors become NaN.
///
/// # Errors
/// No tensors, or tensors that differ in type.
///
/// ```
/// use tidemill_ops::{clip_by_global_norm, constant};
/// let (clipped, norm) = clip_by_global_norm([constant([3.0_f32]), constant([4.0_f32])], 1.0);
/// assert_eq!((clipped.len(), norm.shape().to_string()), (2, "[]".to_owned()));
/// ```
#[track_caller]
pub fn clip_by_global_norm<T: Into<Operand>>(
    tensors: impl IntoIterator<Item = T>,
    limit: impl Into<Operand>,
) -> (Vec<Tensor>, Tensor) {
    let (tensors, limit) = (all_tensors(tensors), limit.into());
    composite(graph_of(&tensors), "clip_by_global_norm", |_| {
        let norm = composite(graph_of(&tensors), "global_norm", |_| norm_of(&tensors));
        let limit = limit.to_tensor_like(norm, "clip_norm");
        // The reciprocal of a norm of 0 has no finite derivative.
        let scale = limit * (1.0 / maximum(norm, limit));
        let scale = select(is_finite(norm), scale, f64::NAN);
        let clipped = |&t: &Tensor| of_values(t, |t| t * scale);
        (tensors.iter().map(clipped).collect(), norm)
    })
}

#[track_caller]
fn norm_of(tensors: &[Tensor]) -> Tensor {
    let halves = stack(
        tensors.iter().map(|&t| l2_loss(IndexedSlices::of(t).map_or(t, |slices| slices.values))),
        0,
    );
    root_or_zero(reduce_sum(halves, ..) * 2.0)
}

/// The square root, with a gradient of 0 at 0, where the root has no finite derivative.
pub(super) fn root_or_zero(x: Tensor) -> Tensor {
    let is_zero = equal(x, 0.0);
    let root = sqrt(select(is_zero, ones_like(x), x));
    select(is_zero, zeros_like(x), root)
}

#[track_caller]
fn all_tensors<T: Into<Operand>>(operands: impl IntoIterator<Item = T>) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for operand in operands {
        tensors.push(operand.into().to_tensor());
    }
    tensors
}

fn graph_of(tensors: &[Tensor]) -> Option<Graph> {
    tensors.first().and_then(|t| t.graph())
}
