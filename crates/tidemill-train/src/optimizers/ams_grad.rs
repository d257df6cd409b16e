use tidemill_graph::Graph;
use tidemill_ops::Operand;
use tidemill_ops::ops::training;

use super::adam::Adam;
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// [`Adam`] with the largest mean of squares so far (Reddi et al., 2018), so that steps do not grow
/// again. The slots are `m`, `v` and `vhat`, which holds the largest.
#[derive(Clone, Debug)]
pub struct AmsGrad(Adam);

impl AmsGrad {
    /// Creates the optimizer with a learning rate: a number, or a tensor of shape `[]`.
    pub fn new(learning_rate: impl Into<Operand>) -> Self {
        AmsGrad(Adam::called("AMSGrad", learning_rate.into()))
    }

    /// Sets the decay rate of the mean of gradients: 0.9 by default.
    pub fn beta1(self, beta1: impl Into<Operand>) -> Self {
        AmsGrad(self.0.beta1(beta1))
    }

    /// Sets the decay rate of the mean of squares: 0.999 by default.
    pub fn beta2(self, beta2: impl Into<Operand>) -> Self {
        AmsGrad(self.0.beta2(beta2))
    }

    /// Sets the number added to the root of the mean of squares: 1e-8 by default.
    pub fn epsilon(self, epsilon: impl Into<Operand>) -> Self {
        AmsGrad(self.0.epsilon(epsilon))
    }
}

impl Optimizer for AmsGrad {
    fn base(&self) -> &OptimizerBase {
        self.0.base()
    }

    fn base_mut(&mut self) -> &mut OptimizerBase {
        self.0.base_mut()
    }

    fn slots(&self) -> Vec<(&'static str, f64)> {
        vec![("m", 0.0), ("v", 0.0), ("vhat", 0.0)]
    }

    fn shared(&self) -> Vec<(&'static str, Operand)> {
        self.0.shared()
    }

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let slots = &["m", "v", "vhat"];
        Ok(Box::new(self.0.moments(graph, training::ADAM_WITH_AMSGRAD, slots)?))
    }
}
