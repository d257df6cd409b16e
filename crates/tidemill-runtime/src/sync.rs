//! The primitives that the variable store and the plan cache synchronise by. Models of both put
//! others in their place.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
