//! A message as a net of nodes, parts of which can be taken out.

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::{
    AnyValue, AttrValue, DataType, FunctionDef, FunctionDefLibrary, Message, NodeDef,
};
use tidemill_graph::{Arg, ArgType, Arity};
use tidemill_ops::lookup;

use super::super::error::{ImportError, ImportErrorKind, node_error};
use super::super::names::split_reference;
use super::super::wiring::{Source, Wires};
use super::super::{inline, order};
use super::flow::{Flow, refused};

/// An output of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Port {
    pub(super) node: usize,
    pub(super) slot: u32,
}

/// A node with its inputs. The inputs of the message are rewritten from them.
pub(super) struct Member {
    pub(super) def: NodeDef,
    pub(super) flow: Flow,
    pub(super) inputs: Vec<Port>,
    pub(super) controls: Vec<usize>,
    /// The loop that it is in.
    pub(super) frame: usize,
    /// Its place among the others: a node that was added comes before the one it was added for.
    rank: (usize, bool),
    /// True if it is part of the net: parts of bodies, and nodes that nothing needs, are not.
    pub(super) is_there: bool,
}

impl Member {
    pub(super) fn attr(&self, name: &str) -> Option<&AnyValue> {
        self.def.attr.get(name)?.value.as_ref()
    }

    pub(super) fn type_attr(&self, name: &str) -> Option<i32> {
        match self.attr(name)? {
            AnyValue::Type(dtype) => Some(*dtype),
            _ => None,
        }
    }

    pub(super) fn set(&mut self, name: &str, value: AnyValue) {
        self.def.attr.insert(name.to_owned(), AttrValue { value: Some(value) });
    }

    /// True if its outputs are its inputs.
    pub(super) fn passes_on(&self) -> bool {
        self.flow != Flow::None || self.def.op == "Identity"
    }

    /// Makes it pass on a tensor, under its own name.
    pub(super) fn become_identity(&mut self, input: Port, dtype: i32) {
        self.def.op = "Identity".to_owned();
        self.def.attr.clear();
        self.set("T", AnyValue::Type(dtype));
        (self.flow, self.inputs, self.controls) = (Flow::None, vec![input], Vec::new());
    }
}

/// A loop: nodes that run in its iterations. The first frame holds the nodes outside any loop.
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) parent: usize,
    depth: usize,
    /// The nodes that are or were in it.
    members: Vec<usize>,
}

/// The limit on the nesting of loops.
const MAX_DEPTH: usize = 100;
/// The limit on chains of nodes that only pass on a tensor.
const MAX_CHAIN: usize = 16;

pub(super) struct Net {
    pub(super) nodes: Vec<Member>,
    pub(super) frames: Vec<Frame>,
    library: FunctionDefLibrary,
    names: FxHashSet<String>,
    functions: FxHashSet<String>,
    /// The number of nodes that may still be put into functions, and of bytes of messages.
    budget: (usize, usize),
}

impl Net {
    pub(super) fn new(
        defs: Vec<NodeDef>,
        library: FunctionDefLibrary,
    ) -> Result<Self, ImportError> {
        let mut by_name: FxHashMap<String, usize> = FxHashMap::default();
        for (index, node) in defs.iter().enumerate() {
            if by_name.insert(node.name.clone(), index).is_some() {
                return Err(node_error(node, ImportErrorKind::Duplicate));
            }
        }
        let mut nodes: Vec<Member> = Vec::with_capacity(defs.len());
        let count = defs.len();
        let mut others: Vec<String> = Vec::new();
        for (index, mut def) in defs.into_iter().enumerate() {
            let (mut inputs, mut controls) = (Vec::new(), Vec::new());
            for input in std::mem::take(&mut def.input) {
                let reference = input.strip_prefix('^');
                let (name, slot) = split_reference(reference.unwrap_or(&input));
                // A node missing from the message may be supplied by the caller of the import.
                let node = by_name.get(name).copied().unwrap_or_else(|| {
                    others.push(name.to_owned());
                    by_name.insert(name.to_owned(), count + others.len() - 1);
                    count + others.len() - 1
                });
                match reference {
                    Some(_) => controls.push(node),
                    None if controls.is_empty() => inputs.push(Port { node, slot }),
                    None => {
                        return Err(node_error(&def, ImportErrorKind::InputAfterControl { input }));
                    }
                }
            }
            let flow = Flow::of(&def.op);
            let rank = (index, true);
            nodes.push(Member { def, flow, inputs, controls, frame: 0, rank, is_there: true });
        }
        nodes.extend(others.into_iter().map(|name| Member {
            def: NodeDef { name, ..NodeDef::default() },
            flow: Flow::None,
            inputs: Vec::new(),
            controls: Vec::new(),
            frame: 0,
            rank: (usize::MAX, true),
            is_there: false,
        }));
        let functions = library.function.iter().filter_map(|function| function.signature.as_ref());
        Ok(Net {
            names: nodes.iter().map(|node| node.def.name.clone()).collect(),
            functions: functions.map(|signature| signature.name.clone()).collect(),
            nodes,
            frames: vec![Frame { name: String::new(), parent: 0, depth: 0, members: Vec::new() }],
            library,
            budget: (inline::MAX_NODES.saturating_add(count), inline::MAX_BYTES),
        })
    }

