//! Companions of an optimizer's updates: moving averages, those of batch normalization, and
//! accumulated gradients.

use crate::common::{Outcome, in_both_modes, number};
use tidemill::layers::{BatchNormalization, batch_normalization};
use tidemill::prelude::*;
use tidemill::{Inspect, MOVING_AVERAGE_VARIABLES, Operand, UPDATE_OPS, UpdateOps};

#[track_caller]
fn assert_close(value: &Value, expected: &[f32]) {
    let values = value.as_slice::<f32>().unwrap();
    assert_eq!(values.len(), expected.len());
    for (value, expected) in values.iter().zip(expected) {
        let is_close = (value - expected).abs() <= 1e-6 * expected.abs().max(1.0);
        assert!(is_close, "{values:?} is not {expected}");
    }
}

fn names(variables: &[Variable]) -> Vec<String> {
    variables.iter().map(|variable| variable.op().name()).collect()
}

/// Compares the averages of a variable and a tensor after three steps with TensorFlow's results.
fn check_averages(mut averages: ExponentialMovingAverage, expected: [[f32; 2]; 2]) -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let v = get_variable("v", [2], constant([1.0_f32, -2.0]));
    let x = placeholder::<f32>([2]);
    let y = identity(x * 2.0);
    let set = assign(v, x);
    let update =
        control_dependencies([set], || averages.apply([Operand::from(v), Operand::from(y)]));
    let of = [averages.average(v).unwrap(), averages.average(y).unwrap()];
    assert_eq!(names(&of), ["v/ExponentialMovingAverage", "Identity/ExponentialMovingAverage"]);
    assert_eq!(graph.variables_in(MOVING_AVERAGE_VARIABLES), [v]);
    let init = global_variables_initializer();
    for session in in_both_modes() {
        session.run(init)?;
        for fed in [[3.0_f32, 4.0], [0.5, -1.0], [2.0, 2.0]] {
            session.run_with(update, feeds![x => fed])?;
        }
        let values = session.run(of)?;
        values.iter().zip(expected).for_each(|(value, expected)| assert_close(value, &expected));
    }
    Ok(())
}

#[test]
fn moving_averages_are_tensorflows() -> Outcome {
    let averages = || ExponentialMovingAverage::new(0.9);
    let of_variable = [[1.217, -1.0239998], [1.7168868, 1.3755121]];
    check_averages(averages(), [of_variable[0], [0.9760002, 0.86800015]])?;
    check_averages(averages().num_updates(3), [of_variable[1], [3.3755121, 2.8675468]])?;
    check_averages(averages().zero_debias(true), [of_variable[0], [3.6014755, 3.2029517]])?;
    let both = averages().num_updates(3).zero_debias(true);
    check_averages(both, [of_variable[1], [3.4767933, 2.9535866]])
}

#[test]
fn averages_are_restored_in_place_of_variables() -> Outcome {
    let folder = tempfile::tempdir()?;
    let training = Graph::new();
    let path = {
        let _default = training.as_default();
        let x = get_variable("x", [], constant(1.0_f32));
        get_or_create_global_step();
        let mut averages = ExponentialMovingAverage::new(0.5);
        let update = averages.apply([x]);
        let (session, saver) = (Session::new(), Saver::new()?);
        session.init_missing()?;
        session.run(assign(x, 3.0))?;
        session.run(update)?;
        saver.save(&session, folder.path().join("model.ckpt"))?
    };
    let predicting = Graph::new();
    let _default = predicting.as_default();
    let x = get_variable("x", [], zeros());
    get_or_create_global_step();
    let named = ExponentialMovingAverage::new(0.5).variables_to_restore();
    let keys: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(keys, ["x/ExponentialMovingAverage", "global_step"]);
    let session = Session::new();
    Saver::named(named)?.restore(&session, path)?;
    assert_eq!(session.run(x)?.to_string(), "2.0");
    Ok(())
}

#[test]
fn an_average_starts_with_its_variable_without_a_step_of_the_training() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = get_variable("x", [], ones());
    let step = assign_add(x, 2.0);
    let mut averages = ExponentialMovingAverage::new(0.5);
    let update = control_dependencies([step], || averages.apply([x]));
    let average = averages.average(x).unwrap();
    for session in in_both_modes() {
        session.init_missing()?;
        assert_eq!([number(&session, x), number(&session, average)], [1.0, 1.0]);
        session.run(update)?;
        assert_eq!([number(&session, x), number(&session, average)], [3.0, 2.0]);
    }
    // It also initializes itself, with the value of the variable before the run.
    for session in in_both_modes() {
        session.run(x.initializer())?;
        session.run(update)?;
        assert_eq!([number(&session, x), number(&session, average)], [3.0, 2.0]);
    }
    Ok(())
}

