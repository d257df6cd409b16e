//! Failed calls: their results, their records, and the lines of their errors.

#![allow(clippy::expect_used, clippy::panic)]

mod common;

use std::panic::catch_unwind;
use std::process::Command;

use common::ops::*;
use common::*;
use tidemill_graph::{
    BuildError, BuildErrorKind, Graph, GraphMemory, NodeBuilder, Seen, TensorRef,
    control_dependencies, diagnose,
};
use tidemill_value::{DType, shape};

/// A sum that fails: its inputs do not broadcast.
#[track_caller]
fn failing_sum() -> TensorRef {
    add(placeholder(DType::F32, shape![2]), placeholder(DType::F32, shape![3]))
}

fn errors(graph: &Graph) -> Vec<BuildError> {
    graph.check().expect_err("a call failed").errors().cloned().collect()
}

fn memory(graph: &Graph) -> GraphMemory {
    let mut memory = GraphMemory::default();
    memory.add(graph, &mut Seen::default());
    memory
}

#[test]
fn a_failed_call_adds_no_node() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let sum = failing_sum();
    assert!(is_poison(sum));
    assert_eq!(graph.len(), 2);
    assert_eq!(sum.graph(), graph.key());
}

#[test]
fn a_node_fed_by_poison_is_poison_without_a_root_cause_of_its_own() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let sum = failing_sum();
    let product = add(neg(sum), constant(1.0_f32));
    let controlled = control_dependencies([product.operation()], no_op);
    assert_eq!(errors(&graph).len(), 1);
    let (causes, path) = diagnose(controlled);
    assert_eq!(causes.len(), 1);
    assert_eq!(path, ["NoOp", "add", "Neg", "add"]);
    assert!(diagnose(constant(1).operation()).0.is_empty());
}

#[test]
fn a_line_that_keeps_adding_to_a_finalized_graph_is_recorded_once_and_takes_no_names() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1.0_f32);
    let failed = failing_sum();
    graph.finalize();
    let names = memory(&graph).names.count;
    let sums: Vec<TensorRef> = (0..1000)
        .map(|_| {
            assert_eq!(graph.reserve_name("scope"), "scope");
            neg(add(x, x))
        })
        .collect();
    let [.., (first, path), (second, _)] =
        [failed, sums[0], sums[999]].map(|sum| diagnose(sum.operation()));
    assert_eq!((first.len(), second.len(), path), (1, 1, vec!["Neg".to_owned(), "add".to_owned()]));
    assert_eq!(first[0].location, second[0].location);
    // The sum that had failed before, and that of the loop.
    assert_eq!(errors(&graph).len(), 2);
    let after = memory(&graph);
    assert_eq!((after.names.count, after.diagnoses.count), (names, 3));
}

#[test]
fn all_root_causes_of_a_node_are_found_in_the_order_of_the_calls() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let first = failing_sum();
    let unrelated = failing_sum();
    let second = neg(placeholder(DType::String, shape![]));
    let sum = NodeBuilder::new(&ADD_N).inputs([second, first, neg(second)]).build();
    let (causes, _) = diagnose(sum);
    let lines: Vec<u32> = causes.iter().map(|cause| cause.location.line()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0] < lines[1]);
    assert_eq!(errors(&graph).len(), 3);
    assert_eq!(diagnose(unrelated.operation()).0.len(), 1);
}

#[test]
fn errors_come_in_the_order_of_the_calls_with_their_lines() {
    let graph = Graph::new();
    let _default = graph.as_default();
    failing_sum();
    neg(placeholder(DType::Bool, shape![]));
    failing_sum();
    let line = line!();
    let locations: Vec<_> = errors(&graph)
        .iter()
        .map(|error| (error.location.file(), error.location.line(), error.what.to_string()))
        .collect();
    let expected = [(3, "add"), (2, "Neg"), (1, "add")]
        .map(|(before, what)| (file!(), line - before, what.to_owned()));
    assert_eq!(locations, expected);
}

#[test]
fn the_text_of_an_error_says_what_where_and_why() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = named_constant("weights", [1.0_f32, 2.0]);
    let line = line!() - 1;
    add(x, named_constant("bias", [1.0_f32, 2.0, 3.0]));
    let line_of_sum = line!() - 1;
    let file = file!();
    let errors = errors(&graph);
    let column = |i: usize| errors[0].notes[i].location.map_or(0, |location| location.column());
    let expected = format!(
        "shapes [2] and [3] do not broadcast: counted from the last, axis -1 is 2 on the left and \
         3 on the right, and neither is 1\n  \
         --> {file}:{line_of_sum}:5 (in `add`)\n  \
         input `x`: `weights`, float32[2] ({file}:{line}:{})\n  \
         input `y`: `bias`, float32[3] ({file}:{line_of_sum}:{})",
        column(0),
        column(1),
    );
    assert_eq!(errors[0].to_string(), expected);
    assert_eq!(graph.check().expect_err("a call failed").to_string(), expected);
}

