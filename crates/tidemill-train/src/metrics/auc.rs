use tidemill_graph::OpError;
use tidemill_ops::{
    Operand, Tensor, Variable, assert, assign_add, constant, div_no_nan, greater, greater_equal,
    less_equal, log, maximum, minimum, ones_like, reduce_all, reduce_sum, reshape, s, select,
    with_dependencies,
};
use tidemill_value::{DType, Value};

use super::{Metric, compared, metric_variable, scope, value, weigh};
use crate::broadcast::{as_dtype, invalid, of_one_shape};

/// The curve whose area an [`auc`] computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Curve {
    /// The true positive rate over the false positive rate.
    #[default]
    Roc,
    /// Precision over recall.
    Pr,
}

/// The way that an [`auc`] computes the area between two thresholds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SummationMethod {
    /// The area of a trapezoid.
    #[default]
    Trapezoidal,
    /// For precision over recall, the area under the curve on which the counts change linearly
    /// (Davis and Goadrich, 2006); otherwise the area of a trapezoid.
    CarefulInterpolation,
    /// The area below the lower of the two ends.
    Minoring,
    /// The area below the upper of the two ends.
    Majoring,
}

/// Options of [`auc`].
#[derive(Clone, PartialEq, Debug)]
pub struct AucOptions {
    /// The curve.
    pub curve: Curve,
    /// The method of computing areas.
    pub summation_method: SummationMethod,
    /// The number of evenly spaced thresholds from 0 to 1; at least 2.
    pub num_thresholds: usize,
    /// The thresholds between 0 and 1, if they are not evenly spaced.
    pub thresholds: Option<Vec<f64>>,
}

impl Default for AucOptions {
    /// The area under the ROC curve, by trapezoids between 200 thresholds.
    fn default() -> Self {
        let (curve, summation_method) = (Curve::default(), SummationMethod::default());
        AucOptions { curve, summation_method, num_thresholds: 200, thresholds: None }
    }
}

impl AucOptions {
    /// The thresholds, ascending, those at the ends a little beyond 0 and 1.
    fn thresholds(&self) -> Vec<f32> {
        const BEYOND: f64 = 1e-7;
        let mut inner = self.thresholds.clone().unwrap_or_else(|| {
            let intervals = self.num_thresholds as f64 - 1.0;
            (1..self.num_thresholds.max(1) - 1).map(|i| i as f64 / intervals).collect()
        });
        inner.sort_by(f64::total_cmp);
        let ends = ([-BEYOND], [1.0 + BEYOND]);
        ends.0.into_iter().chain(inner).chain(ends.1).map(|threshold| threshold as f32).collect()
    }

    /// The area under the curve of counts at each threshold.
    fn area(&self, counts: Counts<Tensor>) -> Tensor {
        const EPSILON: f64 = 1e-6;
        let Counts { true_p, false_n, true_n, false_p } = counts;
        let careful = self.summation_method == SummationMethod::CarefulInterpolation;
        if self.curve == Curve::Pr && careful {
            return interpolated_area(true_p, false_p, false_n);
        }
        let recall = (true_p + EPSILON) / (true_p + false_n + EPSILON);
        let (x, y) = match self.curve {
            Curve::Roc => (false_p / (false_p + true_n + EPSILON), recall),
            Curve::Pr => (recall, (true_p + EPSILON) / (true_p + false_p + EPSILON)),
        };
        let (first, second) = (upper(y), lower(y));
        let height = match self.summation_method {
            SummationMethod::Minoring => minimum(first, second),
            SummationMethod::Majoring => maximum(first, second),
            _ => (first + second) / 2.0,
        };
        reduce_sum((upper(x) - lower(x)) * height, ..)
    }
}

/// The elements at all thresholds but the last.
fn upper(x: Tensor) -> Tensor {
    x.slice(s![..-1])
}

/// The elements at all thresholds but the first.
fn lower(x: Tensor) -> Tensor {
    x.slice(s![1..])
}

