//! Layers: parts of models that make the variables they need.

mod batch_normalization;
mod dense;

pub use batch_normalization::{BatchNormalization, batch_normalization};
pub use dense::{Dense, dense, fully_connected};
