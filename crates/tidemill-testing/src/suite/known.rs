use std::collections::BTreeSet;

use tidemill_graph::{
    Arg, ArgType, Arity, Effect, Elements, KernelError, OpDef, OpError, Role, Sample,
};
use tidemill_runtime::{Rewriting, RunError};
use tidemill_value::{DType, NumericError, Shape, Value, match_dtype};

use super::{Given, Knowledge, SampleNode};

/// First extents that are tried in place of those of a sample, besides its other extents.
const FEW: [usize; 5] = [0, 1, 2, 3, 4];
/// The most combinations of first extents that are tried.
const MOST_BATCHES: usize = 125;

/// A node that cannot run with inputs of known shapes, and of known elements if they are small
/// lists of integers, cannot be built with them either. The sample is tried as it is, and with
/// every input in other shapes.
pub fn check_known_is_checked_when_built(
    op: &'static OpDef,
    sample: &Sample,
) -> Result<(), String> {
    let samples = std::iter::once(sample.clone()).chain(with_other_shapes(op, sample));
    samples.into_iter().try_for_each(|sample| check(op, &sample))
}

fn check(op: &'static OpDef, sample: &Sample) -> Result<(), String> {
    if let Some(message) = failure_when_run(op, sample, Given::Constants) {
        return Err(format!("{} is built, and fails: {message}", shapes(sample)));
    }
    // Batches are usually unknown. The other extents must be enough to find failures that every
    // batch has.
    match failure_when_run(op, sample, Given::Batches) {
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

/// The failure of a node that can be built but not run, if it follows from facts that can be known
/// about its inputs.
fn failure_when_run(op: &'static OpDef, sample: &Sample, given: Given) -> Option<String> {
    let node = SampleNode::build(op, sample, given).ok()?;
    let error = match node.run(Rewriting::Off) {
        Ok(_) => return None,
        Err(RunError::Kernel(failed)) if depends_on_elements(op, sample, &failed.source) => {
            return None;
        }
        Err(error @ (RunError::Kernel(_) | RunError::NoKernel(_))) => error.to_string(),
        // The sample is at fault, not the node.
        Err(_) => return None,
    };
    Some(error.lines().next().unwrap_or_default().to_owned())
}

fn fails(op: &'static OpDef, sample: &Sample) -> bool {
    let shapes = Given::Fed(Knowledge::Shapes);
    SampleNode::build(op, sample, shapes).is_err() || failure_when_run(op, sample, shapes).is_some()
}

/// The sample with other first extents: the same for all inputs, another for one of them, and
/// combinations for the first inputs.
fn with_other_batches(sample: &Sample) -> Vec<Sample> {
    let places = places(sample);
    let extents = sample.inputs.iter().flatten().flat_map(|value| value.shape().iter().copied());
    let extents: BTreeSet<usize> = extents.chain(FEW).collect();
    let all = extents.iter().map(|&extent| {
        places.iter().fold(sample.clone(), |other, &place| of_extent(&other, place, extent))
    });
    let single = places
        .iter()
        .flat_map(|&place| extents.iter().map(move |&extent| of_extent(sample, place, extent)));
    let others: Vec<Sample> = all.chain(single).collect();
    let mut combined = vec![sample.clone()];
    for place in places {
        if combined.len() * extents.len() > MOST_BATCHES {
            break;
        }
        let longer = combined
            .iter()
            .flat_map(|other| extents.iter().map(move |&n| of_extent(other, place, n)));
        combined = longer.collect();
    }
    others.into_iter().chain(combined).collect()
}

/// The place of an input: its argument, and its number in that argument.
type Place = (usize, usize);

/// The inputs whose first extents are unknown to a node that is given [batches](Given::Batches).
fn places(sample: &Sample) -> Vec<Place> {
    let arguments = sample.inputs.iter().enumerate();
    let values = arguments
        .flat_map(|(argument, values)| (0..values.len()).map(move |i| ((argument, i), &values[i])));
    let is_batch = |value: &Value| {
        is_reshaped(value) && value.shape().rank() > 0 && Elements::of(value).is_none()
    };
    values.filter(|(_, value)| is_batch(value)).map(|(place, _)| place).collect()
}

fn of_extent(sample: &Sample, (argument, i): Place, extent: usize) -> Sample {
    let mut other = sample.clone();
    let value = &mut other.inputs[argument][i];
    let shape = std::iter::once(extent).chain(value.shape().iter().skip(1).copied());
    *value = resized(value, shape.collect());
    other
}

/// True if a kernel failed because of elements that are not examined before a run.
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
        // The contents of lists and queues are known only in a run.
        KernelError::Op(error) if holds_others(op) => !matches!(**error, OpError::NoKernel { .. }),
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

/// True if inputs of an operation hold other values.
fn holds_others(op: &OpDef) -> bool {
    let is_holder = |arg: &Arg| {
        arg.dtype == ArgType::Is(DType::Variant) || arg.role == Role::Handle && arg.name == "handle"
    };
    op.inputs.iter().any(is_holder)
}

/// The sample with an axis of one input longer or of extent 1, with one axis more, or with one
/// less.
fn with_other_shapes(op: &OpDef, sample: &Sample) -> Vec<Sample> {
    let mut others = Vec::new();
    // Functions of samples work only on the samples' own inputs.
    if op.effect == Effect::Host {
        return others;
    }
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
    value.dtype() != DType::Variant
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

/// A value of another shape that repeats the elements of `value`.
fn resized(value: &Value, shape: Shape) -> Value {
    let count = shape.elements().expect("shapes of samples are small");
    let resized = match_dtype!(value.dtype(), any, T => {
        let elements: &[T] = value.as_slice().expect("the elements are of the value's type");
        let elements = elements.iter().cloned().chain([T::default()]).cycle().take(count);
        Value::from_vec(shape, elements.collect())
    });
    resized.expect("there are as many elements as the shape has")
}
