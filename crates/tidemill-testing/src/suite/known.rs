use tidemill_graph::{Arity, Elements, KernelError, OpDef, OpError, Sample};
use tidemill_runtime::{Rewriting, RunError};
use tidemill_value::{NumericError, Shape, Value, match_dtype};

use super::{Given, Knowledge, SampleNode};

/// First extents that are tried in place of those of a sample.
const BATCHES: [usize; 4] = [1, 2, 3, 4];
/// No more combinations of first extents are tried than these.
const MOST_BATCHES: usize = 125;

/// A node that cannot run with inputs of known shapes, and of known elements where they are small
/// lists of integers, cannot be built with them either. The sample is tried as it is, and with every
/// input of other shapes.
pub fn check_known_is_checked_when_built(
    op: &'static OpDef,
    sample: &Sample,
) -> Result<(), String> {
    let wrong: Vec<String> = std::iter::once(sample.clone())
        .chain(with_other_shapes(op, sample))
        .filter_map(|sample| check(op, &sample).err())
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

fn check(op: &'static OpDef, sample: &Sample) -> Result<(), String> {
    if let Some(message) = failure_when_run(op, sample, Given::Constants) {
        return Err(format!("{} is built, and fails: {message}", shapes(sample)));
    }
    // Batches are usually unknown. The rest must do to find what fails with every batch.
    let batch = Given::Fed(Knowledge::AllButFirst);
    match failure_when_run(op, sample, batch) {
        Some(message) if with_other_batches(sample).iter().all(|other| fails(op, other)) => {
            Err(format!("{} without first extents is built, and fails: {message}", shapes(sample)))
        }
        _ => Ok(()),
    }
}

fn shapes(sample: &Sample) -> String {
    let shapes = sample.inputs.iter().flatten().map(|x| x.shape().to_string());
    shapes.collect::<Vec<_>>().join(" ")
}

/// Why a node that can be built cannot be run, where that follows from what can be known of its
/// inputs.
fn failure_when_run(op: &'static OpDef, sample: &Sample, given: Given) -> Option<String> {
    let node = SampleNode::build(op, sample, given).ok()?;
    let error = match node.run(Rewriting::Off) {
        Ok(_) => return None,
        Err(RunError::Kernel(failed)) if depends_on_elements(op, sample, &failed.source) => {
            return None;
        }
        Err(error) => error.to_string(),
    };
    Some(error.lines().next().unwrap_or_default().to_owned())
}

fn fails(op: &'static OpDef, sample: &Sample) -> bool {
    let built = SampleNode::build(op, sample, Given::Fed(Knowledge::Shapes));
    !built.is_ok_and(|node| node.run(Rewriting::Off).is_ok())
}

/// The sample with combinations of a few first extents of its inputs.
fn with_other_batches(sample: &Sample) -> Vec<Sample> {
    let mut others = vec![sample.clone()];
    for (argument, values) in sample.inputs.iter().enumerate() {
        for (i, value) in values.iter().enumerate().filter(|(_, value)| is_reshaped(value)) {
            let Some((_, rest)) = value.shape().split_first() else { continue };
            if others.len() * (1 + BATCHES.len()) > MOST_BATCHES {
                return others;
            }
            let of_extent = |other: &Sample, extent: usize| {
                let mut other = other.clone();
                let shape = [&[extent], rest].concat();
                other.inputs[argument][i] = resized(value, Shape::from_iter(shape));
                other
            };
            let longer = others.iter().flat_map(|other| BATCHES.map(|n| of_extent(other, n)));
            let longer: Vec<Sample> = longer.collect();
            others.extend(longer);
        }
    }
    others
}

/// Whether a kernel failed because of elements that are not looked into before a run.
fn depends_on_elements(op: &OpDef, sample: &Sample, error: &KernelError) -> bool {
    match error {
        KernelError::Numeric(error) => matches!(
            error,
            NumericError::DivisionByZero
                | NumericError::NegativeExponent
                | NumericError::IndexOutOfRange { .. }
                | NumericError::Singular { .. }
                | NumericError::NotPositiveDefinite { .. }
                | NumericError::Unsorted { .. }
                | NumericError::NotFinite { .. }
                | NumericError::EmptyInterval { .. }
        ),
        KernelError::Op(error) => match &**error {
            OpError::Elements { input, .. } => {
                let argument = op.inputs.iter().position(|arg| arg.name == *input);
                let values = argument.and_then(|argument| sample.inputs.get(argument));
                !values.into_iter().flatten().any(|value| Elements::of(value).is_some())
            }
            _ => false,
        },
        KernelError::Internal(_) => false,
        _ => true,
    }
}

/// The sample with an axis of one input longer or of extent 1, with one more, or with one less.
fn with_other_shapes(op: &OpDef, sample: &Sample) -> Vec<Sample> {
    let mut others = Vec::new();
    for (argument, (arg, values)) in op.inputs.iter().zip(&sample.inputs).enumerate() {
        for (i, value) in values.iter().enumerate().filter(|(_, value)| is_reshaped(value)) {
            for shape in other_shapes(value.shape()) {
                let mut other = sample.clone();
                other.inputs[argument][i] = resized(value, shape);
                others.push(other);
            }
        }
        if arg.arity != Arity::One && !values.is_empty() {
            let mut other = sample.clone();
            other.inputs[argument].pop();
            others.push(other);
        }
    }
    others
}

/// Lists have no elements to repeat.
fn is_reshaped(value: &Value) -> bool {
    value.dtype() != tidemill_value::DType::Variant
}

fn other_shapes(shape: &[usize]) -> Vec<Shape> {
    let mut others: Vec<Vec<usize>> = Vec::new();
    for axis in 0..shape.len() {
        for extent in [shape[axis] + 1, 1, 0] {
            let mut other = shape.to_vec();
            other[axis] = extent;
            others.push(other);
        }
    }
    others.push([shape, &[2]].concat());
    others.push([&[2], shape].concat());
    if let Some((_, rest)) = shape.split_first() {
        others.push(rest.to_vec());
    }
    others.retain(|other| other != shape);
    others.into_iter().map(Shape::from_iter).collect()
}

/// A value of another shape whose elements are those of `value`, again and again.
fn resized(value: &Value, shape: Shape) -> Value {
    let count = shape.elements().expect("shapes of samples are small");
    let resized = match_dtype!(value.dtype(), any, T => {
        let elements: &[T] = value.as_slice().expect("the elements are of the value's type");
        let elements = elements.iter().cloned().chain([T::default()]).cycle().take(count);
        Value::from_vec(shape, elements.collect())
    });
    resized.expect("there are as many elements as the shape has")
}
