//! Losses: their values, weights and reductions are those of TensorFlow's `tf.losses`.

use crate::common::{Outcome, in_both_modes};
use tidemill::losses::{
    LossOptions, Reduction, SequenceLoss, sequence_loss, sequence_loss_by_example,
};
use tidemill::prelude::*;

fn labels() -> Tensor {
    constant([[1.0_f32, 0.0, 1.0], [0.0, 1.0, 0.5]])
}

fn predictions() -> Tensor {
    constant([[0.9_f32, 0.2, 0.4], [0.1, 0.7, 0.8]])
}

fn logits() -> Tensor {
    constant([[1.5_f32, -2.0, 0.3], [-0.7, 0.0, 3.0]])
}

/// Weights of one number, of rows, and of elements.
fn weights() -> [LossOptions; 3] {
    let rows = constant([[2.0_f32], [0.0]]);
    let elements = constant([[1.0_f32, 0.0, 2.0], [0.5, 0.0, 3.0]]);
    [1.0.into(), rows.into(), elements.into()]
}

const REDUCTIONS: [Reduction; 4] =
    [Reduction::SumByNonzeroWeights, Reduction::Sum, Reduction::Mean, Reduction::SumOverBatchSize];

#[track_caller]
fn assert_close(actual: &[f32], expected: &[f32], what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (actual, expected) in actual.iter().zip(expected) {
        let tolerance = 2e-6 * expected.abs().max(1.0);
        assert!((actual - expected).abs() <= tolerance, "{what}: {actual} is not {expected}");
    }
}

/// Compares a loss with TensorFlow's results for all weights and reductions, in that order.
#[track_caller]
fn check(loss: impl Fn(LossOptions) -> Tensor, expected: [[f32; 4]; 3]) {
    let graph = Graph::new();
    let _default = graph.as_default();
    for (i, expected) in expected.into_iter().enumerate() {
        let losses = REDUCTIONS.map(|reduction| loss(weights()[i].clone().reduction(reduction)));
        for session in in_both_modes() {
            let values = session.run(losses).unwrap().map(|value| f32::try_from(value).unwrap());
            assert_close(&values, &expected, &format!("weights {i}"));
        }
    }
}

#[test]
fn the_mean_squared_error_is_tensorflows() {
    check(
        |options| losses::mean_squared_error(labels(), predictions(), options),
        [
            [0.1, 0.6, 0.1, 0.1],
            [0.27333334, 0.82000005, 0.13666667, 0.13666667],
            [0.25125, 1.005, 0.15461539, 0.1675],
        ],
    );
}

#[test]
fn the_absolute_difference_is_tensorflows() {
    check(
        |options| losses::absolute_difference(labels(), predictions(), options),
        [
            [0.26666665, 1.6, 0.26666665, 0.26666665],
            [0.6, 1.8000001, 0.3, 0.3],
            [0.5625, 2.25, 0.34615386, 0.375],
        ],
    );
}

#[test]
fn hubers_loss_is_tensorflows() {
    check(
        |options| losses::huber_loss(labels(), predictions(), 0.25, options),
        [
            [0.039375003, 0.23625001, 0.039375003, 0.039375003],
            [0.09583334, 0.28750002, 0.04791667, 0.04791667],
            [0.09406251, 0.37625003, 0.05788462, 0.06270834],
        ],
    );
}

#[test]
fn the_hinge_loss_is_tensorflows() {
    check(
        |options| losses::hinge_loss(labels(), logits(), options),
        [
            [0.5, 3.0, 0.5, 0.5],
            [0.46666667, 1.4, 0.23333333, 0.23333333],
            [1.1375, 4.55, 0.70000005, 0.7583334],
        ],
    );
}

#[test]
fn the_log_loss_is_tensorflows() {
    check(
        |options| losses::log_loss(labels(), predictions(), 1e-7, options),
        [
            [0.43718663, 2.6231198, 0.43718663, 0.43718663],
            [0.8298629, 2.4895887, 0.41493145, 0.41493145],
            [1.1848732, 4.739493, 0.72915274, 0.7899155],
        ],
    );
}

#[test]
fn the_sigmoid_cross_entropy_with_smoothed_labels_is_tensorflows() {
    check(
        |options| losses::sigmoid_cross_entropy(labels(), logits(), 0.1, options),
        [
            [0.6254362, 3.752617, 0.6254362, 0.6254362],
            [0.71513104, 2.145393, 0.35756552, 0.35756552],
            [1.5699947, 6.279979, 0.9661506, 1.0466632],
        ],
    );
}

