use tidemill_graph::{Location, at_location, control_dependencies, default_graph};
use tidemill_ops::{
    IndexedSlices, Operation, Variable, assign, assign_add, cast, div_no_nan, group, scatter_add,
    variable, zeros,
};
use tidemill_value::DType;

use crate::GradientAndVariable;

/// Sums gradients over several batches. To train on batches that do not fit into memory, process
/// each in parts and update the variables once at the end.
///
/// The sums are self-initializing variables, so checkpoints include them. The cost of
/// adding [`IndexedSlices`] depends only on the rows that they contain.
///
/// ```
/// use tidemill_ops::{get_variable, ones, placeholder, square};
/// use tidemill_runtime::{Session, feeds};
/// use tidemill_train::{GradientAccumulator, GradientDescent, MinimizeOptions, Optimizer};
/// let x = placeholder::<f32>([]);
/// let weight = get_variable("weight", [], ones());
/// let optimizer = GradientDescent::new(1.0);
/// let gradients = optimizer.compute_gradients(weight * x, &MinimizeOptions::default());
/// let accumulator = GradientAccumulator::new(&gradients);
/// let train = accumulator.apply(|means| optimizer.apply_gradients(means, None));
/// let session = Session::new();
/// session.init_missing()?;
/// for part in [0.25_f32, 0.75] {
///     session.run_with(accumulator.accumulate(), feeds![x => part])?;
/// }
/// session.run(train)?;
/// assert_eq!(session.run(weight)?.to_string(), "0.5");
/// # Ok::<(), tidemill_runtime::RunError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GradientAccumulator {
    sums: Vec<Sum>,
    count: Variable,
    accumulate: Operation,
}

#[derive(Clone, Copy, Debug)]
struct Sum {
    of: Variable,
    /// The sum of its gradients; `None` without a gradient.
    sum: Option<Variable>,
}

impl GradientAccumulator {
    /// Adds the variables that gradients are added to: `weights/gradient_sum` for `weights`, and
    /// the count `gradient_count`, made unique.
    ///
    /// # Errors
    /// The handles are invalid if a gradient is.
    #[track_caller]
    pub fn new(gradients: &[GradientAndVariable]) -> Self {
        let graph = gradients.iter().find_map(|(_, variable)| variable.graph());
        let graph = graph.unwrap_or_else(default_graph);
        let _default = graph.as_default();
        at_location(Location::caller(), || {
            let count = variable("gradient_count", []).dtype(DType::I64);
            let count = count.initializer(zeros()).trainable(false);
            let count = count.self_starting(true).absolute(true).get();
            let mut updates = vec![assign_add(count, 1).op()];
            let mut sums = Vec::new();
            for &(gradient, of) in gradients {
                let sum = gradient.map(|gradient| {
                    let sum = variable(&format!("{}/gradient_sum", of.op().name()), of.shape());
                    let sum = sum.dtype(of.dtype().unwrap_or(DType::F32)).initializer(zeros());
                    let sum = sum.trainable(false).self_starting(true).absolute(true).get();
                    updates.push(match IndexedSlices::of(gradient) {
                        Some(slices) => scatter_add(sum, slices.indices, slices.values).op(),
                        None => assign_add(sum, gradient).op(),
                    });
                    sum
                });
                sums.push(Sum { of, sum });
            }
            GradientAccumulator { sums, count, accumulate: group(updates) }
        })
    }

    /// An operation that adds the gradients of a batch.
    pub fn accumulate(&self) -> Operation {
        self.accumulate
    }

    /// The means of the accumulated gradients; 0 if there are none.
    #[track_caller]
    pub fn means(&self) -> Vec<GradientAndVariable> {
        let mean = |sum: Variable| {
            let dtype = sum.dtype().unwrap_or(DType::F32);
            div_no_nan(sum, cast(self.count, dtype))
        };
        self.sums.iter().map(|&Sum { of, sum }| (sum.map(mean), of)).collect()
    }

    /// An operation that runs the optimizer update that `apply` builds from the means, and then
    /// resets the sums to 0.
    #[track_caller]
    pub fn apply(&self, apply: impl FnOnce(&[GradientAndVariable]) -> Operation) -> Operation {
        at_location(Location::caller(), || {
            let applied = apply(&self.means());
            let sums = self.sums.iter().filter_map(|sum| sum.sum).chain([self.count]);
            control_dependencies([applied], || {
                group(sums.map(|sum| assign(sum, sum.initial_value()).op()).collect::<Vec<_>>())
            })
        })
    }
}
