//! The losses of sequences of classes, as in TensorFlow's sequence-to-sequence library.

use tidemill_graph::OpError;
use tidemill_ops::{
    Operand, Tensor, add_n, composite, constant, reduce_sum, reshape, s, shape,
    sparse_softmax_cross_entropy_with_logits, stack,
};

use crate::broadcast::invalid;

/// Added to the divisor of a mean to keep it from being 0, as in TensorFlow.
const TINY: f64 = 1e-12;

/// The axes over which [`sequence_loss`] takes the mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SequenceLoss {
    /// Over the steps; the divisor is the sum of the weights of each sequence.
    pub average_across_timesteps: bool,
    /// Over the sequences.
    pub average_across_batch: bool,
}

impl Default for SequenceLoss {
    /// The mean over both.
    fn default() -> Self {
        SequenceLoss { average_across_timesteps: true, average_across_batch: true }
    }
}

/// The weighted cross entropy of softmax and classes, for sequences. `logits` has shape `[batch,
/// time, classes]`; `targets`, which are class numbers, and `weights` have shape `[batch, time]`.
/// The result has the type of the logits, and the axes over which no mean is taken.
///
/// # Errors
/// The tensors have other ranks.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::losses::{SequenceLoss, sequence_loss};
/// let (logits, targets) = (placeholder::<f32>([2, 7, 5]), placeholder::<i32>([2, 7]));
/// let weights = placeholder::<f32>([2, 7]);
/// let loss = sequence_loss(logits, targets, weights, SequenceLoss::default());
/// assert_eq!(loss.shape().to_string(), "[]");
/// ```
#[track_caller]
pub fn sequence_loss(
    logits: impl Into<Operand>,
    targets: impl Into<Operand>,
    weights: impl Into<Operand>,
    options: SequenceLoss,
) -> Tensor {
    let (logits, targets) = (logits.into().to_tensor(), targets.into().to_tensor());
    let weights = weights.into().to_tensor_like(logits, "weights");
    let wrong = [("logits", logits, 3), ("targets", targets, 2), ("weights", weights, 2)]
        .into_iter()
        .find(|(_, tensor, rank)| tensor.shape().rank().is_some_and(|actual| actual != *rank));
    if let Some((input, tensor, rank)) = wrong {
        let expected = if rank == 3 { "3 axes" } else { "2 axes" };
        let error = OpError::Rank { input, expected, actual: tensor.shape() };
        return invalid(tensor, "sequence_loss", error);
    }
    composite(logits.graph(), "sequence_loss", |_| {
        let rows = reshape(logits, stack([constant(-1), shape(logits).slice(s![2])], 0));
        let losses = sparse_softmax_cross_entropy_with_logits(reshape(targets, [-1]), rows);
        let losses = reshape(losses, shape(targets)) * weights;
        match (options.average_across_timesteps, options.average_across_batch) {
            (true, true) => reduce_sum(losses, ..) / (reduce_sum(weights, ..) + TINY),
            (true, false) => reduce_sum(losses, 1) / (reduce_sum(weights, 1) + TINY),
            (false, true) => reduce_sum(losses, 0) / (reduce_sum(weights, 0) + TINY),
            (false, false) => losses,
        }
    })
}

/// The weighted cross entropy of softmax and classes, for sequences given as lists of steps. Each
/// step has `logits` of shape `[batch, classes]`, and `targets`, which are class numbers, and
/// `weights` of shape `[batch]`. The result has shape `[batch]`: the sum over the steps, or the
/// mean, which is the sum divided by the sum of the weights.
///
/// # Errors
/// The lists are empty or differ in length.
///
/// ```
/// use tidemill_ops::placeholder;
/// use tidemill_train::losses::sequence_loss_by_example;
/// let logits = [0; 7].map(|_| placeholder::<f32>([2, 5]));
/// let targets = [0; 7].map(|_| placeholder::<i32>([2]));
/// let weights = [0; 7].map(|_| placeholder::<f32>([2]));
/// let loss = sequence_loss_by_example(&logits, &targets, &weights, true);
/// assert_eq!(loss.shape().to_string(), "[2]");
/// ```
#[track_caller]
pub fn sequence_loss_by_example(
    logits: &[Tensor],
    targets: &[Tensor],
    weights: &[Tensor],
    average_across_timesteps: bool,
) -> Tensor {
    let graph = logits.first().and_then(|logits| logits.graph());
    composite(graph, "sequence_loss_by_example", |_| {
        if (targets.len(), weights.len()) != (logits.len(), logits.len()) {
            let message = format!(
                "the logits have {} steps, the targets {} and the weights {}",
                logits.len(),
                targets.len(),
                weights.len()
            );
            let beside = logits.first().copied().unwrap_or_else(|| constant(0.0_f32));
            return invalid(beside, "sequence_loss_by_example", OpError::invalid(message));
        }
        let steps =
            logits.iter().zip(targets).zip(weights).map(|((&logits, &targets), &weights)| {
                let targets = reshape(targets, [-1]);
                sparse_softmax_cross_entropy_with_logits(targets, logits) * weights
            });
        let total = add_n(steps.collect::<Vec<Tensor>>());
        match average_across_timesteps {
            true => total / (add_n(weights.iter().copied()) + TINY),
            false => total,
        }
    })
}
