//! Names in messages.

use rustc_hash::FxHashSet;

/// The name of a node, and the number of its output.
pub(crate) fn split_reference(reference: &str) -> (&str, u32) {
    let split = reference.rsplit_once(':');
    split.and_then(|(name, slot)| Some((name, slot.parse().ok()?))).unwrap_or((reference, 0))
}

/// The node that an input such as `x:1` or `^x`, or the name of a tensor, refers to.
pub(crate) fn node_of(reference: &str) -> &str {
    split_reference(reference.strip_prefix('^').unwrap_or(reference)).0
}

/// The name that a node of a message has under a prefix.
pub(super) fn prefixed(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}

/// A name that is not among those taken, to which it is added: `wish`, if possible.
pub(crate) fn unused_name(taken: &mut FxHashSet<String>, wish: &str) -> String {
    let mut name = wish.to_owned();
    let mut number = 0;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{wish}_{number}");
    }
    name
}