    /// The remaining nodes of the message, and all functions.
    pub(super) fn into_parts(mut self) -> (Vec<NodeDef>, FunctionDefLibrary) {
        let mut kept: Vec<usize> =
            (0..self.nodes.len()).filter(|&node| self.nodes[node].is_there).collect();
        self.sort_by_rank(&mut kept);
        let node = |&node: &usize| {
            let member = &self.nodes[node];
            let inputs = member.inputs.iter().map(|&port| self.reference(port));
            let controls = member.controls.iter();
            let controls = controls.map(|&control| format!("^{}", self.nodes[control].def.name));
            inputs.chain(controls).collect::<Vec<String>>()
        };
        let inputs: Vec<Vec<String>> = kept.iter().map(node).collect();
        let defs = kept.into_iter().zip(inputs).map(|(node, input)| {
            let def = std::mem::take(&mut self.nodes[node].def);
            NodeDef { input, ..def }
        });
        (defs.collect(), self.library)
    }

    /// Sorts nodes by their order in the message.
    pub(super) fn sort_by_rank(&self, nodes: &mut [usize]) {
        nodes.sort_by_key(|&node| (self.nodes[node].rank, node));
    }

    fn reference(&self, Port { node, slot }: Port) -> String {
        let name = &self.nodes[node].def.name;
        if slot == 0 { name.clone() } else { format!("{name}:{slot}") }
    }

    /// Adds a node that comes before another one, in its frame.
    pub(super) fn add(
        &mut self,
        name: &str,
        op: &str,
        inputs: Vec<Port>,
        controls: Vec<usize>,
        (beside, frame): (usize, usize),
    ) -> usize {
        let name = unique(&mut self.names, name);
        let def = NodeDef { name, op: op.to_owned(), ..NodeDef::default() };
        let rank = (self.nodes[beside].rank.0, false);
        let flow = Flow::None;
        self.frames[frame].members.push(self.nodes.len());
        self.nodes.push(Member { def, flow, inputs, controls, frame, rank, is_there: true });
        self.nodes.len() - 1
    }

    /// A name for a function.
    pub(super) fn function_name(&mut self, wish: &str) -> String {
        let wish = wish.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        unique(&mut self.functions, &wish)
    }

    /// Adds the function of a part of the net that leads to node `of`.
    ///
    /// # Errors
    /// All functions have too many nodes: nodes that several conditionals need are in each of them.
    pub(super) fn add_function(
        &mut self,
        function: FunctionDef,
        of: usize,
    ) -> Result<(), ImportError> {
        let (nodes, bytes) = self.budget;
        let nodes = nodes.checked_sub(function.node_def.len());
        let bytes = bytes.checked_sub(function.encoded_len());
        let too_many = || node_error(&self.nodes[of].def, ImportErrorKind::TooManyNodes);
        self.budget = nodes.zip(bytes).ok_or_else(too_many)?;
        self.library.function.push(function);
        Ok(())
    }

