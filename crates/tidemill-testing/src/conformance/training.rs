use std::path::Path;

use tidemill_graph::Graph;
use tidemill_ops::{
    IndexedSlices, Inspect, Operand, Operation, Tensor, Variable, cast, clip_by_global_norm, floor,
    pow,
};
use tidemill_runtime::{Feeds, Session};
use tidemill_train::{
    Adadelta, Adagrad, Adam, Ftrl, GLOBAL_STEP, GradientDescent, MinimizeOptions, Momentum,
    Optimizer, ProximalAdagrad, ProximalGradientDescent, RmsProp, get_or_create_global_step,
};
use tidemill_value::{DType, Shape, Value, match_dtype};

use super::Case;
use super::compare::{Tolerance, compare};
use super::graph::{Tensors, import_file, in_all_modes, session};
use super::manifest::{OptimizerOfCase, VariableOfCase};

/// Trains a graph as TensorFlow did, in each mode.
pub(super) fn check(corpus: &Path, case: &Case) -> Result<(), String> {
    let tensors = Tensors::load(corpus, case)?;
    let graph = import_file(corpus, case)?;
    let _default = graph.as_default();
    let training = Training::new(&graph, case)?;
    in_all_modes(|mode| {
        let session = session(&graph, mode);
        training.run(&session, case, &tensors).map_err(|error| format!("{mode}: {error}"))
    })
}

/// A graph of the corpus with the optimizer of its case.
pub struct Training {
    /// The operations that initialize all variables.
    pub initializers: Vec<Operation>,
    /// The operation that trains.
    pub train: Operation,
    variables: Vec<Variable>,
    /// The slots, by their names in the corpus.
    slots: Vec<(String, Variable)>,
    init: Operation,
    loss: Tensor,
    norm: Option<Tensor>,
}

impl Training {
    /// Adds the optimizer of a case to its graph, which is the default graph.
    ///
    /// # Errors
    /// A description of the failure.
    pub fn new(graph: &Graph, case: &Case) -> Result<Self, String> {
        let shown = |error: tidemill_ops::LookupError| error.to_string();
        let wanted = case.optimizer.as_ref().ok_or("the case has no optimizer")?;
        let variables = case.variables.iter().filter_map(|variable| match variable {
            VariableOfCase::Node(name) => Some(graph.variable(name).map_err(shown)),
            VariableOfCase::Stored(_) => None,
        });
        let variables: Vec<Variable> = variables.collect::<Result<_, _>>()?;
        let loss = graph.tensor(&case.loss).map_err(shown)?;
        let init = graph.operation(&case.init_target).map_err(shown)?;
        let optimizer = optimizer(case, wanted)?;
        let options = MinimizeOptions::default().var_list(variables.iter().copied());
        let mut gradients = optimizer.compute_gradients(loss, &options);
        for (gradient, variable) in &gradients {
            let is_sparse = gradient.and_then(IndexedSlices::of).is_some();
            if is_sparse != case.sparse_gradient_variables.contains(&variable.op().name()) {
                return Err(format!("the gradient of {variable} is of another kind"));
            }
        }
        let mut norm = None;
        if let Some(limit) = case.clip_by_global_norm {
            let given = gradients.iter().filter_map(|(gradient, _)| *gradient);
            let (clipped, global_norm) = clip_by_global_norm(given, limit);
            norm = Some(global_norm);
            for ((gradient, _), clipped) in gradients.iter_mut().zip(clipped) {
                *gradient = Some(clipped);
            }
        }
        let step = graph.variables_in(GLOBAL_STEP).first().copied();
        let train = optimizer.apply_gradients(&gradients, step);
        let kept = optimizer.variables().into_iter().chain(step);
        let initializers = [init].into_iter().chain(kept.map(Variable::initializer)).collect();
        let names = optimizer.slot_names();
        let pairs =
            variables.iter().flat_map(|variable| names.iter().map(move |name| (variable, name)));
        let slots = pairs.filter_map(|(&variable, name)| {
            let slot = optimizer.get_slot(variable, name)?;
            Some((format!("slot:{}/{name}", variable.op().name()), slot))
        });
        let slots = slots.collect();
        Ok(Training { initializers, train, variables, slots, init, loss, norm })
    }

    /// Trains in a session, and returns all values to compare.
    fn run(&self, session: &Session, case: &Case, tensors: &Tensors) -> Result<Vec<Value>, String> {
        let mut seen = Vec::new();
        let mut check = |key: String, value: Value| {
            let tolerance = Tolerance { relative: case.rtol, absolute: case.atol };
            compare(&value, tensors.get(&key)?, tolerance).map_err(|e| format!("{key}: {e}"))?;
            seen.push(value);
            Ok::<(), String>(())
        };
        let shown = |error: tidemill_runtime::RunError| error.to_string();
        session.run(self.init).map_err(shown)?;
        if let Some(step) = session.graph().variables_in(GLOBAL_STEP).first() {
            session.run(step.initializer()).map_err(shown)?;
        }
        self.compare_variables("init", session, &mut check)?;
        let (mut losses, mut norms) = (Vec::new(), Vec::new());
        for step in 0..case.steps {
            let fetches = (self.loss, self.norm, self.train);
            let (loss, norm, ()) =
                session.run_with(fetches, feeds_of(case, tensors, step)?).map_err(shown)?;
            losses.push(loss);
            norms.extend(norm);
            if step == 0 {
                self.compare_variables("step1", session, &mut check)?;
            }
        }
        check("loss".to_owned(), stacked(&losses)?)?;
        if self.norm.is_some() {
            check("global_norm".to_owned(), stacked(&norms)?)?;
        }
        let feeds = feeds_of(case, tensors, case.steps - 1)?;
        let loss = session.run_with(self.loss, feeds).map_err(shown)?;
        check("final_loss".to_owned(), loss)?;
        self.compare_variables("final", session, &mut check)?;
        for (key, slot) in &self.slots {
            check(key.clone(), session.run(*slot).map_err(shown)?)?;
        }
        let expected = tensors.keys().filter(|key| key.starts_with("slot:")).count();
        match self.slots.len() == expected {
            true => Ok(seen),
            false => Err(format!("there are {} slots, not {expected}", self.slots.len())),
        }
    }

