//! `Select` and `SelectV2`.

use smallvec::SmallVec;
use tidemill_graph::{
    Arg, AttrDef, Inferred, KernelCx, KernelError, NodeBuilder, NodeView, OpDef, OpError, Sample,
};
use tidemill_kernels::elementwise;
use tidemill_value::{DType, PartialShape, ScalarOp, Shape, Value};

use super::array::{ones_like, zeros_like};
use crate::elementwise::scalar_kernel;
use crate::family::grads;
use crate::kernel::kernel;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: SELECT, SELECT_V1;
    exports: safe_where, select, select_v1;
}

/// Elements of one tensor where a condition holds, of another elsewhere.
pub static SELECT: OpDef =
    OpDef::new("SelectV2", "Elements of one tensor where a condition holds, of another elsewhere.")
        .inputs(&[Arg::is("condition", DType::Bool), Arg::of("t", "T"), Arg::of("e", "T")])
        .outputs(&[Arg::of("output", "T")])
        .attrs(&[AttrDef::types("T", DType::ALL)])
        .broadcasts()
        .infer(|node| {
            let branches = node.shape(1).broadcast(node.shape(2))?;
            Inferred::one(node.shape(0).broadcast(&branches)?)
        })
        .gradient(|cx| {
            let (condition, grad): (Tensor, Tensor) = (cx.input(0), cx.grad());
            let zeros = zeros_like(grad);
            Ok(grads([
                None,
                Some(select(condition, grad, zeros)),
                Some(select(condition, zeros, grad)),
            ]))
        })
        .scalar(ScalarOp::Select)
        .kernel(scalar_kernel)
        .samples(|| {
            let condition = Value::from([true, false, true]);
            let (t, e) = (Value::from([1.0_f32, 2.0, 3.0]), Value::from(-1.0_f32));
            vec![Sample::new([condition, t, e], Value::from([1.0_f32, -1.0, 3.0]))]
        });

/// The elements of `x` where `condition` is true, those of `y` elsewhere. Shapes broadcast.
///
/// It is TensorFlow's `where` with three arguments. Both branches are computed, and the gradient of
/// the branch not taken is multiplied by zero, which is NaN if it is not finite. [`safe_where`]
/// avoids this.
///
/// ```
/// use tidemill_ops::{constant, greater, select};
/// let x = constant([1.0_f32, -2.0]);
/// assert_eq!(select(greater(x, 0.0), x, 0.0).shape().to_string(), "[2]");
/// ```
#[doc(alias = "SelectV2")]
#[doc(alias = "where")]
#[track_caller]
pub fn select(
    condition: impl Into<Operand>,
    x: impl Into<Operand>,
    y: impl Into<Operand>,
) -> Tensor {
    let condition = condition.into().to_tensor();
    let (x, y) = branches(x.into(), y.into());
    tensor(NodeBuilder::new(&SELECT).input(condition).input(x).input(y))
}

/// Two branches as tensors of one type.
#[track_caller]
fn branches(x: Operand, y: Operand) -> (Tensor, Tensor) {
    match (x.as_tensor(), y.as_tensor()) {
        (Some(x), _) => (x, y.to_tensor_like(x, "e")),
        (None, Some(y)) => (x.to_tensor_like(y, "t"), y),
        (None, None) => {
            let x = x.to_tensor_named("t");
            (x, y.to_tensor_like(x, "e"))
        }
    }
}

/// Elements, or rows, of one tensor where a condition holds, of another elsewhere.
pub static SELECT_V1: OpDef = OpDef::new(
    "Select",
    "Elements, or rows, of one tensor where a condition holds, of another elsewhere.",
)
.inputs(&[Arg::is("condition", DType::Bool), Arg::of("t", "T"), Arg::of("e", "T")])
.outputs(&[Arg::of("output", "T")])
.attrs(&[AttrDef::types("T", DType::ALL)])
.infer(infer_v1)
.gradient(|cx| {
    let (condition, grad): (Tensor, Tensor) = (cx.input(0), cx.grad());
    let zeros = zeros_like(grad);
    let of_t = select_v1(condition, grad, zeros);
    Ok(grads([None, Some(of_t), Some(select_v1(condition, zeros, grad))]))
})
.kernel(|_| Ok(kernel(run_v1)))
.samples(samples_v1);

fn infer_v1(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let condition = node.shape(0);
    let shape = node.shape(1).merge(node.shape(2))?;
    let (Some(extents), Some(dims)) = (condition.dims(), shape.dims()) else {
        return Inferred::one(match condition.rank() {
            // Conditions of more than one axis have the shape of the branches.
            Some(2..) => condition.merge(&shape)?,
            _ => shape,
        });
    };
    match (extents, dims) {
        ([], _) => Inferred::one(shape),
        (&[rows], &[first, ..]) => {
            let first = first.merge(rows).map_err(|_| unfit(condition, &shape))?;
            let dims = std::iter::once(first).chain(dims[1..].iter().copied());
            Inferred::one(dims.collect::<PartialShape>())
        }
        _ => Inferred::one(condition.merge(&shape).map_err(|_| unfit(condition, &shape))?),
    }
}

