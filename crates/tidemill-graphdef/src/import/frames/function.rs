//! Parts of a net as functions.

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::{
    AnyValue, ArgDef, DataType, FunctionDef, ListValue, NameAttrList, NodeDef, OpDef,
    TensorShapeProto,
};
use tidemill_graph::{Access, Effect, Execution, Role};
use tidemill_ops::lookup;

use super::super::error::ImportError;
use super::flow::{Flow, refused};
use super::net::{Net, Port};

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
        net: &Net,
        results: Vec<Port>,
        controls: Vec<usize>,
        mut step: impl FnMut(&Net, Edge) -> Result<Step, ImportError>,
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
    pub(super) fn is_stateful(&self, net: &Net) -> bool {
        self.nodes.iter().any(|&node| is_stateful(&net.nodes[node].def))
    }

    /// The part as a function of the tensors outside.
    pub(super) fn function(
        &self,
        net: &Net,
        name: String,
        arguments: &[Argument],
    ) -> Result<FunctionDef, ImportError> {
        let names = Names::new(self, net, arguments);
        let mut nodes: Vec<usize> = self.nodes().collect();
        net.sort_by_rank(&mut nodes);
        let node_def = nodes.iter().map(|&node| {
            let member = &net.nodes[node];
            let inputs = member.inputs.iter().map(|&port| names.reference(net, port));
            let mut input: Vec<String> = inputs.collect::<Result<_, _>>()?;
            let is_inside = |node: &&usize| self.nodes.contains(node) && !self.begun.contains(node);
            let controls = member.controls.iter().filter(is_inside);
            input.extend(controls.map(|&node| format!("^{}", net.nodes[node].def.name)));
            Ok(NodeDef { input, ..member.def.clone() })
        });
        let node_def = node_def.collect::<Result<_, ImportError>>()?;
        let result = |(i, &port): (usize, &Port)| {
            let member = &net.nodes[port.node];
            let unknown = || refused(&member.def, "the data type of its output is unknown");
            let dtype = net.dtype(port).ok_or_else(unknown)?;
            let arg = ArgDef { name: format!("result{i}"), r#type: dtype, ..ArgDef::default() };
            Ok((arg, names.reference(net, port)?))
        };
        let results: Vec<(ArgDef, String)> =
            self.results.iter().enumerate().map(result).collect::<Result<_, ImportError>>()?;
        let kept: Vec<String> =
            self.controls.iter().map(|&node| net.nodes[node].def.name.clone()).collect();
        let signature = OpDef {
            name,
            input_arg: arguments
                .iter()
                .enumerate()
                .map(|(i, argument)| ArgDef {
                    name: names.argument(i),
                    r#type: argument.dtype,
                    is_ref: argument.is_ref,
                    ..ArgDef::default()
                })
                .collect(),
            output_arg: results.iter().map(|(arg, _)| arg.clone()).collect(),
            is_stateful: self.is_stateful(net),
            control_output: kept.clone(),
            ..OpDef::default()
        };
        Ok(FunctionDef {
            signature: Some(signature),
            node_def,
            ret: results.into_iter().map(|(arg, of)| (arg.name, of)).collect(),
            control_ret: kept.into_iter().map(|name| (name.clone(), name)).collect(),
            ..FunctionDef::default()
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
        net: &Net,
        outside: impl Iterator<Item = Port>,
    ) -> Result<Vec<Argument>, ImportError> {
        let mut seen = FxHashSet::default();
        outside.filter(|&port| seen.insert(port)).map(|port| Argument::new(net, port)).collect()
    }

    fn new(net: &Net, outside: Port) -> Result<Self, ImportError> {
        let def = &net.nodes[outside.node].def;
        let unknown = || refused(def, "the data type of its output is unknown");
        let is_ref = match net.nodes[outside.node].flow {
            Flow::None => lookup(&def.op).is_some_and(|op| {
                let arg = op.outputs.get(outside.slot as usize);
                arg.is_some_and(|arg| arg.access != Access::Read)
            }),
            _ => def.op.starts_with("Ref"),
        };
        Ok(Argument { outside, dtype: net.dtype(outside).ok_or_else(unknown)?, is_ref })
    }

    /// True if it is a variable, whose value can differ from one time to another.
    pub(super) fn is_variable(&self) -> bool {
        self.is_ref || self.dtype == i32::from(DataType::Resource)
    }
}

/// The names in a function.
struct Names<'a> {
    part: &'a Part,
    places: FxHashMap<Port, usize>,
    /// The prefix of the names of arguments.
    prefix: String,
}

impl<'a> Names<'a> {
    fn new(part: &'a Part, net: &Net, arguments: &[Argument]) -> Self {
        let places = arguments.iter().enumerate().map(|(i, argument)| (argument.outside, i));
        let mut prefix = "arg".to_owned();
        while part.nodes.iter().any(|&node| net.nodes[node].def.name.starts_with(&prefix)) {
            prefix.push('_');
        }
        Names { part, places: places.collect(), prefix }
    }

    fn argument(&self, i: usize) -> String {
        format!("{}{i}", self.prefix)
    }

    fn reference(&self, net: &Net, port: Port) -> Result<String, ImportError> {
        if let Some(outside) = self.part.arguments.get(&port) {
            let place = self.places.get(outside).copied();
            let missing = || refused(&net.nodes[port.node].def, "it is not an argument of a body");
            return Ok(self.argument(place.ok_or_else(missing)?));
        }
        let (output, index) = net.output_name(port);
        Ok(format!("{}:{output}:{index}", net.nodes[port.node].def.name))
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
fn is_stateful(node: &NodeDef) -> bool {
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
