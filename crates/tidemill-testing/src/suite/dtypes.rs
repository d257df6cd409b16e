use tidemill_graph::{ArgType, Attr, AttrKind, Expect, KernelError, OpDef, OpError, Sample};
use tidemill_ops::ops::array::BITCAST;
use tidemill_runtime::{Rewriting, RunError};
use tidemill_value::{DType, NumericError, Value};

use super::{Given, Knowledge, SampleNode};
use crate::values::{all_same, converted, converted_lists};

/// A sample runs with every data type that the type attributes of the operation allow. The run may
/// fail only if the type cannot represent the sample's numbers.
pub fn check_every_dtype(op: &'static OpDef, sample: &Sample) -> Result<(), String> {
    if matches!(sample.expect, Expect::Error(_)) {
        return Ok(());
    }
    for attr in op.attrs {
        let AttrKind::Type(allowed) = attr.kind else { continue };
        // Lists are not numbers; operations on them have samples of their own.
        for &dtype in allowed.iter().filter(|dtype| **dtype != DType::Variant) {
            let Some(typed) = with_type(op, sample, attr.name, dtype) else { continue };
            let runs = check_runs(op, &typed, has_numbers_of(&typed, sample));
            runs.map_err(|message| format!("{} is {dtype}: {message}", attr.name))?;
        }
    }
    Ok(())
}

/// The sample with another data type for a type attribute; `None` if the attribute follows from
/// another one of the sample.
pub(super) fn with_type(op: &OpDef, sample: &Sample, attr: &str, dtype: DType) -> Option<Sample> {
    let mut sample = sample.clone();
    for (arg, values) in op.inputs.iter().zip(&mut sample.inputs) {
        if is_type_of(arg.dtype, attr) {
            values.iter_mut().for_each(|value| *value = converted(value, dtype));
        }
    }
    // A list has elements of the type that this attribute names.
    if attr == "element_dtype" {
        let lists = sample.inputs.iter_mut().flatten().filter(|x| x.dtype() == DType::Variant);
        lists.for_each(|list| *list = converted_lists(list, dtype));
    }
    let given = sample.attrs.iter_mut().find(|(name, _)| *name == attr);
    match given {
        Some((_, given)) => *given = Attr::Type(dtype),
        None if op.inputs.iter().any(|arg| is_type_of(arg.dtype, attr)) => {}
        None => sample.attrs.push((own_name(op, attr)?, Attr::Type(dtype))),
    }
    // A constant has the type of its value.
    for (_, attr) in &mut sample.attrs {
        if let Attr::Tensor(value) = attr {
            *value = converted(value, dtype);
        }
    }
    Some(sample)
}

fn is_type_of(arg: ArgType, attr: &str) -> bool {
    matches!(arg, ArgType::Attr(name) if name == attr)
}

fn own_name(op: &OpDef, attr: &str) -> Option<&'static str> {
    op.attr(attr).map(|def| def.name)
}

/// True if the inputs of both samples are the same numbers.
fn has_numbers_of(left: &Sample, right: &Sample) -> bool {
    let inputs = |sample: &Sample| -> Vec<Value> {
        let plain = sample.inputs.iter().flatten().filter(|x| x.dtype().is_plain());
        plain.map(|x| converted(x, DType::F64)).collect()
    };
    all_same(&inputs(left), &inputs(right))
}

fn check_runs(op: &'static OpDef, sample: &Sample, is_exact: bool) -> Result<(), String> {
    let node = match SampleNode::build(op, sample, Given::Fed(Knowledge::Shapes)) {
        Ok(node) => node,
        // Its shape depends on the sizes of both types.
        Err(_) if *op == BITCAST => return Ok(()),
        Err(error) => return Err(error),
    };
    let facts = node.output_facts();
    let outputs = match node.run(Rewriting::Off) {
        Ok(outputs) => outputs,
        Err(RunError::Kernel(failed)) if !is_exact && is_about_values(&failed.source) => {
            return Ok(());
        }
        Err(error) => return Err(error.to_string()),
    };
    let fits = |(output, fact): (&Value, &tidemill_graph::Fact)| {
        output.dtype() == fact.dtype && fact.shape.admits(output.shape())
    };
    if outputs.len() == facts.len() && outputs.iter().zip(&facts).all(fits) {
        return Ok(());
    }
    Err(format!("it gives {outputs:?}, but was to give {facts:?}"))
}

/// True if a kernel failed because of the values of its inputs, not their types.
fn is_about_values(error: &KernelError) -> bool {
    match error {
        KernelError::Op(error) => {
            !matches!(**error, OpError::UnsupportedDType { .. } | OpError::NoKernel { .. })
        }
        KernelError::Internal(_) | KernelError::Numeric(NumericError::UnsupportedDType { .. }) => {
            false
        }
        _ => true,
    }
}
