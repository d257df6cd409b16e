//! The computation graph of the Tidemill runtime.
//!
//! A [`Graph`] is an append-only record of operations. This crate has the parts of a graph: nodes
//! and the handles that refer to them, attributes, the facts known about tensors before a run,
//! names and scopes, variables and collections, source locations, the diagnoses of failed calls,
//! and the text form. It defines what an operation is ([`OpDef`], [`Kernel`]) but knows no
//! operation by name, and it runs nothing.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod all_or_nothing;
mod append;
mod arg;
mod arguments;
mod attr;
mod attr_def;
mod bind;
mod body;
mod branch_controls;
mod builder;
mod chunked;
mod dag;
mod diagnosis;
mod dot;
mod error;
mod execution;
mod fact;
mod failed;
mod gradient;
mod graph;
mod holding;
mod ids;
mod kernel;
mod lint;
mod location;
mod memory;
mod model;
mod names;
mod node;
mod node_def;
mod notes;
mod op_def;
pub mod opaque;
mod reader;
mod registry;
mod sample;
mod scope;
mod subgraph;
mod text;
mod variable;
mod verify;
mod way;
mod widen;

pub use append::input_note;
pub use arg::{Access, Arg, ArgType, Arity};
pub use attr_def::{AttrDef, AttrDefault, AttrKind, Widening};
pub use body::{
    Enclosing, Enclosure, HANDLE_PARAMETER, InsideBody, PARAMETER, Parameter, ParameterKind,
    REF_PARAMETER, Root, Trace, add_argument, beside, enclosures, innermost, outside, parameter,
    results_of_either, trace,
};
pub use builder::NodeBuilder;
pub use diagnosis::{BuildError, BuildErrorKind, BuildErrors, Note};
pub use error::{GradientError, KernelError, OpError};
pub use execution::{Effect, Execution, Fallible, Select};
pub use fact::{Elements, Fact, Inferred, Role, ShownTensor};
pub use failed::{check_orphans, diagnose, elsewhere, fail};
pub use holding::Holding;
pub use ids::{GraphKey, NodeId, OperationRef, PoisonId, Referent, TensorId, TensorRef};
pub use kernel::{Draw, Host, Kernel, KernelCx, NoHost, Operand, Then};
pub use lint::Lint;
pub use location::{Location, at_location, derived, in_gradient};
pub use memory::{GraphMemory, Seen};
pub use model::{
    Attr, Attrs, Body, Expect, ExpectGradient, GradCx, Gradient, GradientFn, Grads, Graph,
    HostFunction, InferFn, KernelFn, Node, NodeView, OpDef, Sample, SamplesFn,
};
pub use notes::{NodeNote, Slices};
pub use reader::{EdgeKind, GraphReader, nearest_name};
pub use registry::{DefaultGraph, default_graph, reset_default_graph};
pub use scope::{
    CompositeScope, Reuse, VariableSettings, absolute_scope, clear_control_dependencies,
    control_dependencies, current_name_scope, current_variable_scope, has_control_dependencies,
    name_scope, scoped, unique_variable_scope, variable_scope, variable_scope_with,
    within_variable_scope, without_control_dependencies,
};
pub use subgraph::{Commit, FEED, Guarded, Instr, Region, Subgraph, may_fail};
pub use text::{TextError, TextErrorKind};
pub use variable::{Constraint, Item, Member, VariableRecord};
pub use verify::VerifyError;
pub use way::ShownWay;
