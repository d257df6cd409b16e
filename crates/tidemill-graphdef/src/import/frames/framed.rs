//! A net whose nodes have places in loops, and parts of which can be taken out.

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::{AnyValue, DataType, Message};
use tidemill_graph::{ArgType, Arity};
use tidemill_ops::lookup;

use super::super::error::{ImportError, ImportErrorKind};
use super::super::names::unused_name;
use super::super::net::{Net, NetNode, Port, cycle_error};
use super::super::opaque::guessed_type;
use super::super::outputs::outputs_of;
use super::super::{inline, order};
use super::flow::{Flow, refused};

/// The place of a node in the control flow.
pub(super) struct Place {
    pub(super) flow: Flow,
    /// The loop that it is in.
    pub(super) frame: usize,
    /// Its place among the others: a node that was added comes before the one it was added for.
    rank: (usize, bool),
    /// True if it is part of the net: parts of bodies, and nodes that nothing needs, are not.
    pub(super) is_there: bool,
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

/// The nodes of a graph, with their places in its control flow, and the functions made of parts.
pub(super) struct Framed {
    pub(super) nodes: Vec<NetNode>,
    pub(super) places: Vec<Place>,
    pub(super) frames: Vec<Frame>,
    /// The functions made of parts.
    functions: Vec<(String, Net)>,
    names: FxHashSet<String>,
    function_names: FxHashSet<String>,
    /// The number of nodes that may still be put into functions, and of bytes of messages.
    budget: (usize, usize),
}

impl Framed {
    /// A graph, and the names of its functions.
    pub(super) fn new<'a>(net: Net, functions: impl Iterator<Item = &'a str>) -> Self {
        let place = |(index, node): (usize, &NetNode)| Place {
            flow: Flow::of(&node.op),
            frame: 0,
            rank: (index, true),
            is_there: !node.is_outside,
        };
        Framed {
            places: net.nodes.iter().enumerate().map(place).collect(),
            frames: vec![Frame { name: String::new(), parent: 0, depth: 0, members: Vec::new() }],
            functions: Vec::new(),
            names: net.nodes.iter().map(|node| node.name.clone()).collect(),
            function_names: functions.map(str::to_owned).collect(),
            budget: (inline::MAX_NODES.saturating_add(net.nodes.len()), inline::MAX_BYTES),
            nodes: net.nodes,
        }
    }

    /// The remaining nodes, and the functions by name.
    pub(super) fn into_parts(mut self) -> (Net, Vec<(String, Net)>) {
        let is_there = |node: &usize| self.places[*node].is_there;
        let mut order: Vec<usize> = (0..self.nodes.len()).filter(is_there).collect();
        self.sort_by_rank(&mut order);
        // The caller of the import may supply what remaining nodes take of others.
        let sources = order.iter().flat_map(|&node| {
            let node = &self.nodes[node];
            node.inputs.iter().map(|port| port.node).chain(node.controls.iter().copied())
        });
        let mut outside: Vec<usize> = sources.filter(|node| !is_there(node)).collect();
        outside.sort_unstable();
        outside.dedup();
        for &node in &outside {
            self.nodes[node] = NetNode::outside(std::mem::take(&mut self.nodes[node].name));
        }
        order.extend(outside);
        let mut net = Net { nodes: self.nodes, ..Net::default() };
        net.arrange(&order);
        (net, self.functions)
    }

    /// Sorts nodes by their order in the message.
    pub(super) fn sort_by_rank(&self, nodes: &mut [usize]) {
        nodes.sort_by_key(|&node| (self.places[node].rank, node));
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
        let name = unused_name(&mut self.names, name);
        let rank = (self.places[beside].rank.0, false);
        self.frames[frame].members.push(self.nodes.len());
        self.nodes.push(NetNode {
            name,
            op: op.to_owned(),
            inputs,
            controls,
            ..NetNode::default()
        });
        self.places.push(Place { flow: Flow::None, frame, rank, is_there: true });
        self.nodes.len() - 1
    }

    /// Adds the function of a part of the net that leads to node `of`, and returns its name.
    ///
    /// # Errors
    /// All functions have too many nodes: nodes that several conditionals need are in each of them.
    pub(super) fn add_function(
        &mut self,
        wish: &str,
        body: Net,
        of: usize,
    ) -> Result<String, ImportError> {
        let attrs = body.nodes.iter().flat_map(|node| node.attrs.values());
        let bytes = attrs.fold(0_usize, |sum, attr| sum.saturating_add(attr.encoded_len()));
        let bytes = self.budget.1.checked_sub(bytes);
        let nodes = self.budget.0.checked_sub(body.nodes.len());
        let too_many = || self.nodes[of].error(ImportErrorKind::TooManyNodes);
        self.budget = nodes.zip(bytes).ok_or_else(too_many)?;
        let wish = wish.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let name = unused_name(&mut self.function_names, &wish);
        self.functions.push((name.clone(), body));
        Ok(name)
    }

    /// The remaining nodes of a frame, each after its inputs.
    pub(super) fn members(&self, frame: usize) -> Result<Vec<usize>, ImportError> {
        let is_member = |node: &&usize| {
            let place = &self.places[**node];
            place.is_there && place.frame == frame
        };
        let members = self.frames[frame].members.iter().filter(is_member);
        let mut members: Vec<usize> = members.copied().collect();
        members.sort_unstable();
        members.dedup();
        self.sorted(&members)
    }

    /// Moves a node to another frame.
    pub(super) fn move_to(&mut self, node: usize, frame: usize) {
        self.places[node].frame = frame;
        self.frames[frame].members.push(node);
    }

