//! The bodies of functions as nets.
//!
//! The attributes that a function is called with determine how many outputs its nodes have, so a
//! function is read once for each node that calls or runs it.

use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::{AnyValue, ArgDef, AttrValue, FunctionDef, NameAttrList, NodeDef};
use tidemill_ops::lookup;

use super::error::{ImportErrorKind, node_error};
use super::net::{Attrs, Net, NetNode, Port, read_references};
use super::outputs::{count_of, outputs_of};

/// The operations that call the function named by their attribute `f`.
pub(super) const CALLS: &[&str] = &["PartitionedCall", "StatefulPartitionedCall"];

/// The limit on the names of the outputs of a node. No operation has so many outputs with names of their
/// own.
const MAX_NAMES: usize = 256;

/// The functions of a message, by name.
pub(super) type Definitions<'a> = FxHashMap<&'a str, &'a FunctionDef>;

/// The body of a function with these attributes, for a number of arguments.
///
/// # Errors
/// [`ImportErrorKind`] if the function has another number of arguments, a reference in it is wrong,
/// or two of its nodes share a name.
pub(super) fn read_body(
    function: &FunctionDef,
    attrs: &Attrs,
    arguments: usize,
    definitions: &Definitions<'_>,
) -> Result<Net, ImportErrorKind> {
    let slots = argument_slots(function, attrs, arguments)?;
    let mut nodes = vec![NetNode::arguments()];
    nodes.extend(function.node_def.iter().map(|def| NetNode {
        name: def.name.clone(),
        op: def.op.clone(),
        device: def.device.clone(),
        attrs: filled(&def.attr, attrs),
        ..NetNode::default()
    }));
    let members = function.node_def.iter().map(|def| def.name.as_str());
    let members: FxHashMap<&str, usize> = members.zip(Net::ARGUMENTS + 1..).collect();
    name_unknown_outputs(function, &members, definitions, &mut nodes);
    let names = Names { definitions, arguments: slots, members, nodes: &nodes };
    let wires = function.node_def.iter().map(|def| {
        let read = read_references(&def.input, |reference, is_control| match is_control {
            true => names.node(reference).map(|node| Port { node, slot: 0 }),
            false => names.port(reference),
        });
        read.map_err(|kind| match kind {
            ImportErrorKind::InputAfterControl { .. } => inside(function, def, kind),
            kind => kind,
        })
    });
    let wires: Vec<_> = wires.collect::<Result<_, _>>()?;
    let results = function.signature.iter().flat_map(|signature| &signature.output_arg);
    let results = results.map(|arg| {
        let missing = || ImportErrorKind::MissingInput { input: arg.name.clone() };
        names.port(function.ret.get(&arg.name).ok_or_else(missing)?)
    });
    let results = results.collect::<Result<_, _>>()?;
    let kept = function.control_ret.values().map(|name| names.node(name));
    let kept = kept.collect::<Result<_, _>>()?;
    check_names(function)?;
    for (node, (inputs, controls)) in nodes[Net::ARGUMENTS + 1..].iter_mut().zip(wires) {
        (node.inputs, node.controls) = (inputs, controls);
    }
    let result_types = result_types(function, attrs);
    Ok(Net { nodes, arguments, results, result_types, kept })
}

/// Gives the nodes of unknown operations the names of the outputs that references use.
fn name_unknown_outputs(
    function: &FunctionDef,
    members: &FxHashMap<&str, usize>,
    definitions: &Definitions<'_>,
    nodes: &mut [NetNode],
) {
    let is_unknown = |node: &NetNode| {
        let op = node.op.as_str();
        lookup(op).is_none() && !definitions.contains_key(op) && !CALLS.contains(&op)
    };
    let inputs = function.node_def.iter().flat_map(|def| &def.input);
    for reference in inputs.chain(function.ret.values()) {
        let mut parts = reference.split(':');
        let (Some(name), Some(output)) = (parts.next(), parts.next()) else { continue };
        let index: u32 = parts.next().map_or(Some(0), |index| index.parse().ok()).unwrap_or(0);
        let Some(node) = members.get(name).map(|&node| &mut nodes[node]) else { continue };
        if !is_unknown(node) {
            continue;
        }
        let count = index as usize + 1;
        let outputs = &mut node.outputs;
        match outputs.iter().position(|(known, _)| known == output) {
            Some(place) => outputs[place].1 = count.max(outputs[place].1),
            None if outputs.len() < MAX_NAMES => outputs.push((output.to_owned(), count)),
            None => {}
        }
    }
}

/// For each argument of a function by name, the numbers of its tensors.
///
/// # Errors
/// [`ImportErrorKind::InputCount`]
fn argument_slots<'a>(
    function: &'a FunctionDef,
    attrs: &Attrs,
    actual: usize,
) -> Result<FxHashMap<&'a str, Range<usize>>, ImportErrorKind> {
    let args = function.signature.iter().flat_map(|signature| &signature.input_arg);
    let mut expected = 0_usize;
    let slots = args.map(|arg| {
        let start = expected;
        expected = start.saturating_add(count_of(arg, attrs));
        (arg.name.as_str(), start..expected)
    });
    let slots = slots.collect();
    check_count(expected, actual)?;
    Ok(slots)
}

