use tidemill_graph::TensorId;

use crate::GraphEdit;

/// One equation, read from left to right.
pub struct Rule {
    /// The name of the rule in reports.
    pub name: &'static str,
    /// The equation.
    pub equation: &'static str,
    /// The type of the node that it replaces.
    pub root: &'static str,
    /// The tensor to use in place of the node's output, if the rule applies.
    pub apply: fn(&mut GraphEdit<'_>) -> Option<TensorId>,
}

/// A row of a table of rules.
pub(super) const fn rule(
    name: &'static str,
    equation: &'static str,
    root: &'static str,
    apply: fn(&mut GraphEdit<'_>) -> Option<TensorId>,
) -> Rule {
    Rule { name, equation, root, apply }
}
