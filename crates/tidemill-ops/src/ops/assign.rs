//! Writes to variables: `Assign`, `AssignAdd`, `AssignSub`.

use smallvec::SmallVec;
use tidemill_graph::{
    Access, Arg, AttrDef, Execution, Inferred, NodeView, OpDef, OpError, Sample, TensorRef,
};
use tidemill_value::{BinaryOp, DType, PartialShape, Value};

use super::resource::{ASSIGN_ADD_VARIABLE, ASSIGN_SUB_VARIABLE, ASSIGN_VARIABLE, written};
use super::writes::Assign;
use crate::elementwise::update_kernel;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    ops: ASSIGN, ASSIGN_ADD, ASSIGN_SUB;
    exports: assign, assign_add, assign_sub;
}

/// Gives a variable a value.
pub static ASSIGN: OpDef = OpDef::new("Assign", "Gives a variable a value.")
    .inputs(&[Arg::of("ref", "T").access(Access::Write), Arg::of("value", "T")])
    .outputs(&[Arg::of("output_ref", "T").access(Access::Update)])
    .attrs(&[
        AttrDef::types("T", DType::ALL),
        AttrDef::bool("validate_shape", true),
        AttrDef::bool("use_locking", true),
    ])
    .execution(Execution::Write)
    .infer(infer_assign)
    .not_differentiable()
    .kernel(|node| {
        let admitted = match node.bool_attr("validate_shape")? {
            true => node.shape(0).clone(),
            false => PartialShape::unknown(),
        };
        Ok(Box::new(Assign { admitted }))
    })
    .samples(|| {
        let (variable, value) = (Value::from([1.0_f32, 2.0]), Value::from([3.0_f32, -1.0]));
        let longer = Value::from([1.0_f32; 3]);
        vec![
            Sample::new([variable.clone(), value.clone()], value),
            Sample::error([variable, longer], "contradict"),
        ]
    });

fn infer_assign(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    match node.bool_attr("validate_shape")? {
        true => Inferred::one(node.shape(0).merge(node.shape(1))?),
        false => Inferred::one(node.shape(1)),
    }
}

/// A write that changes the existing value.
const fn update(name: &'static str, summary: &'static str) -> OpDef {
    OpDef::new(name, summary)
        .inputs(const { &[Arg::of("ref", "T").access(Access::Update), Arg::of("value", "T")] })
        .outputs(const { &[Arg::of("output_ref", "T").access(Access::Update)] })
        .attrs(
            const { &[AttrDef::widened("T", DType::NUMBERS), AttrDef::bool("use_locking", false)] },
        )
        .execution(Execution::Write)
        .infer(|node| Inferred::one(node.shape(0).merge(node.shape(1))?))
        .not_differentiable()
}

/// Adds to a variable.
pub static ASSIGN_ADD: OpDef = update("AssignAdd", "Adds to a variable.")
    .kernel(|node| update_kernel(node, BinaryOp::Add))
    .samples(|| update_samples([1.5, 0.0]));

/// Subtracts from a variable.
pub static ASSIGN_SUB: OpDef = update("AssignSub", "Subtracts from a variable.")
    .kernel(|node| update_kernel(node, BinaryOp::Sub))
    .samples(|| update_samples([0.5, 4.0]));

/// Samples of an update of `[1, 2]` by `[0.5, -2]`.
fn update_samples(expected: [f32; 2]) -> Vec<Sample> {
    let (variable, value) = (Value::from([1.0_f32, 2.0]), Value::from([0.5_f32, -2.0]));
    vec![
        Sample::new([variable.clone(), value], Value::from(expected)),
        Sample::error([variable, Value::from([1.0_f32])], "contradict"),
    ]
}

/// Assigns `value` to `variable`, in every run that needs this node; the result is the assigned
/// value.
///
/// It does not read the variable, which need not have a value. A number takes the variable's type.
///
/// # Errors
/// The type or shape of `value` differs from the variable's.
///
/// ```
/// use tidemill_ops::{assign, get_variable, zeros};
/// let count = get_variable("count", [], zeros());
/// assert_eq!(assign(count, 5.0).shape().to_string(), "[]");
/// ```
#[doc(alias = "Assign")]
#[track_caller]
pub fn assign(variable: impl Into<TensorRef>, value: impl Into<Operand>) -> Tensor {
    write([&ASSIGN, &ASSIGN_VARIABLE], variable.into(), &value.into())
}

/// Adds `value` to `variable`, in every run that needs this node; the result is the sum.
///
/// # Errors
/// As for [`assign`]. The variable must have a value.
///
/// ```
/// use tidemill_ops::{assign_add, get_variable, zeros};
/// let count = get_variable("count", [], zeros());
/// assert_eq!(assign_add(count, 1.0).shape().to_string(), "[]");
/// ```
#[doc(alias = "AssignAdd")]
#[track_caller]
pub fn assign_add(variable: impl Into<TensorRef>, value: impl Into<Operand>) -> Tensor {
    write([&ASSIGN_ADD, &ASSIGN_ADD_VARIABLE], variable.into(), &value.into())
}

/// Subtracts `value` from `variable`, in every run that needs this node; the result is the
/// difference.
///
/// # Errors
/// As for [`assign`]. The variable must have a value.
///
/// ```
/// use tidemill_ops::{assign_sub, get_variable, zeros};
/// let count = get_variable("count", [], zeros());
/// assert_eq!(assign_sub(count, 1.0).shape().to_string(), "[]");
/// ```
#[doc(alias = "AssignSub")]
#[track_caller]
pub fn assign_sub(variable: impl Into<TensorRef>, value: impl Into<Operand>) -> Tensor {
    write([&ASSIGN_SUB, &ASSIGN_SUB_VARIABLE], variable.into(), &value.into())
}

/// A write by the first of two operations, or for a resource variable by the second.
#[track_caller]
fn write(ops: [&'static OpDef; 2], variable: TensorRef, value: &Operand) -> Tensor {
    let value = value.to_tensor_like(variable.into(), "value");
    written(ops, variable, |node| node.input(value))
}
