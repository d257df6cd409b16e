//! From a graph and a signature to the path that the run computes.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use tidemill_graph::{
    Access, Commit, EdgeKind, Effect, Execution, GraphReader, Node, NodeId, Subgraph, TensorId,
};

use crate::signature::Signature;

/// The path of a run.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) subgraph: Subgraph,
    /// The variables that the run reads or writes, ascending.
    pub(crate) variables: Vec<VariableUse>,
    /// The nodes that draw random numbers, ascending.
    pub(crate) random: Vec<NodeId>,
}

/// How a run uses a variable.
#[derive(Clone, Debug)]
pub(crate) struct VariableUse {
    pub(crate) node: NodeId,
    pub(crate) written: bool,
    /// Whether it is written by its initializer.
    pub(crate) initialized: bool,
    /// The first node that needs the value the variable has when the run starts.
    pub(crate) first_reader: Option<NodeId>,
}

/// The placeholders on the path that are not fed.
#[derive(Debug)]
pub(crate) struct Unfed(pub(crate) Vec<NodeId>);

/// Takes the path out of the graph.
///
/// # Errors
/// [`Unfed`] where it needs placeholders that are not fed.
pub(crate) fn prune(graph: &GraphReader<'_>, signature: &Signature) -> Result<Path, Unfed> {
    let path = nodes_on_path(graph, signature);
    let is_placeholder = |id: &NodeId| graph.node(*id).op.execution == Execution::Placeholder;
    let unfed: Vec<NodeId> = path.iter().copied().filter(is_placeholder).collect();
    if !unfed.is_empty() {
        return Err(Unfed(unfed));
    }
    let mut lowering = Lowering::new(graph, signature);
    path.iter().for_each(|&id| lowering.lower(id));
    let random = path.into_iter().filter(|&id| graph.node(id).op.effect == Effect::Random);
    let random = random.collect();
    Ok(lowering.finish(random))
}

fn nodes_on_path(graph: &GraphReader<'_>, signature: &Signature) -> Vec<NodeId> {
    // Its value is there from the start, and so it is for what runs after it.
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

/// Turns the nodes of the path, one after the other, into those of a subgraph in which reads
/// and writes of variables are plain data edges.
struct Lowering<'a> {
    graph: &'a GraphReader<'a>,
    signature: &'a Signature,
    subgraph: Subgraph,
    lowered: FxHashMap<NodeId, NodeId>,
    /// For each variable, its value at the start of the run.
    starts: FxHashMap<NodeId, TensorId>,
    /// For each variable written so far, the value that the last write left.
    written: FxHashMap<NodeId, TensorId>,
    /// The nodes that write a variable, or have one that does among their ancestors.
    after_write: FxHashSet<NodeId>,
    variables: FxHashMap<NodeId, VariableUse>,
}

impl<'a> Lowering<'a> {
    fn new(graph: &'a GraphReader<'a>, signature: &'a Signature) -> Self {
        let mut subgraph = Subgraph::default();
        for feed in &signature.feeds {
            let fact = &graph.node(feed.node).outputs[feed.slot as usize];
            let id = subgraph.push_feed(fact, feed.node);
            subgraph.feeds.push(id);
        }
        Lowering {
            graph,
            signature,
            subgraph,
            lowered: FxHashMap::default(),
            starts: FxHashMap::default(),
            written: FxHashMap::default(),
            after_write: FxHashSet::default(),
            variables: FxHashMap::default(),
        }
    }

    fn lower(&mut self, id: NodeId) {
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
        let inputs = inputs.map(|(i, &input)| self.input(id, node.access(i), input)).collect();
        let mut lowered = Node { inputs, control_inputs: SmallVec::new(), ..node.clone() };
        if !self.inputs_are_as_known(node, &lowered) {
            self.subgraph.infer_again(&mut lowered);
        }
        self.subgraph.add_state(&mut lowered);
        let lowered = self.subgraph.push(lowered, id);
        self.lowered.insert(id, lowered);
        let graph = self.graph;
        for (i, variable) in graph.written_by(id) {
            self.written.insert(variable, self.left_by(id, i));
            let record = graph.variable(variable);
            let initializes = record.is_some_and(|record| record.initializer() == Some(id));
            let usage = self.variable(variable);
            usage.written = true;
            usage.initialized |= initializes;
        }
    }

