//! Like `lines.rs`, for functions that build several operations: losses, metrics, schedules,
//! layers, recurrent networks, optimizers, control flow, operators.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tidemill::prelude::*;
use tidemill::{Operand, TensorArray, layers, losses, metrics, rnn, schedules};

use super::lines::{Row, check_errors, check_nodes, rows};

const X: [f32; 2] = [1.0, 2.0];
const ROWS: [[f32; 2]; 2] = [[0.0, 1.0], [1.0, 0.0]];
const LABELS: [i32; 2] = [0, 1];

#[track_caller]
fn v() -> Variable {
    variable("v", [2]).absolute(true).get()
}

/// A recurrent network's inputs: two sequences of three steps.
#[track_caller]
fn sequences() -> Tensor {
    placeholder::<f32>([2, 3, 4])
}

const LOSSES: &[Row] = rows! {
    compute_weighted_loss => losses::compute_weighted_loss(X, 1.0);
    mean_squared_error => losses::mean_squared_error(X, X, 1.0);
    absolute_difference => losses::absolute_difference(X, X, 1.0);
    huber_loss => losses::huber_loss(X, X, 1.0, 1.0);
    hinge_loss => losses::hinge_loss(X, X, 1.0);
    log_loss => losses::log_loss(X, X, 1e-7, 1.0);
    cosine_distance => losses::cosine_distance(X, X, 0, 1.0);
    sigmoid_cross_entropy => losses::sigmoid_cross_entropy(X, X, 0.1, 1.0);
    softmax_cross_entropy => losses::softmax_cross_entropy(ROWS, ROWS, 0.1, 1.0);
    sparse_softmax_cross_entropy => losses::sparse_softmax_cross_entropy(LABELS, ROWS, 1.0);
};

const METRICS: &[Row] = rows! {
    mean => metrics::mean(X, None);
    accuracy => metrics::accuracy(LABELS, LABELS, None);
    top_k_accuracy => metrics::top_k_accuracy(LABELS, ROWS, 1, None);
    mean_squared_error => metrics::mean_squared_error(X, X, None);
    root_mean_squared_error => metrics::root_mean_squared_error(X, X, None);
    auc => metrics::auc(LABELS, [0.1_f32, 0.9], None, metrics::AucOptions::default());
};

const SCHEDULES: &[Row] = rows! {
    exponential_decay => schedules::exponential_decay(0.1_f32, 1, 10.0, 0.5, true);
    natural_exp_decay => schedules::natural_exp_decay(0.1_f32, 1, 10.0, 0.5, true);
    inverse_time_decay => schedules::inverse_time_decay(0.1_f32, 1, 10.0, 0.5, true);
    polynomial_decay => schedules::polynomial_decay(0.1_f32, 1, 10.0, 0.01, 1.0, true);
    cosine_decay => schedules::cosine_decay(0.1_f32, 1, 10.0, 0.0);
    cosine_decay_restarts => schedules::cosine_decay_restarts(0.1_f32, 1, 10.0, 2.0, 1.0, 0.0);
    piecewise_constant => schedules::piecewise_constant(1, &[10], &[0.1, 0.01]);
    linear_warm_up => schedules::linear_warm_up(1, 10.0, |step| cast(step, DType::F32));
    one_cycle => schedules::one_cycle(0.1_f32, 1, 10.0, 0.3, 25.0, 1e4);
};

const OTHERS: &[Row] = rows! {
    operators => (constant(X) + 1.0, 1.0 - constant(X), -constant(X), v() * X, !constant([true]));
    slices => constant(X).slice(s![1..]);
    get_variable => get_variable("weights", [2], ones());
    glorot_uniform => get_variable("weights", [2, 2], glorot_uniform());
    gradients => gradients([square(v())], [v()]);
    minimize => Adam::new(0.1).minimize(reduce_sum(square(v()), 0));
    batch_normalization => layers::batch_normalization(
        ROWS,
        true,
        layers::BatchNormalization::default()
    );
    dynamic_rnn => rnn::dynamic_rnn(&rnn::LstmCell::new(5), sequences());
    static_rnn => rnn::static_rnn(&rnn::GruCell::new(5), [placeholder::<f32>([2, 3])], None);
    cond => cond(true, || constant(1), || constant(2));
    case => case(vec![(constant(true), Box::new(|| constant(1)))], || constant(2));
    switch_case => switch_case(0, [|| constant(1)]);
    while_loop => while_loop(constant(0), |i| less(i, 3), |i| i + 1);
    map_fn => map_fn(constant(X), |x| x * 2.0);
    scan => scan(constant(X), constant(0.0_f32), |sum, x| sum + x);
    foldl => foldl(constant(X), constant(0.0_f32), |sum, x| sum + x);
    tensor_array => TensorArray::new(DType::F32, 2).write(0, X).stack();
    moving_average => ExponentialMovingAverage::new(0.9).apply([Operand::from(v())]);
};

fn all_rows() -> impl Iterator<Item = &'static Row> {
    [LOSSES, METRICS, SCHEDULES, OTHERS].into_iter().flatten()
}

/// The public functions that source files of `tidemill-train` define.
fn functions(files: &[&str]) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/tidemill-train/src");
    let sources = files.iter().map(|file| fs::read_to_string(folder.join(file)).unwrap());
    let names = sources.flat_map(|source| {
        let functions = source.split("\npub fn ").skip(1);
        let names = functions.filter_map(|rest| Some(rest.split(['(', '<']).next()?.to_owned()));
        names.collect::<Vec<_>>()
    });
    names.collect()
}

fn names(rows: &[Row]) -> BTreeSet<String> {
    rows.iter().map(|(name, _)| (*name).to_owned()).collect()
}

#[test]
fn every_loss_metric_and_schedule_is_called() {
    assert_eq!(names(LOSSES), functions(&["losses/mod.rs"]));
    assert_eq!(names(METRICS), functions(&["metrics/mod.rs", "metrics/auc.rs"]));
    assert_eq!(names(SCHEDULES), functions(&["schedules.rs"]));
}

#[test]
fn nodes_of_composed_functions_have_the_line_of_the_call() {
    check_nodes(all_rows(), file!());
}

#[test]
fn errors_of_composed_functions_have_the_line_of_the_call() {
    check_errors(all_rows(), file!());
}
