use std::sync::Arc;

use tidemill_autodiff::{Differentiation, GradientOptions, differentiate};
use tidemill_graph::{
    BuildErrorKind, EdgeKind, Graph, Location, NodeBuilder, OperationRef, Referent, TensorRef,
    at_location, control_dependencies, default_graph, fail, scoped,
};
use tidemill_ops::ops::assign::ASSIGN_ADD;
use tidemill_ops::ops::control::NO_OP;
use tidemill_ops::{Inspect, Operand, Operation, Tensor, Variable};

use crate::update_ops::with_updates;
use crate::{TrainError, UpdateOps};

/// A variable and the gradient of a loss with respect to it; `None` where there is none.
pub type GradientAndVariable = (Option<Tensor>, Variable);

/// How [`Optimizer::minimize_with`] minimizes.
#[derive(Clone, Debug, Default)]
pub struct MinimizeOptions {
    /// The variables to change. Otherwise those that are trainable and on the path of the loss.
    pub variables: Option<Vec<Variable>>,
    /// A variable to count the updates in. It is increased after them.
    pub global_step: Option<Variable>,
    /// The gradient of the loss to begin with, instead of ones.
    pub grad_loss: Option<Tensor>,
    /// What runs beside the updates.
    pub update_ops: UpdateOps,
}

/// A way of training: it extends a graph with nodes that change variables so that a loss gets
/// smaller.
///
/// An optimizer itself is no node, and makes none before it is asked to minimize something.
pub trait Optimizer {
    /// The name of the operation that [`Optimizer::minimize`] makes.
    fn name(&self) -> &'static str;

    /// Adds what the updates of `variables` share, such as the learning rate, and returns a
    /// function that adds the update of one of them by its gradient.
    fn updates(&self, variables: &[Variable]) -> Box<dyn Fn(Tensor, Variable) -> Operation>;

    /// One operation whose run changes the trainable variables on the path of `loss`, so that
    /// the loss gets smaller.
    ///
    /// A run that fetches the loss beside it gives the loss before the change.
    ///
    /// # Errors
    /// The handle is invalid if there is no such variable, or if no gradient gets to any.
    #[track_caller]
    fn minimize(&self, loss: Tensor) -> Operation {
        self.minimize_with(loss, MinimizeOptions::default())
    }

    /// [`Optimizer::minimize`] for given variables, with a count of the updates.
    ///
    /// # Errors
    /// As of [`Optimizer::minimize`].
    #[track_caller]
    fn minimize_with(&self, loss: Tensor, options: MinimizeOptions) -> Operation {
        let location = Location::caller();
        at_location(location, || match gradients_of(loss, &options) {
            Ok(gradients) => {
                let train = apply(self, &gradients, options.global_step);
                with_updates(train, loss, &options.update_ops)
            }
            Err(invalid) => invalid,
        })
    }

    /// The gradients of `loss` with respect to the variables that
    /// [`Optimizer::minimize_with`] would change.
    ///
    /// # Errors
    /// The handles are invalid if there are no such variables, or if no gradient gets to any.
    #[track_caller]
    fn compute_gradients(
        &self,
        loss: Tensor,
        options: &MinimizeOptions,
    ) -> Vec<GradientAndVariable> {
        let location = Location::caller();
        at_location(location, || {
            gradients_of(loss, options).unwrap_or_else(|invalid| {
                let invalid = OperationRef::from(invalid).output(0).into();
                let variables = candidates(loss.graph(), options);
                variables.into_iter().map(|variable| (Some(invalid), variable)).collect()
            })
        })
    }

    /// One operation whose run changes each variable by its gradient. Variables without one stay
    /// as they are.
    ///
    /// # Errors
    /// The handle is invalid if no variable has a gradient.
    #[track_caller]
    fn apply_gradients(
        &self,
        gradients: &[GradientAndVariable],
        global_step: Option<Variable>,
    ) -> Operation {
        let location = Location::caller();
        at_location(location, || apply(self, gradients, global_step))
    }
}

