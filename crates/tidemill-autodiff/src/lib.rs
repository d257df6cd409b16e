//! Symbolic gradients: the derivative of tensors with respect to others, built as nodes of the
//! same graph.
//!
//! The walk is reverse-mode differentiation. It knows no operation: each brings its own rule,
//! written in operations that have gradients themselves, so that gradients of gradients work.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod control;
mod differentiate;
mod second;
mod unbroadcast;
mod walk;

pub use differentiate::{
    Cut, Differentiation, GradientOptions, UnconnectedGradients, differentiate, gradients,
    gradients_with,
};
pub use second::{hessian_vector_product, jacobian};
