//! Losses: numbers that training minimizes, as in TensorFlow's `tf.losses`.
//!
//! Each compares labels with predictions element by element, weights the results, and reduces them
//! to a number (see [`LossOptions`]), which is added to the collection [`LOSSES`].
//! [`get_total_loss`] is the sum of all losses and regularization losses.

mod collected;
mod options;
mod sequences;

use tidemill_graph::TensorRef;
use tidemill_ops::{
    Axes, Operand, Tensor, abs, composite, concat, constant, div_no_nan, equal, log, minimum, mul,
    ones_like, reduce_sum, relu, reshape, s, select, shape, sigmoid_cross_entropy_with_logits,
    size, softmax_cross_entropy_with_logits, sparse_softmax_cross_entropy_with_logits,
    squared_difference, stop_gradient, zeros_like,
};
use tidemill_value::DType;

use crate::broadcast::{
    as_dtype, broadcast_weights, checked, disagree, of_one_shape, with_rank_of, without_last_axis,
};

pub use collected::{
    LOSSES, REGULARIZATION_LOSSES, Regularizer, add_loss, get_losses, get_regularization_loss,
    get_regularization_losses, get_total_loss, l1_l2_regularizer, l1_regularizer, l2_regularizer,
};
pub use options::{LossOptions, Reduction};
pub use sequences::{SequenceLoss, sequence_loss, sequence_loss_by_example};

/// Multiplies `losses`, one for each element, by weights and reduces them as `options` say. The
/// result has the type of `losses`, and shape `[]` unless it is not reduced. It is computed as
/// `float32`.
///
/// # Errors
/// The weights do not broadcast to `losses`: they must be one number, or have the same rank, with
/// each dimension 1 or that of `losses`. If shapes are not known before a run, the run fails.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::losses::{LossOptions, Reduction, compute_weighted_loss};
/// let sum = LossOptions::from(2.0).reduction(Reduction::Sum);
/// let loss = compute_weighted_loss(constant([1.0_f32, 2.0]), sum);
/// # let loss = tidemill_runtime::Session::new().run(loss)?;
/// assert_eq!(loss.to_string(), "6.0");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn compute_weighted_loss(
    losses: impl Into<Operand>,
    options: impl Into<LossOptions>,
) -> Tensor {
    let (losses, options) = (losses.into().to_tensor(), options.into());
    composite(losses.graph(), "weighted_loss", |_| {
        let graph = TensorRef::from(losses).graph();
        let weights = options.weights.to_tensor_of(Some(graph), DType::F32, "Const");
        let loss = checked(weights, losses, || weighted_loss(losses, weights, &options));
        if let Some(collection) = &options.collection
            && let Some(graph) = loss.graph()
        {
            graph.add_to_collection(collection, loss);
        }
        loss
    })
}

fn weighted_loss(losses: Tensor, weights: Tensor, options: &LossOptions) -> Tensor {
    let dtype = losses.dtype().unwrap_or(DType::F32);
    let losses = as_dtype(losses, DType::F32);
    let weights = as_dtype(weights, DType::F32);
    let weighted = mul(losses, weights);
    let mean = |count| div_no_nan(reduce_sum(weighted, ..), count);
    let loss = match options.reduction {
        Reduction::None => weighted,
        Reduction::Sum => reduce_sum(weighted, ..),
        Reduction::Mean => mean(reduce_sum(ones_like(losses) * weights, ..)),
        Reduction::SumOverBatchSize => mean(num_elements(losses)),
        Reduction::SumByNonzeroWeights if options.all_count() => mean(num_elements(losses)),
        Reduction::SumByNonzeroWeights => mean(num_present(losses, weights)),
    };
    as_dtype(loss, dtype)
}

fn num_elements(losses: Tensor) -> Tensor {
    as_dtype(size(losses), DType::F32)
}

