//! Training: optimizers that extend a graph with the gradients of a loss and the updates of its
//! variables; losses, metrics and schedules; savers, checkpointers and saved models that keep the
//! values of variables in files, with the feature `files`.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accumulator;
mod broadcast;
#[cfg(feature = "files")]
mod checkpointer;
mod error;
#[cfg(feature = "files")]
mod freeze;
mod global_step;
pub mod layers;
pub mod losses;
pub mod metrics;
mod moving_average;
mod optimizer;
mod optimizers;
pub mod rnn;
#[cfg(feature = "files")]
mod saved_model;
#[cfg(feature = "files")]
mod saver;
pub mod schedules;
mod slots;
mod update;
mod update_ops;

pub use accumulator::GradientAccumulator;
#[cfg(feature = "files")]
pub use checkpointer::{Checkpointer, Goal, Restored};
pub use error::TrainError;
#[cfg(feature = "files")]
pub use freeze::{FreezeSessionError, freeze_session};
pub use global_step::{GLOBAL_STEP, get_or_create_global_step};
pub use moving_average::{
    ExponentialMovingAverage, MOVING_AVERAGE_VARIABLES, assign_moving_average,
};
pub use optimizer::{GradientAndVariable, MinimizeOptions, Optimizer, TRAIN_OP};
pub use optimizers::{
    Adadelta, Adagrad, AdagradDa, Adam, AdamW, AmsGrad, Ftrl, GradientDescent, Momentum,
    ProximalAdagrad, ProximalGradientDescent, RmsProp,
};
#[cfg(feature = "files")]
pub use saved_model::{SavedModel, SavedModelBuilder, SavedModelError};
#[cfg(feature = "files")]
pub use saver::{Mismatch, Missing, RestoreReport, Saver, SaverError};
pub use slots::OptimizerBase;
pub use update::Updates;
pub use update_ops::{UPDATE_OPS, UpdateOps};
