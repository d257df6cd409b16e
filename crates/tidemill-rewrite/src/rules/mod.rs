//! The algebraic rules, one row each.

mod arithmetic;
mod layout;
mod rule;

pub use rule::Rule;

/// Every rule. All are exact: both sides are equal to the bit, even for NaN, infinities and
/// negative zero.
pub static RULES: &[&[Rule]] = &[arithmetic::RULES, layout::RULES];

/// The rules for nodes of a type, in order.
pub(crate) fn rules_for(op: &str) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().copied().flatten().filter(move |rule| rule.root == op)
}