/// The number of losses whose weight is not 0.
fn num_present(losses: Tensor, weights: Tensor) -> Tensor {
    composite(losses.graph(), "num_present", |_| {
        let present = select(equal(weights, 0.0), zeros_like(weights), ones_like(weights));
        reduce_sum(broadcast_weights(present, losses), ..)
    })
}

/// A loss of labels and predictions of one shape, cast to `float32`.
#[track_caller]
fn elementwise(
    name: &'static str,
    (labels, predictions): (Operand, Operand),
    options: LossOptions,
    losses: impl FnOnce(Tensor, Tensor) -> Tensor,
) -> Tensor {
    let predictions = predictions.to_tensor();
    let labels = labels.to_tensor_like(predictions, "labels");
    composite(predictions.graph(), name, |_| {
        let predictions = as_dtype(predictions, DType::F32);
        let labels = as_dtype(labels, DType::F32);
        of_one_shape(name, labels, ("predictions", predictions), |labels, predictions| {
            compute_weighted_loss(losses(labels, predictions), options)
        })
    })
}

/// The squared differences between predictions and labels, weighted and reduced.
///
/// # Errors
/// Tensors whose shapes differ; weights as for [`compute_weighted_loss`].
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::losses::mean_squared_error;
/// let loss = mean_squared_error(constant([1.0_f32, 2.0]), constant([2.0_f32, 5.0]), 1.0);
/// # let loss = tidemill_runtime::Session::new().run(loss)?;
/// assert_eq!(loss.to_string(), "5.0");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn mean_squared_error(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    options: impl Into<LossOptions>,
) -> Tensor {
    let compared = (labels.into(), predictions.into());
    elementwise("mean_squared_error", compared, options.into(), |labels, predictions| {
        squared_difference(predictions, labels)
    })
}

/// The absolute differences between predictions and labels, weighted and reduced.
///
/// # Errors
/// As for [`mean_squared_error`].
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::losses::absolute_difference;
/// let loss = absolute_difference(constant([1.0_f32, 2.0]), constant([2.0_f32, 5.0]), 1.0);
/// # let loss = tidemill_runtime::Session::new().run(loss)?;
/// assert_eq!(loss.to_string(), "2.0");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn absolute_difference(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    options: impl Into<LossOptions>,
) -> Tensor {
    let compared = (labels.into(), predictions.into());
    elementwise("absolute_difference", compared, options.into(), |labels, predictions| {
        abs(predictions - labels)
    })
}

/// The Huber loss, weighted and reduced: half the square of a difference up to `delta`, and linear
/// beyond, so that outliers weigh less.
///
/// # Errors
/// As for [`mean_squared_error`].
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::losses::huber_loss;
/// let loss = huber_loss(constant([0.0_f32, 0.0]), constant([1.0_f32, 4.0]), 2.0, 1.0);
/// # let loss = tidemill_runtime::Session::new().run(loss)?;
/// assert_eq!(loss.to_string(), "3.25");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn huber_loss(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    delta: f64,
    options: impl Into<LossOptions>,
) -> Tensor {
    let compared = (labels.into(), predictions.into());
    elementwise("huber_loss", compared, options.into(), |labels, predictions| {
        let error = abs(predictions - labels);
        let quadratic = minimum(error, delta);
        let linear = error - quadratic;
        0.5 * (quadratic * quadratic) + delta * linear
    })
}

/// The hinge loss with a margin of 1, weighted and reduced. Labels are 0 or 1; a logit above 0
/// predicts 1.
///
/// # Errors
/// As for [`mean_squared_error`].
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::losses::hinge_loss;
/// let loss = hinge_loss(constant([1.0_f32, 0.0]), constant([2.0_f32, 0.5]), 1.0);
/// # let loss = tidemill_runtime::Session::new().run(loss)?;
/// assert_eq!(loss.to_string(), "0.75");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn hinge_loss(
    labels: impl Into<Operand>,
    logits: impl Into<Operand>,
    options: impl Into<LossOptions>,
) -> Tensor {
    let compared = (labels.into(), logits.into());
    elementwise("hinge_loss", compared, options.into(), |labels, logits| {
        let ones = ones_like(labels);
        let signs = 2.0 * labels - ones;
        relu(ones - signs * logits)
    })
}

