use std::sync::Arc;

use tidemill_graph::{BuildErrorKind, Graph, OperationRef, fail};
use tidemill_ops::ops::training::{self, Gradient, Update};
use tidemill_ops::{IndexedSlices, Operand, Operation, Tensor, Variable, cast};
use tidemill_value::DType;

use crate::{OptimizerBase, TrainError};

/// Adds the updates of one application of gradients to a graph.
pub trait Updates {
    /// Adds the update of a variable by a dense gradient.
    fn dense(&self, variable: Variable, gradient: Tensor) -> Operation;

    /// Adds the update of a variable by a sparse gradient, which has only some rows.
    fn sparse(&self, variable: Variable, slices: IndexedSlices) -> Operation;

    /// Whether the slices passed to [`Updates::sparse`] must have distinct indices.
    fn deduplicates(&self) -> bool {
        true
    }

    /// Adds the operations that run after all updates.
    fn finish(&self) -> Vec<Operation> {
        Vec::new()
    }
}

/// Updates that are one operation each.
pub(crate) struct Fused {
    pub(crate) base: OptimizerBase,
    pub(crate) update: Update,
    /// The slots that the operation takes, in their order.
    pub(crate) slots: &'static [&'static str],
    /// The other inputs, by their names.
    pub(crate) numbers: Vec<(&'static str, Tensor)>,
    pub(crate) flags: Vec<(&'static str, bool)>,
}

impl Fused {
    /// The updates of an optimizer without options.
    pub(crate) fn new(
        base: &OptimizerBase,
        update: Update,
        slots: &'static [&'static str],
        numbers: Vec<(&'static str, Tensor)>,
    ) -> Self {
        let flags = vec![("use_locking", base.use_locking)];
        Fused { base: base.clone(), update, slots, numbers, flags }
    }

    pub(crate) fn flag(mut self, name: &'static str, flag: bool) -> Self {
        self.flags.push((name, flag));
        self
    }

    /// Adds the update of a variable; `None` if there is no operation for it.
    pub(crate) fn add(&self, variable: Variable, gradient: Gradient) -> Option<Operation> {
        let op = self.update.op(variable.into(), gradient)?;
        let slots = self.slots.iter().filter_map(|name| self.base.slot(variable, name));
        let states: Vec<_> = std::iter::once(variable).chain(slots).map(Into::into).collect();
        let numbers = self.numbers.iter().map(|&(name, number)| match name {
            "global_step" => (name, number),
            _ => (name, in_type_of(variable, number)),
        });
        let numbers: Vec<(&str, Tensor)> = numbers.collect();
        Some(training::update(op, &states, &numbers, gradient, &self.flags))
    }
}

impl Updates for Fused {
    fn dense(&self, variable: Variable, gradient: Tensor) -> Operation {
        self.add(variable, Gradient::Dense(gradient)).unwrap_or_else(|| no_update(variable))
    }

    fn sparse(&self, variable: Variable, slices: IndexedSlices) -> Operation {
        let gradient = Gradient::Sparse(slices.values, slices.indices);
        self.add(variable, gradient).unwrap_or_else(|| no_update(variable))
    }
}

/// The failed update of a variable that lacks the slots, or is not of the kind, that the optimizer
/// needs.
pub(crate) fn no_update(variable: Variable) -> Operation {
    let error = TrainError::NoUpdate { variable: variable.op().name() };
    let graph = OperationRef::from(variable).graph();
    fail(Some(graph), "minimize", BuildErrorKind::Other(Arc::new(error)), Vec::new()).into()
}

/// A number in the type of a variable.
pub(crate) fn in_type_of(variable: Variable, number: Tensor) -> Tensor {
    match variable.dtype() {
        Some(dtype) if number.dtype() != Some(dtype) => cast(number, dtype),
        _ => number,
    }
}

/// A hyperparameter as a tensor. Numbers are `float32`, as in TensorFlow, whatever the type of the
/// variables.
pub(crate) fn number(graph: &Graph, operand: &Operand, name: &'static str) -> Tensor {
    operand.to_tensor_of(Some(graph.key()), DType::F32, name)
}
