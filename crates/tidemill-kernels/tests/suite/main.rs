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
mod parts;
mod pool;
mod random;
mod reductions;
mod scatter_rows;
mod softmax;
mod special;
mod support;
mod threads;
