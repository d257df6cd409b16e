use tidemill_graph::Graph;
use tidemill_ops::ops::training;
use tidemill_ops::{Operand, Variable, cast, identity};
use tidemill_value::DType;

use super::{base, positive, setters};
use crate::update::{Fused, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// Adagrad by dual averaging (Duchi et al., 2011), for sparse linear models: each step recomputes a
/// variable from the sums of its gradients and of their squares. It is TensorFlow's
/// `AdagradDAOptimizer`. The slots `gradient_accumulator` and `gradient_squared_accumulator` hold
/// the sums.
#[derive(Clone, Debug)]
pub struct AdagradDa {
    base: OptimizerBase,
    learning_rate: Operand,
    global_step: Variable,
    initial_gradient_squared_accumulator_value: f64,
    l1_regularization_strength: Operand,
    l2_regularization_strength: Operand,
}

impl AdagradDa {
    /// Creates the optimizer with a learning rate, a number or a tensor of shape `[]`, and the
    /// variable that counts the steps.
    pub fn new(learning_rate: impl Into<Operand>, global_step: Variable) -> Self {
        AdagradDa {
            base: OptimizerBase::new("AdagradDA"),
            learning_rate: learning_rate.into(),
            global_step,
            initial_gradient_squared_accumulator_value: 0.1,
            l1_regularization_strength: 0.0.into(),
            l2_regularization_strength: 0.0.into(),
        }
    }

    setters! {
        /// Sets the initial value of the sums of squares: 0.1 by default. It must be above 0.
        initial_gradient_squared_accumulator_value: f64,
        /// Sets the strength of L1 regularization: 0 by default.
        l1_regularization_strength: impl Into<Operand>,
        /// Sets the strength of L2 regularization: 0 by default.
        l2_regularization_strength: impl Into<Operand>,
    }
}

impl Optimizer for AdagradDa {
    base!();

    fn slots(&self) -> Vec<(&'static str, f64)> {
        let squares = self.initial_gradient_squared_accumulator_value;
        vec![("gradient_accumulator", 0.0), ("gradient_squared_accumulator", squares)]
    }

    fn check(&self) -> Result<(), TrainError> {
        let start = self.initial_gradient_squared_accumulator_value;
        positive("initial_gradient_squared_accumulator_value", start)
    }

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let rate = number(graph, &self.learning_rate, "learning_rate");
        let step = identity(self.global_step.read()) + 1;
        let step = if step.dtype() == Some(DType::I64) { step } else { cast(step, DType::I64) };
        let numbers = vec![
            ("lr", rate),
            ("l1", number(graph, &self.l1_regularization_strength, "l1_regularization_strength")),
            ("l2", number(graph, &self.l2_regularization_strength, "l2_regularization_strength")),
            ("global_step", step),
        ];
        let slots = &["gradient_accumulator", "gradient_squared_accumulator"];
        Ok(Box::new(Fused::new(&self.base, training::ADAGRAD_DA, slots, numbers)))
    }
}