fn apply<O: Optimizer + ?Sized>(
    optimizer: &O,
    gradients: &[GradientAndVariable],
    global_step: Option<Variable>,
) -> Operation {
    let pairs: Vec<(Tensor, Variable)> =
        gradients.iter().filter_map(|&(gradient, variable)| Some((gradient?, variable))).collect();
    let graph = gradients.first().and_then(|(_, variable)| variable.graph());
    let graph = graph.unwrap_or_else(default_graph);
    if pairs.is_empty() {
        let variables = gradients.iter().map(|(_, variable)| variable.op().name()).collect();
        return invalid(&graph, TrainError::NothingToApply { variables });
    }
    scoped(&graph, optimizer.name(), |name| {
        let variables: Vec<Variable> = pairs.iter().map(|(_, variable)| *variable).collect();
        let update = optimizer.updates(&variables);
        let updates: Vec<Operation> = pairs
            .into_iter()
            .map(|(gradient, variable)| {
                let scope = format!("update_{}", variable.op().name());
                scoped(&graph, &scope, |_| update(gradient, variable))
            })
            .collect();
        let group = NodeBuilder::new(&NO_OP).graph(graph.key());
        let group = updates.iter().fold(group, |group, &update| group.control(update.into()));
        let Some(global_step) = global_step else {
            return group.exact_name(name).build().into();
        };
        let updated = Operation::from(group.name("update").build());
        control_dependencies([updated], || {
            let one = Operand::from(1).to_tensor_like(TensorRef::from(global_step).into(), "value");
            let count = NodeBuilder::new(&ASSIGN_ADD).exact_name(name);
            count.input(global_step).input(one).build().into()
        })
    })
}

/// The gradients of a loss with respect to the variables to change.
///
/// # Errors
/// An invalid handle, where there are no such variables, or no gradient gets to any.
fn gradients_of(
    loss: Tensor,
    options: &MinimizeOptions,
) -> Result<Vec<GradientAndVariable>, Operation> {
    let operation = OperationRef::from(loss);
    let (Referent::Node(_), Some(graph)) = (operation.referent(), loss.graph()) else {
        return Err(loss.op());
    };
    let candidates = candidates(loss.graph(), options);
    if candidates.is_empty() {
        return Err(invalid(&graph, TrainError::NoVariables));
    }
    let names = |variables: &[Variable]| variables.iter().map(|v| v.op().name()).collect();
    let variables = match &options.variables {
        Some(variables) => variables.clone(),
        None => on_path(&graph, loss, &candidates),
    };
    if variables.is_empty() {
        let (loss, variables) = (loss.op().name(), names(&candidates));
        return Err(invalid(&graph, TrainError::Independent { loss, variables }));
    }
    let grad_ys = vec![options.grad_loss];
    let options = GradientOptions { grad_ys, ..GradientOptions::default() };
    let Differentiation { gradients, cuts } =
        differentiate([loss], variables.iter().copied(), options);
    if let Some(invalid) = gradients.iter().flatten().find(|gradient| gradient.is_invalid()) {
        return Err(invalid.op());
    }
    if gradients.iter().all(Option::is_none) {
        let (loss, variables) = (loss.op().name(), names(&variables));
        return Err(invalid(&graph, TrainError::NoGradient { loss, variables, cuts }));
    }
    Ok(gradients.into_iter().zip(variables).collect())
}

/// The variables that may be changed.
fn candidates(graph: Option<Graph>, options: &MinimizeOptions) -> Vec<Variable> {
    let trainable = || graph.map(|graph| graph.trainable_variables()).unwrap_or_default();
    options.variables.clone().unwrap_or_else(trainable)
}

/// The variables among `candidates` that the loss depends on.
fn on_path(graph: &Graph, loss: Tensor, candidates: &[Variable]) -> Vec<Variable> {
    let Ok(loss) = TensorRef::from(loss).id() else { return Vec::new() };
    let path = graph.read().ancestors([loss.node], |kind, _| kind == EdgeKind::Data);
    let is_on_path = |variable: &Variable| match OperationRef::from(*variable).referent() {
        Referent::Node(node) => path.binary_search(&node).is_ok(),
        Referent::Poison(_) => false,
    };
    candidates.iter().copied().filter(is_on_path).collect()
}

fn invalid(graph: &Graph, error: TrainError) -> Operation {
    let kind = BuildErrorKind::Other(Arc::new(error));
    fail(Some(graph.key()), "minimize", kind, Vec::new()).into()
}