#[test]
fn averages_are_of_floats() {
    let graph = Graph::new();
    let _default = graph.as_default();
    let mut averages = ExponentialMovingAverage::new(0.5);
    averages.apply([constant([1, 2])]);
    let errors = graph.check().unwrap_err().to_string();
    assert!(errors.contains("only floats can be averaged"), "{errors}");
}

/// A batch of four rows of two channels, of means 1 and 2.5 and of variances 3.5 and 8.75.
const BATCH: [[f32; 2]; 4] = [[1.0, 2.0], [3.0, -2.0], [2.0, 6.0], [-2.0, 4.0]];

/// The output of a layer for [`BATCH`], given a mean and a variance for each channel.
fn normalized(mean: [f32; 2], variance: [f32; 2]) -> Vec<f32> {
    let scale = |x: f32, i: usize| (x - mean[i]) / (variance[i] + 1e-3).sqrt();
    BATCH.iter().flat_map(|row| [scale(row[0], 0), scale(row[1], 1)]).collect()
}

#[test]
fn batch_normalization_is_by_the_batch_in_training_and_by_averages_otherwise() -> Outcome {
    let biased = [3.5, 8.75];
    // For images, the average is of the unbiased variance, as in TensorFlow's fused operation.
    let unbiased = biased.map(|variance| variance * 4.0 / 3.0);
    for (shape, variances) in [(vec![4_usize, 2], biased), (vec![1, 2, 2, 2], unbiased)] {
        for is_tensor in [false, true] {
            let graph = Graph::new();
            let _default = graph.as_default();
            let fed = placeholder::<f32>(&shape[..]);
            let flag = placeholder::<bool>([]);
            let options = BatchNormalization { momentum: 0.75, ..BatchNormalization::default() };
            let (training, inferring) = match is_tensor {
                true => (batch_normalization(fed, flag, options), None),
                false => {
                    let named = BatchNormalization { name: Some("bn"), ..options };
                    let training = batch_normalization(fed, true, named);
                    let shared = || batch_normalization(fed, false, named);
                    let reuse = tidemill::Reuse::Always;
                    (training, Some(variable_scope_with("", reuse, shared)))
                }
            };
            assert_eq!(graph.variables().len(), 4);
            assert_eq!(graph.trainable_variables().len(), 2);
            let train = GradientDescent::new(0.0).minimize(reduce_sum(training, ..));
            let session = Session::new();
            session.init_missing()?;
            let batch = Value::from_vec(&shape[..], BATCH.concat())?;
            let feeds = |on: bool| feeds![fed => batch.clone(), flag => on];
            let first = session.run_with((training, train), feeds(true))?.0;
            assert_close(&first, &normalized([1.0, 2.5], biased));
            let averages = session.run(graph.variables()[2..].to_vec())?;
            let mean = [0.25, 0.625];
            let variance = variances.map(|variance| 0.75 + 0.25 * variance);
            assert_close(&averages[0], &mean);
            assert_close(&averages[1], &variance);
            let inferred = session.run_with(inferring.unwrap_or(training), feeds(false))?;
            assert_close(&inferred, &normalized(mean, variance));
        }
    }
    Ok(())
}

#[test]
fn the_channels_of_batch_normalization_may_be_any_axis() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>([2, 4]);
    let options = BatchNormalization { axis: 0, scale: false, ..BatchNormalization::default() };
    let y = transpose(batch_normalization(x, true, options), &[1, 0]);
    assert_eq!(
        names(&graph.variables()),
        [
            "batch_normalization/beta",
            "batch_normalization/moving_mean",
            "batch_normalization/moving_variance",
        ]
    );
    let second = batch_normalization(y, true, BatchNormalization::default());
    assert_eq!(names(&graph.variables())[3], "batch_normalization_1/gamma");
    assert!(
        batch_normalization(second, true, BatchNormalization { axis: 2, ..options }).is_invalid()
    );
    let session = Session::new();
    session.init_missing()?;
    let columns = Value::from([1.0_f32, 3.0, 2.0, -2.0, 2.0, -2.0, 6.0, 4.0]);
    let feeds = feeds![x => columns.reshape([2, 4])?];
    assert_close(&session.run_with(y, feeds)?, &normalized([1.0, 2.5], [3.5, 8.75]));
    Ok(())
}

/// Two layers on a placeholder, and a loss of each.
fn two_layers() -> (Tensor, [Tensor; 2], Vec<Variable>) {
    let x = placeholder::<f32>([4, 2]);
    let layer = |_| {
        let weights = get_variable(&format!("w{}", default_graph().len()), [2, 2], ones());
        let y = batch_normalization(matmul(x, weights), true, BatchNormalization::default());
        reduce_mean(square(y), ..)
    };
    let losses = [0, 1].map(layer);
    let means = |v: &Variable| v.op().name().ends_with("moving_mean");
    let averages = default_graph().variables().into_iter().filter(means).collect();
    (x, losses, averages)
}

