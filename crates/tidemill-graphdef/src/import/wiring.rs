//! The connections between nodes.

use rustc_hash::FxHashMap;
use tidemill_formats::proto::{AnyValue, DataType, GraphDef, NodeDef};
use tidemill_graph::TensorRef;

use super::{ImportErrorKind, InputMap};

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
    /// The nodes of the message that must exist before.
    pub(super) fn nodes(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().chain(&self.controls).filter_map(|source| match source {
            Source::Node { index, .. } => Some(*index),
            Source::Mapped(_) => None,
        })
    }
}

/// The name of a node, and the number of the output.
pub(crate) fn split_reference(reference: &str) -> (&str, u32) {
    let split = reference.rsplit_once(':');
    split.and_then(|(name, slot)| Some((name, slot.parse().ok()?))).unwrap_or((reference, 0))
}

/// Finds the inputs of each node.
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
        // Nodes that pass a handle around in a circle are found to be a cycle later on.
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
