use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;
use tidemill_value::{DType, PartialShape};

use crate::all_or_nothing::count_added;
use crate::arguments::Arguments;
use crate::bind::{self, Bound};
use crate::diagnosis::{BuildError, BuildErrorKind, Note};
use crate::graph::{State, orphan};
use crate::location::current_origin;
use crate::names::{self, Reserved};
use crate::node::argument_ranges;
use crate::variable::SharedName;
use crate::{
    Access, Arg, Arity, Attr, Body, Execution, Fact, Graph, GraphKey, InsideBody, Location, Node,
    NodeId, NodeView, OpDef, OperationRef, PoisonId, Referent, ShownTensor, TensorId, TensorRef,
    body, branch_controls, registry, scope,
};

/// Collects the parts of a node, and adds it to its graph.
///
/// The graph is that of the first handle among the inputs, or else the default graph.
#[must_use = "nothing is added until `build`"]
pub struct NodeBuilder {
    op: &'static OpDef,
    name: Name,
    arguments: Arguments<TensorRef>,
    controls: SmallVec<[OperationRef; 2]>,
    /// The nodes that must run before a branch of it, with the number of that.
    branch_controls: Vec<(OperationRef, usize)>,
    attrs: Vec<(Cow<'static, str>, Attr)>,
    graph: Option<GraphKey>,
    /// True if it is added to that graph even while a body inside it is being built.
    exactly: bool,
}

enum Name {
    /// Made unique, in the current name scope.
    Wish(Cow<'static, str>),
    /// Exactly this one, whatever the current scope.
    Exact(String),
}

/// The reason that there is no node.
enum Failure {
    /// The call is wrong.
    Cause(Box<BuildErrorKind>, Vec<Note>),
    /// Inputs are poison themselves, in the graph that the node would have been added to.
    FedBy(Graph, SmallVec<[PoisonId; 2]>),
    /// An input is poison, in another graph.
    ForeignPoison(OperationRef),
}

impl From<BuildErrorKind> for Failure {
    fn from(kind: BuildErrorKind) -> Self {
        Failure::Cause(kind.into(), Vec::new())
    }
}

impl NodeBuilder {
    /// Starts a node of type `op`. Its name defaults to that of the type.
    pub fn new(op: &'static OpDef) -> Self {
        NodeBuilder {
            op,
            name: Name::Wish(Cow::Borrowed(op.name)),
            arguments: Arguments::new(),
            controls: SmallVec::new(),
            branch_controls: Vec::new(),
            attrs: Vec::new(),
            graph: None,
            exactly: false,
        }
    }

    /// Starts a node with the type and attributes of another node, but with these inputs.
    pub fn like(node: &Node, inputs: &[TensorRef]) -> Self {
        let ranges = argument_ranges(node.op.inputs, &node.attrs);
        let argument = |range: Range<usize>| inputs.iter().take(range.end).skip(range.start);
        NodeBuilder {
            arguments: ranges.map(|range| argument(range).copied()).collect(),
            attrs: node
                .attrs
                .iter()
                .map(|(name, attr)| (Cow::Owned(name.to_owned()), attr.clone()))
                .collect(),
            ..NodeBuilder::new(node.op)
        }
    }

