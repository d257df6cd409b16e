use std::collections::BTreeMap;

use tidemill_graph::OperationRef;
use tidemill_ops::{
    IndexedSlices, Operand, Operation, Tensor, Variable, apply_gradient_descent, cast, scatter_sub,
};
use tidemill_value::DType;

use crate::Optimizer;

/// Gradient descent: each variable moves against its gradient, by the gradient times the
/// learning rate. Of a sum of [`IndexedSlices`] only the rows there are move. It is TensorFlow's `GradientDescentOptimizer`.
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
    rate: Operand,
}

impl GradientDescent {
    /// Gradient descent at a learning rate: a number, or a tensor of shape `[]`.
    pub fn new(rate: impl Into<Operand>) -> Self {
        GradientDescent { rate: rate.into() }
    }
}

impl Optimizer for GradientDescent {
    fn name(&self) -> &'static str {
        "GradientDescent"
    }

    fn updates(&self, variables: &[Variable]) -> Box<dyn Fn(Tensor, Variable) -> Operation> {
        let mut rates: BTreeMap<DType, Tensor> = BTreeMap::new();
        for variable in variables {
            let Some(dtype) = variable.dtype() else { continue };
            rates.entry(dtype).or_insert_with(|| self.rate_of(*variable, dtype));
        }
        Box::new(move |gradient, variable| {
            let rate = variable.dtype().and_then(|dtype| rates.get(&dtype).copied());
            let rate = rate.unwrap_or(gradient);
            match IndexedSlices::of(gradient) {
                Some(IndexedSlices { values, indices, .. }) => {
                    scatter_sub(variable, indices, values * rate).op()
                }
                None => apply_gradient_descent(variable, rate, gradient).op(),
            }
        })
    }
}

impl GradientDescent {
    /// The learning rate as a tensor of the type of a variable.
    fn rate_of(&self, variable: Variable, dtype: DType) -> Tensor {
        let graph = OperationRef::from(variable).graph();
        let rate = self.rate.to_tensor_of(Some(graph), dtype, "learning_rate");
        if rate.dtype() == Some(dtype) { rate } else { cast(rate, dtype) }
    }
}
