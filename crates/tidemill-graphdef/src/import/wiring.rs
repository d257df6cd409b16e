//! The sources of the inputs of nodes: outputs of other nodes, or tensors of the graph.

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::DataType;
use tidemill_graph::{Graph, TensorRef};
use tidemill_ops::Tensor;

use super::error::{ImportError, ImportErrorKind};
use super::names::split_reference;
use super::net::{Net, NetNode, Port};

/// The tensors that replace tensors of a message, by name and output. A control input has its `^`.
#[derive(Debug)]
pub(super) struct InputMap(FxHashMap<(String, u32), TensorRef>);

impl InputMap {
    pub(super) fn new(graph: &Graph, map: &[(String, Tensor)]) -> Result<Self, ImportError> {
        let entry = |(name, tensor): &(String, Tensor)| {
            let tensor = TensorRef::from(*tensor);
            let is_valid = tensor.graph() == graph.key()
                && tensor.id().is_ok_and(|id| graph.read().fact(id).is_some());
            let (node, slot) = split_reference(name);
            match is_valid {
                true => Ok(((node.to_owned(), slot), tensor)),
                false => Err(ImportError::InvalidMapping { name: name.clone() }),
            }
        };
        map.iter().map(entry).collect::<Result<_, _>>().map(InputMap)
    }

    /// The tensors given for a net.
    pub(super) fn find_in(&self, net: &Net) -> Given {
        let mut given = Given::default();
        if self.0.is_empty() {
            return given;
        }
        let nodes = net.nodes.iter().enumerate();
        let nodes: FxHashMap<&str, usize> =
            nodes.map(|(i, node)| (node.name.as_str(), i)).collect();
        let taken: FxHashSet<Port> =
            net.nodes.iter().flat_map(|node| &node.inputs).copied().collect();
        let awaited: FxHashSet<usize> =
            net.nodes.iter().flat_map(|node| &node.controls).copied().collect();
        for ((name, slot), &tensor) in &self.0 {
            let control = name.strip_prefix('^');
            let node = nodes.get(control.unwrap_or(name)).copied();
            let port = node.map(|node| Port { node, slot: *slot });
            match (control, port) {
                (Some(_), Some(Port { node, .. })) if awaited.contains(&node) => {
                    given.controls.insert(node, tensor);
                }
                (None, Some(port)) if taken.contains(&port) => {
                    given.outputs.insert(port, tensor);
                }
                _ => given.unused.push(format!("{name}:{slot}")),
            }
        }
        given
    }
}

/// The tensors given for outputs of nodes of a net, and for nodes as control inputs.
#[derive(Default, Debug)]
pub(super) struct Given {
    outputs: FxHashMap<Port, TensorRef>,
    controls: FxHashMap<usize, TensorRef>,
    /// The names of tensors that no node takes.
    unused: Vec<String>,
}

impl Given {
    /// The arguments of a function.
    pub(super) fn arguments(tensors: &[TensorRef]) -> Self {
        let outputs = (0..).map(Port::argument).zip(tensors.iter().copied()).collect();
        Given { outputs, ..Given::default() }
    }

    pub(super) fn check_all_taken(self) -> Result<(), ImportError> {
        let mut names = self.unused;
        names.sort();
        if names.is_empty() { Ok(()) } else { Err(ImportError::UnusedMapping { names }) }
    }
}

/// The source of an input of a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// An output of a node of the net.
    Node(Port),
    /// A tensor that was already in the graph.
    Given(TensorRef),
}

/// The sources of the inputs of a node.
#[derive(Clone, Default, Debug)]
pub(super) struct Wires {
    pub(super) inputs: Vec<Source>,
    pub(super) controls: Vec<Source>,
}

impl Wires {
    /// The nodes of the net that it needs.
    pub(super) fn nodes(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().chain(&self.controls).filter_map(|source| match source {
            Source::Node(port) => Some(port.node),
            Source::Given(_) => None,
        })
    }
}

/// The sources of the inputs of each node of a net, and of its results.
///
/// # Errors
/// [`ImportErrorKind::MissingInput`] if a node takes one outside the net that is not given.
pub(super) fn connect(net: &Net, given: &Given) -> Result<(Vec<Wires>, Vec<Source>), ImportError> {
    let wires = |node: &NetNode| {
        let inputs = node.inputs.iter().map(|&port| input(net, given, port));
        let inputs = inputs.collect::<Result<_, _>>()?;
        let controls = node.controls.iter().map(|&control| control_input(net, given, control));
        Ok(Wires { inputs, controls: controls.collect::<Result<_, _>>()? })
    };
    let wires = net.nodes.iter().map(|node| wires(node).map_err(|kind| node.error(kind)));
    let mut wires: Vec<Wires> = wires.collect::<Result<_, _>>()?;
    let result = |&port| input(net, given, port).unwrap_or(Source::Node(port));
    let mut results: Vec<Source> = net.results.iter().map(result).collect();
    skip_handles(net, &mut wires, &mut results);
    Ok((wires, results))
}

fn input(net: &Net, given: &Given, port: Port) -> Result<Source, ImportErrorKind> {
    let node = &net.nodes[port.node];
    match given.outputs.get(&port) {
        Some(tensor) => Ok(Source::Given(*tensor)),
        None if node.is_outside => Err(missing(node.reference(port.slot))),
        None => Ok(Source::Node(port)),
    }
}

fn control_input(net: &Net, given: &Given, node: usize) -> Result<Source, ImportErrorKind> {
    match given.controls.get(&node) {
        Some(tensor) => Ok(Source::Given(*tensor)),
        None if net.nodes[node].is_outside => Err(missing(format!("^{}", net.nodes[node].name))),
        None => Ok(Source::Node(Port { node, slot: 0 })),
    }
}

fn missing(input: String) -> ImportErrorKind {
    ImportErrorKind::MissingInput { input }
}

/// True if a node passes on the handle of a variable and is left out: nodes that take it take its
/// input.
pub(super) fn passes_handle(node: &NetNode) -> bool {
    node.op == "Identity" && node.type_attr("T") == Some(DataType::Resource.into())
}

/// Replaces nodes that pass on handles by their inputs.
fn skip_handles(net: &Net, wires: &mut [Wires], results: &mut [Source]) {
    let passed = |(node, wires): (&NetNode, &Wires)| match wires.inputs.as_slice() {
        [source] if passes_handle(node) => Some(*source),
        _ => None,
    };
    let passed: Vec<Option<Source>> = net.nodes.iter().zip(&*wires).map(passed).collect();
    if passed.iter().all(Option::is_none) {
        return;
    }
    let of_wires =
        wires.iter_mut().flat_map(|wires| wires.inputs.iter_mut().chain(&mut wires.controls));
    for source in of_wires.chain(results) {
        // Sorting finds nodes that pass a handle around in a circle.
        for _ in 0..=passed.len() {
            let Source::Node(port) = *source else { break };
            let Some(origin) = passed[port.node] else { break };
            *source = origin;
        }
    }
}
