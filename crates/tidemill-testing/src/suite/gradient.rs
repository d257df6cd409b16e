use tidemill_autodiff::gradients;
use tidemill_graph::{
    ArgType, Attr, AttrKind, Expect, ExpectGradient, Gradient, OpDef, Role, Sample,
};
use tidemill_ops::{Operation, Tensor, cast};
use tidemill_value::{DType, Value};

use super::dtypes::with_type;
use super::node::node_of;
use super::{Given, Knowledge, SampleNode};
use crate::check_gradients;

/// The gradient of a sample is as the operation declares: equal to finite differences, and so is
/// the gradient of the gradient; or none; or an error.
///
/// # Panics
/// If a gradient differs from finite differences.
pub fn check_gradient_of(op: &'static OpDef, sample: &Sample) -> Result<(), String> {
    if matches!(sample.expect, Expect::Error(_)) {
        return Ok(());
    }
    // Differences need fed values, and a handle is not a value.
    if op.inputs.iter().any(|arg| arg.role == Role::Handle)
        && matches!(op.gradient, Gradient::Rule(_))
    {
        return Ok(());
    }
    match (op.gradient, sample.gradient) {
        (Gradient::Rule(_), ExpectGradient::Differences) => {
            check_rule(op, &in_f64(op, sample));
            Ok(())
        }
        (Gradient::Rule(_), ExpectGradient::AtKink) => Ok(()),
        (Gradient::Rule(_), ExpectGradient::Error(message)) => check_error(op, sample, message),
        (Gradient::NotDifferentiable, _) => check_none(op, sample),
        (Gradient::Undefined, _) => check_error(op, sample, op.name),
    }
}

fn check_rule(op: &'static OpDef, sample: &Sample) {
    let inputs: Vec<Value> = sample.inputs.iter().flatten().cloned().collect();
    check_gradients(|xs| Operation::from(node_of(op, sample, xs)).outputs(), &inputs);
}

/// The sample in `float64` instead of `float32`, if the operation takes it.
fn in_f64(op: &OpDef, sample: &Sample) -> Sample {
    let is_f32 = |name: &str| {
        let mut arguments = op.inputs.iter().zip(&sample.inputs);
        let given = sample.attrs.iter().find(|(given, _)| *given == name).map(|(_, attr)| attr);
        matches!(given, Some(Attr::Type(DType::F32)))
            || arguments.any(|(arg, values)| {
                let is_of_type = matches!(arg.dtype, ArgType::Attr(attr) if attr == name);
                is_of_type && values.iter().any(|value| value.dtype() == DType::F32)
            })
    };
    let mut converted = sample.clone();
    for attr in op.attrs.iter().filter(|attr| is_f32(attr.name)) {
        if matches!(attr.kind, AttrKind::Type(allowed) if allowed.contains(&DType::F64)) {
            converted = with_type(op, &converted, attr.name, DType::F64).unwrap_or(converted);
        }
    }
    converted
}

/// The float outputs of a node, and casts of the others; strings cannot be cast.
fn float_outputs(node: &SampleNode) -> Vec<Tensor> {
    let as_float = |output: Tensor| match output.dtype() {
        Some(dtype) if dtype.is_float() => Some(output),
        Some(DType::String | DType::Variant) | None => None,
        Some(_) => Some(cast(output, DType::F64)),
    };
    node.outputs().into_iter().filter_map(as_float).collect()
}

fn check_none(op: &'static OpDef, sample: &Sample) -> Result<(), String> {
    let node = SampleNode::build(op, sample, Given::Fed(Knowledge::Shapes))?;
    let ys = float_outputs(&node);
    if ys.is_empty() {
        return Ok(());
    }
    let found = gradients(ys, node.inputs().iter().copied());
    match found.iter().position(Option::is_some) {
        Some(i) => Err(format!("there is a gradient with respect to input {i}")),
        None => Ok(()),
    }
}

fn check_error(op: &'static OpDef, sample: &Sample, message: &str) -> Result<(), String> {
    let node = SampleNode::build(op, sample, Given::Fed(Knowledge::Shapes))?;
    let is_float = |x: &Tensor| x.dtype().is_some_and(DType::is_float);
    let xs: Vec<Tensor> = node.inputs().iter().copied().filter(is_float).collect();
    let (ys, has_inputs) = (float_outputs(&node), !xs.is_empty());
    gradients(ys.iter().copied(), xs);
    match node.graph().check() {
        Err(errors) if errors.to_string().contains(message) => Ok(()),
        Err(errors) => Err(format!("its gradient fails without {message:?}: {errors}")),
        Ok(()) if ys.is_empty() || !has_inputs => Ok(()),
        Ok(()) => Err(format!("its gradient does not fail with {message:?}")),
    }
}
