use tidemill_graph::{
    Graph, Location, NodeBuilder, OpError, TensorRef, at_location, default_graph,
    without_control_dependencies,
};
use tidemill_ops::ops::control::NO_OP;
use tidemill_ops::{
    Inspect, Operand, Operation, Tensor, Variable, assign, assign_add, assign_sub, composite,
    global_variables, minimum, pow, variable, zeros,
};
use tidemill_value::DType;

use crate::broadcast::{as_dtype, invalid};

/// The collection of the variables that an [`ExponentialMovingAverage`] follows.
pub const MOVING_AVERAGE_VARIABLES: &str = "moving_average_variables";

/// Moves `variable` towards `value` by the fraction `1 - decay` of the distance, in every run that
/// needs this node; the result is the new value.
///
/// With `zero_debias`, the new value is divided by the sum of the weights so far, so that a
/// variable that starts at 0 is not biased towards 0 (Kingma and Ba, 2014). This takes two more
/// variables, `biased` and `local_step`, named below the variable.
///
/// # Errors
/// The type or shape of `value` differs from the variable's.
///
/// ```
/// use tidemill_ops::{constant, get_variable, ones};
/// use tidemill_train::assign_moving_average;
/// let average = get_variable("average", [], ones());
/// let update = assign_moving_average(average, constant(3.0_f32), 0.75, false);
/// let session = tidemill_runtime::Session::new();
/// session.init_missing()?;
/// assert_eq!(session.run(update)?.to_string(), "1.5");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn assign_moving_average(
    variable: Variable,
    value: impl Into<Operand>,
    decay: impl Into<Operand>,
    zero_debias: bool,
) -> Tensor {
    let (value, decay) = (value.into(), decay.into());
    composite(variable.graph(), "AssignMovingAvg", |_| {
        let value = value.to_tensor_like(TensorRef::from(variable).into(), "value");
        let graph = Some(TensorRef::from(variable).graph());
        let decay = decay.to_tensor_of(graph, DType::F32, "decay");
        let rate = as_dtype(1.0 - decay, variable.dtype().unwrap_or(DType::F32));
        match zero_debias {
            true => assign_debiased(variable, value, rate),
            false => assign_sub(variable, (variable - value) * rate),
        }
    })
}

#[track_caller]
fn assign_debiased(average: Variable, value: Tensor, rate: Tensor) -> Tensor {
    let name = average.op().name();
    let dtype = average.dtype().unwrap_or(DType::F32);
    let companion = |part: &str, shape| {
        let companion = variable(&format!("{name}/{part}"), shape).dtype(dtype);
        let companion = companion.initializer(zeros()).trainable(false);
        companion.self_starting(true).absolute(true).get()
    };
    let biased = companion("biased", average.shape());
    let local_step = companion("local_step", [].into());
    let biased = assign_sub(biased, (biased - value) * rate);
    let weights = 1.0 - pow(1.0 - rate, assign_add(local_step, 1.0));
    assign(average, biased / weights)
}

/// Exponential moving averages of variables or tensors over training steps: each update keeps the
/// fraction `decay` of an average. It is TensorFlow's class of the same name.
///
/// Averaged weights often predict better than those of the last step.
///
/// ```
/// use tidemill_graph::control_dependencies;
/// use tidemill_ops::{get_variable, ones, square};
/// use tidemill_train::{ExponentialMovingAverage, GradientDescent, Optimizer};
/// let x = get_variable("x", [], ones());
/// let train = GradientDescent::new(0.25).minimize(square(x));
/// let mut averages = ExponentialMovingAverage::new(0.75);
/// let train = control_dependencies([train], || averages.apply([x]));
/// let session = tidemill_runtime::Session::new();
/// session.init_missing()?;
/// session.run(train)?;
/// assert_eq!(session.run(x)?.to_string(), "0.5");
/// assert_eq!(session.run(averages.average(x))?.unwrap().to_string(), "0.875");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[derive(Debug)]
pub struct ExponentialMovingAverage {
    decay: Operand,
    num_updates: Option<Operand>,
    zero_debias: bool,
    name: String,
    averages: Vec<Average>,
}

#[derive(Clone, Copy, Debug)]
struct Average {
    of: TensorRef,
    variable: Variable,
    zero_debias: bool,
}

impl ExponentialMovingAverage {
    /// Averages that keep the fraction `decay`, a number such as 0.999 or a tensor of shape `[]`,
    /// at each update.
    pub fn new(decay: impl Into<Operand>) -> Self {
        ExponentialMovingAverage {
            decay: decay.into(),
            num_updates: None,
            zero_debias: false,
            name: "ExponentialMovingAverage".to_owned(),
            averages: Vec::new(),
        }
    }

    /// Sets a count of updates, so that averages move faster at first: the fraction kept is at most
    /// `(1 + num_updates) / (10 + num_updates)`.
    pub fn num_updates(mut self, num_updates: impl Into<Operand>) -> Self {
        self.num_updates = Some(num_updates.into());
        self
    }

    /// Sets whether the averages of tensors, which start at 0, are corrected for this bias.
    /// Averages of variables start with the variables' values.
    pub fn zero_debias(mut self, zero_debias: bool) -> Self {
        self.zero_debias = zero_debias;
        self
    }

