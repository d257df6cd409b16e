//! The promises of one run: one serial order, the values of reads, the order of writes.

use std::sync::{Arc, Mutex, OnceLock};

use crate::common::{Outcome, counted, in_both_modes, number, printing_session};
use tidemill::prelude::*;
use tidemill::{Operand, RunError};

/// The numbers of several tensors in one run.
fn numbers<const N: usize>(session: &Session, tensors: [Tensor; N]) -> [f32; N] {
    session.run(tensors).unwrap().map(|value| value.to_scalar().unwrap())
}

#[test]
fn effects_happen_in_the_order_in_which_they_were_made() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(1);
    let prints: Vec<Tensor> = (0..5).map(|i| print(x, [i])).collect();
    let (session, lines) = printing_session();
    session.run((prints[4], prints[2], prints[0], [prints[3], prints[1]]))?;
    assert_eq!(lines.take(), ["[0]", "[1]", "[2]", "[3]", "[4]"]);
    Ok(())
}

#[test]
fn prints_and_host_calls_keep_one_order() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let call = |i: i32| {
        let seen = Arc::clone(&seen);
        let output = HostOutput::new::<i32>([]);
        host_call(Vec::<Operand>::new(), [output], move |_| {
            seen.lock().unwrap().push(format!("call {i}"));
            Ok(vec![i.into()])
        })[0]
    };
    let nodes = [call(0), print(constant(0), [1]), call(2), print(constant(0), [3])];
    let sink = Arc::clone(&seen);
    let options = SessionOptions {
        print_to: Sink::function(move |line| sink.lock().unwrap().push(line.to_owned())),
        ..SessionOptions::default()
    };
    let [a, b, c, d] = nodes;
    Session::with_options(&graph, options).run([d, c, b, a])?;
    assert_eq!(*seen.lock().unwrap(), ["call 0", "[1]", "call 2", "[3]"]);
    Ok(())
}

#[test]
fn a_fetched_loss_is_the_one_before_the_update() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let loss = square(v - 3.0);
    let train = GradientDescent::new(0.25).minimize(loss);
    for session in in_both_modes() {
        session.run(v.initializer())?;
        let (before, ()) = session.run((loss, train))?;
        assert_eq!(before.to_string(), "4.0");
        let ((), before) = session.run((train, loss))?;
        assert_eq!(before.to_string(), "1.0");
        assert_eq!(number(&session, loss), 0.25);
    }
    Ok(())
}

#[test]
fn a_fetched_variable_has_the_value_from_before_the_run() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let write = assign(v, 5.0);
    for session in in_both_modes() {
        session.run(v.initializer())?;
        let (written, read) = session.run((write, v))?;
        assert_eq!([written.to_string(), read.to_string()], ["5.0", "1.0"]);
        assert_eq!(number(&session, v), 5.0);
    }
    Ok(())
}

#[test]
fn a_read_under_control_dependencies_sees_the_assignment() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let write = assign(v, 5.0);
    let after = control_dependencies([write], || v + 1.0);
    let before = v + 1.0;
    for session in in_both_modes() {
        session.run(v.initializer())?;
        assert_eq!(numbers(&session, [after, before]), [6.0, 2.0]);
    }
    Ok(())
}

#[test]
fn a_read_made_outside_of_control_dependencies_does_not_see_the_assignment() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let outside = v.read();
    let write = assign(v, 5.0);
    let sum = control_dependencies([write], || outside + 1.0);
    for session in in_both_modes() {
        session.run(v.initializer())?;
        assert_eq!(number(&session, sum), 2.0);
        assert_eq!(number(&session, v), 5.0);
    }
    Ok(())
}

#[test]
fn a_read_sees_the_last_of_the_writes_it_depends_on() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let (first, second, third) = (assign(v, 10.0), assign(v, 20.0), assign(v, 30.0));
    let after_first = control_dependencies([first], || identity(v));
    let after_both = control_dependencies([second, first], || identity(v));
    for session in in_both_modes() {
        let values = numbers(&session, [after_first, after_both, third]);
        assert_eq!(values, [10.0, 20.0, 30.0]);
        assert_eq!(number(&session, v), 30.0);
    }
    Ok(())
}

#[test]
fn a_write_is_seen_through_any_chain_of_nodes() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let unrelated = square(assign(v, 5.0));
    let grouped = group([unrelated]);
    let tied = with_dependencies([grouped], constant(0.0_f32));
    let after = control_dependencies([tied], || identity(v));
    for session in in_both_modes() {
        session.run(v.initializer())?;
        assert_eq!(number(&session, after), 5.0);
    }
    Ok(())
}

#[test]
fn a_write_of_another_variable_changes_no_read() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, w) = (get_variable("v", [], ones()), get_variable("w", [], ones()));
    let write_w = assign(w, 7.0);
    let after = control_dependencies([write_w], || v + w);
    for session in in_both_modes() {
        session.init_missing()?;
        assert_eq!(number(&session, after), 8.0);
    }
    Ok(())
}

#[test]
fn two_variables_can_be_swapped() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (v, w) = (get_variable("v", [], 1.0), get_variable("w", [], 2.0));
    let swap = group([assign(v, w), assign(w, v)]);
    for session in in_both_modes() {
        session.init_missing()?;
        session.run(swap)?;
        assert_eq!([number(&session, v), number(&session, w)], [2.0, 1.0]);
    }
    Ok(())
}

