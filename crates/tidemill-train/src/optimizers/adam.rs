use tidemill_graph::{Graph, NodeBuilder, control_dependencies};
use tidemill_ops::ops::control::NO_OP;
use tidemill_ops::ops::training::{self, Gradient, Update};
use tidemill_ops::{
    IndexedSlices, Operand, Operation, Tensor, Variable, assign, assign_add, assign_sub, maximum,
    scatter_add, sqrt,
};

use super::{base, setters};
use crate::update::{Fused, in_type_of, no_update, number};
use crate::{Optimizer, OptimizerBase, TrainError, Updates};

/// Adam (Kingma and Ba, 2015): a variable moves against a mean of its gradients, divided by the
/// root of a mean of their squares. It is TensorFlow's `AdamOptimizer`. The slots `m` and `v` hold
/// the means; the variables `beta1_power` and `beta2_power` correct their initial bias.
///
/// A sparse gradient moves all rows: the means of the rows without a gradient decay.
///
/// ```
/// use tidemill_ops::{get_variable, square, zeros};
/// use tidemill_runtime::Session;
/// use tidemill_train::{Adam, Optimizer};
/// let x = get_variable("x", [], zeros());
/// let optimizer = Adam::new(0.5);
/// let train = optimizer.minimize(square(x - 3.0));
/// let session = Session::new();
/// session.run(x.initializer())?;
/// session.run(train)?;
/// assert!((f32::try_from(session.run(x)?)? - 0.5).abs() < 1e-6);
/// let slots = [optimizer.get_slot(x, "m"), optimizer.get_slot(x, "v")];
/// let names = slots.map(|slot| slot.map(|slot| slot.op().name()));
/// assert_eq!(names, [Some("x/Adam".to_owned()), Some("x/Adam_1".to_owned())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Adam {
    base: OptimizerBase,
    learning_rate: Operand,
    beta1: Operand,
    beta2: Operand,
    epsilon: Operand,
    use_nesterov: bool,
}

impl Adam {
    /// Adam with a learning rate, a number or a tensor of shape `[]`; TensorFlow's default is
    /// 0.001.
    pub fn new(learning_rate: impl Into<Operand>) -> Self {
        Adam::called("Adam", learning_rate.into())
    }

    pub(super) fn called(name: &str, learning_rate: Operand) -> Self {
        Adam {
            base: OptimizerBase::new(name),
            learning_rate,
            beta1: 0.9.into(),
            beta2: 0.999.into(),
            epsilon: 1e-8.into(),
            use_nesterov: false,
        }
    }

    setters! {
        /// Sets the decay rate of the mean of gradients: 0.9 by default.
        beta1: impl Into<Operand>,
        /// Sets the decay rate of the mean of squares: 0.999 by default.
        beta2: impl Into<Operand>,
        /// Sets the number added to the root of the mean of squares: 1e-8 by default.
        epsilon: impl Into<Operand>,
        /// Sets whether to use Nesterov momentum. The default is false.
        use_nesterov: bool,
    }

    /// The updates by one operation, with its slots.
    pub(super) fn moments(
        &self,
        graph: &Graph,
        update: Update,
        slots: &'static [&'static str],
    ) -> Result<Moments, TrainError> {
        let missing = |name: &str| TrainError::NoUpdate { variable: name.to_owned() };
        let power = |name| self.base.shared(graph.key(), name).ok_or_else(|| missing(name));
        let powers = [power("beta1_power")?, power("beta2_power")?];
        let rate = number(graph, &self.learning_rate, "learning_rate");
        let betas = [number(graph, &self.beta1, "beta1"), number(graph, &self.beta2, "beta2")];
        let epsilon = number(graph, &self.epsilon, "epsilon");
        let numbers = vec![
            ("beta1_power", powers[0].read()),
            ("beta2_power", powers[1].read()),
            ("lr", rate),
            ("beta1", betas[0]),
            ("beta2", betas[1]),
            ("epsilon", epsilon),
        ];
        let fused = Fused::new(&self.base, update, slots, numbers);
        Ok(Moments { fused, powers, rate, betas, epsilon })
    }
}

impl Optimizer for Adam {
    base!();

    fn slots(&self) -> Vec<(&'static str, f64)> {
        vec![("m", 0.0), ("v", 0.0)]
    }

    fn shared(&self) -> Vec<(&'static str, Operand)> {
        vec![("beta1_power", self.beta1.clone()), ("beta2_power", self.beta2.clone())]
    }

    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError> {
        let moments = self.moments(graph, training::ADAM, &["m", "v"])?;
        Ok(Box::new(Moments {
            fused: moments.fused.flag("use_nesterov", self.use_nesterov),
            ..moments
        }))
    }
}

/// The updates of [`Adam`] and of the optimizers built on it.
pub(super) struct Moments {
    pub(super) fused: Fused,
    /// The variables `beta1_power` and `beta2_power`.
    powers: [Variable; 2],
    rate: Tensor,
    betas: [Tensor; 2],
    epsilon: Tensor,
}

impl Updates for Moments {
    fn dense(&self, variable: Variable, gradient: Tensor) -> Operation {
        let fused = self.fused.add(variable, Gradient::Dense(gradient));
        let composed = || {
            let means = |mean: Variable, of: Tensor, beta: Tensor| {
                assign_add(mean, (of - mean) * (1.0 - beta))
            };
            self.composed(variable, gradient, means)
        };
        fused.or_else(composed).unwrap_or_else(|| no_update(variable))
    }

    fn sparse(&self, variable: Variable, slices: IndexedSlices) -> Operation {
        let means = |mean: Variable, of: Tensor, beta: Tensor| {
            let added = of * (1.0 - beta);
            let faded = assign(mean, mean * beta);
            control_dependencies([faded.op()], || scatter_add(mean, slices.indices, added))
        };
        let updated = self.composed(variable, slices.values, means);
        updated.unwrap_or_else(|| no_update(variable))
    }

    fn finish(&self) -> Vec<Operation> {
        let pairs = self.powers.iter().zip(self.betas);
        pairs.map(|(&power, beta)| assign(power, power * in_type_of(power, beta)).op()).collect()
    }
}

impl Moments {
    /// The update of a variable by several operations. `means` updates a mean by the gradient or
    /// its squares, with a weight, and returns the new mean.
    fn composed(
        &self,
        variable: Variable,
        gradient: Tensor,
        means: impl Fn(Variable, Tensor, Tensor) -> Tensor,
    ) -> Option<Operation> {
        let slot = |name| self.fused.base.slot(variable, name);
        let (m, v, vhat) = (slot("m")?, slot("v")?, slot("vhat"));
        let number = |number| in_type_of(variable, number);
        let [power1, power2] = self.powers.map(|power| number(power.read()));
        let [beta1, beta2] = self.betas.map(number);
        let (rate, epsilon) = (number(self.rate), number(self.epsilon));
        let rate = rate * sqrt(1.0 - power2) / (1.0 - power1);
        let m = means(m, gradient, beta1);
        let v = means(v, gradient * gradient, beta2);
        let largest = vhat.map_or(v, |vhat| assign(vhat, maximum(vhat, v)));
        let moved = assign_sub(variable, m * rate / (sqrt(largest) + epsilon));
        let group = NodeBuilder::new(&NO_OP);
        let group = [moved, m, v, largest]
            .iter()
            .fold(group, |group, tensor| group.control(tensor.op().into()));
        Some(group.build().into())
    }
}
