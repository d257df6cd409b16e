use tidemill_graph::Graph;
use tidemill_ops::Operand;
use tidemill_ops::ops::training;

use super::adam::Adam;
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// [`Adam`] by the largest of the means of squares so far (Reddi et al., 2018), so that steps do not
/// get larger again. The slots are `m`, `v` and `vhat`, the largest.
#[derive(Clone, Debug)]
pub struct AmsGrad(Adam);

impl AmsGrad {
    /// With a learning rate: a number, or a tensor of shape `[]`.
    pub fn new(learning_rate: impl Into<Operand>) -> Self {
        AmsGrad(Adam::called("AMSGrad", learning_rate.into()))
    }

    /// Sets the weight of the mean of gradients in the next one: 0.9 unless told otherwise.
    pub fn beta1(self, beta1: impl Into<Operand>) -> Self {
        AmsGrad(self.0.beta1(beta1))
    }

    /// Sets the weight of the mean of squares in the next one: 0.999 unless told otherwise.
    pub fn beta2(self, beta2: impl Into<Operand>) -> Self {
        AmsGrad(self.0.beta2(beta2))
    }

    /// Sets what is added to the root of the mean of squares: 1e-8 unless told otherwise.
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