#[test]
fn the_cosine_distance_is_tensorflows() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let [one, rows, _] = weights();
    let distance = |options: LossOptions| {
        REDUCTIONS.map(|reduction| {
            losses::cosine_distance(
                labels(),
                predictions(),
                1,
                options.clone().reduction(reduction),
            )
        })
    };
    let values = Session::new().run([distance(one), distance(rows)])?;
    let values: Vec<f32> =
        values.into_iter().flatten().map(f32::try_from).collect::<Result<_, _>>()?;
    assert_close(&values, &[-0.2, -0.4, -0.2, -0.2, -0.6, -0.6, -0.3, -0.3], "cosine distance");
    Ok(())
}

#[test]
fn the_softmax_cross_entropy_with_smoothed_labels_is_tensorflows() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let labels = constant([[0.0_f32, 1.0, 0.0], [1.0, 0.0, 0.0]]);
    let loss = |smoothing, options: LossOptions| {
        losses::softmax_cross_entropy(labels, logits(), smoothing, options)
    };
    let weights = || constant([0.0_f32, 3.0]).into();
    let of =
        [loss(0.0, 1.0.into()), loss(0.0, weights()), loss(0.3, 1.0.into()), loss(0.3, weights())];
    let values = Session::new().run(of)?.map(|value| f32::try_from(value).unwrap());
    assert_close(&values, &[3.779045, 11.315596, 3.2690449, 9.995596], "softmax");
    Ok(())
}

#[test]
fn the_sparse_cross_entropy_leaves_out_a_last_axis_of_extent_1() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let rows = (constant([2, 0]), constant([1.0_f32, 0.25]));
    let columns = (constant([[2], [0]]), constant([[1.0_f32], [0.25]]));
    let of = [rows, columns]
        .map(|(labels, weights)| losses::sparse_softmax_cross_entropy(labels, logits(), weights));
    let images = losses::sparse_softmax_cross_entropy(
        constant([[2], [0]]),
        reshape(logits(), [2, 1, 3]),
        LossOptions::weights(1.0).reduction(Reduction::None),
    );
    let (values, images) = Session::new().run((of, images))?;
    let values = values.map(|value| f32::try_from(value).unwrap());
    assert_close(&values, &[1.2145956, 1.2145956], "sparse");
    assert_eq!(images.shape(), &[2, 1].into());
    Ok(())
}

#[test]
fn losses_that_are_not_reduced_have_the_shape_of_the_elements() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let rows = weights()[1].clone().reduction(Reduction::None);
    let loss = losses::mean_squared_error(labels(), predictions(), rows);
    let value = Session::new().run(loss)?;
    assert_close(value.as_slice::<f32>()?, &[0.02, 0.08, 0.72, 0.0, 0.0, 0.0], "none");
    Ok(())
}

#[test]
fn a_loss_of_doubles_is_a_double_where_tensorflows_is() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let labels = constant([[0.0_f32, 1.0, 0.0], [1.0, 0.0, 0.0]]);
    let logits = cast(logits(), DType::F64);
    assert_eq!(losses::softmax_cross_entropy(labels, logits, 0.0, 1.0).dtype(), Some(DType::F64));
    assert_eq!(losses::mean_squared_error(logits, logits, 1.0).dtype(), Some(DType::F32));
    Ok(())
}

#[test]
fn weights_that_are_all_zero_give_a_loss_of_zero() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    for reduction in [Reduction::SumByNonzeroWeights, Reduction::Mean] {
        let options = LossOptions::weights(0.0).reduction(reduction);
        let loss = losses::mean_squared_error(labels(), predictions(), options);
        assert_eq!(Session::new().run(loss)?.to_string(), "0.0");
    }
    Ok(())
}

#[test]
fn weights_that_do_not_broadcast_are_an_error() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let columns = constant([1.0_f32, 2.0, 3.0]);
    assert!(losses::mean_squared_error(labels(), predictions(), columns).is_invalid());
    let errors = graph.check().unwrap_err().to_string();
    assert!(
        errors.contains("weights can not be broadcast to values: their shape is [3]"),
        "{errors}"
    );
    let other = constant([[1.0_f32, 2.0]]);
    assert!(losses::mean_squared_error(labels(), other, 1.0).is_invalid());
}

