use tidemill_graph::Graph;
use tidemill_ops::ops::training;
use tidemill_ops::{Operand, maximum};

use super::{base, not_negative, setters};
use crate::update::{Fused, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// FTRL-Proximal (McMahan et al., 2013): follow the regularized leader, for sparse linear models. It
/// is TensorFlow's `FtrlOptimizer`. The slot `accum` holds the sum of the squares of gradients, and
/// `linear` the linear term from which the leader is computed.
#[derive(Clone, Debug)]
pub struct Ftrl {
    base: OptimizerBase,
    learning_rate: Operand,
    learning_rate_power: f64,
    initial_accumulator_value: f64,
    l1_regularization_strength: f64,
    l2_regularization_strength: f64,
    l2_shrinkage_regularization_strength: f64,
    beta: f64,
}

impl Ftrl {
    /// FTRL-Proximal with a learning rate: a number, or a tensor of shape `[]`.
    pub fn new(learning_rate: impl Into<Operand>) -> Self {
        Ftrl {
            base: OptimizerBase::new("Ftrl"),
            learning_rate: learning_rate.into(),
            learning_rate_power: -0.5,
            initial_accumulator_value: 0.1,
            l1_regularization_strength: 0.0,
            l2_regularization_strength: 0.0,
            l2_shrinkage_regularization_strength: 0.0,
            beta: 0.0,
        }
    }

    setters! {
        /// Sets the power of the sum of squares that scales the learning rate: -0.5 by default. It
        /// must not be above 0.
        learning_rate_power: f64,
        /// Sets the initial value of the sums of squares: 0.1 by default. It must not be negative.
        initial_accumulator_value: f64,
        /// Sets the strength of L1 regularization: 0 by default.
        l1_regularization_strength: f64,
        /// Sets the strength of L2 regularization: 0 by default. It stabilizes the leader.
        l2_regularization_strength: f64,
        /// Sets the strength of the L2 shrinkage term in the loss: 0 by default.
        l2_shrinkage_regularization_strength: f64,
        /// Sets the number added to roots of sums of squares: 0 by default.
        beta: f64,
    }
}

impl Optimizer for Ftrl {
    base!();

    fn slots(&self) -> Vec<(&'static str, f64)> {
        vec![("accum", self.initial_accumulator_value), ("linear", 0.0)]
    }

    fn check(&self) -> Result<(), TrainError> {
        not_negative("initial_accumulator_value", self.initial_accumulator_value)?;
        not_negative("l1_regularization_strength", self.l1_regularization_strength)?;
        not_negative("l2_regularization_strength", self.l2_regularization_strength)?;
        let shrinkage = self.l2_shrinkage_regularization_strength;
        not_negative("l2_shrinkage_regularization_strength", shrinkage)?;
        let (name, value, wanted) = ("learning_rate_power", self.learning_rate_power, "at most 0");
        match value <= 0.0 {
            true => Ok(()),
            false => Err(TrainError::Hyperparameter { name, value, wanted }),
        }
    }

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let constant = |value: f64, name| number(graph, &value.into(), name);
        let rate = number(graph, &self.learning_rate, "learning_rate");
        let mut l2 = constant(self.l2_regularization_strength, "l2_regularization_strength");
        if self.beta != 0.0 {
            l2 = l2 + self.beta / (maximum(rate, 1e-36) * 2.0);
        }
        let l1 = constant(self.l1_regularization_strength, "l1_regularization_strength");
        let power = constant(self.learning_rate_power, "learning_rate_power");
        let mut numbers = vec![("lr", rate), ("l1", l1), ("l2", l2), ("lr_power", power)];
        let shrinkage = self.l2_shrinkage_regularization_strength;
        let update = match shrinkage > 0.0 {
            true => {
                let shrinkage = constant(shrinkage, "l2_shrinkage_regularization_strength");
                numbers.push(("l2_shrinkage", shrinkage));
                training::FTRL_V2
            }
            false => training::FTRL,
        };
        Ok(Box::new(Fused::new(&self.base, update, &["accum", "linear"], numbers)))
    }
}
