//! The warnings of sessions.

use crate::common::{Outcome, relative};
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
    warning: the graph keeps growing: nodes were added between runs 32 times
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

#[test]
fn an_initializer_older_than_a_variable_is_warned_of_when_it_runs() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, lines) = warned_session();
    let base = line!();
    get_variable("early", [], zeros());
    let init = global_variables_initializer();
    get_variable("late", [], zeros());
    session.run(init)?;
    let warning = lines.take().join("\n");
    insta::assert_snapshot!(relative(warning, file!(), base), @"
    warning: `init` (+2:16) was made before the variable `late`, and leaves it out
      --> +3:5
      help: make the initializer after all variables, or call session.init_missing()
    ");
    session.run(init)?;
    assert!(!lines.take().iter().any(|line| line.contains("late")));
    Ok(())
}

#[test]
fn initializers_that_share_the_variables_are_not_warned_of() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, lines) = warned_session();
    get_variable("early", [], zeros());
    let first = global_variables_initializer();
    let late = get_variable("late", [], zeros());
    let second = variables_initializer([late]);
    session.run(first)?;
    session.run(second)?;
    assert!(lines.take().is_empty());
    Ok(())
}

#[test]
fn a_print_beside_the_path_is_warned_of_when_the_session_ends() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, lines) = warned_session();
    let base = line!();
    let x = placeholder::<f32>([]);
    let y = square(x);
    print(y, ["beside", "the path"]);
    let on_the_path = print(y, ["on it"]);
    print(placeholder::<f32>([]), ["elsewhere"]);
    session.run_with(y, feeds![x => 1.0])?;
    session.run_with(on_the_path, feeds![x => 1.0])?;
    assert!(lines.take().is_empty());
    drop(session);
    let warning = lines.take().join("\n");
    insta::assert_snapshot!(relative(warning, file!(), base), @"
    warning: `Print` never ran: no run needed it
      --> +3:5
      help: use its output, call print_on(..), or tie it in by control_dependencies
    ");
    Ok(())
}
