//! The operations, and the functions that add them to a graph.

pub mod activation;
pub mod arithmetic;
pub mod array;
pub mod assign;
pub mod bitwise;
pub mod cast;
pub mod clip;
pub mod compare;
pub mod constant;
pub mod control;
pub mod debug;
pub mod division;
pub mod gradient;
pub mod host;
pub mod identity;
pub mod leaky_relu;
pub mod math;
pub mod matmul;
pub mod nn;
pub mod placeholder;
pub mod random;
pub mod reduce;
pub mod select;
pub mod special;
pub mod train;
pub mod variable;
