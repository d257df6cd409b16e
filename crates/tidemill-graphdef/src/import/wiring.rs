//! The tensors of the graph that the nodes of a net take.

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::DataType;
use tidemill_graph::{Graph, TensorRef};
use tidemill_ops::Tensor;

use super::error::{ImportError, ImportErrorKind};
use super::names::split_reference;
use super::net::{Net, NetNode, Port};

/// The tensors given for outputs of nodes of a net, and for nodes as control inputs.
#[derive(Default, Debug)]
pub(super) struct Given {
    pub(super) outputs: FxHashMap<Port, TensorRef>,
    pub(super) controls: FxHashMap<usize, TensorRef>,
    /// The names of tensors that no node takes.
    unused: Vec<String>,
}

impl Given {
    /// The arguments of a function.
    pub(super) fn arguments(tensors: &[TensorRef]) -> Self {
        let outputs = (0..).map(Port::argument).zip(tensors.iter().copied()).collect();
        Given { outputs, ..Given::default() }
    }

    /// Tensors by the names of those that they replace, `x:0` or `x`, and `^x` for a control input.
    ///
    /// # Errors
    /// [`ImportError::InvalidMapping`] if one is not in the graph.
    pub(super) fn new(
        graph: &Graph,
        net: &Net,
        map: &[(String, Tensor)],
    ) -> Result<Self, ImportError> {
        let mut given = Given::default();
        if map.is_empty() {
            return Ok(given);
        }
        let numbers = net.nodes.iter().map(|node| node.name.as_str()).zip(0..);
        let numbers: FxHashMap<&str, usize> = numbers.collect();
        let inputs = net.nodes.iter().flat_map(|node| &node.inputs);
        let inputs: FxHashSet<&Port> = inputs.collect();
        let controls = net.nodes.iter().flat_map(|node| &node.controls);
        let controls: FxHashSet<&usize> = controls.collect();
        for (reference, tensor) in map {
            let tensor = TensorRef::from(*tensor);
            let is_valid = tensor.graph() == graph.key()
                && tensor.id().is_ok_and(|id| graph.read().fact(id).is_some());
            if !is_valid {
                return Err(ImportError::InvalidMapping { name: reference.clone() });
            }
            let (name, slot) = split_reference(reference);
            let (is_control, node) =
                name.strip_prefix('^').map_or((false, name), |name| (true, name));
            match numbers.get(node) {
                Some(&node) if is_control && controls.contains(&node) => {
                    given.controls.insert(node, tensor);
                }
                Some(&node) if !is_control && inputs.contains(&Port { node, slot }) => {
                    given.outputs.insert(Port { node, slot }, tensor);
                }
                _ => given.unused.push(format!("{name}:{slot}")),
            }
        }
        given.unused.sort();
        given.unused.dedup();
        Ok(given)
    }

    pub(super) fn check_all_taken(&self) -> Result<(), ImportError> {
        match self.unused.is_empty() {
            true => Ok(()),
            false => Err(ImportError::UnusedMapping { names: self.unused.clone() }),
        }
    }

    /// The nodes of the net that a node needs.
    pub(super) fn needs(&self, node: &NetNode) -> impl Iterator<Item = usize> {
        let inputs = node.inputs.iter().filter(|port| !self.outputs.contains_key(port));
        let controls = node.controls.iter().filter(|node| !self.controls.contains_key(node));
        inputs.map(|port| port.node).chain(controls.copied())
    }

    /// Checks that what nodes take from outside the net is given.
    ///
    /// # Errors
    /// [`ImportErrorKind::MissingInput`]
    pub(super) fn check(&self, net: &Net) -> Result<(), ImportError> {
        for node in &net.nodes {
            let missing = |input| Err(node.error(ImportErrorKind::MissingInput { input }));
            let is_missing =
                |port: &&Port| net.nodes[port.node].is_outside && !self.outputs.contains_key(port);
            if let Some(port) = node.inputs.iter().find(is_missing) {
                return missing(net.nodes[port.node].reference(port.slot));
            }
            let is_missing = |control: &&usize| {
                net.nodes[**control].is_outside && !self.controls.contains_key(control)
            };
            if let Some(&control) = node.controls.iter().find(is_missing) {
                return missing(format!("^{}", net.nodes[control].name));
            }
        }
        Ok(())
    }
}

/// True if a node passes on the handle of a variable and is left out: nodes that take it take its
/// input.
pub(super) fn passes_handle(node: &NetNode) -> bool {
    node.op == "Identity" && node.type_attr("T") == Some(DataType::Resource.into())
}

/// Replaces nodes that pass on handles by their inputs.
pub(super) fn skip_handles(net: &mut Net, given: &mut Given) {
    let passed = |node: &NetNode| match node.inputs.as_slice() {
        [port] if passes_handle(node) => Some(*port),
        _ => None,
    };
    let passed: Vec<Option<Port>> = net.nodes.iter().map(passed).collect();
    if passed.iter().all(Option::is_none) {
        return;
    }
    let origin = |mut port: Port| {
        // Sorting finds nodes that pass a handle around in a circle.
        for _ in 0..=passed.len() {
            match passed[port.node] {
                Some(next) if !given.outputs.contains_key(&port) => port = next,
                _ => break,
            }
        }
        port
    };
    let inputs = net.nodes.iter_mut().flat_map(|node| &mut node.inputs);
    inputs.chain(&mut net.results).for_each(|port| *port = origin(*port));
    for control in net.nodes.iter_mut().flat_map(|node| &mut node.controls) {
        if let (Some(port), false) = (passed[*control], given.controls.contains_key(control)) {
            let port = origin(port);
            match given.outputs.get(&port) {
                Some(tensor) => drop(given.controls.insert(*control, *tensor)),
                None => *control = port.node,
            }
        }
    }
}
