//! From a graph and a signature to the path that the run computes.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use tidemill_graph::{
    Access, Commit, EdgeKind, Execution, GraphReader, Instr, Node, NodeId, Subgraph, TensorId,
};
use tidemill_value::{PartialShape, Shape};

use crate::lower::guard::guarded;
use crate::lower::signature::Signature;

/// The path of a run.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) subgraph: Subgraph,
    /// The variables that the run reads or writes, ascending.
    pub(crate) variables: Vec<VariableUse>,
    /// The nodes that draw random numbers, ascending.
    pub(crate) random: Vec<NodeId>,
}

/// The use of a variable by a run.
#[derive(Clone, Debug)]
pub(crate) struct VariableUse {
    pub(crate) node: NodeId,
    pub(crate) written: bool,
    /// True if it is written by its initializer.
    pub(crate) initialized: bool,
    /// The first node that needs the variable's value at the start of the run.
    pub(crate) first_reader: Option<NodeId>,
}

/// The placeholders on the path that are not fed.
#[derive(Debug)]
pub(crate) struct Unfed(pub(crate) Vec<NodeId>);

/// Takes the path out of the graph. If the shapes that are fed are known, so is all that follows from
/// them.
///
/// # Errors
/// [`Unfed`] if it needs placeholders that are not fed.
pub(crate) fn prune(
    graph: &GraphReader<'_>,
    signature: &Signature,
    fed: Option<&[Shape]>,
) -> Result<Path, Unfed> {
    let path = nodes_on_path(graph, signature);
    let is_placeholder = |id: &NodeId| graph.node(*id).op.execution == Execution::Placeholder;
    let unfed: Vec<NodeId> = path.iter().copied().filter(is_placeholder).collect();
    if !unfed.is_empty() {
        return Err(Unfed(unfed));
    }
    let mut lowering = Lowering::new(graph, signature, Shapes::Declared, fed);
    lowering.lower_all(&path);
    lowering.guard(signature.roots(), &path);
    let random = path.into_iter().filter(|&id| graph.node(id).draws());
    let mut random: Vec<NodeId> = random.map(|id| graph.extension_origin(id)).collect();
    random.sort_unstable();
    random.dedup();
    Ok(lowering.finish(random))
}

pub(crate) fn nodes_on_path(graph: &GraphReader<'_>, signature: &Signature) -> Vec<NodeId> {
    // The value of a fed placeholder is available from the start, so nothing waits for it.
    let is_fed_placeholder = |id: NodeId| {
        let is_placeholder = graph.node(id).op.execution == Execution::Placeholder;
        is_placeholder && signature.is_fed(TensorId::new(id, 0))
    };
    let roots = signature.roots().filter(|&root| !is_fed_placeholder(root));
    graph.ancestors(roots, |kind, tensor| match kind {
        EdgeKind::Data => !signature.is_fed(tensor),
        EdgeKind::Control => !is_fed_placeholder(tensor.node),
        EdgeKind::Target => false,
    })
}

/// The shapes of a body's inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shapes {
    /// They are as declared.
    Declared,
    /// They depend on a variable that a write may have left with another shape.
    Open,
}