#[test]
fn writes_happen_in_the_order_in_which_they_were_made() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let (first, second, third) = (assign_add(v, 1.0), assign(v, 10.0), assign_add(v, 5.0));
    for session in in_both_modes() {
        for fetches in [[first, second, third], [third, second, first], [second, first, third]] {
            session.run(v.initializer())?;
            session.run(fetches)?;
            assert_eq!(number(&session, v), 15.0);
        }
    }
    Ok(())
}

#[test]
fn adding_to_a_variable_reads_it_at_its_own_turn() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = variable("v", []).get();
    let (write, add) = (assign(v, 10.0), assign_add(v, 1.0));
    for session in in_both_modes() {
        // The variable has no value when the run starts.
        assert_eq!(numbers(&session, [add, write]), [11.0, 10.0]);
        assert_eq!(number(&session, v), 11.0);
    }
    Ok(())
}

#[test]
fn the_result_of_a_write_stays_what_it_wrote() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [3], zeros());
    let first = assign_add(v, constant([1.0_f32, 2.0, 3.0]));
    let second = assign_add(v, constant([10.0_f32, 10.0, 10.0]));
    let used = first * 2.0;
    for session in in_both_modes() {
        session.run(v.initializer())?;
        let values = session.run([first, second, used])?.map(|value| value.to_string());
        assert_eq!(values, ["[1.0, 2.0, 3.0]", "[11.0, 12.0, 13.0]", "[2.0, 4.0, 6.0]"]);
        assert_eq!(session.run(v)?.to_string(), "[11.0, 12.0, 13.0]");
    }
    Ok(())
}

#[test]
fn a_write_can_take_the_variable_from_another_write() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = variable("v", []).get();
    let chained = assign_add(assign(v, 1.0), 2.0);
    for session in in_both_modes() {
        assert_eq!(number(&session, chained), 3.0);
        assert_eq!(number(&session, v), 3.0);
    }
    Ok(())
}

#[test]
fn a_write_of_what_is_read_takes_the_value_from_before_the_run() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], ones());
    let (first, second) = (assign(v, v + 1.0), assign(v, v * 10.0));
    for session in in_both_modes() {
        session.run(v.initializer())?;
        assert_eq!(numbers(&session, [first, second]), [2.0, 10.0]);
        assert_eq!(number(&session, v), 10.0);
    }
    Ok(())
}

#[test]
fn a_run_inside_a_run_of_the_same_session_is_an_error() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let two = constant(2.0_f32);
    let session = Arc::new(Session::new());
    let inner = Arc::downgrade(&session);
    let output = HostOutput::new::<f32>([]);
    let nested = host_call(Vec::<Operand>::new(), [output], move |_| {
        let session = inner.upgrade().ok_or("the session is gone")?;
        Ok(vec![session.run(two)?])
    });
    let error = session.run(nested[0]).unwrap_err();
    assert!(
        error.to_string().contains("a run of a session cannot run the same session"),
        "{error}"
    );
    assert_eq!(number(&session, two), 2.0);
    Ok(())
}

#[test]
fn a_run_inside_a_run_of_another_session_is_fine() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [], 2.0);
    let other = Session::new();
    other.init_missing()?;
    let output = HostOutput::new::<f32>([]);
    let nested = host_call(Vec::<Operand>::new(), [output], move |_| Ok(vec![other.run(v)?]));
    assert_eq!(number(&Session::new(), nested[0]), 2.0);
    Ok(())
}

#[test]
fn a_run_can_build_nodes() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant(2.0_f32);
    let built = Arc::new(OnceLock::new());
    let slot = Arc::clone(&built);
    let growing = host_call([x], [HostOutput::new::<f32>([])], move |inputs| {
        slot.get_or_init(|| x * 3.0);
        Ok(inputs.to_vec())
    });
    let session = Session::new();
    session.run(growing[0])?;
    assert_eq!(number(&session, *built.get().ok_or("it did not run")?), 6.0);
    Ok(())
}

#[test]
fn a_session_that_prints_to_a_function_cannot_be_run_by_it() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let session: Arc<OnceLock<Session>> = Arc::default();
    let refused = Arc::new(OnceLock::new());
    let (inner, answer) = (Arc::clone(&session), Arc::clone(&refused));
    let x = constant(1);
    let print_to = Sink::function(move |_| {
        let result = inner.get().map(|session| session.run(x));
        answer.get_or_init(|| matches!(result, Some(Err(RunError::Nested))));
    });
    let options = SessionOptions { print_to, ..SessionOptions::default() };
    let session = session.get_or_init(|| Session::with_options(&graph, options));
    session.run(print(x, [x]))?;
    assert_eq!(refused.get(), Some(&true));
    Ok(())
}

#[test]
fn fetching_more_never_changes_what_is_fetched() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [2], ones());
    let (x, _) = counted(2.0_f32);
    let product = v * x;
    let write = assign_sub(v, product);
    let after = control_dependencies([write], || reduce_sum(v, ..));
    let all = [v.read(), product, write, after];
    for session in in_both_modes() {
        for tensor in all {
            session.run(v.initializer())?;
            let alone = session.run(tensor)?;
            session.run(v.initializer())?;
            let together = session.run(all)?;
            let position = all.iter().position(|other| *other == tensor).ok_or("it is one")?;
            assert!(alone.bits_eq(&together[position]), "{alone} is not {together:?}");
        }
    }
    Ok(())
}
