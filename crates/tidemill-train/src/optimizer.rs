use std::sync::Arc;

use tidemill_autodiff::{Differentiation, GradientOptions, differentiate};
use tidemill_graph::{
    BuildErrorKind, EdgeKind, Enclosure, Graph, Location, NodeBuilder, OperationRef, Referent,
    TensorId, TensorRef, at_location, control_dependencies, default_graph, enclosures, fail,
    outside, scoped,
};
use tidemill_ops::ops::assign::ASSIGN_ADD;
use tidemill_ops::ops::control::NO_OP;
use tidemill_ops::ops::resource::ASSIGN_ADD_VARIABLE;
use tidemill_ops::{IndexedSlices, Inspect, Operand, Operation, Tensor, Variable, assign};

use crate::update_ops::with_updates;
use crate::{OptimizerBase, TrainError, UpdateOps, Updates};

/// A variable and the gradient of a loss with respect to it; `None` if there is none.
pub type GradientAndVariable = (Option<Tensor>, Variable);

/// Options of [`Optimizer::minimize_with`].
#[derive(Clone, Debug, Default)]
pub struct MinimizeOptions {
    /// The variables to train. By default, the trainable variables on the path of the loss.
    pub variables: Option<Vec<Variable>>,
    /// A variable that counts updates. It is incremented after them.
    pub global_step: Option<Variable>,
    /// The initial gradient of the loss, instead of ones.
    pub grad_loss: Option<Tensor>,
    /// The operations that run along with the updates.
    pub update_ops: UpdateOps,
}

impl MinimizeOptions {
    /// Sets the variables to train.
    pub fn var_list(mut self, variables: impl IntoIterator<Item = Variable>) -> Self {
        self.variables = Some(variables.into_iter().collect());
        self
    }

    /// Sets the variable that counts updates.
    pub fn global_step(mut self, global_step: Variable) -> Self {
        self.global_step = Some(global_step);
        self
    }

    /// Sets the operations that run along with the updates.
    pub fn update_ops(mut self, update_ops: UpdateOps) -> Self {
        self.update_ops = update_ops;
        self
    }

    /// Sets the initial gradient of the loss.
    pub fn grad_loss(mut self, grad_loss: Tensor) -> Self {
        self.grad_loss = Some(grad_loss);
        self
    }
}

/// An optimizer extends a graph with nodes that update variables to reduce a loss.
///
/// An optimizer is not a node, and adds none until it is asked to minimize a loss. Its own
/// variables, its *slots*, initialize themselves: no initializer has to run for them.
pub trait Optimizer {
    /// Its name and its slots.
    fn base(&self) -> &OptimizerBase;

    /// Mutable access to [`Optimizer::base`].
    fn base_mut(&mut self) -> &mut OptimizerBase;

    /// The slots that it keeps for each variable, in creation order: their names, and the number
    /// that fills each at the start.
    fn slots(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// The slots shared by all variables of a graph, with their initial values.
    fn shared(&self) -> Vec<(&'static str, Operand)> {
        Vec::new()
    }

    /// Checks the hyperparameters that are numbers.
    ///
    /// # Errors
    /// [`TrainError::Hyperparameter`], if one is invalid.
    fn check(&self) -> Result<(), TrainError> {
        Ok(())
    }

    /// Adds the nodes that all updates of one application of gradients share, such as the learning
    /// rate, to a graph that has the slots. Returns the object that adds the updates.
    ///
    /// # Errors
    /// [`TrainError`], if an input of the updates is missing.
    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Updates>, TrainError>;

    /// The name of the operation that [`Optimizer::minimize`] builds, which is also the suffix of
    /// slot names.
    fn name(&self) -> &str {
        &self.base().name
    }

    /// Sets [`Optimizer::name`].
    fn named(mut self, name: &str) -> Self
    where
        Self: Sized,
    {
        name.clone_into(&mut self.base_mut().name);
        self
    }

    /// Sets the attribute that makes TensorFlow lock variables during an update. Here, every run
    /// does.
    fn use_locking(mut self, use_locking: bool) -> Self
    where
        Self: Sized,
    {
        self.base_mut().use_locking = use_locking;
        self
    }

    /// The slot with this name for a variable, if there is one.
    fn get_slot(&self, variable: Variable, name: &str) -> Option<Variable> {
        self.base().slot(variable, name)
    }

    /// The names of the slots that it keeps for each variable, sorted.
    fn slot_names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.slots().into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names
    }

    /// The variables that it created in the default graph, sorted by name.
    fn variables(&self) -> Vec<Variable> {
        self.base().variables(&default_graph())
    }

    /// Builds one operation that updates the trainable variables on the path of `loss` to
    /// reduce it.
    ///
    /// A run that also fetches the loss gives the loss before the update.
    ///
    /// # Errors
    /// The handle is invalid if there is no such variable, or if none of them has a gradient.
    #[track_caller]
    fn minimize(&self, loss: Tensor) -> Operation {
        self.minimize_with(loss, MinimizeOptions::default())
    }

