//! A naive interpreter: the promises of a run, implemented as plainly as possible.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_graph::{
    Access, Attr, Draw, Effect, Execution, Fact, Graph, KernelError, Node, NodeId, NodeView,
    OperationRef, Referent, TensorId, TensorRef,
};
use tidemill_ops::{Operation, Tensor};
use tidemill_value::Value;

use crate::Failure;
use crate::kernel::{Printer, run_kernel};

/// The request of a run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The tensors to return.
    pub fetches: Vec<Tensor>,
    /// The operations to run without returning anything.
    pub targets: Vec<Operation>,
    /// The values to feed, at most one for each tensor.
    pub feeds: Vec<(Tensor, Value)>,
}

/// A session that runs a graph node by node, in the order in which the nodes were made.
///
/// It prepares nothing, changes nothing in place and skips nothing, so it is easy to see that it
/// keeps the promises of runs:
///
/// - The nodes that the fetches and targets need are evaluated once, in serial order.
/// - A read of a variable gives its value at the start of the run, unless writes of the variable
///   are among the read's ancestors: then it gives the value that the last of them left.
/// - An update works on the variable's value at its turn.
/// - A run that fails changes no variable and counts no draw.
pub struct Reference {
    nodes: Vec<Node>,
    names: Vec<String>,
    seed: u64,
    variables: BTreeMap<NodeId, Value>,
    draws: BTreeMap<NodeId, u64>,
    host: Printer,
}

impl Reference {
    /// A session of the graph as it is now, with a seed for random operations that have none.
    pub fn new(graph: &Graph, seed: u64) -> Self {
        let reader = graph.read();
        Reference {
            nodes: reader.nodes().map(|(_, node)| node.clone()).collect(),
            names: reader.nodes().map(|(id, _)| reader.name(id).to_owned()).collect(),
            seed,
            variables: BTreeMap::new(),
            draws: BTreeMap::new(),
            host: Printer::default(),
        }
    }

    /// The value of the variable that a node names.
    pub fn variable(&self, node: NodeId) -> Option<&Value> {
        self.variables.get(&node)
    }

