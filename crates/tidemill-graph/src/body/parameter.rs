//! Parameters of bodies.

use crate::{Access, GraphKey, NodeId};

/// A parameter of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// The node that represents it in the body.
    pub node: NodeId,
    /// Its kind.
    pub kind: ParameterKind,
    /// Whether it is a variable that the body writes.
    pub written: bool,
}

/// The kind of a body's parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParameterKind {
    /// A value.
    Value,
    /// The value of a variable; if a body writes the variable, the value in each iteration.
    Read(Root),
    /// A variable.
    Variable(Root),
}

/// The variable behind parameters: its node, in the graph that it was created in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub struct Root {
    pub graph: GraphKey,
    pub node: NodeId,
}

impl ParameterKind {
    /// Whether it is a variable, not a value.
    pub fn is_variable(self) -> bool {
        matches!(self, ParameterKind::Variable(_))
    }
}

/// The access of an input that its node's bodies take as these parameters.
pub(crate) fn parameter_access(parameters: impl IntoIterator<Item = Parameter>) -> Access {
    let mut access = Access::Read;
    for parameter in parameters {
        match parameter.kind.is_variable() {
            true if parameter.written => return Access::Amend,
            true => access = Access::Peek,
            false => {}
        }
    }
    access
}
