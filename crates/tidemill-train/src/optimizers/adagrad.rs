use tidemill_graph::Graph;
use tidemill_ops::Operand;
use tidemill_ops::ops::training;

use super::{base, positive, setters};
use crate::update::{Fused, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// Adagrad (Duchi et al., 2011): the learning rate of each element is divided by the root of the sum
/// of the squares of its gradients. It is TensorFlow's `AdagradOptimizer`. The slot `accumulator`
/// holds the sum.
#[derive(Clone, Debug)]
pub struct Adagrad {
    base: OptimizerBase,
    learning_rate: Operand,
    initial_accumulator_value: f64,
}

impl Adagrad {
    /// Adagrad with a learning rate: a number, or a tensor of shape `[]`.
    pub fn new(learning_rate: impl Into<Operand>) -> Self {
        let (base, learning_rate) = (OptimizerBase::new("Adagrad"), learning_rate.into());
        Adagrad { base, learning_rate, initial_accumulator_value: 0.1 }
    }

    setters! {
        /// Sets the initial value of the sums: 0.1 by default. It must be above 0.
        initial_accumulator_value: f64,
    }
}

impl Optimizer for Adagrad {
    base!();

    fn slots(&self) -> Vec<(&'static str, f64)> {
        vec![("accumulator", self.initial_accumulator_value)]
    }

    fn check(&self) -> Result<(), TrainError> {
        positive("initial_accumulator_value", self.initial_accumulator_value)
    }

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let numbers = vec![("lr", number(graph, &self.learning_rate, "learning_rate"))];
        Ok(Box::new(Fused::new(&self.base, training::ADAGRAD, &["accumulator"], numbers)))
    }
}
