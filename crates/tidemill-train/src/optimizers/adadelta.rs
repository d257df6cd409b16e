use tidemill_graph::Graph;
use tidemill_ops::Operand;
use tidemill_ops::ops::training;

use super::{base, setters};
use crate::update::{Fused, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// Adadelta (Zeiler, 2012): steps are scaled by the size of earlier steps relative to the
/// gradients. It is TensorFlow's `AdadeltaOptimizer`. The slots `accum` and `accum_update` hold
/// means of the squares of gradients and of steps.
#[derive(Clone, Debug)]
pub struct Adadelta {
    base: OptimizerBase,
    learning_rate: Operand,
    rho: Operand,
    epsilon: Operand,
}

impl Adadelta {
    /// Adadelta with a learning rate: a number, or a tensor of shape `[]`. TensorFlow's default is
    /// 0.001; the paper uses 1.
    pub fn new(learning_rate: impl Into<Operand>) -> Self {
        Adadelta {
            base: OptimizerBase::new("Adadelta"),
            learning_rate: learning_rate.into(),
            rho: 0.95.into(),
            epsilon: 1e-8.into(),
        }
    }

    setters! {
        /// Sets the decay rate of the means: 0.95 by default.
        rho: impl Into<Operand>,
        /// Sets the number added to means before taking their roots: 1e-8 by default.
        epsilon: impl Into<Operand>,
    }
}

impl Optimizer for Adadelta {
    base!();

    fn slots(&self) -> Vec<(&'static str, f64)> {
        vec![("accum", 0.0), ("accum_update", 0.0)]
    }

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let numbers = vec![
            ("lr", number(graph, &self.learning_rate, "lr")),
            ("rho", number(graph, &self.rho, "rho")),
            ("epsilon", number(graph, &self.epsilon, "epsilon")),
        ];
        let slots = &["accum", "accum_update"];
        Ok(Box::new(Fused::new(&self.base, training::ADADELTA, slots, numbers)))
    }
}