    /// Sets the suffix of the averages' names.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// An operation that updates the averages of variables and tensors, which are created if they
    /// do not exist. It must run after the variables have changed: build it under
    /// `control_dependencies` on the training operation.
    ///
    /// # Errors
    /// The handle is invalid if a variable or tensor is not float, or a tensor's shape is unknown.
    #[track_caller]
    pub fn apply<T: Into<Operand>>(&mut self, items: impl IntoIterator<Item = T>) -> Operation {
        let items: Vec<Operand> = items.into_iter().map(Into::into).collect();
        let graph = items.iter().find_map(graph_of).unwrap_or_else(default_graph);
        let averages: Vec<(Average, Operand)> = at_location(Location::caller(), || {
            items.into_iter().map(|item| (self.average_for(&graph, &item), item)).collect()
        });
        let name = self.name.clone();
        composite(Some(graph.clone()), &name, |full| {
            let decay = self.current_decay(&graph);
            let updates = averages.into_iter().map(|(average, item)| {
                assign_moving_average(average.variable, item, decay, average.zero_debias)
            });
            let group = NodeBuilder::new(&NO_OP).graph(graph.key()).exact_name(full);
            updates.fold(group, |group, update| group.control(update.into())).build().into()
        })
    }

    #[track_caller]
    fn current_decay(&self, graph: &Graph) -> Tensor {
        let decay = self.decay.to_tensor_of(Some(graph.key()), DType::F32, "decay");
        let Some(num_updates) = &self.num_updates else { return decay };
        let updates = num_updates.to_tensor_of(Some(graph.key()), DType::F32, "num_updates");
        let updates = as_dtype(updates, DType::F32);
        minimum(decay, (1.0 + updates) / (10.0 + updates))
    }

    /// The average of an item, which is created if it does not exist.
    #[track_caller]
    fn average_for(&mut self, graph: &Graph, item: &Operand) -> Average {
        let of = key_of(item);
        if let Some(existing) = self.averages.iter().find(|average| average.of == of) {
            return *existing;
        }
        let _default = graph.as_default();
        let tensor = Tensor::from(of);
        let start = match item {
            Operand::Variable(followed) => {
                graph.add_to_collection(MOVING_AVERAGE_VARIABLES, *followed);
                // The dependencies of the updates must not run when the average starts.
                without_control_dependencies(graph.key(), || followed.read()).into()
            }
            _ => zeros(),
        };
        let name = format!("{}/{}", tensor.op().name(), self.name);
        let dtype = tensor.dtype().unwrap_or(DType::F32);
        let variable = match dtype.is_float() || tensor.is_invalid() {
            true => variable(&name, tensor.shape()).dtype(dtype).initializer(start),
            false => variable(&name, tensor.shape()).initializer(not_of_floats(tensor, dtype)),
        };
        let variable = variable.trainable(false).self_starting(true).absolute(true).get();
        let zero_debias = self.zero_debias && !matches!(item, Operand::Variable(_));
        let average = Average { of, variable, zero_debias };
        self.averages.push(average);
        average
    }

    /// The average of a variable or tensor, if there is one.
    pub fn average(&self, of: impl Into<Operand>) -> Option<Variable> {
        let of = key_of(&of.into());
        self.averages.iter().find(|average| average.of == of).map(|average| average.variable)
    }

    /// The name of a variable's average in checkpoints, whether the average exists or not.
    pub fn average_name(&self, of: Variable) -> String {
        let name = || format!("{}/{}", of.op().name(), self.name);
        self.average(of).map_or_else(name, |average| average.op().name())
    }

    /// The map with which a [`Saver`](crate::Saver) restores averages into their variables:
    /// trainable variables of the default graph and variables with averages are listed under the
    /// averages' names, all others under their own.
    ///
    /// An inference graph needs no averages for this.
    pub fn variables_to_restore(&self) -> Vec<(String, Variable)> {
        let graph = default_graph();
        let mut averaged = graph.trainable_variables();
        for variable in graph.variables_in(MOVING_AVERAGE_VARIABLES) {
            if !averaged.contains(&variable) {
                averaged.push(variable);
            }
        }
        let mut named: Vec<(String, Variable)> =
            averaged.iter().map(|&variable| (self.average_name(variable), variable)).collect();
        for variable in global_variables() {
            let name = variable.op().name();
            if !averaged.contains(&variable) && !named.iter().any(|(taken, _)| *taken == name) {
                named.push((name, variable));
            }
        }
        named
    }
}

fn graph_of(item: &Operand) -> Option<Graph> {
    match item {
        Operand::Tensor(tensor) => tensor.graph(),
        Operand::Variable(variable) => variable.graph(),
        Operand::Number(_) | Operand::Value(_) => None,
    }
}

/// The key that identifies an item.
#[track_caller]
fn key_of(item: &Operand) -> TensorRef {
    match item {
        Operand::Variable(variable) => (*variable).into(),
        item => item.to_tensor().into(),
    }
}

#[track_caller]
fn not_of_floats(tensor: Tensor, dtype: DType) -> Tensor {
    let message = format!("`{}` is {dtype}, but only floats can be averaged", tensor.op().name());
    invalid(tensor, "ExponentialMovingAverage", OpError::invalid(message))
}
