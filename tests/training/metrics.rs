//! Metrics: over two batches, weighted or not, they match TensorFlow's `tf.metrics`.

use crate::common::{Outcome, in_both_modes};
use tidemill::metrics::{AucOptions, Curve, Metric, SummationMethod};
use tidemill::prelude::*;
use tidemill::{Inspect, LOCAL_VARIABLES};

const LABELS: [[i64; 5]; 2] = [[0, 1, 1, 0, 1], [1, 0, 0, 1, 1]];
const PREDICTIONS: [[f32; 5]; 2] = [[0.1, 0.4, 0.35, 0.8, 0.9], [0.7, 0.2, 0.6, 0.55, 0.05]];
const WEIGHTS: [[f32; 5]; 2] = [[1.0, 2.0, 0.5, 0.0, 1.0], [1.0, 1.0, 3.0, 0.25, 2.0]];

/// Compares a metric after each of two batches with TensorFlow's results, without weights and with
/// weights.
#[track_caller]
fn check(metric: impl Fn(Tensor, Tensor, Option<Tensor>) -> Metric, expected: [[f32; 2]; 2]) {
    for (i, expected) in expected.into_iter().enumerate() {
        let graph = Graph::new();
        let _default = graph.as_default();
        let labels = placeholder::<i64>(shape![?]);
        let predictions = placeholder::<f32>(shape![?]);
        let weights = placeholder::<f32>(shape![?]);
        let metric = metric(labels, predictions, (i == 1).then_some(weights));
        let (init, reset) = (local_variables_initializer(), metric.reset());
        for session in in_both_modes() {
            session.run(init).unwrap();
            for pass in 0..2 {
                for (batch, expected) in expected.iter().enumerate() {
                    let feeds = feeds![
                        labels => LABELS[batch],
                        predictions => PREDICTIONS[batch],
                        weights => WEIGHTS[batch],
                    ];
                    let update = session.run_with(metric.update, feeds).unwrap();
                    let values = [update, session.run(metric.value).unwrap()];
                    for value in values.map(|value| f32::try_from(value).unwrap()) {
                        let is_close = (value - expected).abs() <= 1e-6 * expected.abs().max(1.0);
                        assert!(is_close, "weighed {i}, pass {pass}, batch {batch}: {value}");
                    }
                }
                session.run(reset).unwrap();
            }
        }
    }
}

fn classes(predictions: Tensor) -> Tensor {
    greater(predictions, 0.5)
}

#[test]
fn the_mean_is_tensorflows() {
    check(
        |_, predictions, weights| metrics::mean(predictions, weights),
        [[0.51000005, 0.465], [0.4388889, 0.4180851]],
    );
}

#[test]
fn accuracy_is_tensorflows() {
    check(
        |labels, predictions, weights| {
            metrics::accuracy(labels, cast(classes(predictions), DType::I32), weights)
        },
        [[0.4, 0.5], [0.44444445, 0.3617021]],
    );
}

#[test]
fn precision_and_recall_are_tensorflows() {
    check(
        |labels, predictions, weights| metrics::precision(labels, classes(predictions), weights),
        [[0.5, 0.6], [1.0, 0.42857143]],
    );
    check(
        |labels, predictions, weights| metrics::recall(labels, classes(predictions), weights),
        [[0.33333334, 0.5], [0.2857143, 0.33333334]],
    );
}

#[test]
fn the_counts_of_right_and_wrong_predictions_are_tensorflows() {
    check(
        |labels, x, weights| metrics::true_positives(labels, classes(x), weights),
        [[1.0, 3.0], [1.0, 2.25]],
    );
    check(
        |labels, x, weights| metrics::false_positives(labels, classes(x), weights),
        [[1.0, 2.0], [0.0, 3.0]],
    );
    check(
        |labels, x, weights| metrics::false_negatives(labels, classes(x), weights),
        [[2.0, 3.0], [2.5, 4.5]],
    );
    check(
        |labels, x, weights| metrics::true_negatives(labels, classes(x), weights),
        [[1.0, 2.0], [1.0, 2.0]],
    );
}

