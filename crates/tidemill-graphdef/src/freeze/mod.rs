//! Replaces variables with constants.

mod error;
mod sub_graph;

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use tidemill_formats::proto::{AnyValue, AttrValue, DataType, GraphDef, NodeDef, TensorProto};
use tidemill_ops::lookup;
use tidemill_value::Value;

use crate::export::check_size;
use crate::import::node_of;
pub use error::FreezeError;
pub use sub_graph::extract_sub_graph;

/// The part of a graph that `outputs` (names of nodes or tensors) need, with constants in place of
/// variables: TensorFlow's `convert_variables_to_constants`.
///
/// `values` gets the names of the variables' nodes and returns the values in that order. Reads of
/// resource variables become `Identity`, gathers `GatherV2`. Constants and their reads keep the
/// names of the variables and their reads.
///
/// # Errors
/// [`FreezeError`], if an output does not exist, or the part writes a variable or passes it to a
/// function; or the error of `values`.
pub fn freeze<S: AsRef<str>, E: From<FreezeError>>(
    graph_def: &GraphDef,
    outputs: &[S],
    values: impl FnOnce(&[String]) -> Result<Vec<Value>, E>,
) -> Result<GraphDef, E> {
    let part = extract_sub_graph(graph_def, outputs)?;
    let variables = Variables::find(&part);
    variables.check(&part)?;
    let names: Vec<String> = variables.own.iter().map(|name| (*name).to_owned()).collect();
    let values: BTreeMap<String, Value> = names.iter().cloned().zip(values(&names)?).collect();
    let mut node = Vec::with_capacity(part.node.len());
    for given in &part.node {
        match values.get(&given.name) {
            Some(value) => node.push(constant(given, value)?),
            None => variables.add_reader(given, &mut node),
        }
    }
    let frozen = GraphDef { node, library: part.library.clone(), versions: part.versions.clone() };
    Ok(check_size(frozen).map_err(FreezeError::from)?)
}

/// The nodes of a message that name variables.
struct Variables<'a> {
    /// The nodes of the variables themselves.
    own: BTreeSet<&'a str>,
    /// For each node whose output is a variable's handle or storage, the variable's own node.
    named: FxHashMap<&'a str, &'a NodeDef>,
}

/// The use of a variable by a node that takes it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It reads the storage of a variable, which a constant can replace directly.
    Value,
    /// It passes on a handle.
    Handle,
    Read,
    Gather,
    GatherNd,
    Shape,
    /// It checks whether there is a value.
    IsInitialized,
    /// It does anything else.
    Other,
}

impl<'a> Variables<'a> {
    fn find(part: &'a GraphDef) -> Self {
        let mut variables = Variables { own: BTreeSet::new(), named: FxHashMap::default() };
        for node in &part.node {
            if matches!(node.op.as_str(), "VariableV2" | "Variable" | "VarHandleOp") {
                variables.own.insert(&node.name);
                variables.named.insert(&node.name, node);
            }
        }
        // Nodes may be in any order.
        let passes = |node: &&NodeDef| node.op == "Identity" && type_of(node, "T") == RESOURCE;
        let mut waiting: Vec<&NodeDef> = part.node.iter().filter(passes).collect();
        loop {
            let before = waiting.len();
            waiting.retain(|node| match variables.taken_by(node) {
                Some(variable) => {
                    variables.named.insert(&node.name, variable);
                    false
                }
                None => true,
            });
            if waiting.len() == before {
                return variables;
            }
        }
    }

