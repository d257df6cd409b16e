//! The inputs of the nodes of a message, by number instead of by name.

use rustc_hash::FxHashMap;
use tidemill_formats::proto::{AnyValue, DataType, GraphDef, NodeDef};
use tidemill_graph::{Graph, TensorRef};
use tidemill_ops::Tensor;

use super::error::{ImportError, ImportErrorKind};
use super::names::split_reference;

/// The tensors that replace tensors of the message.
#[derive(Debug)]
pub(super) struct InputMap {
    /// By name and output. A control input has its `^`.
    tensors: FxHashMap<(String, u32), (TensorRef, bool)>,
}

impl InputMap {
    pub(super) fn new(graph: &Graph, map: &[(String, Tensor)]) -> Result<Self, ImportError> {
        let entry = |(name, tensor): &(String, Tensor)| {
            let tensor = TensorRef::from(*tensor);
            let is_valid = tensor.graph() == graph.key()
                && tensor.id().is_ok_and(|id| graph.read().fact(id).is_some());
            let (node, slot) = split_reference(name);
            match is_valid {
                true => Ok(((node.to_owned(), slot), (tensor, false))),
                false => Err(ImportError::InvalidMapping { name: name.clone() }),
            }
        };
        Ok(InputMap { tensors: map.iter().map(entry).collect::<Result<_, _>>()? })
    }

    /// Tensors by the names of nodes.
    pub(super) fn of(names: &[String], tensors: &[TensorRef]) -> Self {
        let named = names.iter().zip(tensors);
        let entry = |(name, tensor): (&String, &TensorRef)| ((name.clone(), 0), (*tensor, false));
        InputMap { tensors: named.map(entry).collect() }
    }

    /// The replacement of a reference, if there is one.
    fn take(&mut self, (name, slot): (&str, u32)) -> Option<TensorRef> {
        if self.tensors.is_empty() {
            return None;
        }
        let (tensor, is_taken) = self.tensors.get_mut(&(name.to_owned(), slot))?;
        *is_taken = true;
        Some(*tensor)
    }

    pub(super) fn check_all_taken(self) -> Result<(), ImportError> {
        let unused = self.tensors.into_iter().filter(|(_, (_, is_taken))| !is_taken);
        let mut names: Vec<String> =
            unused.map(|((name, slot), _)| format!("{name}:{slot}")).collect();
        names.sort();
        if names.is_empty() { Ok(()) } else { Err(ImportError::UnusedMapping { names }) }
    }
}

/// The source of an input of a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// An output of a node of the message.
    Node { index: usize, slot: u32 },
    /// A tensor that was already in the graph.
    Mapped(TensorRef),
}

/// The inputs of a node.
#[derive(Clone, Default, Debug)]
pub(super) struct Wires {
    pub(super) inputs: Vec<Source>,
    pub(super) controls: Vec<Source>,
}

impl Wires {
    /// The nodes of the message that it needs.
    pub(super) fn nodes(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().chain(&self.controls).filter_map(|source| match source {
            Source::Node { index, .. } => Some(*index),
            Source::Mapped(_) => None,
        })
    }
}

/// Resolves the inputs of each node.
///
/// # Errors
/// The number of a node, and its error.
pub(super) fn connect(
    graph: &GraphDef,
    map: &mut InputMap,
) -> Result<Vec<Wires>, (usize, ImportErrorKind)> {
    let mut by_name: FxHashMap<&str, usize> = FxHashMap::default();
    for (index, node) in graph.node.iter().enumerate() {
        if by_name.insert(&node.name, index).is_some() {
            return Err((index, ImportErrorKind::Duplicate));
        }
    }
    let wires = |(index, node): (usize, &NodeDef)| {
        connect_node(&node.input, &by_name, map).map_err(|kind| (index, kind))
    };
    let mut wires: Vec<Wires> =
        graph.node.iter().enumerate().map(wires).collect::<Result<_, _>>()?;
    skip_handles(graph, &mut wires);
    Ok(wires)
}

/// True if a node passes on the handle of a variable and is left out: nodes that take it take its
/// input.
pub(super) fn passes_handle(node: &NodeDef) -> bool {
    let dtype = node.attr.get("T").and_then(|attr| attr.value.as_ref());
    node.op == "Identity" && dtype == Some(&AnyValue::Type(DataType::Resource.into()))
}

/// Replaces nodes that pass on handles by their inputs.
fn skip_handles(graph: &GraphDef, wires: &mut [Wires]) {
    let passed = |(node, wires): (&NodeDef, &Wires)| match wires.inputs.as_slice() {
        [source] if passes_handle(node) => Some(*source),
        _ => None,
    };
    let passed: Vec<Option<Source>> = graph.node.iter().zip(&*wires).map(passed).collect();
    if passed.iter().all(Option::is_none) {
        return;
    }
    let origin = |mut source: Source| {
        // Sorting finds nodes that pass a handle around in a circle.
        for _ in 0..=passed.len() {
            match source {
                Source::Node { index, .. } if passed[index].is_some() => {
                    source = passed[index].unwrap_or(source);
                }
                _ => break,
            }
        }
        source
    };
    for source in
        wires.iter_mut().flat_map(|wires| wires.inputs.iter_mut().chain(&mut wires.controls))
    {
        *source = origin(*source);
    }
}

fn connect_node(
    inputs: &[String],
    by_name: &FxHashMap<&str, usize>,
    map: &mut InputMap,
) -> Result<Wires, ImportErrorKind> {
    let mut wires = Wires::default();
    for input in inputs {
        let (is_control, reference) =
            input.strip_prefix('^').map_or((false, input.as_str()), |name| (true, name));
        let (name, slot) = split_reference(reference);
        let key = if is_control { (input.as_str(), 0) } else { (name, slot) };
        let mapped = map.take(key).map(Source::Mapped);
        let of_message = || by_name.get(name).map(|&index| Source::Node { index, slot });
        let source = mapped
            .or_else(of_message)
            .ok_or_else(|| ImportErrorKind::MissingInput { input: input.clone() })?;
        match is_control {
            true => wires.controls.push(source),
            false if wires.controls.is_empty() => wires.inputs.push(source),
            false => return Err(ImportErrorKind::InputAfterControl { input: input.clone() }),
        }
    }
    Ok(wires)
}
