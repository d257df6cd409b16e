use tidemill_graph::Graph;
use tidemill_ops::Operand;
use tidemill_ops::ops::training;

use super::{base, setters};
use crate::update::{Fused, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// Gradient descent that pulls the elements towards 0 after each step (Duchi and Singer, 2009). It
/// is TensorFlow's `ProximalGradientDescentOptimizer`.
#[derive(Clone, Debug)]
pub struct ProximalGradientDescent {
    base: OptimizerBase,
    learning_rate: Operand,
    l1_regularization_strength: Operand,
    l2_regularization_strength: Operand,
}

impl ProximalGradientDescent {
    /// Creates the optimizer with a learning rate: a number, or a tensor of shape `[]`.
    pub fn new(learning_rate: impl Into<Operand>) -> Self {
        ProximalGradientDescent {
            base: OptimizerBase::new("ProximalGradientDescent"),
            learning_rate: learning_rate.into(),
            l1_regularization_strength: 0.0.into(),
            l2_regularization_strength: 0.0.into(),
        }
    }

    setters! {
        /// Sets the strength of L1 regularization: 0 by default.
        l1_regularization_strength: impl Into<Operand>,
        /// Sets the strength of L2 regularization: 0 by default.
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
