//! Every operation passes the same tests, on its own samples.

use tidemill_graph::OpDef;
use tidemill_ops::ALL;
use tidemill_testing::suite::{
    check_all, check_every_dtype, check_failures_are_expected, check_feeds_are_unchanged,
    check_gradient_of, check_inference, check_known_is_checked_when_built, check_outputs,
    check_text_form,
};

#[test]
fn every_operation_has_samples() {
    // Operations that run bodies are built by functions of a program, and tested there.
    let runs_bodies = |op: &OpDef| op.execution.inputs_before_bodies().is_some();
    let without = ALL.iter().filter(|op| (op.samples)().is_empty() && !runs_bodies(op));
    let without: Vec<&str> = without.map(|op| op.name).collect();
    assert!(without.is_empty(), "there are no samples of {without:?}");
}

#[test]
fn samples_give_what_they_say_fed_or_constant_rewritten_or_not() {
    check_all(ALL, check_outputs);
}

#[test]
fn a_sample_that_fails_is_known_to_be_able_to() {
    check_all(ALL, check_failures_are_expected);
}

#[test]
fn fed_values_stay_as_they_are() {
    check_all(ALL, check_feeds_are_unchanged);
}

#[test]
fn inference_holds_however_little_is_known() {
    check_all(ALL, check_inference);
}

#[test]
fn what_is_known_when_a_node_is_built_is_checked_then() {
    check_all(ALL, check_known_is_checked_when_built);
}

#[test]
fn every_data_type_that_an_operation_allows_runs() {
    check_all(ALL, check_every_dtype);
}

#[test]
fn gradients_are_those_of_finite_differences_twice() {
    check_all(ALL, check_gradient_of);
}

#[test]
fn graphs_of_every_operation_read_back_from_their_text() {
    check_all(ALL, check_text_form);
}