    /// The remaining nodes of a frame, each after its inputs.
    pub(super) fn members(&self, frame: usize) -> Result<Vec<usize>, ImportError> {
        let is_member = |node: &&usize| {
            let member = &self.nodes[**node];
            member.is_there && member.frame == frame
        };
        let members = self.frames[frame].members.iter().filter(is_member);
        let mut members: Vec<usize> = members.copied().collect();
        members.sort_unstable();
        members.dedup();
        self.sorted(&members)
    }

    /// Moves a node to another frame.
    pub(super) fn move_to(&mut self, node: usize, frame: usize) {
        self.nodes[node].frame = frame;
        self.frames[frame].members.push(node);
    }

    /// Nodes, each after its inputs, ignoring values from the iteration before.
    fn sorted(&self, nodes: &[usize]) -> Result<Vec<usize>, ImportError> {
        let places = nodes.iter().enumerate().map(|(place, &node)| (node, place));
        let places: FxHashMap<usize, usize> = places.collect();
        let wires = |&node: &usize| {
            let member = &self.nodes[node];
            let source = |node: usize| Some(Source::Node { index: *places.get(&node)?, slot: 0 });
            let goes_back = |port: &&Port| {
                member.flow == Flow::Merge && self.nodes[port.node].flow == Flow::NextIteration
            };
            let inputs = member.inputs.iter().filter(|port| !goes_back(port));
            let inputs = inputs.filter_map(|port| source(port.node)).collect();
            let controls = member.controls.iter().filter_map(|&node| source(node)).collect();
            Wires { inputs, controls }
        };
        let wires: Vec<Wires> = nodes.iter().map(wires).collect();
        match order::sort(&wires) {
            Ok(order) => Ok(order.into_iter().map(|place| nodes[place]).collect()),
            Err(cycle) => {
                let name = |&place: &usize| self.nodes[nodes[place]].def.name.clone();
                let first = &self.nodes[nodes[cycle.first().copied().unwrap_or_default()]].def;
                let kind = ImportErrorKind::Cycle { cycle: cycle.iter().map(name).collect() };
                Err(node_error(first, kind))
            }
        }
    }

    /// Finds the frame of each node: for `Enter` and `Exit`, the loop that they lead into and out
    /// of.
    pub(super) fn find_frames(&mut self) -> Result<(), ImportError> {
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        let mut known: FxHashMap<(usize, String), usize> = FxHashMap::default();
        for node in self.sorted(&all)? {
            let member = &self.nodes[node];
            let mut frame = 0;
            for source in self.sources(node) {
                let of_source = self.frame_after(source);
                frame = self.inner(frame, of_source).ok_or_else(|| {
                    let [left, right] = [frame, of_source].map(|frame| &self.frames[frame].name);
                    refused(
                        &member.def,
                        format!("it takes outputs of two loops, `{left}` and `{right}`"),
                    )
                })?;
            }
            match member.flow {
                Flow::Enter => {
                    let name = match member.attr("frame_name") {
                        Some(AnyValue::S(name)) => String::from_utf8_lossy(name).into_owned(),
                        _ => return Err(refused(&member.def, "it does not name its frame")),
                    };
                    let next = self.frames.len();
                    let depth = self.frames[frame].depth + 1;
                    let parent = frame;
                    frame = *known.entry((parent, name.clone())).or_insert(next);
                    if depth > MAX_DEPTH {
                        return Err(refused(&member.def, "it is in too many loops"));
                    }
                    if frame == next {
                        self.frames.push(Frame { name, parent, depth, members: Vec::new() });
                    }
                }
                Flow::Exit | Flow::NextIteration | Flow::LoopCond if frame == 0 => {
                    return Err(refused(&member.def, "it is not in a loop"));
                }
                _ => {}
            }
            self.move_to(node, frame);
        }
        Ok(())
    }

    /// The nodes whose outputs a node takes, ignoring values that go around a loop.
    fn sources(&self, node: usize) -> impl Iterator<Item = usize> {
        let member = &self.nodes[node];
        let ports = member.inputs.iter().map(|port| port.node).filter(move |&source| {
            member.flow != Flow::Merge || self.nodes[source].flow != Flow::NextIteration
        });
        ports.chain(member.controls.iter().copied())
    }

