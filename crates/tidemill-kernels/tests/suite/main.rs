//! The functions of the crate against TensorFlow's values and against slow, obvious references.

#![allow(clippy::unwrap_used, clippy::panic)]

mod broadcasting;
mod elementwise;
mod forms;
mod layout;
mod matmul;
mod parts;
mod random;
mod reductions;
mod softmax;
mod support;