fn has_moved(session: &Session, averages: &[Variable]) -> Result<Vec<bool>, RunError> {
    let means = session.run(averages.to_vec())?;
    Ok(means.iter().map(|mean| mean.as_slice::<f32>().unwrap().iter().any(|&x| x != 0.0)).collect())
}

#[test]
fn minimizing_a_loss_updates_the_averages_on_its_path_and_no_others() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, losses, averages) = two_layers();
    let train = GradientDescent::new(0.1).minimize(losses[1]);
    assert!(train.outputs().is_empty());
    for session in in_both_modes() {
        session.init_missing()?;
        session.run_with(train, feeds![x => BATCH])?;
        assert_eq!(has_moved(&session, &averages)?, [false, true]);
    }
    Ok(())
}

#[test]
fn updates_can_be_chosen_or_taken_out() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let (x, losses, averages) = two_layers();
    let minimize = |update_ops| {
        let options = MinimizeOptions { update_ops, ..MinimizeOptions::default() };
        GradientDescent::new(0.1).minimize_with(losses[0], options)
    };
    let of_others = graph.collection(UPDATE_OPS).len();
    assert_eq!(of_others, 4);
    let other = assign(averages[1], [1.0_f32, 1.0]).op();
    let trains = [
        (minimize(UpdateOps::These(Vec::new())), [false, false]),
        (minimize(UpdateOps::These(vec![other])), [false, true]),
        (minimize(UpdateOps::OfLoss), [true, false]),
    ];
    for (train, moved) in trains {
        let session = Session::new();
        session.init_missing()?;
        session.run_with(train, feeds![x => BATCH])?;
        assert_eq!(has_moved(&session, &averages)?, moved);
    }
    Ok(())
}

#[test]
fn accumulated_gradients_are_those_of_the_whole_batch() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let x = placeholder::<f32>(shape![?, 2]);
    let ids = placeholder::<i64>(shape![?]);
    let weights = get_variable("weights", [2, 1], constant([[0.5_f32], [-1.0]]));
    let table = get_variable("table", [4, 1], ones());
    let unused = get_variable("unused", [], ones());
    let guesses = matmul(x, weights) + embedding_lookup(table, ids);
    let loss = reduce_mean(square(guesses - 1.0), ..);
    let optimizer = GradientDescent::new(0.25);
    let options = MinimizeOptions {
        variables: Some(vec![weights, table, unused]),
        ..MinimizeOptions::default()
    };
    let whole = optimizer.minimize_with(loss, options.clone());
    let gradients = optimizer.compute_gradients(loss, &options);
    let accumulator = GradientAccumulator::new(&gradients);
    let step = get_or_create_global_step();
    let apply = accumulator.apply(|means| optimizer.apply_gradients(means, Some(step)));
    let rows = [[1.0_f32, 2.0], [-1.0, 0.5], [4.0, 1.0], [2.0, -2.0]];
    let numbers = [0_i64, 3, 0, 1];
    for [accumulating, plain] in [in_both_modes()] {
        for session in [&accumulating, &plain] {
            session.init_missing()?;
        }
        for pass in 1..3_i64 {
            for half in [0..2, 2..4] {
                let feeds = feeds![
                    x => Value::from_vec([2, 2], rows[half.clone()].concat())?,
                    ids => numbers[half].to_vec(),
                ];
                accumulating.run_with(accumulator.accumulate(), feeds)?;
            }
            accumulating.run(apply)?;
            plain.run_with(whole, feeds![x => rows, ids => numbers])?;
            // All numbers have few binary places, so no sum is rounded.
            assert_eq!(accumulating.run((weights, table))?, plain.run((weights, table))?);
            assert_eq!(i64::try_from(accumulating.run(step)?)?, pass);
        }
    }
    let sums = graph.variables().into_iter().filter(|v| v.op().name().ends_with("gradient_sum"));
    assert_eq!(names(&sums.collect::<Vec<_>>()), ["weights/gradient_sum", "table/gradient_sum"]);
    Ok(())
}

#[test]
fn a_part_of_a_batch_costs_the_rows_that_it_looks_up() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let table = get_variable("table", [1000, 4], ones());
    let loss = reduce_sum(embedding_lookup(table, constant([7_i64, 7])), ..);
    let gradients = GradientDescent::new(1.0).compute_gradients(loss, &MinimizeOptions::default());
    let accumulator = GradientAccumulator::new(&gradients);
    let explanation = Session::new().explain(accumulator.accumulate(), &[])?.to_string();
    assert!(explanation.contains("ScatterAdd"), "{explanation}");
    assert!(!explanation.contains("UnsortedSegmentSum"), "{explanation}");
    Ok(())
}
