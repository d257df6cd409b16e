//! Sessions: running a graph, and the state that lasts from run to run.

pub(crate) mod arguments;
pub(crate) mod cache;
pub(crate) mod callable;
pub(crate) mod evaluate;
pub(crate) mod feeder;
pub(crate) mod feeds;
pub(crate) mod fetch;
mod growth;
pub(crate) mod handle;
pub(crate) mod inner;
pub(crate) mod options;
mod prepare;
pub(crate) mod random_state;
mod request;
pub(crate) mod shaped;
pub(crate) mod state;