    /// The frame that the outputs of a node are in.
    fn frame_after(&self, node: usize) -> usize {
        let member = &self.nodes[node];
        if member.flow == Flow::Exit { self.frames[member.frame].parent } else { member.frame }
    }

    /// The inner one of two frames, if one is inside the other.
    fn inner(&self, left: usize, right: usize) -> Option<usize> {
        let (outer, inner) = match self.frames[left].depth <= self.frames[right].depth {
            true => (left, right),
            false => (right, left),
        };
        let mut frame = inner;
        while self.frames[frame].depth > self.frames[outer].depth {
            frame = self.frames[frame].parent;
        }
        (frame == outer).then_some(inner)
    }

    /// Redirects uses of the second output of a node to the first.
    pub(super) fn redirect_flow(&mut self, node: usize) {
        let flow = Port { node, slot: 1 };
        for port in self.nodes.iter_mut().flat_map(|member| &mut member.inputs) {
            if *port == flow {
                port.slot = 0;
            }
        }
    }

    /// The origin of a tensor, behind nodes that only pass it on.
    pub(super) fn origin(&self, mut port: Port) -> Port {
        for _ in 0..MAX_CHAIN {
            let member = &self.nodes[port.node];
            match member.inputs.as_slice() {
                [input] if member.def.op == "Identity" && member.controls.is_empty() => {
                    port = *input;
                }
                _ => break,
            }
        }
        port
    }

    /// The name of an output as bodies of functions refer to it, and its number there.
    pub(super) fn output_name(&self, Port { node, slot }: Port) -> (&'static str, u32) {
        let member = &self.nodes[node];
        let mut start = 0_u32;
        for arg in lookup(&member.def.op).into_iter().flat_map(|op| op.outputs) {
            let end = start.saturating_add(self.count(member, arg));
            if slot < end {
                return (arg.name, slot - start);
            }
            start = end;
        }
        ("output", slot)
    }

    fn count(&self, member: &Member, arg: &Arg) -> u32 {
        match arg.arity {
            Arity::One => 1,
            Arity::Count(name) => match member.attr(name) {
                Some(AnyValue::I(count)) => u32::try_from(*count).unwrap_or(0),
                _ => 0,
            },
            Arity::Types(name) => match member.attr(name) {
                Some(AnyValue::List(list)) => list.r#type.len() as u32,
                _ => 0,
            },
        }
    }

    /// The number of the data type of a tensor.
    pub(super) fn dtype(&self, port: Port) -> Option<i32> {
        let member = &self.nodes[port.node];
        match (member.flow, member.def.op.as_str()) {
            (Flow::LoopCond, _) => return Some(DataType::Bool.into()),
            (Flow::None, "If" | "StatelessIf") => return listed_type(member, "Tout", port.slot),
            (Flow::None, "While" | "StatelessWhile") => return listed_type(member, "T", port.slot),
            (Flow::None, _) => {}
            _ => return member.type_attr("T"),
        }
        let op = lookup(&member.def.op)?;
        let mut end = 0_u32;
        for arg in op.outputs {
            let start = end;
            end = end.saturating_add(self.count(member, arg));
            if port.slot >= end {
                continue;
            }
            return match (arg.dtype, arg.arity) {
                (ArgType::Is(dtype), _) => Some(DataType::from(dtype).into()),
                (ArgType::Attr(_), Arity::Types(name)) => {
                    listed_type(member, name, port.slot - start)
                }
                (ArgType::Attr(name), _) => member.type_attr(name).or_else(|| {
                    let default = op.attr(name)?.default?.to_attr();
                    match default {
                        tidemill_graph::Attr::Type(dtype) => Some(DataType::from(dtype).into()),
                        _ => None,
                    }
                }),
                (ArgType::Any, _) => None,
            };
        }
        None
    }
}

fn listed_type(member: &Member, attr: &str, slot: u32) -> Option<i32> {
    match member.attr(attr)? {
        AnyValue::List(list) => list.r#type.get(slot as usize).copied(),
        _ => None,
    }
}

/// An unused name.
fn unique(names: &mut FxHashSet<String>, wish: &str) -> String {
    let mut name = wish.to_owned();
    let mut number = 0;
    while !names.insert(name.clone()) {
        number += 1;
        name = format!("{wish}_{number}");
    }
    name
}
