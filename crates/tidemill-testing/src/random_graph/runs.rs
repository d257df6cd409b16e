use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use tidemill_graph::{Execution, Graph, OperationRef, Referent, Role, TensorId, TensorRef};
use tidemill_ops::{Inspect, Operation, Tensor};
use tidemill_value::Value;

use super::random_values::{admitted, pick, random_value};
use crate::Run;

/// The tensors and operations that can be fetched, run and fed.
struct Choices {
    /// All tensors that have a value.
    tensors: Vec<Tensor>,
    operations: Vec<Operation>,
    /// The tensors that must be fed if they are needed.
    placeholders: Vec<Tensor>,
    /// The other tensors that can be fed.
    feedable: Vec<Tensor>,
}

impl Choices {
    fn new(graph: &Graph) -> Self {
        let operations = graph.operations();
        let outputs = operations.iter().flat_map(|op| op.outputs());
        let is_value = |x: &Tensor| x.fact().is_some_and(|fact| fact.role != Role::Handle);
        let tensors: Vec<Tensor> = outputs.filter(is_value).collect();
        let execution = |tensor: &Tensor| {
            let id = TensorRef::from(*tensor).id().expect("a node of the graph");
            graph.read().node(id.node).op.execution
        };
        let of = |wanted: fn(Execution) -> bool| {
            tensors.iter().copied().filter(|tensor| wanted(execution(tensor))).collect()
        };
        Choices {
            placeholders: of(|e| e == Execution::Placeholder),
            feedable: of(|e| !matches!(e, Execution::Placeholder | Execution::Variable)),
            tensors,
            operations,
        }
    }
}

/// From three to six runs. The first is often the initialization of all variables.
pub(super) fn random_runs(graph: &Graph, rng: &mut Xoshiro256PlusPlus) -> Vec<Run> {
    let choices = Choices::new(graph);
    let mut runs: Vec<Run> = Vec::new();
    let init = graph.operation("init").ok().filter(|_| rng.random_bool(0.85));
    runs.extend(init.map(|init| Run {
        targets: vec![init],
        feeds: fed_placeholders(&choices, rng),
        ..Run::default()
    }));
    for _ in 0..rng.random_range(3..=6) {
        let run = match runs.last() {
            Some(last) if rng.random_bool(0.3) => again(last, rng),
            _ => random_run(&choices, rng),
        };
        runs.push(run);
    }
    runs
}

/// The same run, with other values.
fn again(run: &Run, rng: &mut Xoshiro256PlusPlus) -> Run {
    let refed = |(tensor, value): &(Tensor, Value)| {
        if rng.random_bool(0.3) { (*tensor, value.clone()) } else { fed(*tensor, rng) }
    };
    Run { feeds: run.feeds.iter().map(refed).collect(), ..run.clone() }
}

fn random_run(choices: &Choices, rng: &mut Xoshiro256PlusPlus) -> Run {
    let fetches = (0..rng.random_range(0..=4)).filter_map(|_| late(&choices.tensors, rng));
    let mut run = Run { fetches: fetches.collect(), ..Run::default() };
    for _ in 0..rng.random_range(0..=2) {
        run.targets.extend(late(&choices.operations, rng));
    }
    let mut feeds: BTreeMap<TensorId, (Tensor, Value)> = BTreeMap::new();
    let mut feed = |(tensor, value): (Tensor, Value)| {
        if let Ok(id) = TensorRef::from(tensor).id() {
            feeds.insert(id, (tensor, value));
        }
    };
    fed_placeholders(choices, rng).into_iter().for_each(&mut feed);
    let others = if rng.random_bool(0.4) { rng.random_range(1..=3) } else { 0 };
    for _ in 0..others.min(choices.feedable.len()) {
        feed(fed(pick(&choices.feedable, rng), rng));
    }
    run.feeds = feeds.into_values().collect();
    run
}

/// One of `items`, with a preference for the last ones.
fn late<T: Copy>(items: &[T], rng: &mut Xoshiro256PlusPlus) -> Option<T> {
    let last = items.len().checked_sub(1)?;
    let index = rng.random_range(0..=last).max(rng.random_range(0..=last));
    items.get(index).copied()
}

/// Values for all placeholders; occasionally one is left out.
fn fed_placeholders(choices: &Choices, rng: &mut Xoshiro256PlusPlus) -> Vec<(Tensor, Value)> {
    let mut feeds = Vec::new();
    for &placeholder in &choices.placeholders {
        if rng.random_bool(0.98) {
            feeds.push(fed(placeholder, rng));
        }
    }
    feeds
}

/// A value for a tensor; occasionally it does not fit.
fn fed(tensor: Tensor, rng: &mut Xoshiro256PlusPlus) -> (Tensor, Value) {
    let fact = tensor.fact().expect("a node of the graph");
    let shape = match rng.random_bool(0.01) {
        true => [4, 4].into(),
        false => admitted(&fact.shape, rng),
    };
    (tensor, random_value(fact.dtype, &shape, rng))
}

/// True if a handle is valid.
pub(super) fn is_valid(operation: impl Into<OperationRef>) -> bool {
    matches!(operation.into().referent(), Referent::Node(_))
}
