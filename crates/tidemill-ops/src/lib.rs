//! The operations of the Tidemill runtime, and the handles to build graphs with.
//!
//! Each operation is described in one place under [`ops`]: its inputs and outputs, its shape
//! inference, its kernel, its gradient, samples to test it with, and the function that adds it to a
//! graph. The [`functions`] have TensorFlow's names.
//!
//! A builder function never panics. If its arguments do not fit, the handle it returns is
//! invalid; [`Graph::check`](tidemill_graph::Graph::check) lists the errors, with their lines, and
//! so does a run that needs the handle.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod control_flow;
mod data_format;
mod elementwise;
mod family;
pub mod functions;
mod handle;
mod index;
mod indexed_slices;
mod initialize;
mod initializer;
mod inspect;
mod kernel;
mod methods;
mod operand;
mod operations;
mod operators;
pub mod ops;
mod product;
mod registry;
mod sample;
mod shape_operand;
mod slicing;
mod summarize;
mod tensor_array;
mod variable_builder;
mod variable_scope;
mod variables;
mod window;

pub use control_flow::{
    Rebuild, Structure, WhileLoop, case, case_exclusive, cond, foldl, foldr, map_accumulate,
    map_accumulate_shaped, map_fn, scan, scan_reverse, switch_case, while_loop, zip_with,
};
pub use functions::*;
pub use handle::{Operation, Tensor, Variable};
pub use indexed_slices::IndexedSlices;
pub use initialize::{
    global_variables, global_variables_in, global_variables_initializer, local_variables,
    local_variables_initializer, report_uninitialized_variables, trainable_variables,
    trainable_variables_in, variables_initializer,
};
pub use initializer::{
    Initializer, constant_initializer, glorot_normal, glorot_uniform, he_normal, he_uniform,
    normal, ones, truncated_normal, uniform, zeros,
};
pub use inspect::{InScope, Inspect, LookupError};
pub use operand::{Operand, composite};
pub use registry::{ALL, NameTaken, lookup, register_op};
pub use shape_operand::{IntoNewShape, IntoShape};
pub use slicing::{Bound, Ellipsis, NewAxis, SliceItem};
pub use tensor_array::TensorArray;
pub use variable_builder::{VariableBuilder, variable};
pub use variable_scope::{REGULARIZATION_LOSSES, VariableScope};
pub use variables::{GLOBAL_VARIABLES, LOCAL_VARIABLES, TRAINABLE_VARIABLES, get_variable};
