use std::sync::{PoisonError, RwLock};

use tidemill_graph::OpDef;

use crate::ops::OPS;

/// Every operation, sorted by name.
pub static ALL: &[&OpDef] = &SORTED;

static SORTED: [&OpDef; OPS.len()] = OPS.sorted();

/// The operations that programs registered.
static REGISTERED: RwLock<Vec<&OpDef>> = RwLock::new(Vec::new());

/// An operation cannot be registered because another one has its name.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operation {name} already exists")]
pub struct NameTaken {
    /// The name.
    pub name: &'static str,
}

tidemill_value::debug_as_report!(NameTaken);

/// Registers an operation by name for the whole process, so that imported graphs can use it.
/// Building its nodes in a program needs no registration.
///
/// Registering it again has no effect.
///
/// # Errors
/// [`NameTaken`], if another operation has its name.
pub fn register_op(op: &'static OpDef) -> Result<(), NameTaken> {
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    match built_in(op.name).or_else(|| find(&registered, op.name)) {
        None => {
            registered.push(op);
            Ok(())
        }
        Some(known) if std::ptr::eq(known, op) => Ok(()),
        Some(_) => Err(NameTaken { name: op.name }),
    }
}

/// The operation with that name: one of [`ALL`], or a [registered](register_op) one.
pub fn lookup(name: &str) -> Option<&'static OpDef> {
    let registered = || REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    built_in(name).or_else(|| find(&registered(), name))
}

fn built_in(name: &str) -> Option<&'static OpDef> {
    ALL.binary_search_by(|op| op.name.cmp(name)).ok().map(|i| ALL[i])
}

fn find(ops: &[&'static OpDef], name: &str) -> Option<&'static OpDef> {
    ops.iter().copied().find(|op| op.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_name() {
        assert!(ALL.is_sorted_by_key(|op| op.name));
        for op in ALL {
            assert_eq!(lookup(op.name), Some(*op));
        }
        assert_eq!(lookup("Nonsense"), None);
    }
}