/// The area under precision over recall, where true positives are a linear function of all
/// positives between two thresholds.
fn interpolated_area(true_p: Tensor, false_p: Tensor, false_n: Tensor) -> Tensor {
    let steps = upper(true_p) - lower(true_p);
    let positives = true_p + false_p;
    let (before, after) = (upper(positives), lower(positives));
    let slope = div_no_nan(steps, maximum(before - after, 0.0));
    let intercept = lower(true_p) - slope * after;
    let ratio = select(
        greater(before, 0.0) & greater(after, 0.0),
        div_no_nan(before, maximum(after, 0.0)),
        ones_like(after),
    );
    let labelled = maximum(lower(true_p) + lower(false_n), 0.0);
    reduce_sum(div_no_nan(slope * (steps + intercept * log(ratio)), labelled), ..)
}

/// The counts of right and wrong predictions at each threshold.
#[derive(Clone, Copy)]
struct Counts<T> {
    true_p: T,
    false_n: T,
    true_n: T,
    false_p: T,
}

/// The variables with the counts, and their updates.
fn count(
    labels: Tensor,
    predictions: Tensor,
    weights: Option<Tensor>,
    thresholds: Vec<f32>,
) -> (Counts<Variable>, Counts<Tensor>) {
    let number = thresholds.len();
    let is_probability = [
        assert(reduce_all(greater_equal(predictions, 0.0), ..), [predictions]),
        assert(reduce_all(less_equal(predictions, 1.0), ..), [predictions]),
    ];
    let predictions = with_dependencies(is_probability, as_dtype(predictions, DType::F32));
    let weights = weigh(predictions, weights).map(|weights| reshape(weights, [1, -1]));
    let thresholds = reshape(constant(Value::list(thresholds)), [-1, 1]);
    let predicted = greater(reshape(predictions, [1, -1]), thresholds);
    let labels = reshape(as_dtype(labels, DType::Bool), [1, -1]);
    let counted = |name: &str, holds: Tensor| {
        let holds = as_dtype(holds, DType::F32);
        let holds = weights.map_or(holds, |weights| holds * weights);
        let variable = metric_variable(name, [number]);
        (variable, assign_add(variable, reduce_sum(holds, 1)))
    };
    let (true_p, add_true_p) = counted("true_positives", labels & predicted);
    let (false_n, add_false_n) = counted("false_negatives", labels & !predicted);
    let (true_n, add_true_n) = counted("true_negatives", !labels & !predicted);
    let (false_p, add_false_p) = counted("false_positives", !labels & predicted);
    let updates = Counts {
        true_p: add_true_p,
        false_n: add_false_n,
        true_n: add_true_n,
        false_p: add_false_p,
    };
    (Counts { true_p, false_n, true_n, false_p }, updates)
}

/// Approximates the area under the ROC or precision-recall curve of predictions. Predictions are
/// probabilities from 0 to 1; each threshold classifies those above it as nonzero.
///
/// # Errors
/// As for [`accuracy`](super::accuracy), and if there are fewer than 2 thresholds; a run fails if a
/// prediction is below 0 or above 1.
///
/// ```
/// use tidemill_ops::constant;
/// use tidemill_train::metrics::{AucOptions, auc};
/// use tidemill_value::IntoScalars;
/// let labels = constant([0, 0, 1, 1]);
/// let area = auc(labels, constant([0.0_f32, 0.5, 0.3, 0.9]), None, AucOptions::default());
/// let session = tidemill_runtime::Session::new();
/// let area: f32 = session.run(area.update)?.into_scalars()?;
/// assert!((area - 0.75).abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn auc(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    weights: Option<Tensor>,
    options: AucOptions,
) -> Metric {
    let predictions = predictions.into().to_tensor();
    let (labels, predictions) = compared(labels.into(), predictions.into());
    let predictions =
        of_one_shape("auc", labels, ("predictions", predictions), |_, predictions| predictions);
    let thresholds = options.thresholds();
    if options.thresholds.is_none() && options.num_thresholds < 2 {
        let error = OpError::invalid("an area needs at least 2 thresholds");
        let value = invalid(predictions, "auc", error);
        return Metric { value, update: value, variables: Vec::new() };
    }
    scope("auc", predictions, |graph| {
        let (counts, updates) = count(labels, predictions, weights, thresholds);
        let Counts { true_p, false_n, true_n, false_p } = counts;
        let read = || Counts {
            true_p: true_p.read(),
            false_n: false_n.read(),
            true_n: true_n.read(),
            false_p: false_p.read(),
        };
        Metric {
            value: value(graph, || options.area(read())),
            update: options.area(updates).named("update_op"),
            variables: vec![true_p, false_n, true_n, false_p],
        }
    })
}