/// The cross entropy of labels and predicted probabilities, weighted and reduced. `epsilon`, `1e-7`
/// in TensorFlow, is added to the arguments of logarithms.
///
/// # Errors
/// As for [`mean_squared_error`].
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::losses::log_loss;
/// let loss = log_loss(constant([1.0_f32]), constant([1.0_f32]), 0.0, 1.0);
/// # let loss = tidemill_runtime::Session::new().run(loss)?;
/// assert!(f32::try_from(loss)?.is_nan()); // 0 log 0: that is what epsilon is for.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn log_loss(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    epsilon: f64,
    options: impl Into<LossOptions>,
) -> Tensor {
    let compared = (labels.into(), predictions.into());
    elementwise("log_loss", compared, options.into(), |labels, predictions| {
        let of_ones = labels * log(predictions + epsilon);
        let of_zeros = (1.0 - labels) * log(1.0 - predictions + epsilon);
        -of_ones - of_zeros
    })
}

/// One minus the inner products of labels and predictions along `axis`, weighted and reduced. Both
/// should be normalized to Euclidean norm 1 along that axis.
///
/// # Errors
/// As for [`mean_squared_error`], and if the axis does not exist.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::losses::cosine_distance;
/// let loss = cosine_distance(constant([[1.0_f32, 0.0]]), constant([[0.0_f32, 1.0]]), 1, 1.0);
/// # let loss = tidemill_runtime::Session::new().run(loss)?;
/// assert_eq!(loss.to_string(), "1.0");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn cosine_distance(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    axis: i32,
    options: impl Into<LossOptions>,
) -> Tensor {
    let compared = (labels.into(), predictions.into());
    elementwise("cosine_distance_loss", compared, options.into(), |labels, predictions| {
        1.0 - reduce_sum(predictions * labels, Axes::from(axis).keep_dims())
    })
}

/// The cross entropy of labels and the sigmoid of logits, element by element, weighted and reduced.
/// If `label_smoothing` is above 0, labels move towards one half.
///
/// # Errors
/// As for [`mean_squared_error`]. Labels take the type of the logits.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::losses::sigmoid_cross_entropy;
/// let loss = sigmoid_cross_entropy(constant([1.0_f32, 0.0]), constant([0.0_f32, 0.0]), 0.0, 1.0);
/// # let loss = tidemill_runtime::Session::new().run(loss)?;
/// assert_eq!(loss.to_string(), "0.6931472");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn sigmoid_cross_entropy(
    labels: impl Into<Operand>,
    logits: impl Into<Operand>,
    label_smoothing: f64,
    options: impl Into<LossOptions>,
) -> Tensor {
    let (labels, logits, options) = (labels.into(), logits.into().to_tensor(), options.into());
    let labels = labels.to_tensor_like(logits, "labels");
    let name = "sigmoid_cross_entropy_loss";
    composite(logits.graph(), name, |_| {
        let labels = as_dtype(labels, logits.dtype().unwrap_or(DType::F32));
        of_one_shape(name, labels, ("logits", logits), |labels, logits| {
            let smoothed = match label_smoothing > 0.0 {
                true => labels * (1.0 - label_smoothing) + 0.5 * label_smoothing,
                false => labels,
            };
            let losses = sigmoid_cross_entropy_with_logits(smoothed, logits);
            compute_weighted_loss(losses, options)
        })
    })
}

