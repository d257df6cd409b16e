//! The default graph of the process. The tests share it, so each takes a lock.

mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use common::{Outcome, relative};
use tidemill::prelude::*;

static DEFAULT_GRAPH: Mutex<()> = Mutex::new(());

/// Locks the default graph, which is then empty.
fn lock() -> MutexGuard<'static, ()> {
    let guard = DEFAULT_GRAPH.lock().unwrap_or_else(PoisonError::into_inner);
    reset_default_graph();
    guard
}

#[test]
fn nodes_and_sessions_belong_to_the_default_graph() -> Outcome {
    let _lock = lock();
    let sum = constant(2) + constant(3);
    assert_eq!(sum.graph(), Some(default_graph()));
    let session = Session::new();
    assert_eq!(session.graph(), &default_graph());
    assert_eq!(session.run(sum)?.to_string(), "5");
    Ok(())
}

#[test]
fn all_threads_have_one_default_graph() {
    let _lock = lock();
    let here = constant(1);
    let there = thread::spawn(|| constant(2)).join().unwrap();
    assert_eq!(here.graph(), there.graph());
    assert_eq!(default_graph().operations(), [here.op(), there.op()]);
}

#[test]
fn a_guard_holds_on_its_own_thread_alone() {
    let _lock = lock();
    let graph = Graph::new();
    let _default = graph.as_default();
    let there = thread::spawn(|| constant(1)).join().unwrap();
    assert_ne!(there.graph(), Some(graph.clone()));
    assert!(graph.is_empty());
}

#[test]
fn resetting_begins_an_empty_graph() {
    let _lock = lock();
    constant(1);
    let before = default_graph();
    reset_default_graph();
    assert!(default_graph().is_empty());
    assert_ne!(default_graph(), before);
    assert_eq!(constant(2).name(), "Const:0");
}

#[test]
fn a_session_runs_its_graph_after_a_reset() -> Outcome {
    let _lock = lock();
    let two = constant(2);
    let session = Session::new();
    reset_default_graph();
    assert_eq!(session.run(two)?.to_string(), "2");
    Ok(())
}

#[test]
fn a_handle_from_before_a_reset_says_where_the_reset_was() {
    let _lock = lock();
    let base = line!();
    let stale = constant(2);
    reset_default_graph();
    let sum = stale + 1;
    assert!(sum.is_invalid());
    let error = Session::new().run(sum).unwrap_err();
    insta::assert_snapshot!(relative(error, file!(), base), @"
    this handle is stale: its graph was discarded by reset_default_graph at +2:5
      --> +3:15 (in `add`)
    ");
    insta::assert_snapshot!(relative(stale, file!(), base), @"Tensor(<invalid>: this handle is stale: its graph was discarded by reset_default_graph at +2:5)");
}

#[test]
fn a_fetch_from_before_a_reset_is_of_another_graph() {
    let _lock = lock();
    let base = line!();
    let stale = constant(2);
    let _kept = default_graph();
    reset_default_graph();
    constant(1);
    let error = Session::new().run(stale).unwrap_err();
    insta::assert_snapshot!(relative(error, file!(), base), @"this handle is stale: its graph was discarded by reset_default_graph at +3:5");
}

#[test]
fn a_reset_leaves_the_graph_of_a_guard_alone() {
    let _lock = lock();
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1);
    reset_default_graph();
    assert!(!(x + 1).is_invalid());
    assert_eq!(default_graph(), graph);
}