    fn compare_variables(
        &self,
        prefix: &str,
        session: &Session,
        check: &mut impl FnMut(String, Value) -> Result<(), String>,
    ) -> Result<(), String> {
        self.variables.iter().try_for_each(|variable| {
            let value = session.run(*variable).map_err(|error| error.to_string())?;
            check(format!("{prefix}:{}", variable.op().name()), value)
        })
    }
}

/// The optimizer of a case.
fn optimizer(case: &Case, wanted: &OptimizerOfCase) -> Result<Box<dyn Optimizer>, String> {
    let number = |name: &str| {
        let number = wanted.numbers.get(name).copied();
        number.ok_or_else(|| format!("the optimizer has no `{name}`"))
    };
    let l1 = || number("l1_regularization_strength");
    let l2 = || number("l2_regularization_strength");
    let start = || number("initial_accumulator_value");
    let rate = learning_rate(case, number("learning_rate")?);
    Ok(match wanted.class.as_str() {
        "GradientDescentOptimizer" => Box::new(GradientDescent::new(rate)),
        "MomentumOptimizer" => {
            let momentum = Momentum::new(rate, number("momentum")?);
            Box::new(momentum.use_nesterov(wanted.use_nesterov))
        }
        "AdagradOptimizer" => Box::new(Adagrad::new(rate).initial_accumulator_value(start()?)),
        "AdadeltaOptimizer" => {
            Box::new(Adadelta::new(rate).rho(number("rho")?).epsilon(number("epsilon")?))
        }
        "RMSPropOptimizer" => {
            let rms_prop = RmsProp::new(rate).decay(number("decay")?).centered(wanted.centered);
            Box::new(rms_prop.momentum(number("momentum")?).epsilon(number("epsilon")?))
        }
        "AdamOptimizer" => {
            let adam = Adam::new(rate).beta1(number("beta1")?).beta2(number("beta2")?);
            Box::new(adam.epsilon(number("epsilon")?))
        }
        "FtrlOptimizer" => {
            let ftrl = Ftrl::new(rate).learning_rate_power(number("learning_rate_power")?);
            let ftrl = ftrl.initial_accumulator_value(start()?);
            let ftrl = ftrl.l1_regularization_strength(l1()?);
            Box::new(ftrl.l2_regularization_strength(l2()?))
        }
        "ProximalGradientDescentOptimizer" => {
            let descent = ProximalGradientDescent::new(rate).l1_regularization_strength(l1()?);
            Box::new(descent.l2_regularization_strength(l2()?))
        }
        "ProximalAdagradOptimizer" => {
            let adagrad = ProximalAdagrad::new(rate).initial_accumulator_value(start()?);
            let adagrad = adagrad.l1_regularization_strength(l1()?);
            Box::new(adagrad.l2_regularization_strength(l2()?))
        }
        class => return Err(format!("there is no {class} yet")),
    })
}

/// The learning rate of a case: a number, or one that decays with the steps.
fn learning_rate(case: &Case, rate: f64) -> Operand {
    let Some(schedule) = case.learning_rate_schedule else { return rate.into() };
    let step = cast(get_or_create_global_step(), DType::F32) / schedule.decay_steps;
    let step = if schedule.staircase { floor(step) } else { step };
    (rate * pow(schedule.decay_rate as f32, step)).into()
}

/// The feeds of a step.
fn feeds_of(case: &Case, tensors: &Tensors, step: usize) -> Result<Feeds, String> {
    case.feeds.iter().try_fold(Feeds::new(), |feeds, name| {
        let value = tensors.get(&format!("feed:{name}"))?;
        let value = if case.feeds_per_step { row(value, step)? } else { value.clone() };
        Ok(feeds.feed(name.as_str(), value))
    })
}

/// A row of a value, along its first axis.
fn row(value: &Value, i: usize) -> Result<Value, String> {
    let part: Shape = value.shape().iter().skip(1).copied().collect();
    let width = part.elements().ok_or("a shape is too large")?;
    match_dtype!(value.dtype(), all, T => {
        let elements = value.as_slice::<T>().map_err(|error| error.to_string())?;
        let row = elements[i * width..(i + 1) * width].to_vec();
        Value::from_vec(part, row).map_err(|error| error.to_string())
    }, else unreachable!("`all` covers every data type"))
}

/// Numbers stacked along a new axis.
fn stacked(numbers: &[Value]) -> Result<Value, String> {
    let numbers = numbers.iter().map(Value::to_scalar::<f32>).collect::<Result<Vec<f32>, _>>();
    numbers.map(Value::list).map_err(|error| error.to_string())
}
