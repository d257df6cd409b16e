use tidemill_ops::{Operand, Tensor, Variable};
use tidemill_value::{Scalar, Value};

use super::LOSSES;

/// The reduction of the elements' losses to one number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reduction {
    /// No reduction: the loss has the shape of the elements.
    None,
    /// Their sum.
    Sum,
    /// The sum divided by the number of elements.
    SumOverBatchSize,
    /// The sum divided by the sum of the weights.
    Mean,
    /// The sum divided by the number of elements with nonzero weights.
    #[default]
    SumByNonzeroWeights,
}

/// The weights, reduction and collection of a loss. A number or a tensor converts to weights, with
/// TensorFlow's defaults for everything else.
#[derive(Clone, Debug)]
pub struct LossOptions {
    pub(super) weights: Operand,
    pub(super) reduction: Reduction,
    pub(super) collection: Option<String>,
}

impl Default for LossOptions {
    /// Weights of 1, the mean over those that are not 0, the collection [`LOSSES`].
    fn default() -> Self {
        LossOptions::weights(1.0)
    }
}

impl LossOptions {
    /// Multiplies losses by weights, which broadcast to them.
    pub fn weights(weights: impl Into<Operand>) -> Self {
        let (reduction, collection) = (Reduction::default(), Some(LOSSES.to_owned()));
        LossOptions { weights: weights.into(), reduction, collection }
    }

    /// Sets how the elements' losses are reduced to one number.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// Sets the collection that the loss is added to, if any.
    pub fn collection(mut self, name: Option<&str>) -> Self {
        self.collection = name.map(str::to_owned);
        self
    }

    /// True if it is known before a run that no weight is 0.
    pub(super) fn all_count(&self) -> bool {
        match self.weights {
            Operand::Number(Scalar::F32(weight)) => weight != 0.0,
            Operand::Number(Scalar::F64(weight)) => weight != 0.0,
            _ => false,
        }
    }
}

macro_rules! options_from_weights {
    ($($rust:ty),*) => {$(
        impl From<$rust> for LossOptions {
            /// Losses times these weights.
            fn from(weights: $rust) -> Self {
                LossOptions::weights(weights)
            }
        }
    )*};
}

options_from_weights!(f32, f64, Tensor, Variable, Value);
