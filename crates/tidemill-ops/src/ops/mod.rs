//! The operations, and the functions that add them to a graph.

pub mod activation;
pub mod arithmetic;
pub mod array;
pub mod assign;
pub mod cast;
pub mod compare;
pub mod constant;
pub mod control;
pub mod debug;
pub mod gradient;
pub mod host;
pub mod identity;
pub mod math;
pub mod matmul;
pub mod nn;
pub mod placeholder;
pub mod random;
pub mod reduce;
pub mod select;
pub mod train;
pub mod variable;
