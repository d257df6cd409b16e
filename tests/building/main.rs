//! Building graphs: nodes, names, variables, bodies, and the errors of mistakes.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod build_errors;
mod control_flow;
mod custom_ops;
mod gradients_through_bodies;
mod graph;
mod imported_control_flow;
mod initial_values;
mod inspection;
mod loops;
mod naming;
mod placeholders;
mod products_with_zeros;
mod resource_variables;
mod scopes;
mod special_points;
mod tensor_lists;
mod tensorflow_names;
mod variables;
