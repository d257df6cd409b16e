//! Gradients of nodes that run bodies.
//!
//! The gradient of a branch or a loop is a branch or a loop whose bodies are the gradients of its
//! bodies. The values that they need from the bodies come from an extension of the node, which
//! returns those values as well and runs in the node's place. A loop keeps them in lists, one
//! element for each iteration, and its gradient takes them from the end. A loop does not keep
//! values that are small or can be recomputed from loop-invariant values.

mod branch;
mod call;
mod repetition;
mod reverse;

use tidemill_graph::{Execution, Grads};

use call::Failed;
pub(crate) use call::{CallGradient, Differentiate};

/// The gradients of the inputs of a node that runs bodies; `None` for other nodes.
pub(crate) fn gradient(call: &CallGradient<'_>) -> Option<Result<Grads, Failed>> {
    call.node.op.execution.inputs_before_bodies()?;
    let _default = call.target.as_default();
    match call.node.op.execution {
        Execution::Branch(_) => Some(branch::gradient(call)),
        Execution::Loop => Some(repetition::gradient(call)),
        _ => None,
    }
}
