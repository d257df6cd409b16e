//! The synchronization primitives of the variable store and the plan cache. Models of both replace
//! them with others.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
