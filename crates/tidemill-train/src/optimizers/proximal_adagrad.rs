use tidemill_graph::Graph;
use tidemill_ops::Operand;
use tidemill_ops::ops::training;

use super::{base, positive, setters};
use crate::update::{Fused, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// [`Adagrad`](crate::Adagrad) that pulls the elements towards 0 after each step (Duchi and Singer,
/// 2009). It is TensorFlow's `ProximalAdagradOptimizer`. The slot `accumulator` holds the sum of
/// the squares of gradients.
#[derive(Clone, Debug)]
pub struct ProximalAdagrad {
    base: OptimizerBase,
    learning_rate: Operand,
    initial_accumulator_value: f64,
    l1_regularization_strength: Operand,
    l2_regularization_strength: Operand,
}

impl ProximalAdagrad {
    /// Creates the optimizer with a learning rate: a number, or a tensor of shape `[]`.
    pub fn new(learning_rate: impl Into<Operand>) -> Self {
        ProximalAdagrad {
            base: OptimizerBase::new("ProximalAdagrad"),
            learning_rate: learning_rate.into(),
            initial_accumulator_value: 0.1,
            l1_regularization_strength: 0.0.into(),
            l2_regularization_strength: 0.0.into(),
        }
    }

    setters! {
        /// Sets the initial value of the sums: 0.1 by default. It must be above 0.
        initial_accumulator_value: f64,
        /// Sets the strength of L1 regularization: 0 by default.
        l1_regularization_strength: impl Into<Operand>,
        /// Sets the strength of L2 regularization: 0 by default.
        l2_regularization_strength: impl Into<Operand>,
    }
}

impl Optimizer for ProximalAdagrad {
    base!();

    fn slots(&self) -> Vec<(&'static str, f64)> {
        vec![("accumulator", self.initial_accumulator_value)]
    }

    fn check(&self) -> Result<(), TrainError> {
        positive("initial_accumulator_value", self.initial_accumulator_value)
    }

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let numbers = vec![
            ("lr", number(graph, &self.learning_rate, "learning_rate")),
            ("l1", number(graph, &self.l1_regularization_strength, "l1_regularization_strength")),
            ("l2", number(graph, &self.l2_regularization_strength, "l2_regularization_strength")),
        ];
        Ok(Box::new(Fused::new(&self.base, training::PROXIMAL_ADAGRAD, &["accumulator"], numbers)))
    }
}
