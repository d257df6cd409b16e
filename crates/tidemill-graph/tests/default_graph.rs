//! The default graph, graphs in its place, and handles whose graph is another one or no longer
//! exists.
//!
//! These tests share the default graph of the process, so each holds a lock.

mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use common::ops::NO_OP;
use common::*;
use tidemill_graph::{
    BuildErrorKind, Graph, GraphKey, NodeBuilder, OperationRef, TensorRef, check_orphans,
    default_graph, diagnose, fail, reset_default_graph,
};

static DEFAULT_GRAPH: Mutex<()> = Mutex::new(());

/// Locks the default graph, which is then empty.
fn lock() -> MutexGuard<'static, ()> {
    let guard = DEFAULT_GRAPH.lock().unwrap_or_else(PoisonError::into_inner);
    reset_default_graph();
    guard
}

/// The root causes behind a handle.
fn causes(operation: OperationRef) -> Vec<BuildErrorKind> {
    diagnose(operation).0.iter().map(|error| error.kind.clone()).collect()
}

#[test]
fn nodes_go_to_the_default_graph() {
    let _lock = lock();
    assert!(default_graph().is_empty());
    let x = constant(1);
    assert_eq!(x.graph(), default_graph().key());
    assert_eq!(names(&default_graph()), ["Const"]);
}

#[test]
fn the_default_graph_is_that_of_all_threads() {
    let _lock = lock();
    let key = default_graph().key();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| constant(1).graph());
        assert_eq!(other.join().expect("the thread does not panic"), key);
    });
    assert_eq!(default_graph().len(), 1);
}

#[test]
fn a_graph_stands_in_while_its_guard_lives() {
    let _lock = lock();
    let graph = Graph::new();
    {
        let _default = graph.as_default();
        assert_eq!(default_graph(), graph);
        constant(1);
    }
    assert_ne!(default_graph(), graph);
    constant(2);
    assert_eq!((graph.len(), default_graph().len()), (1, 1));
}

#[test]
fn a_graph_stands_in_on_one_thread_only() {
    let _lock = lock();
    let graph = Graph::new();
    let process_wide = default_graph();
    let _default = graph.as_default();
    std::thread::scope(|scope| {
        let other = scope.spawn(default_graph);
        assert_eq!(other.join().expect("the thread does not panic"), process_wide);
    });
    assert_eq!(default_graph(), graph);
}

#[test]
fn guards_nest() {
    let _lock = lock();
    let (outer, inner) = (Graph::new(), Graph::new());
    let _outer = outer.as_default();
    {
        let _inner = inner.as_default();
        let again = outer.as_default();
        assert_eq!(default_graph(), outer);
        drop(again);
        assert_eq!(default_graph(), inner);
    }
    assert_eq!(default_graph(), outer);
}

#[test]
fn guards_may_be_dropped_out_of_order() {
    let _lock = lock();
    let process_wide = default_graph();
    let (first, second) = (Graph::new(), Graph::new());
    let first_guard = first.as_default();
    let second_guard = second.as_default();
    drop(first_guard);
    assert_eq!(default_graph(), second);
    drop(second_guard);
    assert_eq!(default_graph(), process_wide);
}

#[test]
fn a_guard_keeps_its_graph() {
    let _lock = lock();
    let guard = Graph::new().as_default();
    let x = constant(1);
    assert!(Graph::find(x.graph()).is_ok());
    drop(guard);
    assert!(matches!(Graph::find(x.graph()), Err(BuildErrorKind::GraphGone)));
}

#[test]
fn handles_of_a_default_graph_that_was_reset_are_stale() {
    let _lock = lock();
    let x = constant(1);
    reset_default_graph();
    let line = line!() - 1;
    assert!(default_graph().is_empty());
    let y = neg(x);
    assert!(is_poison(y));
    let causes = causes(y.operation());
    let [BuildErrorKind::Stale { reset_at }] = &causes[..] else { panic!("{causes:?}") };
    assert_eq!((reset_at.file(), reset_at.line()), (file!(), line));
    assert!(default_graph().is_empty());
    assert!(default_graph().check().is_ok());
}

#[test]
fn a_new_graph_in_the_place_of_the_old_one_does_not_take_its_handles() {
    let _lock = lock();
    let x = constant(1);
    let key = x.graph();
    reset_default_graph();
    let new = constant(2);
    assert_ne!(new.graph(), key);
    assert!(is_poison(add(new, x)));
    let message = default_graph().check().expect_err("the handle is stale").to_string();
    assert!(message.starts_with("this handle is stale"), "{message}");
}

#[test]
fn a_graph_that_is_held_outlives_its_reset_but_takes_no_more_nodes() {
    let _lock = lock();
    let x = constant(1);
    let held = default_graph();
    reset_default_graph();
    assert_eq!(held.read().name(tensor_id(x).node), "Const");
    assert!(is_poison(neg(x)));
    assert_eq!(held.len(), 1);
}