    /// Starts a node with the type and attributes of another node, but with these inputs and
    /// bodies.
    pub fn with_bodies(node: &Node, inputs: &[TensorRef], bodies: Vec<Arc<Body>>) -> Self {
        let before = node.op.execution.inputs_before_bodies().unwrap_or(0);
        let (first, rest) = inputs.split_at(before.min(inputs.len()));
        let mut builder = NodeBuilder::new(node.op);
        builder = first.iter().fold(builder, |builder, &input| builder.input(input));
        builder = builder.inputs(rest.iter().copied());
        let results = bodies.last().map(|body| body.result_facts()).unwrap_or_default();
        let types: Vec<DType> = results.iter().map(|fact| fact.dtype).collect();
        let mut bodies = bodies.into_iter();
        for def in node.op.attrs {
            match node.attrs.get(def.name) {
                Some(Attr::Body(_)) => {
                    let body = bodies.next();
                    builder =
                        body.into_iter().fold(builder, |builder, b| builder.attr(def.name, b));
                }
                Some(Attr::Bodies(own)) => {
                    let bodies: Vec<Arc<Body>> = bodies.by_ref().take(own.len()).collect();
                    builder = builder.attr(def.name, bodies);
                }
                // These follow from the inputs and bodies.
                None | Some(Attr::Types(_) | Attr::Shapes(_)) => {}
                Some(other) => builder = builder.attr(def.name, other.clone()),
            }
        }
        let listed = |args: &'static [Arg]| {
            args.iter().find_map(|arg| match arg.arity {
                Arity::Types(name) => Some(name),
                _ => None,
            })
        };
        match listed(node.op.outputs) {
            Some(name) if listed(node.op.inputs) != Some(name) => builder.attr(name, types),
            _ => builder,
        }
    }

    /// Adds the next argument, a tensor.
    pub fn input(mut self, tensor: impl Into<TensorRef>) -> Self {
        self.arguments.push([tensor.into()]);
        self
    }

    /// Adds the next argument, a list of tensors.
    pub fn inputs<T: Into<TensorRef>>(mut self, tensors: impl IntoIterator<Item = T>) -> Self {
        self.arguments.push(tensors.into_iter().map(Into::into));
        self
    }

    /// Adds a node that must run before.
    pub fn control(mut self, operation: OperationRef) -> Self {
        self.controls.push(operation);
        self
    }

    /// Adds nodes that must run before a branch of the node. If no other branch, nor the node itself,
    /// has to run after an assertion, it runs only where the branch is taken.
    pub fn branch_controls(
        mut self,
        branch: usize,
        operations: impl IntoIterator<Item = OperationRef>,
    ) -> Self {
        let operations = operations.into_iter();
        self.branch_controls.extend(operations.map(|operation| (operation, branch)));
        self
    }

    /// Sets an attribute.
    pub fn attr(mut self, name: impl Into<Cow<'static, str>>, attr: impl Into<Attr>) -> Self {
        self.attrs.push((name.into(), attr.into()));
        self
    }

    /// Requests a name, which is made unique within the current name scope.
    pub fn name(mut self, wish: impl Into<Cow<'static, str>>) -> Self {
        self.name = Name::Wish(wish.into());
        self
    }

    /// Requests exactly this name, regardless of the current name scope.
    pub fn exact_name(mut self, name: impl Into<String>) -> Self {
        self.name = Name::Exact(name.into());
        self
    }

    /// Adds the node to this graph.
    pub fn graph(mut self, graph: GraphKey) -> Self {
        self.graph = Some(graph);
        self
    }

    /// Adds the node to this graph even while a body within it is being built.
    pub(crate) fn within(mut self, graph: GraphKey) -> Self {
        (self.graph, self.exactly) = (Some(graph), true);
        self
    }

    /// Adds the node.
    ///
    /// If the inputs or attributes do not fit, it adds no node: it returns a poison handle, and the
    /// graph lists the error (see [`Graph::check`]).
    #[track_caller]
    pub fn build(mut self) -> OperationRef {
        let location = Location::caller();
        let mut key = self.graph_key();
        let failure = match self.try_build(key, location) {
            Ok(id) => return OperationRef::new(key, Referent::Node(id)),
            Err(failure) => failure,
        };
        let failure = match (failure, self.operations().next()) {
            // A node added to a complete body is meant for the graph outside.
            (Failure::Cause(kind, _), Some(first))
                if matches!(*kind, BuildErrorKind::Finalized { .. })
                    && Graph::find(key).is_ok_and(|graph| graph.is_complete_body()) =>
            {
                key = registry::default_graph().key();
                let inside = InsideBody::of(first, key);
                let inside = inside.map(|inside| BuildErrorKind::InsideBody(Box::new(inside)));
                let notes = Note::made_here(first).into_iter().collect();
                Failure::Cause(inside.map_or(kind, Box::new), notes)
            }
            (failure, _) => failure,
        };
        match failure {
            Failure::Cause(kind, notes) => {
                let what = self.label();
                record(key, BuildError { kind: *kind, what, location, notes })
            }
            Failure::FedBy(graph, inputs) => graph.poison_fed_by(self.label().into_owned(), inputs),
            Failure::ForeignPoison(poison) => poison,
        }
    }