/// Turns the nodes of the path, one after the other, into those of a subgraph in which reads
/// and writes of variables are plain data edges.
pub(crate) struct Lowering<'a> {
    pub(crate) graph: &'a GraphReader<'a>,
    signature: &'a Signature,
    pub(crate) subgraph: Subgraph,
    lowered: FxHashMap<NodeId, NodeId>,
    /// For each tensor that is fed, and each variable that is read as it is at the start, the
    /// tensor of the subgraph for the tensor of the graph.
    pub(crate) given: FxHashMap<TensorId, TensorId>,
    /// For each variable, its value at the start of the run.
    pub(crate) starts: FxHashMap<NodeId, TensorId>,
    /// The value at the start of the run of each variable whose shape may differ from the declared
    /// one.
    currents: FxHashMap<NodeId, TensorId>,
    shapes: Shapes,
    /// For each variable written so far, the value after the last write.
    pub(crate) written: FxHashMap<NodeId, TensorId>,
    /// The value that each write leaves in each of the variables that it writes.
    left: FxHashMap<(NodeId, NodeId), TensorId>,
    /// The nodes that write a variable, or have an ancestor that does.
    after_write: FxHashSet<NodeId>,
    pub(crate) variables: FxHashMap<NodeId, VariableUse>,
    /// The variables whose values bodies may need.
    pub(crate) may_read: FxHashSet<NodeId>,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(
        graph: &'a GraphReader<'a>,
        signature: &'a Signature,
        shapes: Shapes,
        fed: Option<&[Shape]>,
    ) -> Self {
        let mut subgraph = Subgraph::default();
        let mut given = FxHashMap::default();
        for (i, feed) in signature.feeds.iter().enumerate() {
            let mut fact = graph.node(feed.node).outputs[feed.slot as usize].clone();
            if shapes == Shapes::Open {
                fact.shape = PartialShape::unknown();
            }
            if let Some(shape) = fed.and_then(|shapes| shapes.get(i)) {
                fact.shape = shape.into();
            }
            let id = subgraph.push_feed(&fact, feed.node);
            subgraph.feeds.push(id);
            given.insert(*feed, TensorId::new(id, 0));
        }
        Lowering {
            graph,
            signature,
            subgraph,
            lowered: FxHashMap::default(),
            given,
            starts: FxHashMap::default(),
            currents: FxHashMap::default(),
            shapes,
            written: FxHashMap::default(),
            left: FxHashMap::default(),
            after_write: FxHashSet::default(),
            variables: FxHashMap::default(),
            may_read: FxHashSet::default(),
        }
    }

    /// Lowers the nodes of a path. Of nodes that extend one another, only the last is lowered, in
    /// the place of the first.
    pub(crate) fn lower_all(&mut self, path: &[NodeId]) {
        if self.graph.extensions().next().is_none() {
            path.iter().for_each(|&id| self.lower(id, id));
            return;
        }
        let origin = |id: NodeId| self.graph.extension_origin(id);
        let last: FxHashMap<NodeId, NodeId> = path.iter().map(|&id| (origin(id), id)).collect();
        for &id in path {
            let origin = self.graph.extension_origin(id);
            let extension = last[&origin];
            if !self.lowered.contains_key(&extension) {
                if extension != id {
                    self.lower_before(extension);
                }
                self.lower(extension, origin);
            }
            if extension != id {
                self.lower_as(id, extension);
            }
        }
    }

    /// Records the nodes of the path that wait for a branch. The run itself needs `roots`.
    pub(crate) fn guard(&mut self, roots: impl Iterator<Item = NodeId>, path: &[NodeId]) {
        let lowered = (&self.subgraph, &self.lowered);
        self.subgraph.guarded = guarded(self.graph, self.signature, roots, path, lowered);
    }

    /// Records that a node is replaced by one that extends it, which is lowered.
    fn lower_as(&mut self, id: NodeId, extension: NodeId) {
        self.lowered.insert(id, self.lowered[&extension]);
        for (_, variable) in self.graph.written_by(id) {
            let left = self.left[&(extension, variable)];
            self.left.insert((id, variable), left);
        }
        if self.after_write.contains(&extension) {
            self.after_write.insert(id);
        }
    }

    /// Lowers the inputs of a node that were made after the node it replaces: empty lists, and the
    /// nodes that these are made from.
    fn lower_before(&mut self, id: NodeId) {
        let mut pending = vec![id];
        while let Some(&next) = pending.last() {
            let inputs = self.graph.node(next).inputs.iter();
            let missing = inputs.filter(|input| {
                let is_variable = self.graph.node(input.node).op.execution == Execution::Variable;
                !is_variable
                    && !self.given.contains_key(*input)
                    && !self.lowered.contains_key(&input.node)
            });
            let missing: Vec<NodeId> = missing.map(|input| input.node).collect();
            if missing.is_empty() {
                pending.pop();
                if next != id && !self.lowered.contains_key(&next) {
                    self.lower(next, next);
                }
            } else {
                pending.extend(missing);
            }
        }
    }

    fn lower(&mut self, id: NodeId, origin: NodeId) {
        let node = self.graph.node(id);
        if node.op.execution == Execution::Variable {
            return;
        }
        if self.is_after_write(node) {
            self.after_write.insert(id);
        }
        let leaves_no_trace = node.outputs.is_empty() && node.op.is_pure();
        if leaves_no_trace {
            return;
        }
        let inputs = node.inputs.iter().enumerate();
        let inputs = inputs.map(|(i, &input)| self.input(id, node.access(i), input));
        let inputs: SmallVec<[TensorId; 2]> = inputs.collect();
        let mut lowered = Instr::of(node, inputs, origin);
        if !self.inputs_are_as_known(node, &lowered) {
            lowered.outputs = self.subgraph.infer_again(&lowered, &node.attrs);
        }
        self.subgraph.add_state(&mut lowered);
        let states = self.lower_bodies(id, node, &mut lowered);
        let lowered = self.subgraph.push(lowered);
        self.lowered.insert(id, lowered);
        for (input, variable) in self.graph.written_by(id) {
            let slot = match states.iter().find(|(written, _)| *written == input) {
                Some((_, slot)) => *slot,
                None => node.op.state_slot(node.outputs.len(), input),
            };
            let left = TensorId::new(lowered, slot);
            self.written.insert(variable, left);
            self.left.insert((id, variable), left);
            let record = self.graph.variable(variable);
            let initializes = record.is_some_and(|record| record.initializer() == Some(id));
            let usage = self.variable(variable);
            usage.written = true;
            usage.initialized |= initializes;
        }
    }

    /// True if as much is known of the inputs of a node as when it was built. Nothing is known of the
    /// elements of a fed tensor. A node that reads a variable of any shape was built without knowing
    /// its shape, which the path knows after some writes.
    fn inputs_are_as_known(&self, node: &Node, lowered: &Instr) -> bool {
        let mut pairs = node.inputs.iter().zip(&lowered.inputs).enumerate();
        pairs.all(|(i, (&input, &tensor))| {
            self.graph.fact(input) == Some(self.subgraph.fact(tensor))
                && !(node.access(i) == Access::Read && self.names_reshaped(input))
        })
    }

    /// True if a tensor names a variable that a write may leave with another shape.
    fn names_reshaped(&self, tensor: TensorId) -> bool {
        self.graph.variable_of(tensor).is_some_and(|variable| self.graph.is_reshaped(variable))
    }

    fn is_after_write(&self, node: &Node) -> bool {
        node.op.execution == Execution::Write
            || (node.op.execution.inputs_before_bodies().is_some()
                && (0..node.inputs.len()).any(|i| node.access(i).writes()))
            || dependencies(self.signature, node).any(|id| self.after_write.contains(&id))
    }

    /// The tensor of the subgraph that is an input of the node `reader`.
    pub(crate) fn input(&mut self, reader: NodeId, access: Access, tensor: TensorId) -> TensorId {
        if let Some(&given) = self.given.get(&tensor) {
            return given;
        }
        let variable = match access.writes() {
            true => self.graph.variable_of(tensor),
            false => named_variable(self.graph, tensor),
        };
        let Some(variable) = variable else {
            return TensorId::new(self.lowered[&tensor.node], tensor.slot);
        };
        let version = match access {
            // The value is checked against the declared shape, whatever an earlier write has left.
            Access::Write => return self.start(variable),
            Access::Update | Access::Amend => self.written.get(&variable).copied(),
            Access::Read | Access::Peek => self.last_write_before(reader, variable),
        };
        if let Some(version) = version {
            return version;
        }
        if matches!(access, Access::Read | Access::Update) {
            self.variable(variable).first_reader.get_or_insert(reader);
            return self.current(variable);
        }
        self.start(variable)
    }

    /// The value of a variable at the start of the run, with the facts that are certain.
    pub(crate) fn current(&mut self, variable: NodeId) -> TensorId {
        let start = self.start(variable);
        if !self.may_be_reshaped(variable) {
            return start;
        }
        let subgraph = &mut self.subgraph;
        *self.currents.entry(variable).or_insert_with(|| subgraph.push_current(start))
    }

    /// True if the shape of a variable at the start of the run may differ from the declared one.
    pub(crate) fn may_be_reshaped(&self, variable: NodeId) -> bool {
        self.shapes == Shapes::Open || self.graph.is_reshaped(variable)
    }

    /// The value after the last write of `variable` among the ancestors of `reader`.
    fn last_write_before(&self, reader: NodeId, variable: NodeId) -> Option<TensorId> {
        if !self.after_write.contains(&reader) {
            return None;
        }
        let mut last: Option<NodeId> = None;
        let mut seen = FxHashSet::default();
        let mut pending = vec![reader];
        while let Some(id) = pending.pop() {
            let node = self.graph.node(id);
            if id != reader && self.left.contains_key(&(id, variable)) {
                last = last.max(Some(id));
            }
            let after_write = dependencies(self.signature, node)
                .filter(|id| self.after_write.contains(id) && seen.insert(*id));
            pending.extend(after_write.collect::<Vec<_>>());
        }
        last.map(|write| self.left[&(write, variable)])
    }

    pub(crate) fn start(&mut self, variable: NodeId) -> TensorId {
        if let Some(&start) = self.starts.get(&variable) {
            return start;
        }
        let instr = Instr::of(self.graph.node(variable), [], variable);
        let start = TensorId::new(self.subgraph.push(instr), 0);
        self.variable(variable);
        self.starts.insert(variable, start);
        start
    }

    pub(crate) fn variable(&mut self, node: NodeId) -> &mut VariableUse {
        self.variables.entry(node).or_insert(VariableUse {
            node,
            written: false,
            initialized: false,
            first_reader: None,
        })
    }

    pub(crate) fn finish(mut self, random: Vec<NodeId>) -> Path {
        for fetch in &self.signature.fetches {
            let value = self.input(fetch.node, Access::Read, *fetch);
            self.subgraph.fetches.push(value);
        }
        let written = self.written.iter();
        let mut commits: Vec<Commit> =
            written.map(|(&variable, &value)| Commit { variable, value }).collect();
        commits.sort_by_key(|commit| commit.variable);
        self.subgraph.commits = commits;
        let mut variables: Vec<VariableUse> = self.variables.into_values().collect();
        variables.sort_by_key(|variable| variable.node);
        Path { subgraph: self.subgraph, variables, random }
    }
}

/// The nodes on which the evaluation of a node depends.
fn dependencies<'a>(signature: &'a Signature, node: &'a Node) -> impl Iterator<Item = NodeId> + 'a {
    let inputs = node.inputs.iter().filter(|input| !signature.is_fed(**input));
    inputs.map(|input| input.node).chain(node.control_inputs.iter().copied())
}

/// The variable that a tensor names, if it is the output of a variable's own node.
fn named_variable(graph: &GraphReader<'_>, tensor: TensorId) -> Option<NodeId> {
    let is_variable = graph.node(tensor.node).op.execution == Execution::Variable;
    if is_variable { graph.variable_of(tensor) } else { None }
}
