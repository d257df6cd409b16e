use tidemill_graph::Graph;
use tidemill_ops::Operand;
use tidemill_ops::ops::training;

use super::{base, setters};
use crate::update::{Fused, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// Gradient descent with momentum: a variable moves against a sum of its gradients in which older
/// gradients decay. It is TensorFlow's `MomentumOptimizer`. The slot `momentum` holds the sum.
#[derive(Clone, Debug)]
pub struct Momentum {
    base: OptimizerBase,
    learning_rate: Operand,
    momentum: Operand,
    use_nesterov: bool,
}

impl Momentum {
    /// Creates the optimizer with a learning rate and the momentum, the decay rate of the sum:
    /// numbers, or tensors of shape `[]`.
    pub fn new(learning_rate: impl Into<Operand>, momentum: impl Into<Operand>) -> Self {
        let (learning_rate, momentum) = (learning_rate.into(), momentum.into());
        let base = OptimizerBase::new("Momentum");
        Momentum { base, learning_rate, momentum, use_nesterov: false }
    }

    setters! {
        /// Sets whether to use Nesterov momentum. The default is false.
        use_nesterov: bool,
    }
}

impl Optimizer for Momentum {
    base!();

    fn slots(&self) -> Vec<(&'static str, f64)> {
        vec![("momentum", 0.0)]
    }

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let numbers = vec![
            ("lr", number(graph, &self.learning_rate, "learning_rate")),
            ("momentum", number(graph, &self.momentum, "momentum")),
        ];
        let fused = Fused::new(&self.base, training::MOMENTUM, &["momentum"], numbers);
        Ok(Box::new(fused.flag("use_nesterov", self.use_nesterov)))
    }
}