#[test]
fn a_graph_without_failed_calls_checks() {
    let graph = Graph::new();
    let _default = graph.as_default();
    neg(constant(1));
    assert!(graph.check().is_ok());
}

#[test]
fn a_strict_graph_panics_at_the_line_of_the_call() {
    let graph = Graph::new();
    graph.strict();
    let failed = catch_unwind(|| {
        let _default = graph.as_default();
        failing_sum()
    });
    let line = line!() - 2;
    let message = failed.expect_err("the graph is strict");
    let message = message.downcast_ref::<String>().expect("the message is a string");
    assert!(message.contains("do not broadcast"), "{message}");
    assert!(message.contains(&format!("{}:{line}:9", file!())), "{message}");
    // The graph is unchanged, and can be built on.
    assert!(graph.check().is_ok());
    let _default = graph.as_default();
    constant(1);
    assert_eq!(graph.len(), 3);
}

#[test]
fn the_panic_of_a_strict_graph_has_the_text_of_check() {
    let [strict, lenient] = [true, false].map(|is_strict| {
        let graph = Graph::new();
        let failed = catch_unwind(|| {
            let _default = graph.as_default();
            if is_strict {
                graph.strict();
            }
            failing_sum();
        });
        match failed {
            Ok(()) => graph.check().expect_err("a call failed").to_string(),
            Err(panic) => *panic.downcast::<String>().expect("the message is a string"),
        }
    });
    assert_eq!(strict, lenient);
}

/// Runs a test of this file again, in a process whose graphs are all strict.
fn run_strictly(test: &str) {
    let this = std::env::current_exe().expect("the path of the tests is known");
    let run = Command::new(this).args(["--exact", test]).env("TIDEMILL_STRICT", "1").output();
    let run = run.expect("the tests can be run");
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && output.contains("1 passed"), "{output}");
}

fn is_strict_process() -> bool {
    std::env::var_os("TIDEMILL_STRICT").is_some_and(|value| value == "1")
}

#[test]
fn the_environment_makes_every_graph_strict() {
    if !is_strict_process() {
        return run_strictly("the_environment_makes_every_graph_strict");
    }
    let failed = catch_unwind(|| {
        let graph = Graph::new();
        let _default = graph.as_default();
        failing_sum()
    });
    assert!(failed.is_err());
}

#[test]
fn a_text_that_cannot_be_built_does_not_panic_even_if_every_graph_is_strict() {
    if !is_strict_process() {
        return run_strictly(
            "a_text_that_cannot_be_built_does_not_panic_even_if_every_graph_is_strict",
        );
    }
    let text = "x = Placeholder() dtype=float32 shape=[2]\ny = MatMul(x, x)";
    assert!(Graph::from_text(text, &find_op).is_err());
}

#[test]
fn a_finalized_graph_takes_no_nodes() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1);
    graph.finalize();
    let line = line!() - 1;
    graph.finalize();
    assert!(graph.is_finalized());
    assert!(is_poison(neg(x)));
    assert_eq!(graph.len(), 1);
    let errors = errors(&graph);
    let BuildErrorKind::Finalized { at } = errors[0].kind else { panic!("{errors:?}") };
    assert_eq!((at.file(), at.line()), (file!(), line));
}

#[test]
fn errors_outlive_the_end_of_building() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let failed = failing_sum();
    graph.finalize();
    assert_eq!(errors(&graph).len(), 1);
    assert_eq!(diagnose(failed.operation()).0.len(), 1);
}

#[test]
fn a_failed_call_can_be_given_a_name_for_messages() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let failed = failing_sum();
    graph.rename(failed.operation(), "logits").expect("the name is valid");
    assert_eq!(diagnose(neg(failed).operation()).1, ["Neg", "logits"]);
}

#[test]
fn poison_of_another_graph_keeps_its_diagnosis() {
    let graph = Graph::new();
    let failed = {
        let _default = graph.as_default();
        failing_sum()
    };
    let other = Graph::new();
    let _default = other.as_default();
    let sum = add(constant([1.0_f32]), failed);
    assert!(is_poison(sum));
    assert!(other.check().is_ok());
    assert_eq!(diagnose(sum.operation()).0.len(), 1);
}
