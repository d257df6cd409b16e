//! Running plans.

mod ahead;
pub(crate) mod execute;
pub(crate) mod failure;
mod steps;
pub(crate) mod store;
pub(crate) mod watch;