    /// Takes the lines printed so far.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.host.lines.take()
    }

    /// Runs the graph.
    ///
    /// # Errors
    /// The expected failure of a session: the first failure in serial order, after the placeholders
    /// that are not fed, the feeds that do not fit, and the variables that have no value.
    pub fn run(&mut self, run: &Run) -> Result<Vec<Value>, Failure> {
        let request = Request::new(run);
        let path = self.path(&request);
        self.check_placeholders(&path)?;
        self.check_feeds(&request)?;
        self.check_variables(&request, &path)?;
        let mut state = State { current: self.variables.clone(), ..State::default() };
        for &id in &path {
            self.evaluate(id, &request, &mut state)?;
        }
        let fetch = |&tensor: &TensorId| self.value(&self.read(tensor, None, &request), &state);
        let fetched: Option<Vec<Value>> = request.fetches.iter().map(fetch).collect();
        self.variables = state.current;
        for id in path {
            if self.node(id).op.effect == Effect::Random {
                *self.draws.entry(id).or_default() += 1;
            }
        }
        Ok(fetched.expect("every fetch has a value"))
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    fn name(&self, id: NodeId) -> String {
        self.names[id.index()].clone()
    }

    /// The nodes that a run evaluates.
    fn path(&self, request: &Request) -> BTreeSet<NodeId> {
        let unfed = request.fetches.iter().filter(|fetch| !request.feeds.contains_key(fetch));
        let roots = unfed.map(|fetch| fetch.node).chain(request.targets.iter().copied());
        let mut path = BTreeSet::new();
        for root in roots.filter(|&root| !self.is_fed_placeholder(root, request)) {
            path.insert(root);
            path.extend(self.ancestors(root, request));
        }
        path
    }

    /// The nodes on which the evaluation of a node depends, over values that are not fed and
    /// control inputs.
    fn ancestors(&self, id: NodeId, request: &Request) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::new();
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let node = self.node(id);
            let inputs = node.inputs.iter().enumerate().filter(|(i, input)| {
                let is_variable = self.node(input.node).op.execution == Execution::Variable;
                let is_target = is_variable && node.access(*i).writes();
                !is_target && !request.feeds.contains_key(input)
            });
            let inputs = inputs.map(|(_, input)| input.node);
            let controls = node.control_inputs.iter().copied();
            let controls = controls.filter(|&id| !self.is_fed_placeholder(id, request));
            for id in inputs.chain(controls) {
                if found.insert(id) {
                    pending.push(id);
                }
            }
        }
        found
    }

    /// True if a node is a placeholder whose value is available from the start.
    fn is_fed_placeholder(&self, id: NodeId, request: &Request) -> bool {
        let is_placeholder = self.node(id).op.execution == Execution::Placeholder;
        is_placeholder && request.feeds.contains_key(&TensorId::new(id, 0))
    }

    fn check_placeholders(&self, path: &BTreeSet<NodeId>) -> Result<(), Failure> {
        let is_placeholder = |id: &NodeId| self.node(*id).op.execution == Execution::Placeholder;
        let unfed: Vec<NodeId> = path.iter().copied().filter(is_placeholder).collect();
        match unfed.is_empty() {
            true => Ok(()),
            false => Err(Failure::Unfed(unfed.into_iter().map(|id| self.name(id)).collect())),
        }
    }

    fn check_feeds(&self, request: &Request) -> Result<(), Failure> {
        for (tensor, value) in &request.feeds {
            let fact = &self.node(tensor.node).outputs[tensor.slot as usize];
            if value.dtype() != fact.dtype || !fact.shape.admits(value.shape()) {
                return Err(Failure::Feed(format!("{}:{}", self.name(tensor.node), tensor.slot)));
            }
        }
        Ok(())
    }

    /// Checks that every variable has the value that the run will need.
    fn check_variables(&self, request: &Request, path: &BTreeSet<NodeId>) -> Result<(), Failure> {
        let mut missing = BTreeSet::new();
        let mut written = BTreeSet::new();
        for &id in path {
            let node = self.node(id);
            for (i, &input) in node.inputs.iter().enumerate() {
                let needed = match (node.access(i), self.source(id, i, input, request)) {
                    (Access::Read, Source::Start(variable)) => Some(variable),
                    (Access::Update, Source::Current(variable)) => {
                        (!written.contains(&variable)).then_some(variable)
                    }
                    _ => None,
                };
                missing.extend(needed.filter(|v| !self.variables.contains_key(v)));
            }
            written.extend(self.written_by(id).map(|(_, variable)| variable));
        }
        for &fetch in &request.fetches {
            if let Source::Start(variable) = self.read(fetch, None, request)
                && !self.variables.contains_key(&variable)
            {
                missing.insert(variable);
            }
        }
        match missing.is_empty() {
            true => Ok(()),
            false => {
                let names = missing.into_iter().map(|id| self.name(id)).collect();
                Err(Failure::Uninitialized(names))
            }
        }
    }

    fn evaluate(&self, id: NodeId, request: &Request, state: &mut State) -> Result<(), Failure> {
        let node = self.node(id);
        let outputs = match node.op.execution {
            Execution::Variable | Execution::Placeholder | Execution::Opaque => return Ok(()),
            // It exists only for its control inputs.
            Execution::Kernel if node.op.is_pure() && node.outputs.is_empty() => return Ok(()),
            Execution::Constant => match node.attrs.get("value") {
                Some(Attr::Tensor(value)) => vec![value.clone()],
                _ => panic!("a constant has a value"),
            },
            Execution::Kernel | Execution::Write => self.compute(id, request, state)?,
            Execution::Branch(_) | Execution::Loop => panic!("random graphs have no bodies"),
        };
        for (i, variable) in self.written_by(id) {
            let left = &outputs[node.op.state_slot(node.outputs.len(), i) as usize];
            state.current.insert(variable, left.clone());
            state.left.insert((id, variable), left.clone());
        }
        let tensors = (0..).map(|slot| TensorId::new(id, slot));
        state.outputs.extend(tensors.zip(outputs));
        Ok(())
    }

    fn compute(&self, id: NodeId, request: &Request, state: &State) -> Result<Vec<Value>, Failure> {
        let node = self.node(id);
        let inputs = node.inputs.iter().enumerate();
        let inputs =
            inputs.map(|(i, &input)| self.value(&self.source(id, i, input, request), state));
        let fact = |input: &TensorId| self.node(input.node).outputs[input.slot as usize].clone();
        let facts: Vec<Fact> = node.inputs.iter().map(fact).collect();
        let count = self.draws.get(&id).copied().unwrap_or(0);
        let draw = Draw { session_seed: self.seed, key: id.index() as u64, count };
        let view = NodeView::new(node.op, &node.attrs, &facts, &node.outputs);
        let states = self.written_by(id);
        let states = states.map(|(i, _)| node.op.state_slot(node.outputs.len(), i) as usize + 1);
        let outputs = states.fold(node.outputs.len(), usize::max);
        run_kernel(&view, inputs.collect(), outputs, draw, &self.host)
            .map_err(|error| self.failed(id, &error))
    }

    fn failed(&self, id: NodeId, error: &KernelError) -> Failure {
        Failure::kernel(self.name(id), error)
    }

    /// The source of input `i` of a node.
    fn source(&self, id: NodeId, i: usize, tensor: TensorId, request: &Request) -> Source {
        match (self.node(id).access(i), self.variable_of(tensor)) {
            (access, Some(variable)) if access.writes() && !request.feeds.contains_key(&tensor) => {
                Source::Current(variable)
            }
            _ => self.read(tensor, Some(id), request),
        }
    }

    /// The source of the value of a tensor for a reader, or for the run itself.
    fn read(&self, tensor: TensorId, reader: Option<NodeId>, request: &Request) -> Source {
        if let Some(value) = request.feeds.get(&tensor) {
            return Source::Fed(value.clone());
        }
        if self.node(tensor.node).op.execution != Execution::Variable {
            return Source::Output(tensor);
        }
        let variable = tensor.node;
        let ancestors = reader.map(|reader| self.ancestors(reader, request)).unwrap_or_default();
        let is_write = |id: &NodeId| self.written_by(*id).any(|(_, written)| written == variable);
        match ancestors.into_iter().rfind(is_write) {
            Some(write) => Source::After(write, variable),
            None => Source::Start(variable),
        }
    }

    fn value(&self, source: &Source, state: &State) -> Option<Value> {
        match source {
            Source::Fed(value) => Some(value.clone()),
            Source::Start(variable) => self.variables.get(variable).cloned(),
            Source::After(write, variable) => state.left.get(&(*write, *variable)).cloned(),
            Source::Current(variable) => state.current.get(variable).cloned(),
            Source::Output(tensor) => state.outputs.get(tensor).cloned(),
        }
    }

    /// The variables that a node writes, each with the input that names it.
    fn written_by(&self, id: NodeId) -> impl Iterator<Item = (usize, NodeId)> {
        let node = self.node(id);
        let is_write = node.op.execution == Execution::Write;
        let inputs = node.inputs.iter().take(if is_write { node.op.written() } else { 0 });
        inputs.enumerate().filter_map(|(i, &input)| Some((i, self.variable_of(input)?)))
    }

    /// The variable that a tensor names: the variable of its own node, or the one that its node
    /// writes.
    fn variable_of(&self, mut tensor: TensorId) -> Option<NodeId> {
        loop {
            let node = self.node(tensor.node);
            match node.op.execution {
                Execution::Variable => return Some(tensor.node),
                Execution::Write if tensor.slot == 0 => tensor = *node.inputs.first()?,
                _ => return None,
            }
        }
    }
}

