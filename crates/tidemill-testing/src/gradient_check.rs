//! Symbolic gradients against finite differences.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tidemill_autodiff::{GradientOptions, gradients_with};
use tidemill_graph::{Graph, default_graph};
use tidemill_ops::{Tensor, constant, placeholder_of, zeros_like};
use tidemill_runtime::{Feeds, Session, SessionOptions, Sink};
use tidemill_value::{DType, Value};

use crate::values::{converted, from_numbers, numbers};

/// The tolerance between gradients and finite differences, relative or absolute.
const TOLERANCE: f64 = 1e-7;

/// The distance between the points of a finite difference, relative to the size of the number or to
/// 1, whichever is larger. The functions must be smooth within twice that distance.
const STEP: f64 = 1e-4;

/// The seed of incoming gradients.
const SEED: u64 = 1;

/// Compares the gradient of a function, and the gradient of that gradient, with finite differences.
///
/// `function` builds a float tensor from tensors like the `inputs`, which hold the point of
/// differentiation. Floats among them become `float64`; other inputs are not differentiated. The
/// incoming gradients are random. A gradient that does not exist counts as zero.
///
/// # Panics
/// If they differ, or if the function cannot be built, run or differentiated twice.
///
/// ```
/// use tidemill_ops::{exp, reduce_sum};
/// use tidemill_testing::check_gradient;
/// check_gradient(|x| reduce_sum(x[0] * exp(x[1]), 0), &[[1.0, -2.0].into(), 0.5.into()]);
/// ```
#[track_caller]
pub fn check_gradient(function: impl Fn(&[Tensor]) -> Tensor, inputs: &[Value]) {
    check_gradients(|xs| vec![function(xs)], inputs);
}

/// [`check_gradient`] of a function that builds several tensors. Tensors that are not floats are
/// skipped.
///
/// # Panics
/// As [`check_gradient`].
#[track_caller]
pub fn check_gradients(function: impl Fn(&[Tensor]) -> Vec<Tensor>, inputs: &[Value]) {
    let graph = Graph::new();
    let _default = graph.as_default();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let xs = Point::new(inputs.iter().map(differentiable));
    let ys: Vec<Tensor> = function(&xs.tensors).into_iter().filter(|&y| is_float(y)).collect();
    check_graph(&graph, "the function");
    let weights = Point::new(xs.evaluate(&ys).iter().map(|y| random_like(y, &mut rng)));
    let gradients = xs.gradients(&ys, &weights.tensors);
    check_graph(&graph, "the gradient");
    compare("gradient", &xs.and(&weights), &xs, &ys, &weights.values, &gradients);

    let both = xs.and(&weights);
    let seeds: Vec<Value> = xs.floats().map(|(_, x)| random_like(x, &mut rng)).collect();
    let seed_tensors: Vec<Tensor> = seeds.iter().map(constant).collect();
    let second = both.gradients(&gradients, &seed_tensors);
    check_graph(&graph, "the gradient of the gradient");
    compare("gradient of the gradient", &both, &both, &gradients, &seeds, &second);
}

/// The tensors that a function is built from, and their values.
#[derive(Clone)]
struct Point {
    tensors: Vec<Tensor>,
    values: Vec<Value>,
}

impl Point {
    fn new(values: impl IntoIterator<Item = Value>) -> Self {
        let values: Vec<Value> = values.into_iter().collect();
        let placeholder = |value: &Value| placeholder_of(value.dtype(), value.shape());
        Point { tensors: values.iter().map(placeholder).collect(), values }
    }

    fn and(&self, other: &Point) -> Point {
        Point {
            tensors: self.tensors.iter().chain(&other.tensors).copied().collect(),
            values: self.values.iter().chain(&other.values).cloned().collect(),
        }
    }

    /// The numbers of the tensors to differentiate by, and their values.
    fn floats(&self) -> impl Iterator<Item = (usize, &Value)> {
        self.values.iter().enumerate().filter(|(_, value)| value.dtype().is_float())
    }

