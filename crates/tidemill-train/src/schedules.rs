//! Schedules: learning rates that change from step to step, as nodes of the graph.
//!
//! A schedule computes a tensor of shape `[]` from a step, a tensor or variable of shape `[]` such
//! as the global step; optimizers take it as their learning rate. If the rate is given as a number,
//! the result is `float32`. The formulas are those of TensorFlow's `tf.train`, except
//! [`linear_warm_up`] and [`one_cycle`], which it lacks.

use std::f64::consts::PI;

use tidemill_graph::{OpError, TensorRef};
use tidemill_ops::{
    Operand, Tensor, ceil, composite, constant, cos, equal, exp, floor, gather, greater, less, log,
    maximum, minimum, mul, pow, reduce_sum, select,
};
use tidemill_value::{DType, Value};

use crate::broadcast::{as_dtype, invalid};

/// Builds a schedule from a rate and a step, which is cast to the rate's type.
#[track_caller]
fn schedule(
    name: &'static str,
    rate: Operand,
    step: Operand,
    build: impl FnOnce(Tensor, Tensor) -> Tensor,
) -> Tensor {
    let step = step.to_tensor();
    composite(step.graph(), name, |_| {
        let graph = TensorRef::from(step).graph();
        let rate = rate.to_tensor_of(Some(graph), DType::F32, "learning_rate");
        build(rate, as_dtype(step, rate.dtype().unwrap_or(DType::F32)))
    })
}

/// A number as a tensor in the graph of a rate.
#[track_caller]
fn beside(rate: Tensor, number: f64) -> Tensor {
    Operand::from(number).to_tensor_like(rate, "Const")
}

/// The number of times that `decay_steps` have passed; rounded down for a staircase.
#[track_caller]
fn periods(step: Tensor, decay_steps: f64, staircase: bool) -> Tensor {
    let periods = step / decay_steps;
    if staircase { floor(periods) } else { periods }
}

/// `learning_rate * decay_rate ^ (step / decay_steps)`; with `staircase`, the quotient is rounded
/// down.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::schedules::exponential_decay;
/// let rate = exponential_decay(0.5, constant(25_i64), 10.0, 0.5, true);
/// # let rate = tidemill_runtime::Session::new().run(rate)?;
/// assert_eq!(rate.to_string(), "0.125");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn exponential_decay(
    learning_rate: impl Into<Operand>,
    step: impl Into<Operand>,
    decay_steps: f64,
    decay_rate: f64,
    staircase: bool,
) -> Tensor {
    schedule("ExponentialDecay", learning_rate.into(), step.into(), |rate, step| {
        rate * pow(beside(rate, decay_rate), periods(step, decay_steps, staircase))
    })
}

/// `learning_rate * exp(-decay_rate) ^ (step / decay_steps)`; with `staircase`, the quotient is
/// rounded down.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::schedules::natural_exp_decay;
/// let rate = natural_exp_decay(0.5, constant(20_i64), 10.0, 0.0, false);
/// # let rate = tidemill_runtime::Session::new().run(rate)?;
/// assert_eq!(rate.to_string(), "0.5");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn natural_exp_decay(
    learning_rate: impl Into<Operand>,
    step: impl Into<Operand>,
    decay_steps: f64,
    decay_rate: f64,
    staircase: bool,
) -> Tensor {
    schedule("ExponentialDecay", learning_rate.into(), step.into(), |rate, step| {
        let factor = exp(beside(rate, -decay_rate));
        rate * pow(factor, periods(step, decay_steps, staircase))
    })
}

/// `learning_rate / (1 + decay_rate * step / decay_steps)`; with `staircase`, the quotient is
/// rounded down.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::schedules::inverse_time_decay;
/// let rate = inverse_time_decay(0.5, constant(20_i64), 10.0, 0.5, false);
/// # let rate = tidemill_runtime::Session::new().run(rate)?;
/// assert_eq!(rate.to_string(), "0.25");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn inverse_time_decay(
    learning_rate: impl Into<Operand>,
    step: impl Into<Operand>,
    decay_steps: f64,
    decay_rate: f64,
    staircase: bool,
) -> Tensor {
    schedule("InverseTimeDecay", learning_rate.into(), step.into(), |rate, step| {
        rate / (1.0 + decay_rate * periods(step, decay_steps, staircase))
    })
}

