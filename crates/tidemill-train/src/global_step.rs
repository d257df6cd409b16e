use tidemill_graph::default_graph;
use tidemill_ops::{Inspect, Variable, variable, zeros};
use tidemill_value::DType;

/// The collection of the global step, the variable that counts training steps.
pub const GLOBAL_STEP: &str = "global_step";

/// The global step of the default graph, which counts training steps: an `int64` variable of shape
/// `[]` that starts at 0. It is created if it does not exist.
#[track_caller]
pub fn get_or_create_global_step() -> Variable {
    if let Some(&existing) = default_graph().variables_in(GLOBAL_STEP).first() {
        return existing;
    }
    variable(GLOBAL_STEP, [])
        .dtype(DType::I64)
        .initializer(zeros())
        .trainable(false)
        .collection(GLOBAL_STEP)
        .get()
}