    /// The gradients of `ys`, given the incoming ones, with respect to each float.
    fn gradients(&self, ys: &[Tensor], incoming: &[Tensor]) -> Vec<Tensor> {
        let xs: Vec<Tensor> = self.floats().map(|(i, _)| self.tensors[i]).collect();
        let grad_ys = incoming.iter().copied().map(Some).collect();
        let options = GradientOptions { grad_ys, ..GradientOptions::default() };
        let gradients = gradients_with(ys.iter().copied(), xs.iter().copied(), options);
        xs.iter().zip(gradients).map(|(&x, grad)| grad.unwrap_or_else(|| zeros_like(x))).collect()
    }

    /// The values of tensors at this point.
    fn evaluate(&self, tensors: &[Tensor]) -> Vec<Value> {
        self.run(&quiet_session(), tensors, &self.values)
    }

    fn run(&self, session: &Session, tensors: &[Tensor], values: &[Value]) -> Vec<Value> {
        let pairs = self.tensors.iter().zip(values);
        let feeds = pairs.fold(Feeds::new(), |feeds, (&x, value)| feeds.feed(x, value));
        session.run_with(tensors, feeds).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Compares `gradients`, the gradients of the sum of `weights * ys` with respect to each float of
/// `by`, with finite differences at `point`.
fn compare(
    what: &str,
    point: &Point,
    by: &Point,
    ys: &[Tensor],
    weights: &[Value],
    gradients: &[Tensor],
) {
    let session = quiet_session();
    let sum = |values: &[Value]| -> f64 {
        let ys = point.run(&session, ys, values);
        ys.iter().zip(weights).map(|(y, weight)| dot(&numbers(y), &numbers(weight))).sum()
    };
    let gradients = point.evaluate(gradients);
    for ((i, x), gradient) in by.floats().zip(&gradients) {
        assert_eq!(gradient.shape(), x.shape(), "the shape of the {what} by input {i}");
        let mut values = point.values.clone();
        let at = numbers(x);
        for (element, (&number, gradient)) in at.iter().zip(numbers(gradient)).enumerate() {
            let difference = derivative(number, |moved| {
                let mut numbers = at.clone();
                numbers[element] = moved;
                values[i] = from_numbers(x.shape(), &numbers, DType::F64);
                sum(&values)
            });
            let agree = approx::relative_eq!(
                gradient,
                difference,
                epsilon = TOLERANCE,
                max_relative = TOLERANCE
            );
            assert!(
                agree,
                "the {what} by element {element} of input {i} is {gradient}, but finite \
                 differences give {difference}"
            );
        }
    }
}

/// The derivative of a function, from differences over two distances whose second-order errors
/// cancel.
fn derivative(x: f64, mut function: impl FnMut(f64) -> f64) -> f64 {
    let step = STEP * x.abs().max(1.0);
    let mut difference = |step: f64| (function(x + step) - function(x - step)) / (2.0 * step);
    (4.0 * difference(step) - difference(2.0 * step)) / 3.0
}

/// A session that prints nowhere.
fn quiet_session() -> Session {
    let (print_to, _) = Sink::lines();
    Session::with_options(&default_graph(), SessionOptions { print_to, ..Default::default() })
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

/// Floats become `float64`, in which differences are precise enough.
fn differentiable(input: &Value) -> Value {
    if input.dtype().is_float() { converted(input, DType::F64) } else { input.clone() }
}

fn is_float(tensor: Tensor) -> bool {
    tensor.dtype().is_none_or(DType::is_float)
}

fn random_like(value: &Value, rng: &mut Xoshiro256PlusPlus) -> Value {
    let numbers: Vec<f64> =
        (0..value.elements()).map(|_| rng.random_range(-1.5_f64..1.5)).collect();
    from_numbers(value.shape(), &numbers, value.dtype())
}

fn check_graph(graph: &Graph, what: &str) {
    if let Err(errors) = graph.check() {
        panic!("{what} cannot be built: {errors}");
    }
}
