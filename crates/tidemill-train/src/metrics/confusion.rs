use tidemill_ops::{Operand, Tensor, assign_add, div_no_nan, reduce_sum};
use tidemill_value::DType;

use super::{Metric, compared, metric_variable, scope, value, weigh};
use crate::broadcast::{as_dtype, of_one_shape};

/// Labels and predictions as truth values, and weights of both.
#[derive(Clone, Copy)]
struct Compared {
    labels: Tensor,
    predictions: Tensor,
    weights: Option<Tensor>,
}

impl Compared {
    #[track_caller]
    fn new(labels: Operand, predictions: Operand, weights: Option<Tensor>) -> Self {
        let (labels, predictions) = compared(labels, predictions);
        let labels = as_dtype(labels, DType::Bool);
        let predictions = as_dtype(predictions, DType::Bool);
        Compared { labels, predictions, weights }
    }

    /// The total weight of the labels and predictions that satisfy `condition`.
    #[track_caller]
    fn count(self, name: &'static str, condition: fn(Tensor, Tensor) -> Tensor) -> Metric {
        let Compared { labels, predictions, weights } = self;
        scope(name, predictions, |graph| {
            let count = metric_variable("count", []);
            let holds = as_dtype(
                of_one_shape(name, labels, ("predictions", predictions), condition),
                DType::F32,
            );
            let holds = weigh(holds, weights).map_or(holds, |weights| holds * weights);
            let update = assign_add(count, reduce_sum(holds, ..));
            Metric { value: value(graph, || count.read()), update, variables: vec![count] }
        })
    }

    fn true_positives(self) -> Metric {
        self.count("true_positives", |label, prediction| label & prediction)
    }

    fn false_positives(self) -> Metric {
        self.count("false_positives", |label, prediction| !label & prediction)
    }

    fn true_negatives(self) -> Metric {
        self.count("true_negatives", |label, prediction| !label & !prediction)
    }

    fn false_negatives(self) -> Metric {
        self.count("false_negatives", |label, prediction| label & !prediction)
    }

    /// One count divided by its sum with another; 0 if both are 0.
    #[track_caller]
    fn share(self, name: &str, of: fn(Self) -> Metric, and: fn(Self) -> Metric) -> Metric {
        scope(name, self.predictions, |graph| {
            let (part, rest) = (of(self), and(self));
            let share = |part: Tensor, rest: Tensor| div_no_nan(part, part + rest);
            Metric {
                value: value(graph, || share(part.value, rest.value)),
                update: share(part.update, rest.update).named("update_op"),
                variables: [part.variables, rest.variables].concat(),
            }
        })
    }
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// As for [`accuracy`](super::accuracy).
        #[track_caller]
        pub fn $name(
            labels: impl Into<Operand>,
            predictions: impl Into<Operand>,
            weights: Option<Tensor>,
        ) -> Metric {
            Compared::new(labels.into(), predictions.into(), weights).$name()
        }
    )*};
}

counts! {
    /// The total weight of the true positives: predictions that are correctly nonzero.
    true_positives;
    /// The total weight of the false positives: predictions that are wrongly nonzero.
    false_positives;
    /// The total weight of the true negatives: predictions that are correctly 0.
    true_negatives;
    /// The total weight of the false negatives: predictions that are wrongly 0.
    false_negatives;
}

/// The fraction of the nonzero predictions whose labels are nonzero; 0 if there are none.
///
/// # Errors
/// As for [`accuracy`](super::accuracy).
#[track_caller]
pub fn precision(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    weights: Option<Tensor>,
) -> Metric {
    let compared = Compared::new(labels.into(), predictions.into(), weights);
    compared.share("precision", Compared::true_positives, Compared::false_positives)
}

/// The fraction of the nonzero labels whose predictions are nonzero; 0 if there are none.
///
/// # Errors
/// As for [`accuracy`](super::accuracy).
#[track_caller]
pub fn recall(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    weights: Option<Tensor>,
) -> Metric {
    let compared = Compared::new(labels.into(), predictions.into(), weights);
    compared.share("recall", Compared::true_positives, Compared::false_negatives)
}
