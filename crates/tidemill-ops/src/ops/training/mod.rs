//! Updates of variables by optimizers, each in one operation: `ApplyAdam` and so on.
//!
//! Each has one operation for reference variables and one for resource variables, and most have two
//! more for sparse gradients, [`IndexedSlices`](crate::IndexedSlices).

mod kernel;
mod table;

use tidemill_graph::{NodeBuilder, OpDef, TensorRef};

use super::resource::{is_handle, written};
use crate::{Operand, Operation, Tensor};

use crate::operations::operations;
pub use table::*;

operations! {
    tables: table;
    exports: apply_gradient_descent;
}

/// The operations that update variables by one rule.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// The operations for a dense gradient; the second is for resource variables.
    pub dense: [Option<&'static OpDef>; 2],
    /// The operations for a sparse gradient; the second is for resource variables.
    pub sparse: [Option<&'static OpDef>; 2],
}

/// The gradient that an update takes.
#[derive(Clone, Copy, Debug)]
pub enum Gradient {
    /// For all elements.
    Dense(Tensor),
    /// For some rows: their gradients, and a list of their indices.
    Sparse(Tensor, Tensor),
}

impl Update {
    /// The operation that updates `variable` with a gradient of this kind, if there is one.
    pub fn op(&self, variable: TensorRef, gradient: Gradient) -> Option<&'static OpDef> {
        let ops = match gradient {
            Gradient::Dense(_) => self.dense,
            Gradient::Sparse(..) => self.sparse,
        };
        ops[usize::from(is_handle(variable))]
    }
}

/// Adds an operation of [`Update`] to a graph. `states` are the variable and its slots, `numbers` the
/// other inputs by their names, `flags` attributes.
///
/// # Errors
/// The handle is invalid if an input is missing or has the wrong type or shape.
#[track_caller]
pub fn update(
    op: &'static OpDef,
    states: &[TensorRef],
    numbers: &[(&str, Tensor)],
    gradient: Gradient,
    flags: &[(&'static str, bool)],
) -> Operation {
    let (rows, indices) = match gradient {
        Gradient::Dense(gradient) => (gradient, None),
        Gradient::Sparse(values, indices) => (values, Some(indices)),
    };
    let flags = flags.iter().copied();
    let node = flags.fold(NodeBuilder::new(op), |node, (name, flag)| node.attr(name, flag));
    let node = states.iter().fold(node, |node, &state| node.input(state));
    let others = op.inputs.iter().skip(op.written()).filter_map(|arg| match arg.name {
        "grad" | "delta" => Some(rows),
        "indices" => indices,
        name => numbers.iter().find(|(number, _)| *number == name).map(|(_, tensor)| *tensor),
    });
    others.fold(node, NodeBuilder::input).build().into()
}

/// Subtracts `rate * gradient` from `variable`, in every run that needs this node; the result is
/// the new value.
///
/// # Errors
/// A rate that is not a single number, or a gradient of another type or shape.
///
/// ```
/// use tidemill_ops::{apply_gradient_descent, constant, get_variable, zeros};
/// let weights = get_variable("weights", [2], zeros());
/// let step = apply_gradient_descent(weights, 0.1, constant([1.0_f32, 2.0]));
/// assert_eq!(step.shape().to_string(), "[2]");
/// ```
#[doc(alias = "ApplyGradientDescent")]
#[track_caller]
pub fn apply_gradient_descent(
    variable: impl Into<TensorRef>,
    rate: impl Into<Operand>,
    gradient: impl Into<Operand>,
) -> Tensor {
    let variable = variable.into();
    let rate = rate.into().to_tensor_like(variable.into(), "alpha");
    let gradient = gradient.into().to_tensor_like(variable.into(), "delta");
    let ops = [&APPLY_GRADIENT_DESCENT, &RESOURCE_APPLY_GRADIENT_DESCENT];
    written(ops, variable, |node| node.input(rate).input(gradient))
}
