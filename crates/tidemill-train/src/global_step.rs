use tidemill_graph::default_graph;
use tidemill_ops::{Inspect, Variable, variable, zeros};
use tidemill_value::DType;

/// The collection of the variable that counts the steps of a training.
pub const GLOBAL_STEP: &str = "global_step";

/// The variable of the default graph that counts the steps of a training: an `int64` of shape
/// `[]` that starts at 0. It is made if there is none.
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