/// Decays from `learning_rate` to `end_learning_rate` over `decay_steps`, by the power `power` of
/// the remaining fraction. With `cycle`, the decay runs over the smallest multiple of `decay_steps`
/// that is not below the step; otherwise the rate stays at its end value.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::schedules::polynomial_decay;
/// let rate = polynomial_decay(1.0, constant(5_i64), 10.0, 0.5, 1.0, false);
/// # let rate = tidemill_runtime::Session::new().run(rate)?;
/// assert_eq!(rate.to_string(), "0.75");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn polynomial_decay(
    learning_rate: impl Into<Operand>,
    step: impl Into<Operand>,
    decay_steps: f64,
    end_learning_rate: f64,
    power: f64,
    cycle: bool,
) -> Tensor {
    schedule("PolynomialDecay", learning_rate.into(), step.into(), |rate, step| {
        let (end, steps) = (beside(rate, end_learning_rate), beside(rate, decay_steps));
        let (step, steps) = match cycle {
            true => {
                let cycles = select(equal(step, 0.0), beside(rate, 1.0), ceil(step / decay_steps));
                (step, steps * cycles)
            }
            false => (minimum(step, steps), steps),
        };
        (rate - end) * pow(1.0 - step / steps, beside(rate, power)) + end
    })
}

/// Decays along half a period of a cosine, from `learning_rate` to `alpha` times that over
/// `decay_steps` (Loshchilov and Hutter, 2016).
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::schedules::cosine_decay;
/// let rate = cosine_decay(1.0, constant(30_i64), 10.0, 0.25);
/// # let rate = tidemill_runtime::Session::new().run(rate)?;
/// assert_eq!(rate.to_string(), "0.25");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn cosine_decay(
    learning_rate: impl Into<Operand>,
    step: impl Into<Operand>,
    decay_steps: f64,
    alpha: f64,
) -> Tensor {
    schedule("CosineDecay", learning_rate.into(), step.into(), |rate, step| {
        let fraction = minimum(step, decay_steps) / decay_steps;
        rate * ((1.0 - alpha) * half_cosine(fraction) + alpha)
    })
}

/// From 1 to 0 along half a period of a cosine.
#[track_caller]
fn half_cosine(fraction: Tensor) -> Tensor {
    0.5 * (1.0 + cos(PI * fraction))
}

/// [`cosine_decay`] with restarts: the first period takes `first_decay_steps`; each later one takes
/// `t_mul` times as many steps as the previous and starts at `m_mul` times its rate.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::schedules::cosine_decay_restarts;
/// let rate = cosine_decay_restarts(1.0, constant(10_i64), 10.0, 1.0, 0.5, 0.0);
/// # let rate = tidemill_runtime::Session::new().run(rate)?;
/// assert_eq!(rate.to_string(), "0.5");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn cosine_decay_restarts(
    learning_rate: impl Into<Operand>,
    step: impl Into<Operand>,
    first_decay_steps: f64,
    t_mul: f64,
    m_mul: f64,
    alpha: f64,
) -> Tensor {
    schedule("SGDRDecay", learning_rate.into(), step.into(), |rate, step| {
        let completed = step / first_decay_steps;
        let (restarts, fraction) = if t_mul == 1.0 {
            let restarts = floor(completed);
            (restarts, completed - restarts)
        } else {
            let growth = beside(rate, t_mul);
            let restarts = floor(log(1.0 - completed * (1.0 - growth)) / log(growth));
            let length = pow(growth, restarts);
            let start = (1.0 - length) / (1.0 - growth);
            (restarts, (completed - start) / length)
        };
        let height = pow(beside(rate, m_mul), restarts);
        // This order gives TensorFlow's bits.
        let decayed = 0.5 * height * (1.0 + cos(PI * fraction));
        rate * ((1.0 - alpha) * decayed + alpha)
    })
}

