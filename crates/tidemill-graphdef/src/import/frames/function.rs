//! Parts of a net as functions.

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::{AnyValue, DataType, ListValue, NameAttrList, TensorShapeProto};
use tidemill_graph::{Access, Effect, Execution, Role};
use tidemill_ops::lookup;

use super::super::error::ImportError;
use super::super::net::{Net, NetNode, Port};
use super::flow::{Flow, refused};
use super::framed::Framed;

/// A reference from one node to another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edge {
    Data(Port),
    Control(usize),
}

/// The role of an edge on the way back from the results of a body.
pub(super) enum Step {
    /// Its node is part of the body.
    Inside,
    /// It is an argument of the body, which stands for a tensor outside.
    Argument(Port),
    /// It is dropped: the node it waits for has run when the body begins.
    Begun,
    /// The node outside must run before the body.
    Before(usize),
}

/// A part of a net: the nodes that results need.
pub(super) struct Part {
    nodes: FxHashSet<usize>,
    /// For each tensor that is an argument, the tensor outside that it stands for.
    arguments: FxHashMap<Port, Port>,
    /// The tensors outside, in the order of discovery, with repetitions.
    pub(super) outside: Vec<Port>,
    /// The nodes outside that must run before, with repetitions.
    pub(super) before: Vec<usize>,
    /// The nodes that control inputs need not name: they have run when the part begins.
    begun: FxHashSet<usize>,
    results: Vec<Port>,
    /// The nodes that must run without giving a result.
    controls: Vec<usize>,
}

impl Part {
    /// The nodes that results and controls need, as far as `step` leads inside.
    pub(super) fn new(
        net: &Framed,
        results: Vec<Port>,
        controls: Vec<usize>,
        mut step: impl FnMut(&Framed, Edge) -> Result<Step, ImportError>,
    ) -> Result<Self, ImportError> {
        let mut part = Part {
            nodes: FxHashSet::default(),
            arguments: FxHashMap::default(),
            outside: Vec::new(),
            before: Vec::new(),
            begun: FxHashSet::default(),
            results,
            controls: Vec::new(),
        };
        let edges = |inputs: &[Port], controls: &[usize]| -> Vec<Edge> {
            let controls = controls.iter().rev().map(|&node| Edge::Control(node));
            controls.chain(inputs.iter().rev().map(|&port| Edge::Data(port))).collect()
        };
        let mut pending = edges(&part.results, &controls);
        while let Some(edge) = pending.pop() {
            let node = match (edge, step(net, edge)?) {
                (Edge::Data(port), Step::Argument(outside)) => {
                    part.arguments.insert(port, outside);
                    part.outside.push(outside);
                    continue;
                }
                (_, Step::Before(node)) => {
                    part.before.push(node);
                    continue;
                }
                (Edge::Control(node), Step::Begun | Step::Argument(_)) => {
                    part.begun.insert(node);
                    continue;
                }
                (Edge::Data(_), Step::Begun) => continue,
                (Edge::Data(Port { node, .. }) | Edge::Control(node), Step::Inside) => node,
            };
            if part.nodes.insert(node) {
                pending.extend(edges(&net.nodes[node].inputs, &net.nodes[node].controls));
            }
        }
        part.controls = controls.into_iter().filter(|node| part.nodes.contains(node)).collect();
        Ok(part)
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = usize> {
        self.nodes.iter().copied()
    }

    /// True if a run of the part does more than compute its results.
    pub(super) fn is_stateful(&self, net: &Framed) -> bool {
        self.nodes.iter().any(|&node| is_stateful(&net.nodes[node]))
    }

    /// The part as the body of a function of the tensors outside.
    pub(super) fn function(
        &self,
        net: &Framed,
        arguments: &[Argument],
    ) -> Result<Net, ImportError> {
        let mut nodes: Vec<usize> = self.nodes().collect();
        net.sort_by_rank(&mut nodes);
        let numbers = nodes.iter().zip(Net::ARGUMENTS + 1..);
        let numbers: FxHashMap<usize, usize> = numbers.map(|(&node, to)| (node, to)).collect();
        let places = arguments.iter().enumerate().map(|(i, argument)| (argument.outside, i));
        let places: FxHashMap<Port, usize> = places.collect();
        let moved = |port: &Port| {
            let found = match self.arguments.get(port) {
                Some(outside) => places.get(outside).map(|&i| Port::argument(i)),
                None => numbers.get(&port.node).map(|&node| Port { node, ..*port }),
            };
            let missing = || refused(&net.nodes[port.node], "it is not an argument of a body");
            found.ok_or_else(missing)
        };
        let members = nodes.iter().map(|&node| {
            let member = &net.nodes[node];
            let waits = member.controls.iter().filter(|node| !self.begun.contains(node));
            Ok(NetNode {
                inputs: member.inputs.iter().map(moved).collect::<Result<_, _>>()?,
                controls: waits.filter_map(|node| numbers.get(node)).copied().collect(),
                ..member.clone()
            })
        });
        let members: Vec<NetNode> = members.collect::<Result<_, ImportError>>()?;
        let result_types = self.results.iter().map(|&port| net.dtype(port));
        let result_types = result_types.collect::<Result<_, _>>()?;
        Ok(Net {
            nodes: std::iter::once(NetNode::arguments()).chain(members).collect(),
            arguments: arguments.len(),
            results: self.results.iter().map(moved).collect::<Result<_, _>>()?,
            result_types,
            kept: self.controls.iter().filter_map(|node| numbers.get(node)).copied().collect(),
        })
    }
}

/// An argument of a function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Argument {
    /// The tensor outside that is passed.
    pub(super) outside: Port,
    pub(super) dtype: i32,
    /// True if it is the storage of a variable.
    pub(super) is_ref: bool,
}

