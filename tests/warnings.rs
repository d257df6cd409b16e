//! What a session warns of.

mod common;

use common::{Outcome, relative};
use tidemill::prelude::*;

fn warned_session() -> (Session, tidemill::Lines) {
    let (sink, lines) = Sink::lines();
    let options = SessionOptions { warn_to: sink, ..SessionOptions::default() };
    (Session::with_options(&default_graph(), options), lines)
}

#[test]
fn a_line_that_adds_nodes_from_run_to_run_is_named_once() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, lines) = warned_session();
    let x = placeholder::<i32>([]);
    let base = line!();
    for i in 0..100 {
        let sum = x + i;
        assert_eq!(session.run_with(sum, feeds![x => 1])?, Value::from(i + 1));
    }
    let warnings = lines.take();
    assert_eq!(warnings.len(), 1);
    insta::assert_snapshot!(relative(&warnings[0], file!(), base), @r"
    warning: the graph grows as it is run: 32 times, nodes were added between runs
      --> +2:19
      help: make nodes before the loop that runs them; graph.finalize() makes it an error
    ");
    Ok(())
}

#[test]
fn a_graph_that_grows_beside_what_is_run_is_noticed_too() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, lines) = warned_session();
    let x = constant(1);
    for _ in 0..100 {
        constant(0.5);
        session.run(x)?;
    }
    assert_eq!(lines.take().len(), 1);
    Ok(())
}

#[test]
fn a_program_that_builds_first_is_not_warned() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, lines) = warned_session();
    let layers: Vec<Tensor> = (0..200).map(|i| constant(i)).collect();
    for &layer in &layers {
        session.run(layer)?;
    }
    let more: Vec<Tensor> = (0..200).map(|i| constant(i)).collect();
    session.run(&more)?;
    assert!(lines.take().is_empty());
    Ok(())
}

#[test]
fn in_a_finalized_graph_growth_is_an_error() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let session = Session::new();
    let x = placeholder::<i32>([]);
    let sum = x + 1;
    graph.finalize();
    session.run_with(sum, feeds![x => 1])?;
    let later = x + 2;
    assert!(matches!(session.run_with(later, feeds![x => 1]), Err(RunError::Invalid { .. })));
    Ok(())
}

#[test]
fn initializing_variables_that_have_a_value_is_warned_of_once() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, lines) = warned_session();
    let (a, _b) = (get_variable("a", [], zeros()), get_variable("b", [2], ones()));
    let init = global_variables_initializer();
    session.run(init)?;
    assert!(lines.take().is_empty());
    session.run(assign(a, 5.0))?;
    assert!(lines.take().is_empty());
    session.run(init)?;
    session.run(init)?;
    assert_eq!(
        lines.take(),
        ["warning: variables that had a value were initialized again: `a`, `b`\n  help: \
          session.init_missing() initializes only those without"]
    );
    Ok(())
}

#[test]
fn initializing_what_is_missing_warns_of_nothing() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, lines) = warned_session();
    get_variable("a", [], zeros());
    session.init_missing()?;
    get_variable("b", [], zeros());
    session.init_missing()?;
    assert!(lines.take().is_empty());
    Ok(())
}
