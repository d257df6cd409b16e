use std::collections::BTreeMap;

use super::{AttrValue, NodeDef, OpDef};

/// The functions that nodes of a graph may call.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FunctionDefLibrary {
    /// The functions.
    #[prost(message, repeated, tag = "1")]
    pub function: Vec<FunctionDef>,
    /// The gradients of functions.
    #[prost(message, repeated, tag = "2")]
    pub gradient: Vec<GradientDef>,
}

/// A function.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FunctionDef {
    /// Its name, arguments and results.
    #[prost(message, optional, tag = "1")]
    pub signature: Option<OpDef>,
    /// The nodes of its body, which refer to an output of another as `node:output name:index`,
    /// and to an argument by its name.
    #[prost(message, repeated, tag = "3")]
    pub node_def: Vec<NodeDef>,
    /// For each result by name, the output of the body that gives it.
    #[prost(btree_map = "string, string", tag = "4")]
    pub ret: BTreeMap<String, String>,
    /// Its attributes.
    #[prost(btree_map = "string, message", tag = "5")]
    pub attr: BTreeMap<String, AttrValue>,
    /// For each name in the signature's `control_output`, the node of the body.
    #[prost(btree_map = "string, string", tag = "6")]
    pub control_ret: BTreeMap<String, String>,
    /// The attributes of its arguments, by number.
    #[prost(btree_map = "uint32, message", tag = "7")]
    pub arg_attr: BTreeMap<u32, ArgAttrs>,
}

/// The attributes of an argument of a function.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ArgAttrs {
    /// The attributes by name.
    #[prost(btree_map = "string, message", tag = "1")]
    pub attr: BTreeMap<String, AttrValue>,
}

/// Names the gradient of a function.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GradientDef {
    /// The function.
    #[prost(string, tag = "1")]
    pub function_name: String,
    /// Its gradient.
    #[prost(string, tag = "2")]
    pub gradient_func: String,
}
