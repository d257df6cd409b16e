//! `NoOp` and what is made of it.

use tidemill_graph::{Fallible, NodeBuilder, OpDef, OperationRef, Sample};

use crate::{Operand, Operation, Tensor};

/// Does nothing but run after its control inputs.
pub static NO_OP: OpDef = OpDef::new("NoOp", "Does nothing but run after its control inputs.")
    .fallible(Fallible::Never)
    .not_differentiable()
    .samples(|| vec![Sample::shapes([])]);

/// An operation that does nothing. Under `control_dependencies` it stands for all of them.
#[doc(alias = "NoOp")]
#[track_caller]
pub fn no_op() -> Operation {
    NodeBuilder::new(&NO_OP).build().into()
}

/// One operation that runs all of `operations`.
#[track_caller]
pub fn group<T: Into<OperationRef>>(operations: impl IntoIterator<Item = T>) -> Operation {
    let node = NodeBuilder::new(&NO_OP).name("group_deps");
    operations.into_iter().fold(node, |node, op| node.control(op.into())).build().into()
}

/// The value of `x`, in a run that also runs `operations`, and before it.
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
