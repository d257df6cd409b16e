//! The algebraic rules, one row each.

mod arithmetic;
mod layout;

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

/// Every rule. All are exact: both sides are equal to the bit, even for NaN, infinities and
/// negative zero.
pub static RULES: &[&[Rule]] = &[arithmetic::RULES, layout::RULES];

/// The rules for nodes of a type, in order.
pub(crate) fn rules_for(op: &str) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().copied().flatten().filter(move |rule| rule.root == op)
}

/// A row of a table of rules.
const fn rule(
    name: &'static str,
    equation: &'static str,
    root: &'static str,
    apply: fn(&mut GraphEdit<'_>) -> Option<TensorId>,
) -> Rule {
    Rule { name, equation, root, apply }
}
