//! Files that are damaged in ways that leave them readable: operations, attributes and functions that
//! are missing or have other names.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tidemill::prelude::*;
use tidemill::proto::{GraphDef, NodeDef};
use tidemill::{ExportError, Feeds, import_graph_def, to_graph_def};

use crate::graph_files::{graphs, inputs};

/// The time limit of a run on the original graph.
const SHORT: Duration = Duration::from_millis(100);
/// The time limit of a run that has met the short one.
const LONG: Duration = Duration::from_secs(60);

/// Numbers that follow from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit.max(1)
    }
}

/// Damages one part of a message. Returns the node that it is in, if it is not in a function.
fn damage(message: &mut GraphDef, random: &mut Random) -> Option<String> {
    let functions = message.library.iter_mut().flat_map(|library| &mut library.function).count();
    let kinds = if functions > 0 { 5 } else { 3 };
    let kind = random.below(kinds);
    let library = message.library.as_mut().filter(|_| kind >= 3);
    if let Some(library) = library {
        let place = random.below(functions);
        if kind == 3 {
            library.function.remove(place);
        } else {
            let nodes = &mut library.function[place].node_def;
            let count = nodes.len();
            nodes.get_mut(random.below(count)).into_iter().for_each(|node| node.op.push('X'));
        }
        return None;
    }
    let count = message.node.len();
    let node = &mut message.node[random.below(count)];
    let attrs: Vec<String> = node.attr.keys().cloned().collect();
    match (kind, attrs.as_slice()) {
        (1, [_, ..]) => drop(node.attr.remove(&attrs[random.below(attrs.len())])),
        (2, [_, ..]) => {
            let value = node.attr.remove(&attrs[random.below(attrs.len())]).unwrap_or_default();
            node.attr.insert("renamed".to_owned(), value);
        }
        _ => node.op.push('X'),
    }
    Some(node.name.clone())
}

fn name_of(reference: &str) -> &str {
    let name = reference.strip_prefix('^').unwrap_or(reference);
    name.rsplit_once(':').map_or(name, |(name, _)| name)
}

/// The nodes that depend on a node, and those that it depends on, which may change with it.
fn touched(message: &GraphDef, damaged: &str) -> BTreeSet<String> {
    let mut touched = BTreeSet::from([damaged.to_owned()]);
    loop {
        let before = touched.len();
        for node in &message.node {
            if node.input.iter().any(|input| touched.contains(name_of(input))) {
                touched.insert(node.name.clone());
            }
        }
        if touched.len() == before {
            return touched;
        }
    }
}

/// Zeros for each placeholder of known shape.
fn zeros_for(graph: &Graph) -> Feeds {
    let placeholders = graph.operations().into_iter().filter(|op| op.op_type() == "Placeholder");
    placeholders.fold(Feeds::new(), |feeds, placeholder| {
        let tensor = placeholder.output(0);
        let known = tensor.dtype().zip(tensor.shape().known());
        let zeros = known.map(|(dtype, shape)| Value::zeros(dtype, shape));
        match zeros {
            Some(Ok(zeros)) => feeds.feed(tensor, zeros),
            _ => feeds,
        }
    })
}

/// The values of tensors by name, of those that run in time: with such feeds, some loops never end.
fn values(graph: &Graph, names: &[String], timeout: Duration) -> BTreeMap<String, Value> {
    let options = || SessionOptions {
        seed: Some(3),
        print_to: Sink::function(|_| {}),
        warn_to: Sink::function(|_| {}),
        ..SessionOptions::default()
    };
    let (feeds, run) =
        (zeros_for(graph), RunOptions { timeout: Some(timeout), ..RunOptions::default() });
    // What a run leaves in variables must not reach the next one.
    let value = |name: &String| {
        let session = Session::with_options(graph, options());
        let run = session.run_with_options(name.as_str(), feeds.clone(), &run);
        Some((name.clone(), run.ok()?.output))
    };
    names.iter().filter_map(value).collect()
}

/// Operations whose results differ from run to run, or that the import converts with their
/// neighbors.
fn is_plain(node: &NodeDef) -> bool {
    const OTHERS: &[&str] =
        &["Random", "Truncated", "Multinomial", "Switch", "Merge", "Enter", "Exit", "TensorArray"];
    !OTHERS.iter().any(|part| node.op.contains(part))
}

/// Imports a graph into a new one.
fn imported(message: &GraphDef) -> Option<Graph> {
    let graph = Graph::new();
    let _default = graph.as_default();
    import_graph_def(message).ok()?;
    Some(graph)
}

/// Checks the import of a damaged message against that of the original. Returns whether it is imported.
fn check(original: &GraphDef, mutant: &GraphDef, damaged: Option<&str>) -> bool {
    let Some(graph) = imported(mutant) else { return false };
    if let Some(name) = damaged {
        let touched = touched(original, name);
        let untouched = original.node.iter().filter(|node| !touched.contains(&node.name));
        let names: Vec<String> = untouched
            .filter(|node| is_plain(node))
            .map(|node| format!("{}:0", node.name))
            .collect();
        let names = &names[names.len().saturating_sub(8)..];
        let before = imported(original).map(|graph| values(&graph, names, SHORT));
        let before = before.unwrap_or_default();
        let after = values(&graph, &before.keys().cloned().collect::<Vec<_>>(), LONG);
        for (name, value) in before {
            assert!(after.get(&name).is_some_and(|after| after.bits_eq(&value)), "{name} differs");
        }
    }
    let written = match to_graph_def(&graph) {
        Err(ExportError::RefVariable { .. } | ExportError::OutputOrder { .. }) => return true,
        written => written.unwrap(),
    };
    for node in mutant.node.iter().filter(|node| node.op.ends_with('X')) {
        let Some(again) = written.node.iter().find(|other| other.name == node.name) else {
            // It has become a part of a branch or a body.
            assert!(!mutant.node.iter().all(is_plain), "{} is lost", node.name);
            continue;
        };
        assert_eq!((&again.op, &again.attr), (&node.op, &node.attr), "{}", node.name);
        if mutant.node.iter().all(is_plain) {
            assert_eq!(inputs(again), inputs(node), "{}", node.name);
        }
    }
    true
}

fn check_mutants(count: usize) {
    let graphs: Vec<_> = graphs().into_iter().filter(|(_, graph)| !graph.node.is_empty()).collect();
    let mut random = Random(count as u64);
    let mut imported = 0;
    for number in 0..count {
        let (path, original) = &graphs[random.below(graphs.len())];
        let mut mutant = original.clone();
        let damaged = damage(&mut mutant, &mut random);
        let checked =
            catch_unwind(AssertUnwindSafe(|| check(original, &mutant, damaged.as_deref())));
        match checked {
            Ok(is_imported) => imported += usize::from(is_imported),
            Err(_) => panic!("mutant {number} of {}, at {damaged:?}", path.display()),
        }
    }
    assert!(imported > count * 3 / 4, "{imported} of {count}");
}

#[test]
fn damaged_graphs_run_where_they_are_whole() {
    check_mutants(300);
}

#[test]
#[ignore = "it takes minutes"]
fn thousands_of_damaged_graphs_run_where_they_are_whole() {
    check_mutants(5000);
}