    /// Nodes, each after its inputs, ignoring values from the iteration before.
    fn sorted(&self, nodes: &[usize]) -> Result<Vec<usize>, ImportError> {
        let numbers = nodes.iter().enumerate().map(|(number, &node)| (node, number));
        let numbers: FxHashMap<usize, usize> = numbers.collect();
        let numbers = &numbers;
        let needs = |number: usize| {
            self.sources(nodes[number]).filter_map(move |node| numbers.get(&node).copied())
        };
        let in_net = |numbers: Vec<usize>| -> Vec<usize> {
            numbers.into_iter().map(|number| nodes[number]).collect()
        };
        match order::sort(nodes.len(), needs) {
            Ok(order) => Ok(in_net(order)),
            Err(cycle) => Err(cycle_error(&self.nodes, &in_net(cycle))),
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
                    let problem = format!("it takes outputs of two loops, `{left}` and `{right}`");
                    refused(member, problem)
                })?;
            }
            match self.flow(node) {
                Flow::Enter => {
                    let name = match member.attr("frame_name") {
                        Some(AnyValue::S(name)) => String::from_utf8_lossy(name).into_owned(),
                        _ => return Err(refused(member, "it does not name its frame")),
                    };
                    let next = self.frames.len();
                    let depth = self.frames[frame].depth + 1;
                    let parent = frame;
                    frame = *known.entry((parent, name.clone())).or_insert(next);
                    if depth > MAX_DEPTH {
                        return Err(refused(member, "it is in too many loops"));
                    }
                    if frame == next {
                        self.frames.push(Frame { name, parent, depth, members: Vec::new() });
                    }
                }
                Flow::Exit | Flow::NextIteration | Flow::LoopCond if frame == 0 => {
                    return Err(refused(member, "it is not in a loop"));
                }
                _ => {}
            }
            self.move_to(node, frame);
        }
        Ok(())
    }

    pub(super) fn flow(&self, node: usize) -> Flow {
        self.places[node].flow
    }

    /// True if a node that takes another one takes its value from the iteration before.
    pub(super) fn goes_back(&self, node: usize, source: usize) -> bool {
        self.flow(node) == Flow::Merge && self.flow(source) == Flow::NextIteration
    }

    /// The nodes whose outputs a node takes, ignoring values that go around a loop.
    fn sources(&self, node: usize) -> impl Iterator<Item = usize> {
        let NetNode { inputs, controls, .. } = &self.nodes[node];
        let sources = inputs.iter().map(|port| port.node);
        let sources = sources.filter(move |&source| !self.goes_back(node, source));
        sources.chain(controls.iter().copied())
    }

    /// The frame that the outputs of a node are in.
    fn frame_after(&self, node: usize) -> usize {
        let Place { flow, frame, .. } = self.places[node];
        if flow == Flow::Exit { self.frames[frame].parent } else { frame }
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
                [input] if member.op == "Identity" && member.controls.is_empty() => {
                    port = *input;
                }
                _ => break,
            }
        }
        port
    }

    /// True if the outputs of a node are its inputs.
    pub(super) fn passes_on(&self, node: usize) -> bool {
        self.flow(node) != Flow::None || self.nodes[node].op == "Identity"
    }

    /// Makes a node pass on a tensor, under its own name.
    pub(super) fn become_identity(&mut self, node: usize, input: Port, dtype: i32) {
        self.places[node].flow = Flow::None;
        let node = &mut self.nodes[node];
        node.become_op("Identity");
        node.set("T", AnyValue::Type(dtype));
        (node.inputs, node.controls) = (vec![input], Vec::new());
    }

    /// The number of the data type of a tensor.
    ///
    /// # Errors
    /// If it is unknown.
    pub(super) fn dtype(&self, port: Port) -> Result<i32, ImportError> {
        let unknown = || refused(&self.nodes[port.node], "the data type of its output is unknown");
        self.find_dtype(port).ok_or_else(unknown)
    }

    fn find_dtype(&self, Port { node, slot }: Port) -> Option<i32> {
        let (flow, node, slot) = (self.flow(node), &self.nodes[node], slot as usize);
        match (flow, node.op.as_str()) {
            (Flow::LoopCond, _) => return Some(DataType::Bool.into()),
            (Flow::None, "If" | "StatelessIf") => return listed_type(node, "Tout", slot),
            (Flow::None, "While" | "StatelessWhile") => return listed_type(node, "T", slot),
            (Flow::None, _) => {}
            _ => return node.type_attr("T"),
        }
        let Some(op) = lookup(&node.op) else {
            return guessed_type(&node.attrs, slot).map(|dtype| DataType::from(dtype).into());
        };
        let mut outputs = outputs_of(op, &node.attrs);
        let (arg, slots) = outputs.find(|(_, slots)| slots.contains(&slot))?;
        match (arg.dtype, arg.arity) {
            (ArgType::Is(dtype), _) => Some(DataType::from(dtype).into()),
            (ArgType::Attr(_), Arity::Types(name)) => listed_type(node, name, slot - slots.start),
            (ArgType::Attr(name), _) => {
                node.type_attr(name).or_else(|| match op.attr(name)?.default?.to_attr() {
                    tidemill_graph::Attr::Type(dtype) => Some(DataType::from(dtype).into()),
                    _ => None,
                })
            }
            (ArgType::Any, _) => None,
        }
    }
}

fn listed_type(node: &NetNode, attr: &str, slot: usize) -> Option<i32> {
    match node.attr(attr)? {
        AnyValue::List(list) => list.r#type.get(slot).copied(),
        _ => None,
    }
}
