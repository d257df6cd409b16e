use tidemill_graph::Graph;
use tidemill_ops::Operand;
use tidemill_ops::ops::training;

use super::{base, setters};
use crate::update::{Fused, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// RMSProp (Hinton, 2012): the learning rate of each element is divided by the root of a mean of the
/// squares of its gradients. It is TensorFlow's `RMSPropOptimizer`. The slot `rms` holds the mean
/// of squares, `momentum` the last step, and, in the centered variant, `mg` the mean of the
/// gradients.
#[derive(Clone, Debug)]
pub struct RmsProp {
    base: OptimizerBase,
    learning_rate: Operand,
    decay: Operand,
    momentum: Operand,
    epsilon: Operand,
    centered: bool,
}

impl RmsProp {
    /// RMSProp with a learning rate: a number, or a tensor of shape `[]`.
    pub fn new(learning_rate: impl Into<Operand>) -> Self {
        RmsProp {
            base: OptimizerBase::new("RMSProp"),
            learning_rate: learning_rate.into(),
            decay: 0.9.into(),
            momentum: 0.0.into(),
            epsilon: 1e-10.into(),
            centered: false,
        }
    }

    setters! {
        /// Sets the decay rate of the means: 0.9 by default.
        decay: impl Into<Operand>,
        /// Sets the momentum, the weight of a step in the next step: 0 by default.
        momentum: impl Into<Operand>,
        /// Sets the number added to the mean before taking its root: 1e-10 by default.
        epsilon: impl Into<Operand>,
        /// Sets whether to divide gradients by the root of their variance instead of the root of
        /// their mean square. The default is false.
        centered: bool,
    }
}

impl Optimizer for RmsProp {
    base!();

    fn slots(&self) -> Vec<(&'static str, f64)> {
        match self.centered {
            true => vec![("rms", 1.0), ("mg", 0.0), ("momentum", 0.0)],
            false => vec![("rms", 1.0), ("momentum", 0.0)],
        }
    }

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let numbers = vec![
            ("lr", number(graph, &self.learning_rate, "learning_rate")),
            ("rho", number(graph, &self.decay, "decay")),
            ("momentum", number(graph, &self.momentum, "momentum")),
            ("epsilon", number(graph, &self.epsilon, "epsilon")),
        ];
        Ok(Box::new(match self.centered {
            true => {
                let slots = &["mg", "rms", "momentum"];
                Fused::new(&self.base, training::CENTERED_RMS_PROP, slots, numbers)
            }
            false => Fused::new(&self.base, training::RMS_PROP, &["rms", "momentum"], numbers),
        }))
    }
}
