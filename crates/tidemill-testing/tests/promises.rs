//! The promises of runs hold for random runs of random graphs: a session that rewrites, one that
//! does not, and the reference agree.

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tidemill_graph::{Execution, Graph, NodeId, Role, Subgraph, TensorId, TensorRef};
use tidemill_ops::{Tensor, lookup};
use tidemill_rewrite::{Algebra, Cse, DeadNodes, Fold, Pack, Pass, RULES, RewriteLog};
use tidemill_runtime::{Feeds, Lines, Rewriting, Session, SessionOptions, Sink};
use tidemill_testing::values::{all_same, same};
use tidemill_testing::{Failure, Reference, Run, Scenario, evaluate, random_value_of, subgraph_of};
use tidemill_value::Value;

/// A session, and its printed lines.
struct Subject {
    session: Session,
    lines: Lines,
    rewriting: Rewriting,
}

impl Subject {
    fn new(scenario: &Scenario, rewriting: Rewriting) -> Self {
        let (print_to, lines) = Sink::lines();
        let options = SessionOptions {
            rewriting,
            print_to,
            seed: Some(scenario.seed),
            ..SessionOptions::default()
        };
        Subject { session: Session::with_options(&scenario.graph, options), lines, rewriting }
    }

    fn run(&self, run: &Run) -> Result<Vec<Value>, Failure> {
        let feeds = run.feeds.iter().cloned();
        let feeds = feeds.fold(Feeds::new(), |feeds, (tensor, value)| feeds.feed(tensor, value));
        let (values, _) =
            self.session.run_with((run.fetches.as_slice(), run.targets.as_slice()), feeds)?;
        Ok(values)
    }

    fn variable(&self, value: Tensor) -> Option<Value> {
        self.session.run(value).ok()
    }
}

/// The variables of the graph: tensors that have their values, and their nodes.
fn variables(scenario: &Scenario) -> Vec<(Tensor, NodeId)> {
    let reader = scenario.graph.read();
    let variables = reader.nodes().filter(|(_, node)| node.op.execution == Execution::Variable);
    let is_handle = |id| reader.node(id).outputs[0].role == Role::Handle;
    let tensor = |id| match reader.variable(id).filter(|_| is_handle(id)) {
        Some(record) => record.read,
        None => TensorId::new(id, 0),
    };
    let tensor = |id| Tensor::from(TensorRef::new(reader.key(), tensor(id)));
    variables.map(|(id, _)| (tensor(id), id)).collect()
}

/// Runs a scenario in two sessions and the reference. The error describes the difference.
fn check(scenario: &Scenario) -> Result<(), String> {
    let subjects = [Rewriting::On, Rewriting::Off].map(|on| Subject::new(scenario, on));
    let mut reference = Reference::new(&scenario.graph, scenario.seed);
    let variables = variables(scenario);
    for (i, run) in scenario.runs.iter().enumerate() {
        let expected = reference.run(run);
        let expected_lines = reference.take_lines();
        for subject in &subjects {
            let differ = |what: &str, actual: String, expected: String| {
                let story = scenario.describe(i + 1);
                let rewriting = subject.rewriting;
                Err(format!(
                    "rewriting {rewriting:?}: {what} is\n{actual}\nbut has to be\n{expected}\nin {story}"
                ))
            };
            let actual = subject.run(run);
            let agrees = match (&actual, &expected) {
                (Ok(actual), Ok(expected)) => all_same(actual, expected),
                (Err(actual), Err(expected)) => actual == expected,
                _ => false,
            };
            if !agrees {
                return differ("the result", format!("{actual:?}"), format!("{expected:?}"));
            }
            let lines = subject.lines.take();
            if lines != expected_lines {
                return differ("what it prints", lines.join("\n"), expected_lines.join("\n"));
            }
            for (value, node) in &variables {
                let (actual, expected) = (subject.variable(*value), reference.variable(*node));
                let agrees = match (&actual, expected) {
                    (Some(actual), Some(expected)) => same(actual, expected),
                    (actual, expected) => actual.is_none() && expected.is_none(),
                };
                if !agrees {
                    let what = format!("variable {}", value.name());
                    return differ(&what, format!("{actual:?}"), format!("{expected:?}"));
                }
            }
        }
    }
    Ok(())
}