#[test]
fn squared_errors_are_tensorflows() {
    let floats = |labels| cast(labels, DType::F32);
    check(
        |labels, x, weights| metrics::mean_squared_error(floats(labels), x, weights),
        [[0.2885, 0.30374998], [0.21138889, 0.3418617]],
    );
    check(
        |labels, x, weights| metrics::root_mean_squared_error(floats(labels), x, weights),
        [[0.53712195, 0.5511352], [0.45977047, 0.5846894]],
    );
}

#[test]
fn the_area_under_a_curve_is_tensorflows() {
    let area = |curve, summation_method| {
        let options = AucOptions { curve, summation_method, ..AucOptions::default() };
        move |labels, predictions, weights| {
            metrics::auc(labels, predictions, weights, options.clone())
        }
    };
    let roc = [[0.66666645, 0.5416666], [0.99999905, 0.45925927]];
    for method in
        [SummationMethod::Trapezoidal, SummationMethod::Minoring, SummationMethod::Majoring]
    {
        check(area(Curve::Roc, method), roc);
    }
    check(
        area(Curve::Pr, SummationMethod::Trapezoidal),
        [[0.7638887, 0.6724868], [0.99999964, 0.6636703]],
    );
    check(
        area(Curve::Pr, SummationMethod::CarefulInterpolation),
        [[0.768951, 0.67564356], [1.0000001, 0.6670082]],
    );
}

#[test]
fn an_area_takes_thresholds_in_any_order() {
    let thresholds = Some(vec![0.75, 0.25, 0.5]);
    let options = AucOptions { thresholds, ..AucOptions::default() };
    check(
        |labels, predictions, weights| metrics::auc(labels, predictions, weights, options.clone()),
        [[0.5833332, 0.56249994], [0.99999905, 0.48518515]],
    );
}

#[test]
fn an_area_is_of_probabilities() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let area = metrics::auc(constant([1]), constant([1.5_f32]), None, AucOptions::default());
    let none = AucOptions { num_thresholds: 1, ..AucOptions::default() };
    assert!(metrics::auc(constant([1]), constant([0.5_f32]), None, none).value.is_invalid());
    let session = Session::new();
    assert!(session.run(area.update).unwrap_err().to_string().contains("Assert"));
    assert_eq!(session.run(area.variables[0])?.to_string().matches("0.0").count(), 200);
    Ok(())
}

#[test]
fn a_class_among_the_largest_is_right() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let scores = constant([[0.1_f32, 0.5, 0.4], [0.7, 0.2, 0.1], [0.3, 0.3, 0.4]]);
    let labels = constant([2, 2, 2]);
    let best = [1, 2, 3].map(|k| metrics::top_k_accuracy(labels, scores, k, None).update);
    let session = Session::new();
    let parts = session.run(best)?.map(|part| f32::try_from(part).unwrap());
    assert_eq!(parts, [1.0 / 3.0, 2.0 / 3.0, 1.0]);
    Ok(())
}

#[test]
fn metrics_count_in_local_variables_of_their_own() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant([1.0_f32]);
    let metrics = [metrics::mean(x, None), metrics::mean(x, None)];
    let scoped = variable_scope("eval", || metrics::precision(constant([true]), x, None));
    let names: Vec<String> =
        graph.variables_in(LOCAL_VARIABLES).iter().map(|v| v.op().name()).collect();
    let expected = [
        "mean/total",
        "mean/count",
        "mean_1/total",
        "mean_1/count",
        "eval/precision/true_positives/count",
        "eval/precision/false_positives/count",
    ];
    assert_eq!(names, expected);
    assert!(graph.variables().is_empty() && graph.trainable_variables().is_empty());
    assert_eq!(graph.variables_in("metric_variables").len(), 6);
    assert!(Saver::new().is_err());
    let session = Session::new();
    session.run(metrics[0].update)?;
    let values = session.run([metrics[0].value, metrics[1].value, scoped.value])?;
    assert_eq!(values.map(|value| value.to_string()), ["1.0", "0.0", "0.0"]);
    Ok(())
}

#[test]
fn labels_and_predictions_may_have_a_last_axis_of_extent_1() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let accuracy = metrics::accuracy(constant([[1], [2]]), constant([1, 3]), None);
    let wrong = metrics::accuracy(constant([1, 2, 3]), constant([1, 3]), None);
    assert!(wrong.value.is_invalid() || wrong.update.is_invalid());
    let session = Session::new();
    assert_eq!(session.run(accuracy.update)?.to_string(), "0.5");
    Ok(())
}