    /// The value that a write, which is lowered, leaves in the variable that its input `i` names.
    fn left_by(&self, write: NodeId, i: usize) -> TensorId {
        let node = self.graph.node(write);
        TensorId::new(self.lowered[&write], node.op.state_slot(node.outputs.len(), i))
    }

    /// Whether as much is known of the inputs of a node as in the graph. Of the elements of a
    /// tensor that is fed, nothing is.
    fn inputs_are_as_known(&self, node: &Node, lowered: &Node) -> bool {
        let mut pairs = node.inputs.iter().zip(&lowered.inputs);
        pairs.all(|(&input, &tensor)| self.graph.fact(input) == Some(self.subgraph.fact(tensor)))
    }

    fn is_after_write(&self, node: &Node) -> bool {
        node.op.execution == Execution::Write
            || dependencies(self.signature, node).any(|id| self.after_write.contains(&id))
    }

    /// The tensor of the subgraph that is an input of the node `reader`.
    fn input(&mut self, reader: NodeId, access: Access, tensor: TensorId) -> TensorId {
        if let Ok(feed) = self.signature.feeds.binary_search(&tensor) {
            return TensorId::new(self.subgraph.feeds[feed], 0);
        }
        let variable = match access.writes() {
            true => self.graph.variable_of(tensor),
            false => named_variable(self.graph, tensor),
        };
        let Some(variable) = variable else {
            return TensorId::new(self.lowered[&tensor.node], tensor.slot);
        };
        let version = match access.writes() {
            true => self.written.get(&variable).copied(),
            false => self.last_write_before(reader, variable),
        };
        if version.is_none() && matches!(access, Access::Read | Access::Update) {
            self.variable(variable).first_reader.get_or_insert(reader);
        }
        version.unwrap_or_else(|| self.start(variable))
    }

    /// What the last write of `variable` among the ancestors of `reader` left behind.
    fn last_write_before(&self, reader: NodeId, variable: NodeId) -> Option<TensorId> {
        if !self.after_write.contains(&reader) {
            return None;
        }
        let mut last: Option<(NodeId, usize)> = None;
        let mut seen = FxHashSet::default();
        let mut pending = vec![reader];
        while let Some(id) = pending.pop() {
            let node = self.graph.node(id);
            if id != reader {
                let names = |(i, written)| (written == variable).then_some((id, i));
                last = last.max(self.graph.written_by(id).filter_map(names).last());
            }
            let after_write = dependencies(self.signature, node)
                .filter(|id| self.after_write.contains(id) && seen.insert(*id));
            pending.extend(after_write.collect::<Vec<_>>());
        }
        last.map(|(write, i)| self.left_by(write, i))
    }

    fn start(&mut self, variable: NodeId) -> TensorId {
        if let Some(&start) = self.starts.get(&variable) {
            return start;
        }
        let node = self.graph.node(variable).clone();
        let start = TensorId::new(self.subgraph.push(node, variable), 0);
        self.variable(variable);
        self.starts.insert(variable, start);
        start
    }

    fn variable(&mut self, node: NodeId) -> &mut VariableUse {
        self.variables.entry(node).or_insert(VariableUse {
            node,
            written: false,
            initialized: false,
            first_reader: None,
        })
    }

    fn finish(mut self, random: Vec<NodeId>) -> Path {
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

/// The nodes whose evaluation flows into a node.
fn dependencies<'a>(signature: &'a Signature, node: &'a Node) -> impl Iterator<Item = NodeId> + 'a {
    let inputs = node.inputs.iter().filter(|input| !signature.is_fed(**input));
    inputs.map(|input| input.node).chain(node.control_inputs.iter().copied())
}

/// The variable that a tensor names: that of a variable's own node.
fn named_variable(graph: &GraphReader<'_>, tensor: TensorId) -> Option<NodeId> {
    let is_variable = graph.node(tensor.node).op.execution == Execution::Variable;
    if is_variable { graph.variable_of(tensor) } else { None }
}