#[test]
fn handles_of_a_dropped_graph_fail_with_a_diagnosis() {
    let _lock = lock();
    let x = {
        let graph = Graph::new();
        let _default = graph.as_default();
        constant(1)
    };
    let y = neg(x);
    let line = line!() - 1;
    assert!(matches!(causes(y.operation())[..], [BuildErrorKind::GraphGone]));
    assert_eq!(y.graph(), GraphKey::NOWHERE);
    let (errors, path) = diagnose(neg(y).operation());
    assert_eq!(errors[0].location.line(), line);
    assert_eq!(path, ["Neg"]);
    let orphans = check_orphans().expect_err("a handle's graph is gone").to_string();
    assert!(orphans.contains("the graph of this handle is gone"), "{orphans}");
}

#[test]
fn a_line_that_keeps_failing_on_a_handle_whose_graph_is_gone_is_recorded_once() {
    let _lock = lock();
    let x = {
        let graph = Graph::new();
        let _default = graph.as_default();
        constant(1)
    };
    let line = line!() + 1;
    let handles: Vec<TensorRef> = (0..1000).map(|_| neg(x)).collect();
    for handle in handles {
        assert!(matches!(causes(handle.operation())[..], [BuildErrorKind::GraphGone]));
    }
    let orphans = check_orphans().expect_err("a handle's graph is gone");
    let here = orphans.errors().filter(|error| error.location.line() == line);
    assert_eq!(here.count(), 1);
}

#[test]
fn handles_of_two_graphs_do_not_meet() {
    let _lock = lock();
    let (left, right) = (Graph::new(), Graph::new());
    let in_graph = |graph: &Graph| {
        let _default = graph.as_default();
        constant(1)
    };
    let (x, y) = (in_graph(&left), in_graph(&right));
    let sum = add(x, y);
    assert_eq!(sum.graph(), left.key());
    let causes = causes(sum.operation());
    let [BuildErrorKind::ForeignGraph { left: l, right: r }] = causes[..] else {
        panic!("{causes:?}")
    };
    assert_eq!((l, r), (left.key(), right.key()));
    assert!(left.check().is_err());
    assert!(right.check().is_ok());
}

#[test]
fn a_handle_of_another_graph_than_the_one_asked_for_is_refused() {
    let _lock = lock();
    let graph = Graph::new();
    let x = constant(1);
    let node = NodeBuilder::new(&NO_OP).graph(graph.key()).control(x.operation()).build();
    assert!(matches!(causes(node)[..], [BuildErrorKind::ForeignGraph { .. }]));
}

#[test]
fn the_graph_of_a_node_is_that_of_its_inputs() {
    let _lock = lock();
    let graph = Graph::new();
    let x = {
        let _default = graph.as_default();
        constant(1)
    };
    assert_eq!(neg(x).graph(), graph.key());
    let controlled = NodeBuilder::new(&NO_OP).control(x.operation()).build();
    assert_eq!(controlled.graph(), graph.key());
    assert!(default_graph().is_empty());
}

#[test]
fn failures_without_a_handle_go_to_the_default_graph() {
    let _lock = lock();
    let kind = BuildErrorKind::VariableMissing { name: "w".to_owned() };
    let failed = fail(None, "get_variable", kind.clone(), vec![]);
    assert_eq!(failed.graph(), default_graph().key());
    let message = default_graph().check().expect_err("a call failed").to_string();
    assert!(message.starts_with("there is no variable `w` to reuse\n  --> "), "{message}");
    let graph = Graph::new();
    fail(Some(graph.key()), "get_variable", kind, vec![]);
    assert!(graph.check().is_err());
}

#[test]
fn the_keys_of_graphs_tell_them_apart() {
    let _lock = lock();
    let first = Graph::new();
    let key = first.key();
    drop(first);
    let second = Graph::new();
    assert_ne!(second.key(), key);
    assert!(Graph::find(key).is_err());
    assert_eq!(Graph::find(second.key()).expect("the graph lives"), second);
    assert_eq!(GraphKey::NOWHERE.to_string(), "no graph");
}

#[test]
fn a_handle_is_small_and_goes_to_other_threads() {
    fn is_sent<T: Send + Sync + Copy>() {}
    is_sent::<TensorRef>();
    is_sent::<OperationRef>();
    assert_eq!(size_of::<TensorRef>(), 16);
    let _lock = lock();
    let x = constant(1);
    let y = std::thread::spawn(move || neg(x)).join().expect("the thread does not panic");
    assert_eq!(y.graph(), x.graph());
    assert_eq!(names(&default_graph()), ["Const", "Neg"]);
}