/// The source of a value.
enum Source {
    Fed(Value),
    /// The variable, at the start of the run.
    Start(NodeId),
    /// The value that a write left in a variable.
    After(NodeId, NodeId),
    /// The variable, at the turn of the node.
    Current(NodeId),
    Output(TensorId),
}

/// The state of the evaluation so far.
#[derive(Default)]
struct State {
    /// The current values of the variables.
    current: BTreeMap<NodeId, Value>,
    /// The value that each write left in each of its variables.
    left: BTreeMap<(NodeId, NodeId), Value>,
    outputs: BTreeMap<TensorId, Value>,
}

/// A run in terms of its graph.
struct Request {
    fetches: Vec<TensorId>,
    targets: Vec<NodeId>,
    feeds: BTreeMap<TensorId, Value>,
}

impl Request {
    fn new(run: &Run) -> Self {
        let tensor = |&tensor: &Tensor| TensorRef::from(tensor).id().expect("a valid handle");
        let node = |&target: &Operation| match OperationRef::from(target).referent() {
            Referent::Node(node) => node,
            Referent::Poison(_) => panic!("an invalid handle"),
        };
        Request {
            fetches: run.fetches.iter().map(tensor).collect(),
            targets: run.targets.iter().map(node).collect(),
            feeds: run.feeds.iter().map(|(x, value)| (tensor(x), value.clone())).collect(),
        }
    }
}
