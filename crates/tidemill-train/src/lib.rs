//! Training: optimizers that extend a graph with the gradients of a loss and the updates of its
//! variables; savers and saved models that
//! keep the values of variables in files.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod error;
mod freeze;
mod global_step;
mod gradient_descent;
mod optimizer;
mod saved_model;
mod saver;

pub use error::TrainError;
pub use freeze::{FreezeSessionError, freeze_session};
pub use global_step::{GLOBAL_STEP, get_or_create_global_step};
pub use gradient_descent::GradientDescent;
pub use optimizer::{GradientAndVariable, MinimizeOptions, Optimizer};
pub use saved_model::{SavedModel, SavedModelBuilder, SavedModelError};
pub use saver::{Mismatch, Missing, RestoreReport, Saver, SaverError};
