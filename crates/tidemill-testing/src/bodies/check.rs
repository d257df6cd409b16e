use tidemill_graph::{DefaultGraph, Graph, TensorRef, default_graph};
use tidemill_ops::{Operation, Tensor, global_variables_initializer};
use tidemill_runtime::{Feeds, Rewriting, Session, SessionOptions};
use tidemill_value::{DType, Value};

use super::build::build;
use super::common::{Derivatives, differentiate, weights};
use super::connected::is_connected;
use super::program::{Id, Program};
use super::unroll::{Unrolled, unroll};
use crate::values::{all_same, close, from_numbers, numbers};

/// The tolerance, relative or absolute, between a program and its twin, which add gradients in
/// different orders.
const TOLERANCE: f64 = 1e-9;

/// The tolerance, relative or absolute, between gradients and finite differences.
const TOLERANCE_OF_DIFFERENCES: f64 = 1e-6;

/// The steps of finite differences: small enough for most functions, and for those that bend sharply.
const STEPS: [f64; 2] = [1e-3, 1e-4];

/// A rule that a program breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    /// The rule.
    pub rule: &'static str,
    /// A description of the violation.
    pub message: String,
}

fn failed(rule: &'static str, message: String) -> Failed {
    Failed { rule, message }
}

/// Compares the loss and the gradients of a program with those of its unrolled twin, the gradients
/// with finite differences, and the bits of sessions that rewrite or use threads with those of
/// sessions that do not.
///
/// # Errors
/// The first rule that does not hold.
pub fn check(program: &Program) -> Result<(), Failed> {
    let twin = Twin::new(program)?;
    if twin.unrolled.is_narrow {
        return Ok(());
    }
    let subject = Subject::new(program, &twin)?;
    let actual = subject.run(program)?;
    let expected = twin.run(&twin.fetches(), &[])?;
    compare(program, &twin, &subject, (&actual, &expected))?;
    twin.check_differences(program, &expected[1..])
}

/// The program unrolled to plain nodes.
struct Twin {
    unrolled: Unrolled,
    derivatives: Derivatives,
    session: Session,
}

/// The program built with bodies.
struct Subject {
    graph: Graph,
    derivatives: Derivatives,
    feeds: Vec<(Tensor, Value)>,
    initializer: Option<Operation>,
}

/// A new graph, made the default one.
fn own_graph() -> (Graph, DefaultGraph) {
    let graph = Graph::new();
    let default = graph.as_default();
    (graph, default)
}

fn session(graph: &Graph, rewriting: Rewriting, threads: usize) -> Session {
    let options = SessionOptions { rewriting, threads: Some(threads), ..SessionOptions::default() };
    Session::with_options(graph, options)
}

fn feeds<'a>(pairs: impl IntoIterator<Item = &'a (Tensor, Value)>) -> Feeds {
    pairs.into_iter().fold(Feeds::new(), |feeds, (tensor, value)| feeds.feed(*tensor, value))
}

fn run(session: &Session, fetches: &[Tensor], feeds: Feeds) -> Result<Vec<Value>, Failed> {
    let values = session.run_with(fetches, feeds);
    values.map_err(|error| failed("a run succeeds", error.to_string()))
}

impl Derivatives {
    /// The first gradients, then the second ones.
    fn gradients(&self) -> impl Iterator<Item = Option<Tensor>> {
        let second = self.second.iter().flat_map(|(_, gradients)| gradients);
        self.first.iter().chain(second).copied()
    }
}

impl Twin {
    fn new(program: &Program) -> Result<Twin, Failed> {
        let (graph, _default) = own_graph();
        let unrolled = unroll(program);
        let tensor = |id: Id| unrolled.tensor(id);
        let x = |id: Id| TensorRef::from(unrolled.tensor(id));
        let derivatives = differentiate(program, tensor, x, |_, gradient| gradient.is_some());
        graph.check().map_err(|error| failed("the twin is valid", error.to_string()))?;
        let session = session(&graph, Rewriting::On, 1);
        Ok(Twin { unrolled, derivatives, session })
    }

    /// The loss and the gradients that exist.
    fn fetches(&self) -> Vec<Tensor> {
        let loss = std::iter::once(self.derivatives.loss);
        loss.chain(self.derivatives.gradients().flatten()).collect()
    }

