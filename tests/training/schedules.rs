//! Schedules give the same rates as TensorFlow's at several steps.

use crate::common::Outcome;
use tidemill::prelude::*;
use tidemill::schedules::*;

const STEPS: [i64; 6] = [0, 1, 7, 10, 25, 100];

/// The rates of a schedule at these steps.
fn rates(steps: &[i64], schedule: impl FnOnce(Tensor) -> Tensor) -> Vec<f32> {
    let graph = Graph::new();
    let _default = graph.as_default();
    let step = placeholder::<i64>([]);
    let rate = schedule(step);
    assert_eq!((rate.dtype(), rate.shape()), (Some(DType::F32), [].into()));
    let session = Session::new();
    let rate_at = |&at: &i64| session.run_with(rate, feeds![step => at]).unwrap();
    steps.iter().map(|at| f32::try_from(rate_at(at)).unwrap()).collect()
}

#[track_caller]
fn check(schedule: impl FnOnce(Tensor) -> Tensor, expected: [f32; 6]) {
    for (rate, expected) in rates(&STEPS, schedule).into_iter().zip(expected) {
        assert!((rate - expected).abs() <= 2e-6 * expected, "{rate} is not {expected}");
    }
}

#[test]
fn exponential_decay_is_tensorflows() {
    check(
        |step| exponential_decay(0.1, step, 10.0, 0.96, false),
        [0.1, 0.09959262, 0.0971829, 0.096, 0.09029799, 0.06648325],
    );
    check(
        |step| exponential_decay(0.1, step, 10.0, 0.96, true),
        [0.1, 0.1, 0.1, 0.096, 0.09216, 0.06648325],
    );
    check(
        |step| natural_exp_decay(0.1, step, 10.0, 0.5, false),
        [0.1, 0.09512295, 0.070468806, 0.060653068, 0.02865048, 0.0006737948],
    );
    check(
        |step| natural_exp_decay(0.1, step, 10.0, 0.5, true),
        [0.1, 0.1, 0.1, 0.060653068, 0.036787946, 0.0006737948],
    );
}

#[test]
fn inverse_time_decay_is_tensorflows() {
    check(
        |step| inverse_time_decay(0.1, step, 10.0, 0.5, false),
        [0.1, 0.095238104, 0.074074075, 0.06666667, 0.044444446, 0.016666668],
    );
    check(
        |step| inverse_time_decay(0.1, step, 10.0, 0.5, true),
        [0.1, 0.1, 0.1, 0.06666667, 0.05, 0.016666668],
    );
}

#[test]
fn polynomial_decay_is_tensorflows() {
    check(
        |step| polynomial_decay(0.1, step, 20.0, 0.01, 2.0, false),
        [0.1, 0.091225, 0.048024997, 0.0325, 0.01, 0.01],
    );
    check(
        |step| polynomial_decay(0.1, step, 20.0, 0.01, 0.5, true),
        [0.1, 0.09772115, 0.08256032, 0.07363961, 0.06511352, 0.01],
    );
}

#[test]
fn cosine_decay_is_tensorflows() {
    check(
        |step| cosine_decay(0.1, step, 40.0, 0.1),
        [0.1, 0.09986128, 0.093368806, 0.08681981, 0.03777924, 0.010000001],
    );
    check(
        |step| cosine_decay_restarts(0.1, step, 6.0, 2.0, 0.8, 0.05),
        [0.1, 0.09363621, 0.07970518, 0.061999995, 0.053906348, 0.042879473],
    );
    check(
        |step| cosine_decay_restarts(0.1, step, 6.0, 1.0, 0.8, 0.05),
        [0.1, 0.09363621, 0.07590896, 0.02399999, 0.041305386, 0.0056684986],
    );
}

#[test]
fn a_piecewise_constant_rate_keeps_its_value_up_to_the_boundary() {
    let rate = |step| piecewise_constant(step, &[1, 10, 25], &[1.0, 0.5, 0.25, 0.125]);
    check(rate, [1.0, 1.0, 0.5, 0.5, 0.25, 0.125]);
    assert_eq!(rates(&[-5, 2, 11, 26], rate), [1.0, 0.5, 0.25, 0.125]);
    let graph = Graph::new();
    let _default = graph.as_default();
    assert!(piecewise_constant(constant(1_i64), &[1], &[1.0]).is_invalid());
}

#[test]
fn a_schedule_begins_after_its_warm_up() {
    let decay = |step: Tensor| inverse_time_decay(1.0, step, 1.0, 1.0, false);
    let warm = rates(&[0, 1, 3, 4, 5, 7], |step| linear_warm_up(step, 4.0, decay));
    assert_eq!(warm, [0.0, 0.25, 0.75, 1.0, 0.5, 0.25]);
}

#[test]
fn one_cycle_goes_up_and_down_along_cosines() {
    // PyTorch: OneCycleLR(optimizer, 1.0, total_steps=11, pct_start=0.5, div_factor=4,
    // final_div_factor=100); its first phase ends at step 4.5.
    let cycle = rates(&[0, 2, 4, 5, 8, 10, 99], |step| one_cycle(1.0, step, 11.0, 0.5, 4.0, 100.0));
    let cosine = |part: f64| 0.5 * (1.0 + (std::f64::consts::PI * part).cos());
    let up = |step: f64| 1.0 + (0.25 - 1.0) * cosine(step / 4.5);
    let down = |step: f64| 0.0025 + (1.0 - 0.0025) * cosine((step - 4.5) / 5.5);
    let expected = [up(0.0), up(2.0), up(4.0), down(5.0), down(8.0), 0.0025, 0.0025];
    for (rate, expected) in cycle.into_iter().zip(expected) {
        assert!((f64::from(rate) - expected).abs() < 1e-6, "{rate} is not {expected}");
    }
}

#[test]
fn an_optimizer_takes_a_schedule_of_the_global_step() -> Outcome {
    let graph = Graph::new();
    let _default = graph.as_default();
    let global_step = get_or_create_global_step();
    let x = get_variable("x", [], zeros());
    let rate = piecewise_constant(global_step, &[0, 1], &[1.0, 0.5, 0.25]);
    let options = MinimizeOptions { global_step: Some(global_step), ..MinimizeOptions::default() };
    let train = GradientDescent::new(rate).minimize_with(-x, options);
    let session = Session::new();
    session.init_missing()?;
    let mut seen = Vec::new();
    for _ in 0..4 {
        session.run(train)?;
        seen.push(f32::try_from(session.run(x)?)?);
    }
    assert_eq!(seen, [1.0, 1.5, 1.75, 2.0]);
    Ok(())
}