    /// Adds the node, or returns an error without recording it in the graph.
    ///
    /// # Errors
    /// [`BuildErrorKind`], if the inputs or attributes do not fit.
    pub fn try_node(mut self, location: Location) -> Result<NodeId, BuildErrorKind> {
        let key = self.graph_key();
        self.try_build(key, location).map_err(|failure| match failure {
            Failure::Cause(kind, _) => *kind,
            Failure::FedBy(..) | Failure::ForeignPoison(_) => BuildErrorKind::GraphGone,
        })
    }

    fn label(self) -> Cow<'static, str> {
        match self.name {
            Name::Wish(name) => name,
            Name::Exact(name) => Cow::Owned(name),
        }
    }

    fn graph_key(&self) -> GraphKey {
        let first = self.arguments.inputs.first().map(|tensor| tensor.graph());
        let key = self
            .graph
            .or(first)
            .or_else(|| self.controls.first().map(|control| control.graph()))
            .unwrap_or_else(|| registry::default_graph().key());
        if self.exactly { key } else { body::redirect(key) }
    }

    fn try_build(&mut self, key: GraphKey, location: Location) -> Result<NodeId, Failure> {
        if let Some(poison) = self.foreign_poison(key) {
            return Err(Failure::ForeignPoison(poison));
        }
        let graph = Graph::find(key)?;
        scope::with_current(key, |scope| self.controls.extend(scope.controls.iter().copied()));
        self.adopt(key)?;
        let (mut arguments, mut controls) = self.resolve(&graph)?;
        let of_one_branch = branch_controls::merge(&mut controls, &self.branch_controls);
        let (bound, facts) = {
            let reader = graph.read();
            let state = reader.state();
            for input in &mut arguments.inputs {
                input.node = state.variables.shared(input.node);
            }
            if !state.stand_ins.is_empty() && current_origin().is_none() {
                take_stand_ins(state, self.op, &mut arguments);
            }
            let facts = facts_of(state, self.op, &arguments)?;
            check_targets(state, self.op, &arguments)?;
            let attrs = std::mem::take(&mut self.attrs);
            let bound = bind::bind(self.op, &arguments, &facts, attrs);
            let explain = |kind: BuildErrorKind| {
                let help = kind.help().map(Note::new);
                let notes = input_notes(state, self.op, &arguments).into_iter().chain(help);
                Failure::Cause(Box::new(kind), notes.collect())
            };
            (bound.map_err(explain)?, facts)
        };
        let outputs = infer_outputs(self.op, &bound, &facts).map_err(|kind| {
            Failure::Cause(kind.into(), input_notes(graph.read().state(), self.op, &arguments))
        })?;
        let node = Node {
            op: self.op,
            attrs: bound.attrs,
            inputs: arguments.inputs,
            control_inputs: controls,
            outputs,
        };
        let id = append(&graph, node, &self.name, location)?;
        graph.note_branch_controls(id, &of_one_branch);
        Ok(id)
    }

    /// Replaces tensors of graphs around the body being built by those that stand for them in it.
    fn adopt(&mut self, key: GraphKey) -> Result<(), BuildErrorKind> {
        for input in self.arguments.inputs.iter_mut().filter(|input| input.graph() != key) {
            if let Some(adopted) = body::adopt(key, *input)? {
                *input = adopted;
            }
        }
        let mut inside: SmallVec<[OperationRef; 2]> = SmallVec::new();
        for control in self.controls.drain(..) {
            if body::is_control_inside(key, control)? {
                inside.push(control);
            }
        }
        self.controls = inside;
        Ok(())
    }

