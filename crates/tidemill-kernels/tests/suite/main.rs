//! The functions of the crate against TensorFlow's values and against slow, obvious references.

#![allow(clippy::unwrap_used, clippy::panic)]

mod arg;
mod broadcasting;
mod cast;
mod conv;
mod conv_order;
mod einsum;
mod elementwise;
mod finite;
mod forms;
mod functions;
mod layout;
mod linalg;
mod matmul;
mod normalization;
mod parts;
mod plans;
mod pool;
mod pooling;
mod random;
mod reductions;
mod resize;
mod scatter_rows;
mod select;
mod softmax;
mod special;
mod strided;
mod support;
mod threads;
mod window;

/// Called before computing by tests that another program has too.
fn prepare() {}
