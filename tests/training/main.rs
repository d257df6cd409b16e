//! Training: losses, optimizers, schedules, metrics, recurrent networks.

#[path = "../common/mod.rs"]
mod common;

mod losses;
mod metrics;
mod moving_averages;
mod optimizer;
mod optimizers;
mod rnn;
mod schedules;
mod sparse_gradients;
