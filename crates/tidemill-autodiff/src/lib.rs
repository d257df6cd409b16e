//! Symbolic gradients: derivatives of tensors with respect to other tensors, built as nodes of the
//! same graph.
//!
//! The algorithm is reverse-mode differentiation. It knows no operation by name: each has its own
//! rule, written in differentiable operations, so gradients of gradients work.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod control;
mod differentiate;
mod second;
mod unbroadcast;
mod walk;

pub use differentiate::{
    Differentiation, GradientOptions, UnconnectedGradients, differentiate, gradients,
    gradients_with,
};
pub use second::{hessian_vector_product, jacobian};
pub use walk::Cut;
