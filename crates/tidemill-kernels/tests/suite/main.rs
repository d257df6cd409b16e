//! The functions of the crate against TensorFlow's values and against slow, obvious references.

#![allow(clippy::unwrap_used, clippy::panic)]

mod broadcasting;
mod conv;
mod einsum;
mod elementwise;
mod forms;
mod layout;
mod linalg;
mod matmul;
mod normalization;
mod parts;
mod pool;
mod pooling;
mod random;
mod reductions;
mod resize;
mod scatter_rows;
mod softmax;
mod special;
mod support;
mod threads;
