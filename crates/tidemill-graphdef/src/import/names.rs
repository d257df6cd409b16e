//! Names in messages.

/// The name of a node, and the number of its output.
pub(crate) fn split_reference(reference: &str) -> (&str, u32) {
    let split = reference.rsplit_once(':');
    split.and_then(|(name, slot)| Some((name, slot.parse().ok()?))).unwrap_or((reference, 0))
}

/// The name that a node of a message has under a prefix.
pub(super) fn prefixed(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}