pub(super) fn check_count(expected: usize, actual: usize) -> Result<(), ImportErrorKind> {
    match expected == actual {
        true => Ok(()),
        false => Err(ImportErrorKind::InputCount { expected, actual }),
    }
}

/// Checks that no two nodes share a name.
///
/// # Errors
/// [`ImportErrorKind::Function`]
fn check_names(function: &FunctionDef) -> Result<(), ImportErrorKind> {
    let mut names = FxHashSet::default();
    match function.node_def.iter().find(|def| !names.insert(def.name.as_str())) {
        Some(def) => Err(inside(function, def, ImportErrorKind::Duplicate)),
        None => Ok(()),
    }
}

/// The error of a node of a function.
fn inside(function: &FunctionDef, node: &NodeDef, kind: ImportErrorKind) -> ImportErrorKind {
    let error = Box::new(node_error(&node.name, &node.op, kind));
    let name = function.signature.as_ref().map(|signature| signature.name.clone());
    ImportErrorKind::Function { function: name.unwrap_or_default(), error }
}

/// The names that references in a function use.
struct Names<'a> {
    definitions: &'a Definitions<'a>,
    arguments: FxHashMap<&'a str, Range<usize>>,
    members: FxHashMap<&'a str, usize>,
    /// The node of the arguments, and the members.
    nodes: &'a [NetNode],
}

impl Names<'_> {
    /// The node that a control input names.
    fn node(&self, name: &str) -> Result<usize, ImportErrorKind> {
        let missing = || ImportErrorKind::MissingInput { input: format!("^{name}") };
        self.members.get(name).copied().ok_or_else(missing)
    }

    /// The tensor that a reference such as `argument`, `node:output` or `node:output:1` names.
    fn port(&self, reference: &str) -> Result<Port, ImportErrorKind> {
        let missing = || ImportErrorKind::MissingInput { input: reference.to_owned() };
        self.find(reference).ok_or_else(missing)
    }

    fn find(&self, reference: &str) -> Option<Port> {
        let mut parts = reference.split(':');
        let (name, output, index) = (parts.next()?, parts.next(), parts.next());
        let number = |index: Option<&str>| index.map_or(Some(0), |i| i.parse::<usize>().ok());
        let (node, slot) = match self.arguments.get(name) {
            Some(slots) => (Net::ARGUMENTS, slots.clone().nth(number(output)?)?),
            None => {
                let node = *self.members.get(name)?;
                let start = output.map_or(Some(0), |output| self.start(node, output))?;
                (node, start.checked_add(number(index)?)?)
            }
        };
        Some(Port { node, slot: u32::try_from(slot).ok()? })
    }

    /// The number of the first tensor of an output of a node.
    fn start(&self, node: usize, output: &str) -> Option<usize> {
        let node = &self.nodes[node];
        if CALLS.contains(&node.op.as_str()) {
            return Some(0);
        }
        let outputs: Vec<(&str, usize)> = match lookup(&node.op) {
            Some(op) => outputs_of(op, &node.attrs).map(|(arg, x)| (arg.name, x.start)).collect(),
            None => {
                let function = self.definitions.get(node.op.as_str());
                let signature = function.and_then(|function| function.signature.as_ref());
                let Some(signature) = signature else { return start_of(&node.outputs, output) };
                let results = signature.output_arg.iter().enumerate();
                results.map(|(i, arg)| (arg.name.as_str(), i)).collect()
            }
        };
        match outputs.as_slice() {
            // The only output may go by any name.
            [_] => Some(0),
            outputs => Some(outputs.iter().find(|(name, _)| *name == output)?.1),
        }
    }
}

/// The number of the first tensor of an output, of outputs with these names and numbers of tensors.
fn start_of(outputs: &[(String, usize)], output: &str) -> Option<usize> {
    let place = outputs.iter().position(|(name, _)| name == output)?;
    Some(outputs[..place].iter().fold(0, |sum, (_, count)| sum.saturating_add(*count)))
}

/// The attributes of a node of a function, given the function's attributes.
fn filled(of_node: &Attrs, attrs: &Attrs) -> Attrs {
    of_node.iter().map(|(name, value)| (name.clone(), fill(value, attrs))).collect()
}

fn fill(value: &AttrValue, attrs: &Attrs) -> AttrValue {
    match &value.value {
        Some(AnyValue::Placeholder(name)) => attrs.get(name).cloned().unwrap_or_default(),
        Some(AnyValue::Func(function)) => {
            let attr = filled(&function.attr, attrs);
            let function = NameAttrList { name: function.name.clone(), attr };
            AttrValue { value: Some(AnyValue::Func(function)) }
        }
        _ => value.clone(),
    }
}

/// The data types of the results of a function.
pub(super) fn result_types(function: &FunctionDef, attrs: &Attrs) -> Vec<i32> {
    let results = function.signature.iter().flat_map(|signature| &signature.output_arg);
    let dtype = |arg: &ArgDef| match attrs.get(&arg.type_attr).and_then(|x| x.value.as_ref()) {
        Some(AnyValue::Type(dtype)) => *dtype,
        // Zero, the number of no data type, if it is missing.
        _ => arg.r#type,
    };
    results.map(dtype).collect()
}
