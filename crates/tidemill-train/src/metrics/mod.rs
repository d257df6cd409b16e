//! Metrics: the quality of predictions over any number of batches, as in TensorFlow's `tf.metrics`.
//!
//! A [`Metric`] accumulates in local variables, which initialize themselves to 0. A run of its
//! `update` adds a batch; its `value` covers all batches so far.
//!
//! ```
//! use tidemill_ops::placeholder;
//! use tidemill_runtime::{Session, feeds};
//! use tidemill_train::metrics;
//! use tidemill_value::shape;
//! let labels = placeholder::<i64>(shape![?]);
//! let predictions = placeholder::<i64>(shape![?]);
//! let accuracy = metrics::accuracy(labels, predictions, None);
//! let session = Session::new();
//! session.run_with(accuracy.update, feeds![labels => [1_i64, 2], predictions => [1_i64, 2]])?;
//! session.run_with(accuracy.update, feeds![labels => [3_i64, 4], predictions => [0_i64, 4]])?;
//! assert_eq!(session.run(accuracy.value)?.to_string(), "0.75");
//! # Ok::<(), tidemill_runtime::RunError>(())
//! ```

mod auc;
mod confusion;

use tidemill_graph::{
    Graph, Location, at_location, control_dependencies, default_graph, unique_variable_scope,
    without_control_dependencies,
};
use tidemill_ops::{
    Operand, Operation, Tensor, Variable, assign_add, div_no_nan, equal, in_top_k, maximum,
    reduce_sum, size, sqrt, squared_difference, variable, variables_initializer, zeros,
};
use tidemill_value::{DType, PartialShape};

use crate::broadcast::{
    as_dtype, broadcast_weights, of_one_shape, with_rank_of, without_last_axis,
};

pub use auc::{AucOptions, Curve, SummationMethod, auc};
pub use confusion::{
    false_negatives, false_positives, precision, recall, true_negatives, true_positives,
};

/// The collection of the variables that metrics accumulate in.
pub const METRIC_VARIABLES: &str = "metric_variables";

/// A metric that is computed over several batches.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// The value over the batches that were added before the run: `float32`, of shape `[]`.
    pub value: Tensor,
    /// Adds a batch, and returns the value that includes it.
    pub update: Tensor,
    /// The local variables that it accumulates in.
    pub variables: Vec<Variable>,
}

impl Metric {
    /// An operation that resets the metric, for another pass over the data. Each call adds a new
    /// operation.
    #[track_caller]
    pub fn reset(&self) -> Operation {
        variables_initializer(self.variables.iter().copied())
    }
}

/// Builds a metric in the graph of a tensor, in a variable scope of its own.
#[track_caller]
fn scope<R>(name: &str, beside: Tensor, build: impl FnOnce(&Graph) -> R) -> R {
    let graph = beside.graph().unwrap_or_else(default_graph);
    let _default = graph.as_default();
    at_location(Location::caller(), || unique_variable_scope(name, || build(&graph)))
}

/// A variable that counts.
fn metric_variable(name: &str, shape: impl Into<PartialShape>) -> Variable {
    let counter = variable(name, shape).dtype(DType::F32).initializer(zeros());
    counter.local().self_starting(true).collection(METRIC_VARIABLES).get()
}

/// The result of `build`, without the control dependencies of the caller.
fn value(graph: &Graph, build: impl FnOnce() -> Tensor) -> Tensor {
    without_control_dependencies(graph.key(), build).named("value")
}

/// Values and weights that broadcast to them, if any.
#[track_caller]
fn weigh(values: Tensor, weights: Option<Tensor>) -> Option<Tensor> {
    let weights = as_dtype(with_rank_of(weights?, values), DType::F32);
    Some(broadcast_weights(weights, values))
}

#[track_caller]
fn mean_of(name: &str, values: Tensor, weights: Option<Tensor>) -> Metric {
    scope(name, values, |graph| {
        let values = as_dtype(values, DType::F32);
        let (total, count) = (metric_variable("total", []), metric_variable("count", []));
        let (values, number) = match weigh(values, weights) {
            Some(weights) => (values * weights, reduce_sum(weights, ..)),
            None => (values, as_dtype(size(values), DType::F32)),
        };
        let total_update = assign_add(total, reduce_sum(values, ..));
        let count_update = control_dependencies([values], || assign_add(count, number));
        Metric {
            value: value(graph, || div_no_nan(total, maximum(count, 0.0))),
            update: div_no_nan(total_update, maximum(count_update, 0.0)).named("update_op"),
            variables: vec![total, count],
        }
    })
}

/// Labels and predictions without a surplus axis of extent 1 on either.
#[track_caller]
fn compared(labels: Operand, predictions: Operand) -> (Tensor, Tensor) {
    let predictions = predictions.to_tensor();
    let labels = labels.to_tensor_like(predictions, "labels");
    without_last_axis(labels, predictions, 0)
}

/// The mean of `values`, weighted by weights that broadcast to them.
///
/// # Errors
/// The weights do not broadcast; if shapes are not known before a run, the run fails.
#[track_caller]
pub fn mean(values: impl Into<Operand>, weights: Option<Tensor>) -> Metric {
    mean_of("mean", values.into().to_tensor(), weights)
}

/// The fraction of the predictions that equal their labels. Predictions are cast to the type of the
/// labels.
///
/// # Errors
/// The shapes differ by more than a trailing axis of length 1; weights as for [`mean`].
#[track_caller]
pub fn accuracy(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    weights: Option<Tensor>,
) -> Metric {
    let (labels, predictions) = compared(labels.into(), predictions.into());
    let is_correct =
        of_one_shape("accuracy", labels, ("predictions", predictions), |labels, predictions| {
            let dtype = labels.dtype().unwrap_or(DType::F32);
            as_dtype(equal(as_dtype(predictions, dtype), labels), DType::F32)
        });
    mean_of("accuracy", is_correct, weights)
}

/// The fraction of the rows of `predictions` (`float32`, of shape `[rows, classes]`) whose label, a
/// class number, is among the `k` largest elements.
///
/// # Errors
/// The shapes do not fit; weights as for [`mean`].
#[track_caller]
pub fn top_k_accuracy(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    k: i32,
    weights: Option<Tensor>,
) -> Metric {
    let predictions = predictions.into().to_tensor();
    let found = as_dtype(in_top_k(predictions, labels, k), DType::F32);
    mean_of("top_k_accuracy", found, weights)
}

/// The mean of the squared differences between predictions and labels.
///
/// # Errors
/// As for [`accuracy`], and if the types differ.
#[track_caller]
pub fn mean_squared_error(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    weights: Option<Tensor>,
) -> Metric {
    squared_error("mean_squared_error", labels.into(), predictions.into(), weights)
}

/// The square root of [`mean_squared_error`].
///
/// # Errors
/// As for [`mean_squared_error`].
#[track_caller]
pub fn root_mean_squared_error(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    weights: Option<Tensor>,
) -> Metric {
    let name = "root_mean_squared_error";
    let squared = squared_error(name, labels.into(), predictions.into(), weights);
    Metric { value: sqrt(squared.value), update: sqrt(squared.update), ..squared }
}

#[track_caller]
fn squared_error(
    name: &'static str,
    labels: Operand,
    predictions: Operand,
    weights: Option<Tensor>,
) -> Metric {
    let (labels, predictions) = compared(labels, predictions);
    let errors = of_one_shape(name, labels, ("predictions", predictions), |labels, predictions| {
        squared_difference(labels, predictions)
    });
    mean_of(name, errors, weights)
}
