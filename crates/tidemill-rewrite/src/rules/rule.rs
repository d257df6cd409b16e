use tidemill_graph::{OpDef, TensorId};

use crate::{GraphEdit, WhyNot};

/// The tensor that takes the place of a node's output, or the reason for which a rule does not
/// apply to the node.
pub type Outcome = Result<TensorId, WhyNot>;

/// One equation, read from left to right.
pub struct Rule {
    /// The name of the rule in reports.
    pub name: &'static str,
    /// The equation.
    pub equation: &'static str,
    /// The operation of the node that it replaces.
    pub root: &'static OpDef,
    /// Tries the rule on a node of that operation.
    pub apply: fn(&mut GraphEdit<'_>) -> Outcome,
}

/// A row of a table of rules.
pub(super) const fn rule(
    name: &'static str,
    equation: &'static str,
    root: &'static OpDef,
    apply: fn(&mut GraphEdit<'_>) -> Outcome,
) -> Rule {
    Rule { name, equation, root, apply }
}

/// Fails for this reason.
pub(super) const fn no<T>(reason: &'static str) -> Result<T, WhyNot> {
    Err(WhyNot(reason))
}

/// Fails for this reason unless a condition holds.
pub(super) fn only_if(condition: bool, reason: &'static str) -> Result<(), WhyNot> {
    if condition { Ok(()) } else { no(reason) }
}