/// Checks many seeds. The reported failure is that of the smallest graph of the failing seed.
fn check_seeds(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let size = Scenario::size_of(seed);
        if check(&Scenario::new(seed, size)).is_err() {
            let failure = (1..=size).find_map(|size| check(&Scenario::new(seed, size)).err());
            panic!("{}", failure.expect("the largest one fails"));
        }
    }
}

#[test]
fn sessions_give_what_the_reference_gives() {
    check_seeds(0..1500);
}

#[test]
fn sessions_give_what_the_reference_gives_on_other_seeds() {
    check_seeds(1_000_000..1_001_500);
}

#[test]
#[ignore = "takes long"]
fn sessions_give_what_the_reference_gives_on_very_many_seeds() {
    check_seeds(2_000_000..2_100_000);
}

/// Values for the feeds of a subgraph.
fn feeds_of(subgraph: &Subgraph, rng: &mut Xoshiro256PlusPlus) -> Vec<Value> {
    let fact = |&feed: &NodeId| subgraph.fact(TensorId::new(feed, 0));
    subgraph.feeds.iter().map(|feed| random_value_of(fact(feed), rng)).collect()
}

const PASSES: [&dyn Pass; 5] = [&DeadNodes, &Fold, &Algebra, &Cse, &Pack];

/// The number of rewrites by which a test has to have seen a rule.
const OFTEN: usize = 20;

/// Checks that each rule, and each pass, made many of the rewrites.
fn check_frequencies(log: &RewriteLog) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for rewrite in log.rewrites() {
        *counts.entry(rewrite.rule).or_default() += 1;
    }
    let rules = RULES.iter().copied().flatten().map(|rule| rule.name);
    let all = PASSES.iter().filter(|pass| pass.name() != Algebra.name()).map(|pass| pass.name());
    let count = |rule: &&str| counts.get(rule).copied().unwrap_or(0);
    let rare: Vec<_> = rules.chain(all).filter(|rule| count(rule) < OFTEN).collect();
    assert!(rare.is_empty(), "{rare:?} are rare among {counts:#?}");
}

#[test]
fn each_pass_keeps_subgraphs_whole_and_what_they_compute() {
    let mut log = RewriteLog::detailed();
    for seed in 0..1000 {
        let scenario = Scenario::new(seed, Scenario::size_of(seed));
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let before = subgraph_of(&scenario.graph);
        let feeds = feeds_of(&before, &mut rng);
        let starts: BTreeMap<NodeId, Value> = variables(&scenario)
            .into_iter()
            .filter_map(|(value, node)| Some((node, random_value_of(&value.fact()?, &mut rng))))
            .collect();
        let outcome = |subgraph: &Subgraph| {
            evaluate(subgraph, &feeds, |variable| starts.get(&variable).cloned())
        };
        let expected = outcome(&before);
        let mut subgraph = before;
        for pass in PASSES.iter().cycle().take(2 * PASSES.len()) {
            subgraph = pass.run(subgraph, &mut log);
            assert_eq!(subgraph.verify(), Ok(()), "seed {seed}, after {}", pass.name());
            let actual = outcome(&subgraph);
            let agrees = match (&actual, &expected) {
                (Ok(actual), Ok(expected)) => {
                    all_same(&actual.fetches, &expected.fetches)
                        && all_same(&actual.commits, &expected.commits)
                        && actual.lines == expected.lines
                }
                (Err((actual, _)), Err((expected, _))) => actual == expected,
                _ => false,
            };
            assert!(
                agrees,
                "after {} it gives\n{actual:?}\ninstead of\n{expected:?}\nin {}",
                pass.name(),
                scenario.describe(0)
            );
        }
    }
    check_frequencies(&log);
}

#[test]
fn random_graphs_read_back_from_their_text() {
    for seed in 0..1000 {
        let text = Scenario::new(seed, Scenario::size_of(seed)).graph.to_text();
        let again = Graph::from_text(&text, &lookup).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again.to_text(), text, "seed {seed}");
    }
}
