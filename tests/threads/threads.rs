//! Graphs and sessions shared by threads.

use std::sync::{Arc, Barrier};
use std::thread;

use crate::common::{Outcome, all_names, number};
use tidemill::prelude::*;

const THREADS: usize = 4;
const ROUNDS: usize = 200;

fn is_shared_by_threads<T: Send + Sync>() {}

#[test]
fn graphs_sessions_handles_and_values_are_shared_by_threads() {
    is_shared_by_threads::<Graph>();
    is_shared_by_threads::<Session>();
    is_shared_by_threads::<Tensor>();
    is_shared_by_threads::<Operation>();
    is_shared_by_threads::<Variable>();
    is_shared_by_threads::<Value>();
    is_shared_by_threads::<RunError>();
}

#[test]
fn threads_build_in_one_graph() -> Outcome {
    let graph = Graph::new();
    let totals: Vec<Tensor> = thread::scope(|scope| {
        let build = |i: usize| {
            let _default = graph.as_default();
            (0..ROUNDS).fold(constant(i as i64), |sum, _| sum + 1)
        };
        let workers: Vec<_> = (0..THREADS).map(|i| scope.spawn(move || build(i))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(graph.len(), THREADS * (2 * ROUNDS + 1));
    let mut names = all_names(&graph);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), graph.len(), "every name is unique");
    let values = Session::with_graph(&graph).run(totals)?;
    for (i, value) in values.into_iter().enumerate() {
        assert_eq!(value.to_scalar::<i64>()?, (i + ROUNDS) as i64);
    }
    Ok(())
}

#[test]
fn the_graph_and_scopes_of_a_thread_are_its_own() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let first = constant(1);
    let inside = name_scope("scope", || {
        control_dependencies([first], || {
            let other = thread::scope(|scope| {
                let build = || {
                    let _default = graph.as_default();
                    constant(2)
                };
                scope.spawn(build).join().unwrap()
            });
            assert_eq!(other.name(), "Const_1:0");
            assert!(other.op().control_inputs().is_empty());
            constant(3)
        })
    });
    assert_eq!(inside.name(), "scope/Const:0");
}

#[test]
fn no_update_is_lost_between_threads() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], zeros());
    let add = assign_add(v, 1.0);
    let by_reading = assign(v, v + 1.0);
    let session = Session::new();
    session.init_missing()?;
    thread::scope(|scope| {
        for i in 0..THREADS {
            let (session, write) = (&session, [add, by_reading][i % 2]);
            scope.spawn(move || (0..ROUNDS).for_each(|_| drop(session.run(write).unwrap())));
        }
    });
    assert_eq!(number(&session, v), (THREADS * ROUNDS) as f32);
    Ok(())
}

#[test]
fn a_run_sees_all_of_another_run_or_nothing() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, w) = (get_variable("v", [64], zeros()), get_variable("w", [64], zeros()));
    let one = ones_like(v);
    let writes = group([assign_add(v, one), assign_sub(w, one)]);
    let sum = reduce_max(abs(v + w), ..);
    let session = Session::new();
    session.init_missing()?;
    thread::scope(|scope| {
        let writer = || (0..ROUNDS).for_each(|_| session.run(writes).unwrap());
        let reader = || (0..ROUNDS).for_each(|_| assert_eq!(number(&session, sum), 0.0));
        scope.spawn(writer);
        scope.spawn(reader);
        scope.spawn(writer);
    });
    assert_eq!(session.run(v)?.as_slice::<f32>()?, [2.0 * ROUNDS as f32; 64]);
    Ok(())
}

#[test]
fn runs_that_write_in_opposite_orders_do_not_wait_for_each_other() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, w) = (get_variable("v", [], zeros()), get_variable("w", [], zeros()));
    let to_w = group([assign(w, v + 1.0)]);
    let to_v = group([assign(v, w + 1.0)]);
    let session = Session::new();
    session.init_missing()?;
    let start = Barrier::new(2);
    thread::scope(|scope| {
        for write in [to_v, to_w] {
            let (session, start) = (&session, &start);
            scope.spawn(move || {
                start.wait();
                (0..ROUNDS).for_each(|_| session.run(write).unwrap());
            });
        }
    });
    assert!(number(&session, v) > 0.0 && number(&session, w) > 0.0);
    Ok(())
}

#[test]
fn random_numbers_are_drawn_once_whichever_thread_draws_them() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = random_integers([], 0_i64, i64::MAX, Some(1));
    let draw = |session: &Session| session.run(x).unwrap().to_scalar::<i64>().unwrap();
    let alone = Session::new();
    let mut expected: Vec<i64> = (0..THREADS * ROUNDS).map(|_| draw(&alone)).collect();
    let shared = Session::new();
    let mut drawn: Vec<i64> = thread::scope(|scope| {
        let work = || (0..ROUNDS).map(|_| draw(&shared)).collect::<Vec<_>>();
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    expected.sort_unstable();
    drawn.sort_unstable();
    assert_eq!(drawn, expected);
    Ok(())
}

#[test]
fn a_graph_grows_while_a_session_runs_it() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1.0_f32) + constant(2.0_f32);
    let session = Arc::new(Session::new());
    thread::scope(|scope| {
        let builder = scope.spawn(|| {
            let _default = graph.as_default();
            (0..ROUNDS).for_each(|_| assert!(!(x * 2.0).is_invalid()));
        });
        while !builder.is_finished() {
            assert_eq!(number(&session, x), 3.0);
        }
    });
    Ok(())
}

#[test]
fn a_default_session_is_that_of_its_thread() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1);
    let session = Session::new();
    let _session = session.as_default();
    assert!(x.eval(feeds![]).is_ok());
    let elsewhere = thread::scope(|scope| scope.spawn(|| x.eval(feeds![])).join().unwrap());
    assert!(matches!(elsewhere, Err(RunError::NoSession)));
}