    /// A poison input of another graph, whose diagnosis is there.
    fn foreign_poison(&self, key: GraphKey) -> Option<OperationRef> {
        self.operations()
            .find(|operation| {
                matches!(operation.referent(), Referent::Poison(_)) && operation.graph() != key
            })
            .or_else(|| self.operations().next().filter(|_| key == GraphKey::NOWHERE))
    }

    fn operations(&self) -> impl Iterator<Item = OperationRef> {
        let inputs = self.arguments.inputs.iter().map(|tensor| tensor.operation());
        let of_branches = self.branch_controls.iter().map(|(operation, _)| *operation);
        inputs.chain(self.controls.iter().copied()).chain(of_branches)
    }

    /// The inputs and control inputs within `graph`.
    fn resolve(&self, graph: &Graph) -> Result<Resolved, Failure> {
        let mut poison = SmallVec::new();
        for operation in self.operations() {
            if operation.graph() != graph.key() {
                Graph::find(operation.graph())?;
                let kind = elsewhere(operation, graph.key());
                let notes = match kind {
                    BuildErrorKind::ForeignGraph { .. } => {
                        graph_notes(self.op, &self.arguments, &self.controls)
                    }
                    _ => {
                        let own = self.operations().find(|other| other.graph() == graph.key());
                        own.into_iter().chain([operation]).filter_map(Note::made_here).collect()
                    }
                };
                return Err(Failure::Cause(Box::new(kind), notes));
            }
            if let Referent::Poison(id) = operation.referent() {
                poison.push(id);
            }
        }
        if !poison.is_empty() {
            return Err(Failure::FedBy(graph.clone(), poison));
        }
        let inputs = self.arguments.inputs.iter().filter_map(|tensor| tensor.id().ok());
        let arguments = self.arguments.with_inputs(inputs.collect());
        let mut controls: SmallVec<[NodeId; 2]> = SmallVec::new();
        for control in &self.controls {
            if let Referent::Node(id) = control.referent()
                && !controls.contains(&id)
            {
                controls.push(id);
            }
        }
        Ok((arguments, controls))
    }
}

/// The error of an operation that is not in the graph `graph`: it is inside a body, or in another
/// graph.
pub fn elsewhere(operation: OperationRef, graph: GraphKey) -> BuildErrorKind {
    match InsideBody::of(operation, graph) {
        Some(inside) => BuildErrorKind::InsideBody(Box::new(inside)),
        None => BuildErrorKind::ForeignGraph { left: graph, right: operation.graph() },
    }
}

type Resolved = (Arguments<TensorId>, SmallVec<[NodeId; 2]>);

/// Replaces tensors that are read as values by their stand-ins.
fn take_stand_ins(state: &State, op: &'static OpDef, arguments: &mut Arguments<TensorId>) {
    let accesses = op.inputs.iter().map(|arg| arg.access);
    let taken = accesses.zip(arguments.ranges()).filter(|(access, _)| *access == Access::Read);
    for i in taken.flat_map(|(_, range)| range).collect::<SmallVec<[usize; 4]>>() {
        arguments.inputs[i] = state.current(arguments.inputs[i]);
    }
}