    /// Runs the twin with the values in `moved` fed in place of computed ones.
    fn run(&self, fetches: &[Tensor], moved: &[(Tensor, Value)]) -> Result<Vec<Value>, Failed> {
        let is_moved = |tensor: Tensor| moved.iter().any(|(other, _)| *other == tensor);
        let own = self.unrolled.feeds.iter().filter(|(tensor, _)| !is_moved(*tensor));
        run(&self.session, fetches, feeds(own.chain(moved)))
    }

    /// The tensors that gradients stop at, with their values. Finite differences hold these fixed.
    fn stops(&self, program: &Program) -> Result<Vec<(Tensor, Value)>, Failed> {
        let mut stops = self.unrolled.stops.clone();
        let named = program.stops.iter().map(|&id| self.unrolled.tensor(id));
        stops.extend(named.filter(|stop| !self.unrolled.stops.contains(stop)));
        let values = self.run(&stops, &[])?;
        Ok(stops.into_iter().zip(values).collect())
    }

    /// Compares the given values of gradients with finite differences, each along one direction.
    fn check_differences(&self, program: &Program, values: &[Value]) -> Result<(), Failed> {
        let stops = self.stops(program)?;
        let xs: Vec<Tensor> = program.by.iter().map(|&id| self.unrolled.tensor(id)).collect();
        let points = self.run(&xs, &[])?;
        let Derivatives { loss, first, second } = &self.derivatives;
        let second = second.iter().map(|(sum, gradients)| (sum, gradients));
        let mut values = values.iter();
        for (order, (sum, gradients)) in std::iter::once((loss, first)).chain(second).enumerate() {
            for (i, gradient) in gradients.iter().enumerate() {
                let direction = weights(points[i].shape(), 0.5 + i as f64);
                let value = gradient.and_then(|_| values.next());
                let actual = value.map_or(0.0, |value| dot(value, &direction));
                let mut sum_at = |distance| {
                    let mut moved = stops.clone();
                    moved.retain(|(stop, _)| *stop != xs[i]);
                    moved.push((xs[i], along(&points[i], &direction, distance)));
                    Ok(numbers(&self.run(&[*sum], &moved)?[0])[0])
                };
                let is_close = |difference: f64| {
                    close(&actual.into(), &difference.into(), TOLERANCE_OF_DIFFERENCES)
                };
                let mut difference = derivative(&mut sum_at, STEPS[0])?;
                if !is_close(difference) {
                    difference = derivative(&mut sum_at, STEPS[1])?;
                }
                if !is_close(difference) {
                    let (order, by) = (order + 1, program.by[i]);
                    let message = format!(
                        "of order {order} by x{by}, it is {actual} along a direction, where the \
                         difference is {difference}"
                    );
                    return Err(failed("a gradient is the finite difference", message));
                }
            }
        }
        Ok(())
    }
}

/// The derivative at 0, from differences over two distances whose second-order errors cancel.
fn derivative(
    mut function: impl FnMut(f64) -> Result<f64, Failed>,
    step: f64,
) -> Result<f64, Failed> {
    let mut difference = |step: f64| Ok((function(step)? - function(-step)?) / (2.0 * step));
    Ok((4.0 * difference(step)? - difference(2.0 * step)?) / 3.0)
}

fn along(point: &Value, direction: &Value, distance: f64) -> Value {
    let pairs = numbers(point).into_iter().zip(numbers(direction));
    let moved: Vec<f64> = pairs.map(|(x, d)| x + distance * d).collect();
    from_numbers(point.shape(), &moved, DType::F64)
}

fn dot(left: &Value, right: &Value) -> f64 {
    numbers(left).iter().zip(numbers(right)).map(|(l, r)| l * r).sum()
}

impl Subject {
    fn new(program: &Program, twin: &Twin) -> Result<Subject, Failed> {
        let (graph, _default) = own_graph();
        let built = build(program);
        let exists = |i: usize, _: &Option<Tensor>| twin.derivatives.first[i].is_some();
        let derivatives =
            differentiate(program, |id| built.env.tensor(id), |id| built.env.reference(id), exists);
        let has_variables = !tidemill_ops::global_variables().is_empty();
        let initializer = has_variables.then(global_variables_initializer);
        graph.check().map_err(|error| failed("the program is valid", error.to_string()))?;
        Ok(Subject { graph: default_graph(), derivatives, feeds: built.feeds, initializer })
    }

