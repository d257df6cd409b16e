//! Types and shapes of the operands and weights of losses and metrics.

use tidemill_graph::{
    BuildErrorKind, Location, OpError, TensorRef, at_location, control_dependencies, fail,
    input_note,
};
use tidemill_ops::{
    Operand, Operation, Tensor, assert, cast, concat, equal, expand_dims, ones_like, rank,
    reduce_all, shape, slice, squeeze,
};
use tidemill_value::{DType, Dim};

/// `x` cast to a type.
#[track_caller]
pub(crate) fn as_dtype(x: Tensor, dtype: DType) -> Tensor {
    if x.dtype() == Some(dtype) || x.is_invalid() { x } else { cast(x, dtype) }
}

/// The handle of a call that failed.
#[track_caller]
pub(crate) fn invalid(beside: Tensor, what: &'static str, error: impl Into<OpError>) -> Tensor {
    let (graph, kind) = (TensorRef::from(beside).graph(), BuildErrorKind::Op(error.into()));
    fail(Some(graph), what, kind, Vec::new()).output(0).into()
}

/// The handle of a call that rejects one of its inputs.
#[track_caller]
pub(crate) fn invalid_input(
    what: &'static str,
    (name, input): (&'static str, Tensor),
    error: OpError,
) -> Tensor {
    if input.is_invalid() {
        return input;
    }
    let input = TensorRef::from(input);
    let notes = input_note(name, input).into_iter().collect();
    fail(Some(input.graph()), what, BuildErrorKind::Op(error), notes).output(0).into()
}

/// The result of `build` for two tensors, whose shapes must not contradict each other.
#[track_caller]
pub(crate) fn of_one_shape(
    what: &'static str,
    labels: Tensor,
    (called, predictions): (&'static str, Tensor),
    build: impl FnOnce(Tensor, Tensor) -> Tensor,
) -> Tensor {
    match predictions.shape().merge(&labels.shape()) {
        Ok(_) => at_location(Location::caller(), || build(labels, predictions)),
        Err(_) => disagree(what, ("labels", labels), (called, predictions), "have equal shapes"),
    }
}

/// The handle of a call with two tensors whose shapes break `rule`.
#[track_caller]
pub(crate) fn disagree(
    what: &'static str,
    left: (&'static str, Tensor),
    right: (&'static str, Tensor),
    rule: &'static str,
) -> Tensor {
    let (left_shape, right_shape) = (left.1.shape(), right.1.shape());
    let error = OpError::disagree((left.0, &left_shape), (right.0, &right_shape), rule);
    let notes = [left, right].into_iter().filter_map(|(name, x)| input_note(name, x.into()));
    let (graph, kind) = (TensorRef::from(right.1).graph(), BuildErrorKind::Op(error));
    fail(Some(graph), what, kind, notes.collect()).output(0).into()
}

/// Labels and predictions without a surplus trailing axis of extent 1 on either; predictions should
/// have `difference` axes more than labels.
#[track_caller]
pub(crate) fn without_last_axis(
    labels: Tensor,
    predictions: Tensor,
    difference: i64,
) -> (Tensor, Tensor) {
    let actual = rank_of(predictions).zip(rank_of(labels)).map(|(left, right)| left - right);
    match actual {
        Some(actual) if actual == difference + 1 && may_end_with_1(predictions) => {
            (labels, squeeze(predictions, &[-1]))
        }
        Some(actual) if actual == difference - 1 && may_end_with_1(labels) => {
            (squeeze(labels, &[-1]), predictions)
        }
        _ => (labels, predictions),
    }
}

fn rank_of(x: Tensor) -> Option<i64> {
    x.shape().rank().map(|rank| rank as i64)
}

fn may_end_with_1(x: Tensor) -> bool {
    x.shape().dims().and_then(|dims| dims.last().copied()?.known()).is_none_or(|extent| extent == 1)
}

/// Weights with as many axes as `values`: a trailing axis is added or dropped as needed.
#[track_caller]
pub(crate) fn with_rank_of(weights: Tensor, values: Tensor) -> Tensor {
    match rank_of(weights).zip(rank_of(values)) {
        Some((weight, value)) if weight == value + 1 => squeeze(weights, &[-1]),
        Some((weight, value)) if weight > 0 && weight + 1 == value => expand_dims(weights, -1),
        _ => weights,
    }
}

/// Builds something from weights that broadcast to `values`: they are one number, or each of their
/// axes has extent 1 or that of the values. If that is not known before a run, it is asserted.
#[track_caller]
pub(crate) fn checked(weights: Tensor, values: Tensor, build: impl FnOnce() -> Tensor) -> Tensor {
    match assert_broadcastable(weights, values) {
        Ok(None) => build(),
        Ok(Some(assertion)) => control_dependencies([assertion], build),
        Err(invalid) => invalid,
    }
}

/// Weights broadcast to the shape of `values` (see [`checked`]).
#[track_caller]
pub(crate) fn broadcast_weights(weights: Tensor, values: Tensor) -> Tensor {
    if weights.shape().is_known() && weights.shape() == values.shape() {
        return weights;
    }
    checked(weights, values, || weights * ones_like(values))
}

const PREFIX: &str = "weights can not be broadcast to values";

fn assert_broadcastable(weights: Tensor, values: Tensor) -> Result<Option<Operation>, Tensor> {
    let (weight_shape, value_shape) = (weights.shape(), values.shape());
    if weight_shape.rank() == Some(0) || weights.is_invalid() || values.is_invalid() {
        return Ok(None);
    }
    if let (Some(own), Some(other)) = (weight_shape.dims(), value_shape.dims()) {
        let fits = |(own, other): (&Dim, &Dim)| match (own.known(), other.known()) {
            (Some(1), _) => Some(true),
            (Some(own), Some(other)) => Some(own == other),
            _ => None,
        };
        let fit: Vec<Option<bool>> = own.iter().zip(other).map(fits).collect();
        if own.len() != other.len() || fit.contains(&Some(false)) {
            let message = format!(
                "{PREFIX}: their shape is {weight_shape}, and that of the values {value_shape}"
            );
            return Err(invalid(values, "weights", OpError::invalid(message)));
        }
        if fit.iter().all(Option::is_some) {
            return Ok(None);
        }
    }
    let (own, other) = (shape(weights), shape(values));
    let (own_rank, other_rank) = (rank(weights), rank(values));
    // For a single number, this is the shape of the values, so that the lengths are equal.
    let aligned = slice(concat([own, other], 0), [0], expand_dims(other_rank, 0));
    let fits = reduce_all(equal(aligned, 1) | equal(aligned, other), ..);
    let has_rank = equal(own_rank, 0) | equal(own_rank, other_rank);
    let data: [Operand; 4] =
        [PREFIX.into(), own.into(), "and the shape of values is".into(), other.into()];
    Ok(Some(assert(fits & has_rank, data)))
}
