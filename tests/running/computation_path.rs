//! A run computes what its fetches need, and nothing else.

use crate::common::{Count, Outcome, counted, failing, printing_session};
use tidemill::Operand;
use tidemill::prelude::*;

/// The names of the nodes that a run of `fetches` computes.
fn steps(fetches: impl Fetch, feeds: &[Tensor]) -> Vec<String> {
    let options = SessionOptions { rewriting: Rewriting::Off, ..SessionOptions::default() };
    let session = Session::with_options(&default_graph(), options);
    let explanation = session.explain(fetches, feeds).unwrap();
    explanation.steps.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn only_the_ancestors_of_a_fetch_run() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (two, two_runs) = counted(2.0_f32);
    let (three, three_runs) = counted(3.0_f32);
    let (_sum, sum_runs) = counted(two + three);
    assert_eq!(Session::new().run(three)?.to_string(), "3.0");
    assert_eq!([two_runs.take(), three_runs.take(), sum_runs.take()], [0, 1, 0]);
    Ok(())
}

#[test]
fn a_run_of_a_node_without_ancestors_makes_one_call() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let three = placeholder_with_default(3.0_f32, []).named("three");
    let _unused = three + 1.0;
    assert_eq!(steps(three, &[]), ["three"]);
}

#[test]
fn a_node_off_the_path_cannot_fail_the_run() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let three = constant(3.0_f32);
    let _broken = three + failing();
    assert_eq!(Session::new().run(three)?.to_string(), "3.0");
    Ok(())
}

#[test]
fn a_shared_ancestor_is_computed_once() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (shared, runs) = counted(2.0_f32);
    let heads: Vec<Tensor> = (0..10).map(|i| shared * f64::from(i)).collect();
    let values = Session::new().run((heads, shared, [shared; 3]))?;
    assert_eq!(values.0[9].to_string(), "18.0");
    assert_eq!(runs.take(), 1);
    Ok(())
}

#[test]
fn a_pure_node_is_computed_at_most_once() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]).named("x");
    let shared = square(x).named("shared");
    let (left, right) = (exp(shared).named("left"), log(shared).named("right"));
    let sum = (left + right).named("sum");
    assert_eq!(steps((sum, shared, left), &[x]), ["shared", "left", "right", "sum"]);
}

#[test]
fn a_node_with_an_effect_runs_exactly_once_in_each_run() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, lines) = printing_session();
    let x = print(constant(1.0_f32), ["x"]);
    let many = add_n([x + x, x * x, x]);
    session.run((many, x, x))?;
    session.run(many)?;
    assert_eq!(lines.take(), ["[x]", "[x]"]);
    Ok(())
}

#[test]
fn equal_nodes_with_effects_all_run() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (session, lines) = printing_session();
    let x = constant(1.0_f32);
    let (first, second) = (print(x, ["x"]), print(x, ["x"]));
    session.run((first, second))?;
    assert_eq!(lines.take(), ["[x]", "[x]"]);
    Ok(())
}

#[test]
fn a_control_dependency_brings_a_node_onto_the_path() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, runs) = counted(1.0_f32);
    let after = control_dependencies([x], || constant(2));
    assert_eq!(Session::new().run(after)?.to_string(), "2");
    assert_eq!(runs.take(), 1);
    Ok(())
}

#[test]
fn an_effect_behind_a_value_that_nothing_uses_still_happens() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, runs) = counted(1.0_f32);
    let unused = square(x) + 1.0;
    let after = control_dependencies([unused], no_op);
    Session::new().run(after)?;
    assert_eq!(runs.take(), 1);
    Ok(())
}

#[test]
fn feeding_a_tensor_cuts_off_its_private_ancestors() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (private, private_runs) = counted(1.0_f32);
    let (shared, shared_runs) = counted(2.0_f32);
    let inner = private * shared;
    let outer = inner + shared;
    let session = Session::new();
    assert_eq!(session.run_with(outer, feeds![inner => 10.0])?.to_string(), "12.0");
    assert_eq!([private_runs.take(), shared_runs.take()], [0, 1]);
    Ok(())
}

#[test]
fn feeding_a_tensor_makes_its_failures_and_placeholders_irrelevant() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let unfed = placeholder::<f32>([]);
    let null = variable("null", []).get();
    let x = unfed + null + failing();
    let session = Session::new();
    assert_eq!(session.run_with(x * 2.0, feeds![x => 4.0])?.to_string(), "8.0");
    Ok(())
}

#[test]
fn a_constant_can_be_fed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (two, three) = (constant(2), constant(3));
    let session = Session::new();
    let sum = two + three;
    assert_eq!(session.run_with(sum, feeds![two => 10])?.to_string(), "13");
    assert_eq!(session.run(sum)?.to_string(), "5");
    Ok(())
}

#[test]
fn a_fed_tensor_that_is_fetched_has_the_fed_value() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, runs) = counted(1.0_f32);
    let session = Session::new();
    let (fetched, doubled) = session.run_with((x, x * 2.0), feeds![x => 3.0])?;
    assert_eq!([fetched.to_string(), doubled.to_string()], ["3.0", "6.0"]);
    assert_eq!(runs.take(), 0);
    Ok(())
}

#[test]
fn a_feed_that_nothing_needs_is_ignored() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, y) = (placeholder::<f32>([]), placeholder::<f32>([]));
    let session = Session::new();
    assert_eq!(session.run_with(x, feeds![x => 1.0, y => 2.0])?.to_string(), "1.0");
    Ok(())
}

#[test]
fn feeding_one_output_leaves_the_others_to_be_computed() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let count = Count::default();
    let counter = count.clone();
    let outputs = [HostOutput::new::<f32>([]), HostOutput::new::<f32>([])];
    let pair = host_call(Vec::<Operand>::new(), outputs, move |_| {
        counter.increase();
        Ok(vec![1.0_f32.into(), 2.0_f32.into()])
    });
    let sum = pair[0] + pair[1];
    let session = Session::new();
    assert_eq!(session.run_with(sum, feeds![pair[0] => 10.0])?.to_string(), "12.0");
    assert_eq!(count.take(), 1);
    let both = feeds![pair[0] => 10.0, pair[1] => 20.0];
    assert_eq!(session.run_with(sum, both)?.to_string(), "30.0");
    assert_eq!(count.take(), 0);
    Ok(())
}

#[test]
fn feeding_a_tensor_does_not_cut_off_what_a_control_dependency_asks_for() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, runs) = counted(1.0_f32);
    let after = control_dependencies([x], || identity(x));
    let session = Session::new();
    assert_eq!(session.run_with(after, feeds![x => 5.0])?.to_string(), "5.0");
    assert_eq!(runs.take(), 1);
    Ok(())
}

#[test]
fn a_run_of_nothing_does_nothing() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (_x, runs) = counted(1.0_f32);
    let session = Session::new();
    session.run(())?;
    assert!(session.run(Vec::<Tensor>::new())?.is_empty());
    assert_eq!(runs.take(), 0);
    Ok(())
}

#[test]
fn a_path_of_a_hundred_thousand_nodes_does_not_overflow_the_stack() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([]);
    let last = (0..100_000).fold(x, |x, _| identity(x));
    assert_eq!(Session::new().run_with(last, feeds![x => 1.5])?.to_string(), "1.5");
    Ok(())
}