    /// The loss and the gradients that exist: the same bits in all sessions, fetched together or apart.
    fn run(&self, program: &Program) -> Result<Vec<Value>, Failed> {
        const RULE: &str = "rewriting, threads and other fetches change no bit";
        let loss = [self.derivatives.loss];
        let gradients: Vec<Tensor> = self.derivatives.gradients().flatten().collect();
        let together = [&loss[..], &gradients[..]].concat();
        let run = |session: &Session, fetches: &[Tensor]| run(session, fetches, feeds(&self.feeds));
        let values = run(&self.session(Rewriting::On, 1)?, &together)?;
        let plain = self.session(Rewriting::Off, 2)?;
        same(RULE, &values[1..], &run(&plain, &gradients)?)?;
        same(RULE, &values[..1], &run(&plain, &loss)?)?;
        if program.seed.is_multiple_of(8) {
            same(RULE, &values, &run(&self.session(Rewriting::On, 2)?, &together)?)?;
            same(RULE, &values, &run(&self.session(Rewriting::Off, 1)?, &together)?)?;
        }
        Ok(values)
    }

    fn session(&self, rewriting: Rewriting, threads: usize) -> Result<Session, Failed> {
        let session = session(&self.graph, rewriting, threads);
        if let Some(initializer) = self.initializer {
            let initialized = session.run(initializer);
            initialized.map_err(|error| failed("a run succeeds", error.to_string()))?;
        }
        Ok(session)
    }
}

fn same(rule: &'static str, left: &[Value], right: &[Value]) -> Result<(), Failed> {
    match all_same(left, right) {
        true => Ok(()),
        false => Err(failed(rule, format!("{left:?} and {right:?}"))),
    }
}

/// Compares the loss and the existing gradients of a program with those of its twin.
fn compare(
    program: &Program,
    twin: &Twin,
    subject: &Subject,
    (actual, expected): (&[Value], &[Value]),
) -> Result<(), Failed> {
    if !close(&actual[0], &expected[0], TOLERANCE) {
        let message = format!("it is {:?} instead of {:?}", actual[0], expected[0]);
        return Err(failed("the loss is that of the twin", message));
    }
    let (mut actual, mut expected) = (actual[1..].iter(), expected[1..].iter());
    let pairs = subject.derivatives.gradients().zip(twin.derivatives.gradients());
    for (i, (gradient, of_twin)) in pairs.enumerate() {
        let (order, id) = (i / program.by.len() + 1, program.by[i % program.by.len()]);
        let actual = gradient.and_then(|_| actual.next());
        let expected = of_twin.and_then(|_| expected.next());
        let broken = broken(actual, expected).or_else(|| match order {
            1 => wrongly_connected(program, id, actual.is_some()),
            _ => None,
        });
        if let Some(rule) = broken {
            let text = |value: Option<&Value>| {
                value.map_or_else(|| "None".to_owned(), |value| value.to_string().replace('\n', ""))
            };
            let (actual, expected) = (text(actual), text(expected));
            let message = format!(
                "the gradient of order {order} with respect to x{id} is {actual}, that of the twin {expected}"
            );
            return Err(failed(rule, message));
        }
    }
    Ok(())
}

/// The rule that a gradient breaks, compared with that of the twin.
fn broken(actual: Option<&Value>, expected: Option<&Value>) -> Option<&'static str> {
    match (actual, expected) {
        (Some(actual), Some(expected)) => {
            (!close(actual, expected, TOLERANCE)).then_some("gradients are those of the twin")
        }
        (None, Some(_)) => Some("where the twin has a gradient, there is one"),
        (Some(actual), None) => {
            let is_zero = numbers(actual).iter().all(|&x| x == 0.0);
            (!is_zero).then_some("where the twin has no gradient, there are at most zeros")
        }
        (None, None) => None,
    }
}

/// The rule that a first-order gradient breaks by being `None` or not.
fn wrongly_connected(program: &Program, x: Id, is_there: bool) -> Option<&'static str> {
    match is_there {
        true => (!is_connected(program, x, true)).then_some("a gradient takes a connection"),
        false => is_connected(program, x, false).then_some("a connection gives a gradient"),
    }
}
