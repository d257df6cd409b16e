use tidemill_graph::Graph;
use tidemill_ops::ops::training;
use tidemill_ops::{IndexedSlices, Operand, Operation, Tensor, Variable, scatter_sub};

use super::base;
use crate::update::{Fused, in_type_of, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// Gradient descent: each variable moves against its gradient, by the gradient times the
/// learning rate. With [`IndexedSlices`], only the rows in the slices move. It is TensorFlow's
/// `GradientDescentOptimizer`.
///
/// ```
/// use tidemill_ops::{get_variable, zeros, square};
/// use tidemill_train::{GradientDescent, Optimizer};
/// let x = get_variable("x", [], zeros());
/// let train = GradientDescent::new(0.1).minimize(square(x - 3.0));
/// assert_eq!(train.name(), "GradientDescent");
/// ```
#[derive(Clone, Debug)]
pub struct GradientDescent {
    base: OptimizerBase,
    learning_rate: Operand,
}

impl GradientDescent {
    /// Gradient descent with a learning rate: a number, or a tensor of shape `[]`.
    pub fn new(learning_rate: impl Into<Operand>) -> Self {
        let base = OptimizerBase::new("GradientDescent");
        GradientDescent { base, learning_rate: learning_rate.into() }
    }
}

impl Optimizer for GradientDescent {
    base!();

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let rate = number(graph, &self.learning_rate, "learning_rate");
        let numbers = vec![("alpha", rate)];
        Ok(Box::new(Descent {
            rate,
            fused: Fused::new(&self.base, training::GRADIENT_DESCENT, &[], numbers),
        }))
    }
}

struct Descent {
    rate: Tensor,
    fused: Fused,
}

impl Updates for Descent {
    fn dense(&self, variable: Variable, gradient: Tensor) -> Operation {
        self.fused.dense(variable, gradient)
    }

    fn sparse(&self, variable: Variable, slices: IndexedSlices) -> Operation {
        let change = slices.values * in_type_of(variable, self.rate);
        scatter_sub(variable, slices.indices, change).op()
    }

    /// Repeated changes of one row are subtracted one after the other.
    fn deduplicates(&self) -> bool {
        false
    }
}