fn facts_of(
    state: &State,
    op: &'static OpDef,
    arguments: &Arguments<TensorId>,
) -> Result<SmallVec<[Fact; 2]>, BuildErrorKind> {
    let fact = |&TensorId { node, slot }: &TensorId| {
        let Node { op, outputs, .. } = state.dag.node(node);
        let missing = || BuildErrorKind::NoOutput { op: op.name, slot, outputs: outputs.len() };
        outputs.get(slot as usize).cloned().ok_or_else(missing)
    };
    let mut facts: SmallVec<[Fact; 2]> =
        arguments.inputs.iter().map(fact).collect::<Result<_, _>>()?;
    if state.variables.any_reshaped() {
        for (arg, range) in op.inputs.iter().zip(arguments.ranges()) {
            for i in range.filter(|_| arg.access == Access::Read) {
                let variable = state.variable_of(arguments.inputs[i]);
                if variable.is_some_and(|variable| state.variables.is_reshaped(variable)) {
                    facts[i].shape = PartialShape::unknown();
                }
            }
        }
    }
    Ok(facts)
}

/// Checks that the inputs that must name a variable to write do so.
fn check_targets(
    state: &State,
    op: &'static OpDef,
    arguments: &Arguments<TensorId>,
) -> Result<(), BuildErrorKind> {
    for (arg, tensors) in op.inputs.iter().zip(arguments.iter()) {
        let is_variable = |tensor: &TensorId| state.variable_of(*tensor).is_some();
        if arg.access != Access::Read && !tensors.iter().all(is_variable) {
            return Err(BuildErrorKind::NotAVariable { input: arg.name });
        }
    }
    Ok(())
}

/// The facts known about the outputs of a node.
pub(crate) fn infer_outputs(
    op: &'static OpDef,
    bound: &Bound,
    inputs: &[Fact],
) -> Result<SmallVec<[Fact; 1]>, BuildErrorKind> {
    let view = NodeView::new(op, &bound.attrs, inputs, &[]);
    let inferred = (op.infer)(&view)?;
    // A loop passes on the variables that it takes.
    let body = view.bodies().next().filter(|_| op.execution == Execution::Loop);
    let is_variable = |i: usize| {
        let parameter = body.and_then(|body| body.parameters().get(i));
        parameter.is_some_and(|parameter| parameter.kind.is_variable())
    };
    let facts = bound.output_types.iter().zip(inferred).enumerate();
    Ok(facts
        .map(|(i, (&(dtype, role), inferred))| {
            inferred.into_fact(dtype, if is_variable(i) { inputs[i].role } else { role })
        })
        .collect())
}

fn append(
    graph: &Graph,
    node: Node,
    name: &Name,
    location: Location,
) -> Result<NodeId, BuildErrorKind> {
    let mut state = graph.write();
    if let Some(at) = state.finalized {
        return Err(BuildErrorKind::Finalized { at });
    }
    if state.dag.len() + 1 >= NodeId::LIMIT {
        return Err(BuildErrorKind::Full);
    }
    let shared = find_shared(&state, &node)?;
    let bodies: SmallVec<[Graph; 2]> = node.bodies().map(|body| body.graph().clone()).collect();
    let reserved = reserve(&mut state, graph.key(), name)?;
    let id = state.dag.push(node);
    count_added(graph.key());
    state.names.bind(reserved, id);
    if let Some(key) = shared {
        state.variables.share(key, id);
    }
    state.locations.push(location);
    graph.note_reshaped_by(&mut state, id);
    if let Some(origin) = current_origin() {
        state.origins.insert(id, origin);
    }
    drop(state);
    bodies.iter().for_each(|body| body.set_caller(graph.key(), id));
    Ok(id)
}

/// The name by which a node that names a variable shares it with others, checked against the first
/// of them.
fn find_shared(state: &State, node: &Node) -> Result<Option<SharedName>, BuildErrorKind> {
    let Some(name) = SharedName::of(node) else { return Ok(None) };
    if let Some(first) = state.variables.sharing(&name) {
        let (first, fact) = (&state.dag.node(first).outputs[0], &node.outputs[0]);
        if first.dtype != fact.dtype || first.shape.merge(&fact.shape).is_err() {
            let (actual, wanted) = (first.to_string(), fact.to_string());
            return Err(BuildErrorKind::VariableMismatch {
                name: name.to_string(),
                actual,
                wanted,
            });
        }
    }
    Ok(Some(name))
}

