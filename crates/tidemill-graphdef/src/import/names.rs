//! Names in messages.

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