    /// The first variable that a node takes.
    fn taken_by(&self, node: &NodeDef) -> Option<&'a NodeDef> {
        let inputs = node.input.iter().filter(|input| !input.starts_with('^'));
        inputs.map(|input| node_of(input)).find_map(|name| self.named.get(name).copied())
    }

    fn use_of(&self, node: &NodeDef, variable: &NodeDef) -> Use {
        if variable.op != "VarHandleOp" {
            return match node.op.as_str() {
                "IsVariableInitialized" => Use::IsInitialized,
                _ if lookup(&node.op)
                    .is_some_and(|op| op.inputs.iter().any(|x| x.access.writes())) =>
                {
                    Use::Other
                }
                _ => Use::Value,
            };
        }
        match node.op.as_str() {
            "Identity" => Use::Handle,
            "ReadVariableOp" => Use::Read,
            "ResourceGather" => Use::Gather,
            "ResourceGatherNd" => Use::GatherNd,
            "VariableShape" => Use::Shape,
            "VarIsInitializedOp" => Use::IsInitialized,
            _ => Use::Other,
        }
    }

    /// Checks that variables are only read.
    fn check(&self, part: &GraphDef) -> Result<(), FreezeError> {
        for node in &part.node {
            if let Some(variable) = self.taken_by(node)
                && self.use_of(node, variable) == Use::Other
            {
                let variable = variable.name.clone();
                let (node, op) = (node.name.clone(), node.op.clone());
                return Err(FreezeError::Use { node, op, variable });
            }
        }
        Ok(())
    }

    /// Adds a node, or if it reads a variable, its replacement for a constant.
    fn add_reader(&self, node: &NodeDef, nodes: &mut Vec<NodeDef>) {
        let Some(variable) = self.taken_by(node) else {
            nodes.push(node.clone());
            return;
        };
        let dtype = AnyValue::Type(type_of(variable, "dtype"));
        let (mut node, usage) = (node.clone(), self.use_of(node, variable));
        match usage {
            Use::Value | Use::Other => {}
            Use::Handle => become_op(&mut node, "Identity", &[("T", &dtype)], &[]),
            Use::Read => become_op(&mut node, "Identity", &[("T", &dtype)], &["dtype"]),
            Use::Shape => become_op(&mut node, "Shape", &[("T", &dtype)], &[]),
            Use::GatherNd => become_op(&mut node, "GatherNd", &[("Tparams", &dtype)], &["dtype"]),
            Use::Gather => {
                let index = AnyValue::Type(DataType::Int32.into());
                let attrs = [("Tparams", &dtype), ("Taxis", &index)];
                become_op(&mut node, "GatherV2", &attrs, &["dtype", "validate_indices"]);
                let batch = node.attr.get("batch_dims").and_then(|attr| attr.value.as_ref());
                let axis = if let Some(AnyValue::I(batch)) = batch { *batch as i32 } else { 0 };
                let name = format!("{}/axis", node.name);
                nodes.push(constant_node(name.clone(), String::new(), &Value::from(axis)));
                let controls = node.input.iter().position(|input| input.starts_with('^'));
                node.input.insert(controls.unwrap_or(node.input.len()), name);
            }
            Use::IsInitialized => {
                let mut constant =
                    constant_node(node.name.clone(), node.device.clone(), &Value::from(true));
                constant.input = node.input.into_iter().filter(|x| x.starts_with('^')).collect();
                node = constant;
            }
        }
        nodes.push(node);
    }
}

/// Changes the type of a node, and replaces some attributes.
fn become_op(node: &mut NodeDef, op: &str, attrs: &[(&str, &AnyValue)], dropped: &[&str]) {
    node.op = op.to_owned();
    dropped.iter().for_each(|name| drop(node.attr.remove(*name)));
    for (name, value) in attrs {
        node.attr.insert((*name).to_owned(), attr((*value).clone()));
    }
}

const RESOURCE: i32 = DataType::Resource as i32;

fn attr(value: AnyValue) -> AttrValue {
    AttrValue { value: Some(value) }
}

/// The type attribute `name`.
fn type_of(node: &NodeDef, name: &str) -> i32 {
    match node.attr.get(name).and_then(|attr| attr.value.as_ref()) {
        Some(AnyValue::Type(dtype)) => *dtype,
        _ => DataType::Invalid.into(),
    }
}

fn constant(variable: &NodeDef, value: &Value) -> Result<NodeDef, FreezeError> {
    let expected = type_of(variable, "dtype");
    let actual: i32 = DataType::from(value.dtype()).into();
    if expected != actual {
        let expected = DataType::try_from(expected).map_or("of no type", DataType::name).to_owned();
        let variable = variable.name.clone();
        return Err(FreezeError::DType { variable, expected, actual: value.dtype() });
    }
    let mut constant = constant_node(variable.name.clone(), variable.device.clone(), value);
    constant.input.clone_from(&variable.input);
    Ok(constant)
}

/// A constant as a node.
pub(crate) fn constant_node(name: String, device: String, value: &Value) -> NodeDef {
    let dtype = AnyValue::Type(DataType::from(value.dtype()).into());
    let value = AnyValue::Tensor(TensorProto::from(value));
    NodeDef {
        name,
        op: "Const".to_owned(),
        input: Vec::new(),
        device,
        attr: [("dtype".to_owned(), attr(dtype)), ("value".to_owned(), attr(value))].into(),
    }
}