    /// [`Optimizer::minimize`] with options, such as the variables to train and a count of the
    /// updates.
    ///
    /// # Errors
    /// As for [`Optimizer::minimize`].
    #[track_caller]
    fn minimize_with(&self, loss: Tensor, options: MinimizeOptions) -> Operation {
        let location = Location::caller();
        at_location(location, || match gradients_of(loss, "minimize", &options) {
            Ok(gradients) => {
                let train = apply(self, "minimize", &gradients, options.global_step);
                with_updates(train, loss, &options.update_ops)
            }
            Err(invalid) => invalid,
        })
    }

    /// The gradients of `loss` with respect to the variables that [`Optimizer::minimize_with`]
    /// would train.
    ///
    /// # Errors
    /// The handles are invalid if there are no such variables, or if none of them has a gradient.
    #[track_caller]
    fn compute_gradients(
        &self,
        loss: Tensor,
        options: &MinimizeOptions,
    ) -> Vec<GradientAndVariable> {
        let location = Location::caller();
        at_location(location, || {
            gradients_of(loss, "compute_gradients", options).unwrap_or_else(|invalid| {
                let invalid = OperationRef::from(invalid).output(0).into();
                let variables = candidates(loss.graph(), options);
                variables.into_iter().map(|variable| (Some(invalid), variable)).collect()
            })
        })
    }

    /// Builds one operation that updates each variable by its gradient. Variables without a
    /// gradient do not change.
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
        at_location(location, || apply(self, "apply_gradients", gradients, global_step))
    }
}

fn apply<O: Optimizer + ?Sized>(
    optimizer: &O,
    call: &'static str,
    gradients: &[GradientAndVariable],
    global_step: Option<Variable>,
) -> Operation {
    let pairs: Vec<(Tensor, Variable)> =
        gradients.iter().filter_map(|&(gradient, variable)| Some((gradient?, variable))).collect();
    let graph = gradients.first().and_then(|(_, variable)| variable.graph());
    let graph = graph.unwrap_or_else(default_graph);
    if pairs.is_empty() {
        let variables = gradients.iter().map(|(_, variable)| variable.op().name()).collect();
        return invalid(&graph, call, TrainError::NothingToApply { variables });
    }
    let variables: Vec<Variable> = pairs.iter().map(|(_, variable)| *variable).collect();
    if let Err(error) = optimizer.check().and_then(|()| check_floats(&variables)) {
        return invalid(&graph, call, error);
    }
    let _default = graph.as_default();
    outside(|| make_variables(optimizer, &graph, &variables));
    let applied = scoped(&graph, optimizer.name(), |name| {
        let updates = match optimizer.prepare(&graph) {
            Ok(updates) => updates,
            Err(error) => return invalid(&graph, call, error),
        };
        let gate = gate(&graph, &pairs);
        let add = |(gradient, variable): (Tensor, Variable)| {
            let scope = format!("update_{}", variable.op().name());
            scoped(&graph, &scope, |_| update(&graph, call, &*updates, gradient, variable))
        };
        let add_all = || pairs.into_iter().map(add).collect();
        let mut all: Vec<Operation> = control_dependencies(gate, add_all);
        let finish = control_dependencies(all.iter().copied(), || updates.finish());
        all.extend(finish);
        let group = NodeBuilder::new(&NO_OP).graph(graph.key());
        let group = all.iter().fold(group, |group, &update| group.control(update.into()));
        let Some(global_step) = global_step else {
            return group.exact_name(name).build().into();
        };
        let updated = Operation::from(group.name("update").build());
        control_dependencies([updated], || count(name, global_step))
    });
    graph.add_to_collection(TRAIN_OP, OperationRef::from(applied));
    applied
}

/// The collection of the operations that train.
pub const TRAIN_OP: &str = "train_op";

/// Creates the variables that an optimizer keeps, unless they exist.
fn make_variables<O: Optimizer + ?Sized>(optimizer: &O, graph: &Graph, variables: &[Variable]) {
    let base = optimizer.base();
    if let Some(&first) = variables.iter().min_by_key(|variable| variable.name()) {
        base.make_shared(graph, optimizer.shared(), first);
    }
    let slots = optimizer.slots();
    variables.iter().for_each(|&variable| base.make_slots(graph, variable, &slots));
}

/// An operation after all gradients, if TensorFlow, given the graph, would change variables while
/// gradients that are yet to be computed read them. TensorFlow copies resource variables.
fn gate(graph: &Graph, pairs: &[(Tensor, Variable)]) -> Option<Operation> {
    if pairs.iter().all(|(_, variable)| variable.is_resource()) {
        return None;
    }
    let gate = NodeBuilder::new(&NO_OP).graph(graph.key()).name("gradients");
    let gate = pairs.iter().fold(gate, |gate, &(gradient, _)| match IndexedSlices::of(gradient) {
        // The sum of the slices need not be computed.
        Some(slices) => gate.control(slices.values.op().into()).control(slices.indices.op().into()),
        None => gate.control(gradient.op().into()),
    });
    Some(gate.build().into())
}