/// The cross entropies of labels, which are class probabilities along the last axis, and the
/// softmax of logits, weighted and reduced. If `label_smoothing` is above 0, labels move towards
/// one over the number of classes.
///
/// Each row has one loss and one weight. Labels get no gradient.
///
/// # Errors
/// As for [`mean_squared_error`]. Labels take the type of the logits.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::losses::softmax_cross_entropy;
/// let loss = softmax_cross_entropy(constant([[1.0_f32, 0.0]]), constant([[0.0_f32, 0.0]]), 0.0, 1.0);
/// # let loss = tidemill_runtime::Session::new().run(loss)?;
/// assert_eq!(loss.to_string(), "0.6931472");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn softmax_cross_entropy(
    labels: impl Into<Operand>,
    logits: impl Into<Operand>,
    label_smoothing: f64,
    options: impl Into<LossOptions>,
) -> Tensor {
    let (labels, logits, options) = (labels.into(), logits.into().to_tensor(), options.into());
    let labels = labels.to_tensor_like(logits, "labels");
    let name = "softmax_cross_entropy_loss";
    composite(logits.graph(), name, |_| {
        let labels = as_dtype(labels, logits.dtype().unwrap_or(DType::F32));
        of_one_shape(name, labels, ("logits", logits), |labels, logits| {
            let smoothed = match label_smoothing > 0.0 {
                true => {
                    let classes =
                        as_dtype(shape(labels).slice(s![-1]), labels.dtype().unwrap_or(DType::F32));
                    labels * (1.0 - label_smoothing) + label_smoothing / classes
                }
                false => labels,
            };
            let labels = stop_gradient(smoothed);
            let losses = by_row(logits, |logits| {
                let labels = as_rows(labels);
                softmax_cross_entropy_with_logits(labels, logits)
            });
            compute_weighted_loss(losses, options)
        })
    })
}

/// The cross entropies of labels, which are class numbers, and the softmax of logits, weighted and
/// reduced. Each label has one loss and one weight.
///
/// A surplus trailing axis of length 1 in labels, logits or weights is dropped.
///
/// # Errors
/// The labels are not `int32` or `int64`, or do not have the shape of `logits` without its last
/// axis. A run fails if a label is out of range.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::losses::sparse_softmax_cross_entropy;
/// let loss = sparse_softmax_cross_entropy(constant([1]), constant([[0.0_f32, 0.0]]), 1.0);
/// # let loss = tidemill_runtime::Session::new().run(loss)?;
/// assert_eq!(loss.to_string(), "0.6931472");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn sparse_softmax_cross_entropy(
    labels: impl Into<Operand>,
    logits: impl Into<Operand>,
    options: impl Into<LossOptions>,
) -> Tensor {
    let (labels, logits, options) = (labels.into(), logits.into().to_tensor(), options.into());
    let labels = labels.to_tensor();
    let name = "sparse_softmax_cross_entropy_loss";
    composite(logits.graph(), name, |_| {
        let (labels, logits) = without_last_axis(labels, logits, 1);
        let options = match options.weights {
            Operand::Tensor(weights) if weights.shape().rank() > labels.shape().rank() => {
                LossOptions { weights: with_rank_of(weights, labels).into(), ..options }
            }
            _ => options,
        };
        let own = labels.shape().rank();
        if own.zip(logits.shape().rank()).is_some_and(|(labels, logits)| labels + 1 != logits) {
            let rule = "have the same axes, with one more in the logits";
            return disagree(name, ("labels", labels), ("logits", logits), rule);
        }
        let losses = by_row(logits, |logits| {
            let labels = if own == Some(1) { labels } else { reshape(labels, [-1]) };
            sparse_softmax_cross_entropy_with_logits(labels, logits)
        });
        compute_weighted_loss(losses, options)
    })
}

/// Losses of rows, in the shape of the logits without their last axis.
fn by_row(logits: Tensor, losses: impl FnOnce(Tensor) -> Tensor) -> Tensor {
    match logits.shape().rank() {
        Some(2) => losses(logits),
        _ => reshape(losses(as_rows(logits)), shape(logits).slice(s![..-1])),
    }
}

/// Logits as a matrix, with a row for each index of the other axes.
fn as_rows(logits: Tensor) -> Tensor {
    if logits.shape().rank() == Some(2) {
        return logits;
    }
    let classes = shape(logits).slice(s![-1..]);
    reshape(logits, concat([constant([-1]), classes], 0))
}