/// The first of `values` up to and including the step `boundaries[0]`, the second up to
/// `boundaries[1]`, and so on. The boundaries ascend, and there is one more value than boundaries.
/// The result is `float32`.
///
/// # Errors
/// The number of values is wrong.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::schedules::piecewise_constant;
/// let rate = piecewise_constant(constant(11_i64), &[10, 20], &[1.0, 0.5, 0.25]);
/// # let rate = tidemill_runtime::Session::new().run(rate)?;
/// assert_eq!(rate.to_string(), "0.5");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn piecewise_constant(step: impl Into<Operand>, boundaries: &[i64], values: &[f32]) -> Tensor {
    let step = step.into().to_tensor();
    if values.len() != boundaries.len() + 1 {
        let message = format!(
            "there must be one more value than boundaries, not {} values and {} boundaries",
            values.len(),
            boundaries.len()
        );
        return invalid(step, "piecewise_constant", OpError::invalid(message));
    }
    composite(step.graph(), "PiecewiseConstant", |_| {
        let boundaries = constant(Value::from(boundaries.to_vec()));
        let boundaries = as_dtype(boundaries, step.dtype().unwrap_or(DType::I64));
        let passed = reduce_sum(as_dtype(greater(step, boundaries), DType::I32), ..);
        gather(constant(Value::from(values.to_vec())), passed, 0)
    })
}

/// Precedes any schedule with a warm-up: for `warm_up_steps` steps the rate rises linearly from 0
/// to the schedule's first rate, and then the schedule begins.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::schedules::{cosine_decay, linear_warm_up};
/// let step = constant(4_i64);
/// let rate = linear_warm_up(step, 16.0, |step| cosine_decay(1.0, step, 100.0, 0.0));
/// # let rate = tidemill_runtime::Session::new().run(rate)?;
/// assert_eq!(rate.to_string(), "0.25");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[track_caller]
pub fn linear_warm_up(
    step: impl Into<Operand>,
    warm_up_steps: f64,
    schedule: impl FnOnce(Tensor) -> Tensor,
) -> Tensor {
    let step = step.into().to_tensor();
    composite(step.graph(), "LinearWarmUp", |_| {
        let later = maximum(as_dtype(step, DType::F32) - warm_up_steps, 0.0);
        let rate = schedule(later);
        let step = as_dtype(step, rate.dtype().unwrap_or(DType::F32));
        mul(rate, minimum(step / warm_up_steps, 1.0))
    })
}

/// One cycle (Smith, 2018), like PyTorch's `OneCycleLR`: it follows half periods of a cosine, from
/// `max_rate / div_factor` to `max_rate` during the fraction `pct_start` of `total_steps`, and from
/// there to `max_rate / div_factor / final_div_factor` at the last step.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::schedules::one_cycle;
/// let rate = one_cycle(1.0, constant(2_i64), 11.0, 0.3, 4.0, 100.0);
/// # let rate = tidemill_runtime::Session::new().run(rate)?;
/// assert!((f32::try_from(rate)? - 0.97).abs() < 0.03);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn one_cycle(
    max_rate: impl Into<Operand>,
    step: impl Into<Operand>,
    total_steps: f64,
    pct_start: f64,
    div_factor: f64,
    final_div_factor: f64,
) -> Tensor {
    schedule("OneCycle", max_rate.into(), step.into(), |max_rate, step| {
        let first = max_rate / div_factor;
        let (peak, end) = (pct_start * total_steps - 1.0, total_steps - 1.0);
        let anneal = |from: Tensor, to: Tensor, part: Tensor| to + (from - to) * half_cosine(part);
        let up = anneal(first, max_rate, step / peak);
        let part = minimum((step - peak) / (end - peak), 1.0);
        let down = anneal(max_rate, first / final_div_factor, part);
        select(less(step, peak), up, down)
    })
}
