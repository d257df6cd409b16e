//! Models of the state that threads share.
//!
//! Each module of the runtime that is tested here is compiled a second time, from the same file,
//! with loom's primitives instead of the standard library's: it takes them from `crate::sync`. A
//! model runs it in every interleaving of its threads with up to a few preemptions.

#![cfg(test)]

mod sync;

// One pair for each subject: the module under test, and its models.
#[path = "../../tidemill-kernels/src/pool/team.rs"]
mod team;

mod pool;

#[path = "../../tidemill-runtime/src/run/store.rs"]
mod store;

mod variables;

#[path = "../../tidemill-runtime/src/session/cache.rs"]
mod cache;

mod plans;

/// Explores the interleavings of `model` with up to `preemptions` preemptions.
fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}