impl Argument {
    /// The arguments for tensors outside, each once.
    pub(super) fn all(
        net: &Framed,
        outside: impl Iterator<Item = Port>,
    ) -> Result<Vec<Argument>, ImportError> {
        let mut seen = FxHashSet::default();
        outside.filter(|&port| seen.insert(port)).map(|port| Argument::new(net, port)).collect()
    }

    fn new(net: &Framed, outside: Port) -> Result<Self, ImportError> {
        let node = &net.nodes[outside.node];
        let is_ref = match net.flow(outside.node) {
            Flow::None => lookup(&node.op).is_some_and(|op| {
                let arg = op.outputs.get(outside.slot as usize);
                arg.is_some_and(|arg| arg.access != Access::Read)
            }),
            _ => node.op.starts_with("Ref"),
        };
        Ok(Argument { outside, dtype: net.dtype(outside)?, is_ref })
    }

    /// True if it is a variable, whose value can differ from one time to another.
    pub(super) fn is_variable(&self) -> bool {
        self.is_ref || self.dtype == i32::from(DataType::Resource)
    }
}

/// The attribute that names a function.
pub(super) fn function_attr(name: &str) -> AnyValue {
    AnyValue::Func(NameAttrList { name: name.to_owned(), ..NameAttrList::default() })
}

pub(super) fn types(types: impl IntoIterator<Item = i32>) -> AnyValue {
    AnyValue::List(ListValue { r#type: types.into_iter().collect(), ..ListValue::default() })
}

/// Unknown shapes.
pub(super) fn unknown_shapes(count: usize) -> AnyValue {
    let unknown = TensorShapeProto { unknown_rank: true, ..TensorShapeProto::default() };
    AnyValue::List(ListValue { shape: vec![unknown; count], ..ListValue::default() })
}

/// True if a run of a node does more than compute its outputs, or depends on more than its inputs.
fn is_stateful(node: &NetNode) -> bool {
    match node.op.as_str() {
        "If" | "While" | "Case" | "StatefulPartitionedCall" => return true,
        "StatelessIf" | "StatelessWhile" | "StatelessCase" | "PartitionedCall" => return false,
        _ => {}
    }
    lookup(&node.op).is_none_or(|op| {
        let of_variable =
            op.inputs.iter().any(|arg| arg.role == Role::Handle || arg.access != Access::Read);
        let is_plain = matches!(op.execution, Execution::Kernel | Execution::Constant);
        of_variable || op.effect != Effect::None || !is_plain
    })
}
