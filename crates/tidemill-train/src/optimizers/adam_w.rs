use tidemill_graph::{Graph, control_dependencies};
use tidemill_ops::{
    IndexedSlices, Operand, Operation, Tensor, Variable, assign_sub, gather, scatter_sub,
};

use super::adam::Adam;
use crate::update::{in_type_of, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// [`Adam`] with decoupled weight decay (Loshchilov and Hutter, 2019): before each step, a variable
/// shrinks by a fraction of itself; with a sparse gradient, only the rows with a gradient shrink.
/// It is `AdamWOptimizer` of TensorFlow 1's `contrib`.
#[derive(Clone, Debug)]
pub struct AdamW {
    adam: Adam,
    weight_decay: Operand,
}

impl AdamW {
    /// Creates the optimizer with the weight decay, the fraction that a variable loses in each step
    /// (not multiplied by the learning rate), and the learning rate: numbers, or tensors of shape
    /// `[]`.
    pub fn new(weight_decay: impl Into<Operand>, learning_rate: impl Into<Operand>) -> Self {
        let adam = Adam::called("AdamW", learning_rate.into());
        AdamW { adam, weight_decay: weight_decay.into() }
    }

    /// Sets the decay rate of the mean of gradients: 0.9 by default.
    pub fn beta1(self, beta1: impl Into<Operand>) -> Self {
        AdamW { adam: self.adam.beta1(beta1), ..self }
    }

    /// Sets the decay rate of the mean of squares: 0.999 by default.
    pub fn beta2(self, beta2: impl Into<Operand>) -> Self {
        AdamW { adam: self.adam.beta2(beta2), ..self }
    }

    /// Sets the number added to the root of the mean of squares: 1e-8 by default.
    pub fn epsilon(self, epsilon: impl Into<Operand>) -> Self {
        AdamW { adam: self.adam.epsilon(epsilon), ..self }
    }
}

impl Optimizer for AdamW {
    fn base(&self) -> &OptimizerBase {
        self.adam.base()
    }

    fn base_mut(&mut self) -> &mut OptimizerBase {
        self.adam.base_mut()
    }

    fn slots(&self) -> Vec<(&'static str, f64)> {
        self.adam.slots()
    }

    fn shared(&self) -> Vec<(&'static str, Operand)> {
        self.adam.shared()
    }

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let adam = self.adam.prepare(graph)?;
        let weight_decay = number(graph, &self.weight_decay, "weight_decay");
        Ok(Box::new(Decayed { adam, weight_decay }))
    }
}

struct Decayed {
    adam: Box<dyn Updates>,
    weight_decay: Tensor,
}

impl Updates for Decayed {
    fn dense(&self, variable: Variable, gradient: Tensor) -> Operation {
        let lost = in_type_of(variable, self.weight_decay) * variable;
        let decayed = assign_sub(variable, lost).op();
        control_dependencies([decayed], || self.adam.dense(variable, gradient))
    }

    fn sparse(&self, variable: Variable, slices: IndexedSlices) -> Operation {
        let rows = gather(variable.read(), slices.indices, 0);
        let lost = in_type_of(variable, self.weight_decay) * rows;
        let decayed = scatter_sub(variable, slices.indices, lost).op();
        control_dependencies([decayed], || self.adam.sparse(variable, slices))
    }

    fn finish(&self) -> Vec<Operation> {
        self.adam.finish()
    }
}
