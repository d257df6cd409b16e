use tidemill_graph::Graph;
use tidemill_ops::Operand;
use tidemill_ops::ops::training;

use super::{base, setters};
use crate::update::{Fused, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// Gradient descent, after each step of which the elements are pulled towards 0 (Duchi and Singer,
/// 2009). It is TensorFlow's `ProximalGradientDescentOptimizer`.
#[derive(Clone, Debug)]
pub struct ProximalGradientDescent {
    base: OptimizerBase,
    learning_rate: Operand,
    l1_regularization_strength: Operand,
    l2_regularization_strength: Operand,
}

impl ProximalGradientDescent {
    /// With a learning rate: a number, or a tensor of shape `[]`.
    pub fn new(learning_rate: impl Into<Operand>) -> Self {
        ProximalGradientDescent {
            base: OptimizerBase::new("ProximalGradientDescent"),
            learning_rate: learning_rate.into(),
            l1_regularization_strength: 0.0.into(),
            l2_regularization_strength: 0.0.into(),
        }
    }

    setters! {
        /// Sets how much is paid for the sizes of elements: nothing unless told otherwise.
        l1_regularization_strength: impl Into<Operand>,
        /// Sets how much is paid for the squares of elements: nothing unless told otherwise.
        l2_regularization_strength: impl Into<Operand>,
    }
}

impl Optimizer for ProximalGradientDescent {
    base!();

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let numbers = vec![
            ("alpha", number(graph, &self.learning_rate, "learning_rate")),
            ("l1", number(graph, &self.l1_regularization_strength, "l1_regularization_strength")),
            ("l2", number(graph, &self.l2_regularization_strength, "l2_regularization_strength")),
        ];
        Ok(Box::new(Fused::new(&self.base, training::PROXIMAL_GRADIENT_DESCENT, &[], numbers)))
    }
}