/// Adds the update of one variable, and then applies its constraint.
fn update(
    graph: &Graph,
    call: &'static str,
    updates: &dyn Updates,
    gradient: Tensor,
    variable: Variable,
) -> Operation {
    let slices = IndexedSlices::of(gradient);
    let updated = match slices {
        Some(slices) if updates.deduplicates() => updates.sparse(variable, slices.deduplicate()),
        Some(slices) => updates.sparse(variable, slices),
        None => updates.dense(variable, gradient),
    };
    if !variable.is_constrained() {
        return updated;
    }
    if slices.is_some() {
        let variable = variable.op().name();
        return invalid(graph, call, TrainError::SparseConstraint { variable });
    }
    control_dependencies([updated], || {
        let constrained = variable.constrained(variable.read());
        constrained.map_or(updated, |value| assign(variable, value).op())
    })
}

/// Counts a step, in the operation that minimizes.
fn count(name: &str, global_step: Variable) -> Operation {
    let one = Operand::from(1).to_tensor_like(TensorRef::from(global_step).into(), "value");
    let op = match global_step.is_resource() {
        true => &ASSIGN_ADD_VARIABLE,
        false => &ASSIGN_ADD,
    };
    NodeBuilder::new(op).exact_name(name).input(global_step).input(one).build().into()
}

/// Checks that variables hold floats.
fn check_floats(variables: &[Variable]) -> Result<(), TrainError> {
    let other = |variable: &Variable| {
        let dtype = variable.dtype().filter(|dtype| !dtype.is_float())?;
        Some(TrainError::NotFloat { name: variable.op().name(), dtype })
    };
    variables.iter().find_map(other).map_or(Ok(()), Err)
}

/// The gradients of a loss with respect to the variables to change.
///
/// # Errors
/// An invalid handle if there are no such variables, or none of them has a gradient.
fn gradients_of(
    loss: Tensor,
    call: &'static str,
    options: &MinimizeOptions,
) -> Result<Vec<GradientAndVariable>, Operation> {
    let operation = OperationRef::from(loss);
    let (Referent::Node(_), Some(graph)) = (operation.referent(), loss.graph()) else {
        return Err(loss.op());
    };
    let candidates = candidates(loss.graph(), options);
    if candidates.is_empty() {
        return Err(invalid(&graph, call, TrainError::NoVariables { loss: loss.op().name() }));
    }
    let names = |variables: &[Variable]| variables.iter().map(|v| v.op().name()).collect();
    let variables = match &options.variables {
        Some(variables) => variables.clone(),
        None => on_path(&graph, loss, &candidates),
    };
    if variables.is_empty() {
        let (loss, variables) = (loss.op().name(), names(&candidates));
        return Err(invalid(&graph, call, TrainError::Independent { loss, variables }));
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
        return Err(invalid(&graph, call, TrainError::NoGradient { loss, variables, cuts }));
    }
    Ok(gradients.into_iter().zip(variables).collect())
}

/// The variables that may be trained. They belong to the graph around all bodies.
fn candidates(graph: Option<Graph>, options: &MinimizeOptions) -> Vec<Variable> {
    let trainable = || {
        let around = graph.and_then(|graph| enclosures(&graph).pop());
        around.map(|around| around.graph.trainable_variables()).unwrap_or_default()
    };
    options.variables.clone().unwrap_or_else(trainable)
}

/// The variables among `candidates` that the loss depends on.
fn on_path(graph: &Graph, loss: Tensor, candidates: &[Variable]) -> Vec<Variable> {
    let Ok(loss) = TensorRef::from(loss).id() else { return Vec::new() };
    let data = |kind: EdgeKind, _| kind == EdgeKind::Data;
    let mut path = graph.read().ancestors([loss.node], data);
    // A body depends on the tensors that it captures from the graph around it.
    for Enclosure { graph, captured } in enclosures(graph).into_iter().skip(1) {
        let is_needed = |parameter: &TensorId| path.binary_search(&parameter.node).is_ok();
        let captured = captured.iter().filter(|(_, parameter)| is_needed(parameter));
        path = graph.read().ancestors(captured.map(|(tensor, _)| tensor.node), data);
    }
    let is_on_path = |variable: &Variable| match OperationRef::from(*variable).referent() {
        Referent::Node(node) => path.binary_search(&node).is_ok(),
        Referent::Poison(_) => false,
    };
    candidates.iter().copied().filter(is_on_path).collect()
}

fn invalid(graph: &Graph, call: &'static str, error: TrainError) -> Operation {
    let kind = BuildErrorKind::Other(Arc::new(error));
    fail(Some(graph.key()), call, kind, Vec::new()).into()
}
