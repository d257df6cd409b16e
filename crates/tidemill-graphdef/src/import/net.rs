//! The nodes of a message, which refer to each other by number.
//!
//! A message is read into a net once. Raising control flow, inlining calls and building nodes work
//! on nets; the references of the message are printed again only in errors.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use tidemill_formats::proto::{AnyValue, AttrValue, NodeDef};

use super::error::{ImportError, ImportErrorKind, node_error};
use super::names::split_reference;

pub(super) type Attrs = BTreeMap<String, AttrValue>;

/// An output of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Port {
    pub(super) node: usize,
    pub(super) slot: u32,
}

impl Port {
    /// An argument of a function.
    pub(super) fn argument(number: usize) -> Self {
        Port { node: Net::ARGUMENTS, slot: number as u32 }
    }
}

/// A node. Its operation may be unknown: only building the node needs it.
#[derive(Clone, Default, Debug)]
pub(super) struct NetNode {
    pub(super) name: String,
    pub(super) op: String,
    pub(super) device: String,
    pub(super) attrs: Attrs,
    pub(super) inputs: Vec<Port>,
    /// The nodes that it runs after.
    pub(super) controls: Vec<usize>,
    /// For a node of a function whose operation is unknown: the names that the function uses for its
    /// outputs, each with the number of tensors that it stands for. Their order is that of first use.
    pub(super) outputs: Vec<(String, usize)>,
    /// True if it stands for something outside the net: the arguments of a function, or a node
    /// that the message lacks.
    pub(super) is_outside: bool,
}

impl NetNode {
    /// The node of a message, without its inputs.
    pub(super) fn new(def: NodeDef) -> Self {
        let NodeDef { name, op, device, attr: attrs, .. } = def;
        NetNode { name, op, device, attrs, ..NetNode::default() }
    }

    /// A node that stands for something outside the net.
    pub(super) fn outside(name: String) -> Self {
        NetNode { name, is_outside: true, ..NetNode::default() }
    }

    /// The node of a function whose outputs are the arguments.
    pub(super) fn arguments() -> Self {
        Self::outside(String::new())
    }

    pub(super) fn attr(&self, name: &str) -> Option<&AnyValue> {
        self.attrs.get(name)?.value.as_ref()
    }

    pub(super) fn type_attr(&self, name: &str) -> Option<i32> {
        match self.attr(name)? {
            AnyValue::Type(dtype) => Some(*dtype),
            _ => None,
        }
    }

    pub(super) fn set(&mut self, name: &str, value: AnyValue) {
        self.attrs.insert(name.to_owned(), AttrValue { value: Some(value) });
    }

    /// Changes the operation, and drops the attributes.
    pub(super) fn become_op(&mut self, op: &str) {
        self.op = op.to_owned();
        self.attrs.clear();
    }

    /// A reference to an output, as messages have it.
    pub(super) fn reference(&self, slot: u32) -> String {
        if slot == 0 { self.name.clone() } else { format!("{}:{slot}", self.name) }
    }

    pub(super) fn error(&self, kind: ImportErrorKind) -> ImportError {
        node_error(&self.name, &self.op, kind)
    }
}

/// The nodes of a graph, or of the body of a function.
#[derive(Clone, Default, Debug)]
pub(super) struct Net {
    /// The nodes in the order of the message.
    pub(super) nodes: Vec<NetNode>,
    /// The number of arguments of a function. Its first node stands for them: they are its outputs.
    pub(super) arguments: usize,
    /// The results of a function.
    pub(super) results: Vec<Port>,
    /// The data types that a function of the message declares for its results.
    pub(super) result_types: Vec<i32>,
    /// The nodes of a function that run even if no result needs them.
    pub(super) kept: Vec<usize>,
}

impl Net {
    /// The number of the node of a function whose outputs are the arguments.
    pub(super) const ARGUMENTS: usize = 0;

    /// The net of a graph.
    ///
    /// A node that the message lacks becomes one outside the net, because the caller of the import
    /// may supply it.
    ///
    /// # Errors
    /// If nodes share a name, or an input follows a control input.
    pub(super) fn of_graph(mut defs: Vec<NodeDef>) -> Result<Self, ImportError> {
        let references: Vec<Vec<String>> =
            defs.iter_mut().map(|def| std::mem::take(&mut def.input)).collect();
        let mut numbers: FxHashMap<&str, usize> = FxHashMap::default();
        for (number, def) in defs.iter().enumerate() {
            if numbers.insert(&def.name, number).is_some() {
                return Err(node_error(&def.name, &def.op, ImportErrorKind::Duplicate));
            }
        }
        let mut missing: Vec<&str> = Vec::new();
        let mut wires = Vec::with_capacity(defs.len());
        for (def, references) in defs.iter().zip(&references) {
            let read = read_references(references, |reference, _| {
                let (name, slot) = split_reference(reference);
                let node = *numbers.entry(name).or_insert_with(|| {
                    missing.push(name);
                    defs.len() + missing.len() - 1
                });
                Ok(Port { node, slot })
            });
            wires.push(read.map_err(|kind| node_error(&def.name, &def.op, kind))?);
        }
        let missing: Vec<NetNode> =
            missing.into_iter().map(|name| NetNode::outside(name.to_owned())).collect();
        let nodes = defs.into_iter().zip(wires).map(|(def, (inputs, controls))| NetNode {
            inputs,
            controls,
            ..NetNode::new(def)
        });
        Ok(Net { nodes: nodes.chain(missing).collect(), ..Net::default() })
    }

    /// Keeps these nodes, in this order. They refer to no others.
    pub(super) fn arrange(&mut self, order: &[usize]) {
        let mut places = vec![0; self.nodes.len()];
        for (place, &node) in order.iter().enumerate() {
            places[node] = place;
        }
        let take = |&node: &usize| std::mem::take(&mut self.nodes[node]);
        self.nodes = order.iter().map(take).collect();
        for node in &mut self.nodes {
            node.inputs.iter_mut().for_each(|port| port.node = places[port.node]);
            node.controls.iter_mut().for_each(|control| *control = places[*control]);
        }
        self.results.iter_mut().for_each(|port| port.node = places[port.node]);
        self.kept.iter_mut().for_each(|node| *node = places[*node]);
    }
}

/// The error of nodes each of which takes the next.
pub(super) fn cycle_error(nodes: &[NetNode], cycle: &[usize]) -> ImportError {
    let names = cycle.iter().map(|&node| nodes[node].name.clone());
    let kind = ImportErrorKind::Cycle { cycle: names.collect() };
    nodes[cycle.first().copied().unwrap_or_default()].error(kind)
}

/// The inputs and the control inputs that references name.
///
/// `port` takes a reference without its `^`, and whether it had one.
///
/// # Errors
/// The error of `port`; [`ImportErrorKind::InputAfterControl`].
pub(super) fn read_references<'a>(
    references: &'a [String],
    mut port: impl FnMut(&'a str, bool) -> Result<Port, ImportErrorKind>,
) -> Result<(Vec<Port>, Vec<usize>), ImportErrorKind> {
    let (mut inputs, mut controls) = (Vec::new(), Vec::new());
    for reference in references {
        match reference.strip_prefix('^') {
            Some(name) => controls.push(port(name, true)?.node),
            None if controls.is_empty() => inputs.push(port(reference, false)?),
            None => return Err(ImportErrorKind::InputAfterControl { input: reference.clone() }),
        }
    }
    Ok((inputs, controls))
}
