//! Training: optimizers that extend a graph with the gradients of a loss and the updates of its
//! variables; savers that keep the values of variables in files.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod error;
mod global_step;
mod gradient_descent;
mod optimizer;
mod saver;

pub use error::TrainError;
pub use global_step::{GLOBAL_STEP, get_or_create_global_step};
pub use gradient_descent::GradientDescent;
pub use optimizer::{GradientAndVariable, MinimizeOptions, Optimizer};
pub use saver::{Mismatch, Missing, RestoreReport, Saver, SaverError};
