//! `VariableV2` and `IsVariableInitialized`.

use tidemill_graph::{
    Access, Arg, AttrDef, AttrKind, Execution, Fallible, Inferred, NodeBuilder, OpDef, Sample,
};
use tidemill_value::{DType, PartialShape, Value};

use super::resource::VAR_IS_INITIALIZED;
use super::writes::IsInitialized;
use crate::operand::tensor;
use crate::operations::operations;
use crate::{Tensor, Variable};

operations! {
    ops: IS_VARIABLE_INITIALIZED, VARIABLE;
    exports: is_variable_initialized;
}

/// Names a variable of the session.
pub static VARIABLE: OpDef = OpDef::new("VariableV2", "Names a variable of the session.")
    .outputs(&[Arg::of("ref", "dtype").access(Access::Update)])
    .attrs(&[
        AttrDef::new("shape", AttrKind::Shape),
        AttrDef::types("dtype", DType::ALL),
        AttrDef::str("container", ""),
        AttrDef::str("shared_name", ""),
    ])
    .execution(Execution::Variable)
    .infer(|node| Inferred::one(node.shape_attr("shape")?))
    .not_differentiable()
    .samples(|| {
        let sample = Sample::error([], "has no value");
        vec![sample.attr("dtype", DType::F32).attr("shape", PartialShape::scalar())]
    });

/// Whether a variable has a value.
pub static IS_VARIABLE_INITIALIZED: OpDef =
    OpDef::new("IsVariableInitialized", "Whether a variable has a value in the session.")
        .inputs(&[Arg::of("ref", "dtype").access(Access::Peek)])
        .outputs(&[Arg::is("is_initialized", DType::Bool)])
        .attrs(&[AttrDef::types("dtype", DType::ALL)])
        .fallible(Fallible::Never)
        .infer(|_| Inferred::one(PartialShape::scalar()))
        .kernel(|_| Ok(Box::new(IsInitialized)))
        .not_differentiable()
        .samples(|| vec![Sample::new([Value::from([1.0_f32, 2.0])], Value::from(true))]);

/// Whether `variable` has a value in the session: a `bool` of shape `[]`.
///
/// ```
/// use tidemill_ops::{get_variable, is_variable_initialized, zeros};
/// let count = get_variable("count", [], zeros());
/// assert_eq!(is_variable_initialized(count).shape().to_string(), "[]");
/// ```
#[doc(alias = "IsVariableInitialized")]
#[track_caller]
pub fn is_variable_initialized(variable: Variable) -> Tensor {
    let op = match variable.is_resource() {
        true => &VAR_IS_INITIALIZED,
        false => &IS_VARIABLE_INITIALIZED,
    };
    tensor(NodeBuilder::new(op).input(variable))
}
