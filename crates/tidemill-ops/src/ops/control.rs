//! `NoOp` and functions built from it.

use tidemill_graph::{Fallible, NodeBuilder, OpDef, OperationRef, Sample};

use crate::operations::operations;
use crate::{Operand, Operation, Tensor};

operations! {
    ops: NO_OP;
    exports: group, no_op, with_dependencies;
}

/// Does nothing but run after its control inputs.
pub static NO_OP: OpDef = OpDef::new("NoOp", "Does nothing but run after its control inputs.")
    .fallible(Fallible::Never)
    .not_differentiable()
    .samples(|| vec![Sample::shapes([])]);

/// An operation that does nothing. Under `control_dependencies` it stands for all of them.
///
/// ```
/// use tidemill_ops::no_op;
/// assert!(no_op().outputs().is_empty());
/// ```
#[doc(alias = "NoOp")]
#[track_caller]
pub fn no_op() -> Operation {
    NodeBuilder::new(&NO_OP).build().into()
}

/// One operation that runs all of `operations`.
///
/// ```
/// use tidemill_ops::{assign_add, get_variable, group, zeros};
/// let count = get_variable("count", [], zeros());
/// let update = group([assign_add(count, 1.0).op()]);
/// assert!(update.outputs().is_empty());
/// ```
#[track_caller]
pub fn group<T: Into<OperationRef>>(operations: impl IntoIterator<Item = T>) -> Operation {
    let node = NodeBuilder::new(&NO_OP).name("group_deps");
    operations.into_iter().fold(node, |node, op| node.control(op.into())).build().into()
}

/// The value of `x`; a run that needs it runs `operations` first.
///
/// ```
/// use tidemill_ops::{assign_add, constant, get_variable, with_dependencies, zeros};
/// let count = get_variable("count", [], zeros());
/// let x = with_dependencies([assign_add(count, 1.0).op()], constant([1.0_f32]));
/// assert_eq!(x.shape().to_string(), "[1]");
/// ```
#[track_caller]
pub fn with_dependencies<T: Into<OperationRef>>(
    operations: impl IntoIterator<Item = T>,
    x: impl Into<Operand>,
) -> Tensor {
    let x = x.into().to_tensor();
    let node = NodeBuilder::new(&super::identity::IDENTITY).name("control_dependency").input(x);
    let node = operations.into_iter().fold(node, |node, op| node.control(op.into()));
    crate::operand::tensor(node)
}