fn unfit(condition: &PartialShape, branches: &PartialShape) -> OpError {
    OpError::shape(
        "condition",
        format!(
            "the condition must be a single one, of shape {branches}, or a list of one for each row, \
         but its shape is {condition}"
        ),
    )
}

fn run_v1(cx: &KernelCx<'_>) -> Result<Value, KernelError> {
    let (condition, t, e) = (cx.input(0)?, cx.input(1)?, cx.input(2)?);
    if t.shape() != e.shape() {
        let (left, right) = (t.shape().into(), e.shape().into());
        return Err(tidemill_value::ValueError::Incompatible { left, right }.into());
    }
    if condition.shape() == t.shape() || condition.shape().rank() == 0 {
        return Ok(elementwise::select(cx.memory, condition, t, e)?);
    }
    if condition.shape().rank() != 1 || condition.shape().first() != t.shape().first() {
        return Err(unfit(&condition.shape().into(), &t.shape().into()).into());
    }
    let ones = std::iter::repeat_n(1, t.shape().rank() - 1);
    let by_row: Shape = condition.shape().iter().copied().chain(ones).collect();
    Ok(elementwise::select(cx.memory, &condition.clone().reshape(by_row)?, t, e)?)
}

fn samples_v1() -> Vec<Sample> {
    let matrix = |elements: [f32; 4]| Value::from(elements).reshape([2, 2]);
    let (Ok(t), Ok(e)) = (matrix([1.0, 2.0, 3.0, 4.0]), matrix([5.0, 6.0, 7.0, 8.0])) else {
        return Vec::new();
    };
    let (Ok(by_row), Ok(by_element)) = (matrix([1.0, 2.0, 7.0, 8.0]), matrix([1.0, 6.0, 7.0, 4.0]))
    else {
        return Vec::new();
    };
    let rows = Value::from([true, false]);
    let elements = Value::from([true, false, false, true]).reshape([2, 2]);
    let Ok(elements) = elements else { return Vec::new() };
    let wrong = Value::from([true, false, true]);
    vec![
        Sample::new([rows, t.clone(), e.clone()], by_row),
        Sample::new([elements, t.clone(), e.clone()], by_element),
        Sample::new([Value::from(true), t.clone(), e.clone()], t.clone()),
        Sample::error([wrong, t.clone(), e], "a list of one for each row"),
        Sample::error([Value::from(true), t, Value::from([1.0_f32])], "contradict"),
    ]
}

/// The elements of `x` where `condition` holds, those of `y` elsewhere, as in TensorFlow 1: `x` and
/// `y` have the same shape, and the condition is a scalar, of that shape, or a list that selects
/// rows.
///
/// # Errors
/// Tensors of other shapes.
///
/// ```
/// use tidemill_ops::{constant, placeholder, select_v1};
/// let (x, y) = (placeholder::<f32>([2, 3]), placeholder::<f32>([2, 3]));
/// assert_eq!(select_v1(constant([true, false]), x, y).shape().to_string(), "[2, 3]");
/// ```
#[doc(alias = "Select")]
#[track_caller]
pub fn select_v1(
    condition: impl Into<Operand>,
    x: impl Into<Operand>,
    y: impl Into<Operand>,
) -> Tensor {
    let condition = condition.into().to_tensor();
    let (x, y) = branches(x.into(), y.into());
    tensor(NodeBuilder::new(&SELECT_V1).input(condition).input(x).input(y))
}

/// `f(x)` where `condition` is true, `other` elsewhere, with a gradient that is free of NaN.
///
/// [`select`] computes both branches, and so does its gradient: that of `x` is 0 times the
/// derivative of `f` where the condition does not hold, which is NaN if the derivative is not
/// finite. Here `f` gets 1 in place of such an `x`, so `f` and its derivative must be finite at 1.
///
/// ```
/// use tidemill_ops::{constant, greater, log, safe_where};
/// let x = constant([0.0_f32, 2.0]);
/// let y = safe_where(greater(x, 0.0), |x| log(x), x, 0.0);
/// assert_eq!(y.shape().to_string(), "[2]");
/// ```
#[track_caller]
pub fn safe_where(
    condition: impl Into<Operand>,
    f: impl FnOnce(Tensor) -> Tensor,
    x: impl Into<Operand>,
    other: impl Into<Operand>,
) -> Tensor {
    let (condition, x, other) = (condition.into().to_tensor(), x.into().to_tensor(), other.into());
    composite(x.graph(), "safe_where", |_| {
        let safe = select(condition, x, ones_like(x));
        select(condition, f(safe), other)
    })
}
