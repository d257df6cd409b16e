//! The algebraic rules, one row each.

mod arithmetic;
mod layout;
mod rule;

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use tidemill_graph::OpDef;

pub use rule::{Outcome, Rule};

/// Every rule. All are exact: both sides are equal to the bit, even for NaN, infinities and
/// negative zero.
pub static RULES: &[&[Rule]] = &[arithmetic::RULES, layout::RULES];

/// The rules by the addresses of their roots, each list in the order of the tables. The map is only
/// looked up, so its order does not matter.
static BY_ROOT: LazyLock<FxHashMap<usize, Vec<&'static Rule>>> = LazyLock::new(|| {
    let mut by_root: FxHashMap<usize, Vec<&'static Rule>> = FxHashMap::default();
    for rule in RULES.iter().copied().flatten() {
        by_root.entry(address(rule.root)).or_default().push(rule);
    }
    by_root
});

fn address(op: &'static OpDef) -> usize {
    std::ptr::from_ref(op).addr()
}

/// The rules for nodes of an operation, in order.
pub(crate) fn rules_of(op: &'static OpDef) -> &'static [&'static Rule] {
    BY_ROOT.get(&address(op)).map_or(&[], Vec::as_slice)
}