fn reserve(state: &mut State, key: GraphKey, name: &Name) -> Result<Reserved, BuildErrorKind> {
    match name {
        Name::Wish(wish) => {
            let name = scope::prefixed(key, Cow::Borrowed(wish));
            match names::is_valid(&name) {
                true => Ok(state.names.reserve(&name)),
                false => Err(BuildErrorKind::InvalidName { name: name.into_owned() }),
            }
        }
        Name::Exact(name) if !names::is_valid(name) => {
            Err(BuildErrorKind::InvalidName { name: name.clone() })
        }
        Name::Exact(name) => {
            let taken = || BuildErrorKind::NameTaken { name: name.clone() };
            state.names.reserve_exact(name).ok_or_else(taken)
        }
    }
}

/// The inputs with the operation's names for them.
fn named_inputs<T: Copy>(
    op: &'static OpDef,
    arguments: &Arguments<T>,
) -> impl Iterator<Item = (String, T)> {
    op.inputs.iter().zip(arguments.iter()).flat_map(|(arg, tensors)| {
        tensors.iter().enumerate().map(move |(i, tensor)| match tensors.len() {
            1 => (arg.name.to_owned(), *tensor),
            _ => (format!("{}[{i}]", arg.name), *tensor),
        })
    })
}

/// Notes with the graphs of the inputs and control inputs, and the lines that created them.
fn graph_notes(
    op: &'static OpDef,
    arguments: &Arguments<TensorRef>,
    controls: &[OperationRef],
) -> Vec<Note> {
    let note = |what: &str, operation: OperationRef| {
        let (Referent::Node(id), key) = (operation.referent(), operation.graph()) else {
            return None;
        };
        let graph = Graph::find(key).ok()?;
        let reader = graph.read();
        let text = format!("{what}`{}`, of {key}", reader.name(id));
        Some(Note::at(text, reader.location(id)))
    };
    let inputs = named_inputs(op, arguments);
    let inputs = inputs.filter_map(|(arg, x)| note(&format!("`{arg}` is "), x.operation()));
    let controls = controls.iter().filter_map(|&control| note("it must run after ", control));
    inputs.chain(controls).collect()
}

/// A note that describes an input and the line that created it, below the error of a call that
/// rejects it.
pub fn input_note(arg: &str, tensor: TensorRef) -> Option<Note> {
    let (graph, id) = (Graph::find(tensor.graph()).ok()?, tensor.id().ok()?);
    let reader = graph.read();
    Some(note_of(reader.state(), arg, id))
}

fn note_of(state: &State, arg: &str, tensor: TensorId) -> Note {
    let fact = &state.dag.node(tensor.node).outputs[tensor.slot as usize];
    let shown = ShownTensor { name: state.names.name(tensor.node), fact };
    Note::at(format!("`{arg}` is {shown}"), state.locations[tensor.node.index()])
}

/// Notes with the lines that created the inputs.
fn input_notes(state: &State, op: &'static OpDef, arguments: &Arguments<TensorId>) -> Vec<Note> {
    named_inputs(op, arguments).map(|(arg, tensor)| note_of(state, &arg, tensor)).collect()
}

/// Records a failed call in the graph of that key, if it is alive.
#[track_caller]
fn record(key: GraphKey, error: BuildError) -> OperationRef {
    match Graph::find(key) {
        Ok(graph) => graph.poison(error),
        Err(_) => orphan(error),
    }
}

/// Records a builder call that failed before it could make a node, and returns the handle to use in
/// its place. The graph is that of the key, or else the default graph.
#[track_caller]
pub fn fail(
    graph: Option<GraphKey>,
    what: impl Into<Cow<'static, str>>,
    kind: impl Into<BuildErrorKind>,
    notes: Vec<Note>,
) -> OperationRef {
    let error =
        BuildError { kind: kind.into(), what: what.into(), location: Location::caller(), notes };
    record(graph.unwrap_or_else(|| registry::default_graph().key()), error)
}
