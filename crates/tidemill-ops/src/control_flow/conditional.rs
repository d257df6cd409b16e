use std::sync::Arc;

use tidemill_graph::{
    Attr, Body, Graph, Location, NodeBuilder, OperationRef, TensorRef, Trace, at_location,
    default_graph, trace,
};
use tidemill_value::DType;

use super::{Structure, call, captured_by, collect, failed, outputs, poison, result_types};
use crate::functions::{assert, cast, less_equal, reduce_sum, stack, with_dependencies};
use crate::operand::composite;
use crate::ops::control_flow::{CASE, IF, STATELESS_CASE, STATELESS_IF};
use crate::{Operand, Tensor};

/// The results of `then` if `pred` is true, and of `otherwise` if it is not.
///
/// Each function is called once, to build its branch of the graph. A run computes only the taken
/// branch, and nodes that only one branch needs are computed only if that branch is taken, wherever
/// they were created. An effect inside a branch, such as an assignment or a print, happens whenever
/// the branch is taken, and at no other time.
///
/// `pred` is a single bool, or, as in TensorFlow, a number, which is true unless it is zero.
///
/// ```
/// use tidemill_ops::{cond, greater, log, placeholder};
/// let x = placeholder::<f32>([]);
/// let y = cond(greater(x, 0.0), || log(x), || x * 0.0);
/// assert_eq!(y.shape().to_string(), "[]");
/// ```
///
/// # Errors
/// The result is invalid if the branches return different types or numbers of tensors, or if one
/// uses a node from outside that has an effect.
#[doc(alias = "If")]
#[track_caller]
pub fn cond<R: Structure>(
    pred: impl Into<Operand>,
    then: impl FnOnce() -> R,
    otherwise: impl FnOnce() -> R,
) -> R {
    let location = Location::caller();
    cond_at(location, pred.into().to_tensor(), then, otherwise)
}

fn cond_at<R: Structure>(
    location: Location,
    pred: Tensor,
    then: impl FnOnce() -> R,
    otherwise: impl FnOnce() -> R,
) -> R {
    let graph = default_graph();
    let mut branches = Branches::new(&graph, location);
    let result = branches.build("then", then);
    let _ = branches.build("else", otherwise);
    at_location(location, || {
        branches.finish(result, |bodies, captured| {
            let types = result_types(&bodies[0]);
            call(&graph, [&IF, &STATELESS_IF], bodies)
                .name("cond")
                .input(pred)
                .inputs(captured)
                .attr("Tout", types)
                .attr("then_branch", Arc::clone(&bodies[0]))
                .attr("else_branch", Arc::clone(&bodies[1]))
        })
    })
}

/// The results of branch number `index`, a single `int32`; if there is no such branch, of the last.
///
/// Branches are built and run like those of [`cond`].
///
/// ```
/// use tidemill_ops::{placeholder, square, switch_case};
/// let (which, x) = (placeholder::<i32>([]), placeholder::<f32>([]));
/// let branches: [&dyn Fn() -> _; 2] = [&|| x * 2.0, &|| square(x)];
/// let y = switch_case(which, branches);
/// assert_eq!(y.shape().to_string(), "[]");
/// ```
///
/// # Errors
/// As for [`cond`]. A switch without a branch does not compile.
#[doc(alias = "Case")]
#[track_caller]
pub fn switch_case<R: Structure, F: FnOnce() -> R, const N: usize>(
    index: impl Into<Operand>,
    branches: [F; N],
) -> R {
    const { assert!(N > 0, "a switch has at least one branch") }
    let location = Location::caller();
    let graph = default_graph();
    let index = index.into().to_tensor();
    let mut built = Branches::new(&graph, location);
    let mut results = branches.map(|branch| built.build("branch", branch)).into_iter();
    let Some(result) = results.next() else { unreachable!() };
    at_location(location, || {
        built.finish(result, |bodies, captured| {
            let types = result_types(&bodies[0]);
            call(&graph, [&CASE, &STATELESS_CASE], bodies)
                .name("case")
                .input(index)
                .inputs(captured)
                .attr("Tout", types)
                .attr("branches", Attr::Bodies(bodies.into()))
        })
    })
}