#[test]
fn weights_of_unknown_shape_are_checked_in_the_run() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    for unknown in [shape![..], shape![?, ?]] {
        let weights = placeholder::<f32>(unknown.clone());
        let loss = losses::mean_squared_error(labels(), predictions(), weights);
        for session in in_both_modes() {
            let fed = |value: Value| session.run_with(loss, feeds![weights => value]);
            let rows = fed(Value::from_vec([2, 1], vec![2.0_f32, 0.0])?)?;
            assert_close(&[f32::try_from(rows)?], &[0.27333334], "rows");
            let error = fed(Value::from_vec([1, 2], vec![1.0_f32, 1.0])?).unwrap_err().to_string();
            assert!(error.contains("weights can not be broadcast to values"), "{error}");
            if unknown.rank().is_none() {
                assert_close(&[f32::try_from(fed(2.0_f32.into())?)?], &[0.2], "a number");
                assert!(fed(Value::from([1.0_f32, 1.0, 1.0])).is_err());
            }
        }
    }
    Ok(())
}

#[test]
fn the_total_loss_is_the_sum_of_what_was_collected() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let weights = get_variable("weights", [2], constant([1.0_f32, -2.0]));
    losses::mean_squared_error(labels(), predictions(), 1.0);
    losses::mean_squared_error(labels(), predictions(), LossOptions::default().collection(None));
    losses::add_loss(constant(0.5_f32));
    losses::l1_regularizer(0.1).apply(weights);
    losses::l2_regularizer(0.1).apply(weights);
    losses::l1_l2_regularizer(0.1, 0.1).apply(weights);
    assert_eq!((losses::get_losses().len(), losses::get_regularization_losses().len()), (2, 3));
    let session = Session::new();
    session.init_missing()?;
    let sums = [losses::get_regularization_loss(), losses::get_total_loss()];
    let sums = session.run(sums)?.map(|sum| f32::try_from(sum).unwrap());
    assert_close(&sums, &[0.3 + 0.25 + 0.55, 0.1 + 0.5 + 1.1], "sums");
    Ok(())
}

#[test]
fn a_weighted_loss_has_the_gradient_of_its_formula() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = constant([[0.5_f32, 2.0], [1.0, -1.0]]);
    let loss = losses::mean_squared_error(zeros_like(x), x, constant([[1.0_f32], [3.0]]));
    let gradient = gradients([loss], [x])[0].unwrap();
    let gradient = Session::new().run(gradient)?;
    assert_eq!(gradient.to_string(), "[[0.25, 1.0], [1.5, -1.5]]");
    Ok(())
}

#[test]
fn the_loss_of_sequences_is_tensorflows() -> Outcome {
    let _graph = Graph::new().as_default();
    // The cross entropy of two equal logits is log(2), whatever the class.
    let logits = constant(vec![vec![vec![0.0_f32; 2]; 3]; 2]);
    let targets = constant([[0, 1, 0], [1, 1, 0]]);
    let weights = constant([[1.0_f32, 1.0, 0.0], [1.0, 0.0, 0.0]]);
    let loss = |average_across_timesteps, average_across_batch| {
        let options = SequenceLoss { average_across_timesteps, average_across_batch };
        sequence_loss(logits, targets, weights, options)
    };
    let log = std::f32::consts::LN_2;
    let session = Session::new();
    let close = |tensor: Tensor, expected: &[f32]| {
        let value = session.run(tensor).unwrap();
        let actual = value.as_slice::<f32>().unwrap();
        assert_eq!(actual.len(), expected.len());
        assert!(actual.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-6), "{actual:?}");
    };
    close(loss(true, true), &[log]);
    close(loss(true, false), &[log, log]);
    close(loss(false, true), &[log, log, 0.0]);
    close(loss(false, false), &[log, log, 0.0, log, 0.0, 0.0]);
    let steps = |x: Tensor| unstack(x, 1);
    let (logits, targets, weights) = (steps(logits), steps(targets), steps(weights));
    let by_example = |mean| sequence_loss_by_example(&logits, &targets, &weights, mean);
    close(by_example(false), &[2.0 * log, log]);
    close(by_example(true), &[log, log]);
    assert!(sequence_loss_by_example(&logits, &targets[1..], &weights, true).is_invalid());
    Ok(())
}
