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

/// Gradients of a program and of its twin agree within this, relative or absolute: they are summed
/// in another order.
const TOLERANCE: f64 = 1e-9;

/// Gradients and finite differences agree within this, relative or absolute.
const TOLERANCE_OF_DIFFERENCES: f64 = 1e-6;

/// The distance of the points of a finite difference.
const STEP: f64 = 1e-3;

/// What does not hold of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    /// What kind of rule it is.
    pub rule: &'static str,
    /// What is instead.
    pub message: String,
}

fn failed(rule: &'static str, message: String) -> Failed {
    Failed { rule, message }
}

/// Compares a program with its twin of plain nodes, by values and gradients; the gradients of the twin
/// with finite differences; and the bits that sessions of other kinds give.
///
/// # Errors
/// What does not hold.
pub fn check(program: &Program) -> Result<(), Failed> {
    let t0 = std::time::Instant::now();
    let twin = Twin::new(program)?;
    let t1 = std::time::Instant::now();
    if twin.unrolled.is_narrow {
        return Ok(());
    }
    let subject = Subject::new(program, &twin)?;
    let t2 = std::time::Instant::now();
    let actual = subject.run(program)?;
    let t3 = std::time::Instant::now();
    let expected = twin.run(&twin.fetches(), None)?;
    compare(program, &twin, &subject, (&actual, &expected))?;
    let t4 = std::time::Instant::now();
    let r = twin.check_differences(program, &expected);
    let t5 = std::time::Instant::now();
    eprintln!(
        "TIME {} {} {} {} {}",
        (t1 - t0).as_micros(),
        (t2 - t1).as_micros(),
        (t3 - t2).as_micros(),
        (t4 - t3).as_micros(),
        (t5 - t4).as_micros()
    );
    r
}

/// The program as plain nodes.
struct Twin {
    unrolled: Unrolled,
    derivatives: Derivatives,
    session: Session,
}

/// The program with bodies.
struct Subject {
    graph: Graph,
    derivatives: Derivatives,
    feeds: Vec<(Tensor, Value)>,
    initializer: Option<Operation>,
}

/// A graph of its own, as the default one.
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
    /// The gradients there are, in order.
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

    /// The loss, and the gradients there are.
    fn fetches(&self) -> Vec<Tensor> {
        let loss = std::iter::once(self.derivatives.loss);
        loss.chain(self.derivatives.gradients().flatten()).collect()
    }

    /// Values, where what is `moved` has another one than it has.
    fn run(
        &self,
        fetches: &[Tensor],
        moved: Option<&[(Tensor, Value)]>,
    ) -> Result<Vec<Value>, Failed> {
        let moved = moved.unwrap_or_default();
        let is_moved = |tensor: Tensor| moved.iter().any(|(other, _)| *other == tensor);
        let own = self.unrolled.feeds.iter().filter(|(tensor, _)| !is_moved(*tensor));
        run(&self.session, fetches, feeds(own.chain(moved)))
    }

    /// Compares gradients with finite differences, along one direction each.
    fn check_differences(&self, program: &Program, values: &[Value]) -> Result<(), Failed> {
        let mut stops = self.unrolled.stops.clone();
        let named = program.stops.iter().map(|&id| self.unrolled.tensor(id));
        stops.extend(named.filter(|stop| !self.unrolled.stops.contains(stop)));
        let stops: Vec<(Tensor, Value)> = {
            let values = self.run(&stops, None)?;
            stops.into_iter().zip(values).collect()
        };
        let xs: Vec<Tensor> = program.by.iter().map(|&id| self.unrolled.tensor(id)).collect();
        let points = self.run(&xs, None)?;
        let sums =
            std::iter::once((1, "a gradient is the finite difference", self.derivatives.loss))
                .chain(
                    self.derivatives
                        .second
                        .iter()
                        .map(|(sum, _)| (2, "a second gradient is the finite difference", *sum)),
                );
        let mut values = values[1..].iter();
        for (order, rule, sum) in sums {
            let gradients = match (order, &self.derivatives.second) {
                (2, Some((_, gradients))) => gradients,
                _ => &self.derivatives.first,
            };
            for (i, gradient) in gradients.iter().enumerate() {
                let direction = weights(points[i].shape(), 0.5 + i as f64);
                let gradient = gradient.and_then(|_| values.next());
                let actual = gradient.map_or(0.0, |gradient| dot(gradient, &direction));
                let difference = derivative(|distance| {
                    let mut moved = stops.clone();
                    moved.retain(|(stop, _)| *stop != xs[i]);
                    moved.push((xs[i], along(&points[i], &direction, distance)));
                    Ok(numbers(&self.run(&[sum], Some(&moved))?[0])[0])
                })?;
                let tolerance = TOLERANCE_OF_DIFFERENCES;
                if !close(&actual.into(), &difference.into(), tolerance) {
                    let by = program.by[i];
                    return Err(failed(
                        rule,
                        format!(
                            "by x{by} it is {actual} along a direction, the difference is {difference}"
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The derivative at 0 of a function by the differences over two distances, whose errors of second
/// order cancel.
fn derivative(mut function: impl FnMut(f64) -> Result<f64, Failed>) -> Result<f64, Failed> {
    let mut difference = |step: f64| Ok((function(step)? - function(-step)?) / (2.0 * step));
    Ok((4.0 * difference(STEP)? - difference(2.0 * STEP)?) / 3.0)
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

    /// The loss, and the gradients there are. They are the same bits in all sessions, and whether they
    /// are fetched together or not.
    fn run(&self, program: &Program) -> Result<Vec<Value>, Failed> {
        const RULE: &str = "rewriting, threads and what else is fetched change no bit";
        let loss = [self.derivatives.loss];
        let gradients: Vec<Tensor> = self.derivatives.gradients().flatten().collect();
        let together = [&loss[..], &gradients[..]].concat();
        let run = |session: &Session, fetches: &[Tensor]| run(session, fetches, feeds(&self.feeds));
        let t0 = std::time::Instant::now();
        let values = run(&self.session(Rewriting::On, 1)?, &together)?;
        let t1 = t0.elapsed();
        let plain = self.session(Rewriting::Off, 2)?;
        same(RULE, &values[1..], &run(&plain, &gradients)?)?;
        same(RULE, &values[..1], &run(&plain, &loss)?)?;
        eprintln!("RUN {} {}", t1.as_micros(), (t0.elapsed() - t1).as_micros());
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

/// Compares the values of a program and of its twin: of the loss, and of the gradients there are.
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
        let fail = |rule, message: String| {
            Err(failed(rule, format!("the gradient of order {order} by x{id} is {message}")))
        };
        match (actual, expected) {
            (Some(actual), Some(expected)) if !close(actual, expected, TOLERANCE) => {
                return fail(
                    "gradients are those of the twin",
                    format!("{actual:?} instead of {expected:?}"),
                );
            }
            (None, Some(expected)) => {
                let message = format!("None instead of {expected:?}");
                return fail("where the twin has a gradient, there is one", message);
            }
            (Some(actual), None) if numbers(actual).iter().any(|&x| x != 0.0) => {
                let message = format!("{actual:?} instead of None or zeros");
                return fail("where the twin has no gradient, there are at most zeros", message);
            }
            (Some(actual), _) if order == 1 && !is_connected(program, id) => {
                return fail("without a way there is no gradient", format!("{actual:?}"));
            }
            _ => {}
        }
    }
    Ok(())
}