/// The results of the function of the first true predicate; if none is true, of `default`.
///
/// It is built from nested [`cond`]s: a predicate is computed even if an earlier one is true,
/// except for nodes that only it needs.
///
/// ```
/// use tidemill_ops::{Tensor, case, constant, equal, less, placeholder};
/// let x = placeholder::<f32>([]);
/// let (negative, zero) = (less(x, 0.0), equal(x, 0.0));
/// let sign = case(
///     vec![(negative, Box::new(|| constant(-1)) as Box<dyn FnOnce() -> Tensor>),
///          (zero, Box::new(|| constant(0)))],
///     || constant(1),
/// );
/// assert_eq!(sign.shape().to_string(), "[]");
/// ```
///
/// # Errors
/// As for [`cond`].
#[track_caller]
pub fn case<R: Structure>(
    cases: Vec<(Tensor, Box<dyn FnOnce() -> R + '_>)>,
    default: impl FnOnce() -> R,
) -> R {
    case_at(Location::caller(), cases, default)
}

fn case_at<R: Structure>(
    location: Location,
    cases: Vec<(Tensor, Box<dyn FnOnce() -> R + '_>)>,
    default: impl FnOnce() -> R,
) -> R {
    fn rest<R: Structure>(
        location: Location,
        mut cases: std::vec::IntoIter<(Tensor, Box<dyn FnOnce() -> R + '_>)>,
        default: Box<dyn FnOnce() -> R + '_>,
    ) -> R {
        match cases.next() {
            Some((pred, then)) => cond_at(location, pred, then, || rest(location, cases, default)),
            None => default(),
        }
    }
    rest(location, cases.into_iter(), Box::new(default))
}

/// A [`case`] in which at most one predicate may be true in a run.
///
/// ```
/// use tidemill_ops::{Tensor, case_exclusive, constant, greater, less, placeholder};
/// let x = placeholder::<f32>([]);
/// let sign = case_exclusive(
///     vec![(less(x, 0.0), Box::new(|| constant(-1)) as Box<dyn FnOnce() -> Tensor>),
///          (greater(x, 0.0), Box::new(|| constant(1)))],
///     || constant(0),
/// );
/// assert_eq!(sign.shape().to_string(), "[]");
/// ```
///
/// # Errors
/// As for [`case`]. A run in which several predicates are true fails.
#[track_caller]
pub fn case_exclusive<R: Structure>(
    cases: Vec<(Tensor, Box<dyn FnOnce() -> R + '_>)>,
    default: impl FnOnce() -> R,
) -> R {
    let location = Location::caller();
    let (preds, branches): (Vec<Tensor>, Vec<_>) = cases.into_iter().unzip();
    let preds = at_location(location, || exclusive(preds));
    case_at(location, preds.into_iter().zip(branches).collect(), default)
}

/// The predicates; a run fails if several are true.
#[track_caller]
fn exclusive(preds: Vec<Tensor>) -> Vec<Tensor> {
    let [first, _, ..] = preds[..] else { return preds };
    composite(first.graph(), "case", |_| {
        let all = stack(preds.iter().copied(), 0);
        let count = reduce_sum(cast(all, DType::I32), ..);
        let data: [Operand; 2] = ["more than one case is true:".into(), all.into()];
        let assertion = assert(less_equal(count, 1), data);
        preds.iter().map(|&pred| with_dependencies([assertion], pred)).collect()
    })
}

/// Branches that are being built.
struct Branches<'a> {
    graph: &'a Graph,
    location: Location,
    traces: Vec<(&'static str, Trace)>,
    failure: Option<OperationRef>,
}

impl<'a> Branches<'a> {
    fn new(graph: &'a Graph, location: Location) -> Self {
        Branches { graph, location, traces: Vec::new(), failure: None }
    }

    fn build<R: Structure>(&mut self, name: &'static str, branch: impl FnOnce() -> R) -> R {
        let mut result = None;
        let traced = trace(self.graph, self.location, &[], |_| {
            let (structure, tensors) = collect(branch());
            result = Some(structure);
            tensors
        });
        match traced {
            Ok(traced) => self.traces.push((name, traced)),
            Err(failed) => self.failure = Some(failed),
        }
        // `trace` has called the function.
        result.unwrap_or_else(|| unreachable!())
    }

    /// The results of the node that `build` makes from the bodies and their inputs.
    #[track_caller]
    fn finish<R: Structure>(
        self,
        result: R,
        build: impl FnOnce(&[Arc<Body>], Vec<TensorRef>) -> NodeBuilder,
    ) -> R {
        if let Some(failure) = self.failure {
            return poison(result, failure);
        }
        let traces: Vec<&Trace> = self.traces.iter().map(|(_, trace)| trace).collect();
        let captured = captured_by(&traces);
        let finish = |(name, trace): (&'static str, Trace)| {
            trace.finish(name, &captured, false).map(Arc::new)
        };
        let bodies: Result<Vec<_>, _> = self.traces.into_iter().map(finish).collect();
        match bodies {
            Ok(bodies) => outputs(result, build(&bodies, captured.clone()).build()),
            Err(kind) => poison(result, failed(self.graph, "cond", *kind)),
        }
    }
}
