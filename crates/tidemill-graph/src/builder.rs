use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;
use tidemill_value::DType;

use crate::append::{Name, NewNode, Refusal, append, named_inputs};
use crate::arguments::Arguments;
use crate::diagnosis::{BuildError, BuildErrorKind, Note};
use crate::failed::{elsewhere, record};
use crate::node::argument_ranges;
use crate::{
    Arg, Arity, Attr, Body, Graph, GraphKey, InsideBody, Location, Node, NodeId, OpDef,
    OperationRef, PoisonId, Referent, TensorId, TensorRef, body, branch_controls, registry, scope,
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
    /// Nodes that must run before a branch of the node, each with the branch's number.
    branch_controls: Vec<(OperationRef, usize)>,
    attrs: Vec<(Cow<'static, str>, Attr)>,
    graph: Option<GraphKey>,
}

/// The reason that there is no node.
enum Failure {
    /// The call is wrong.
    Cause(Box<BuildErrorKind>, Vec<Note>),
    /// Inputs are poison handles of the graph that the node would have been added to.
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
        self.arguments.push_one(tensor.into());
        self
    }

    /// Adds the next argument, a list of tensors.
    pub fn inputs<T: Into<TensorRef>>(mut self, tensors: impl IntoIterator<Item = T>) -> Self {
        self.arguments.push(tensors.into_iter().map(Into::into));
        self
    }

    /// Adds a node that must run before this one.
    pub fn control(mut self, operation: OperationRef) -> Self {
        self.controls.push(operation);
        self
    }

    /// Adds nodes that must run before a branch of the node. An assertion among these nodes runs only
    /// if the branch is taken, unless another branch or the node itself must also run after it.
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
        body::redirect(key)
    }

    fn try_build(&mut self, key: GraphKey, location: Location) -> Result<NodeId, Failure> {
        if let Some(poison) = self.foreign_poison(key) {
            return Err(Failure::ForeignPoison(poison));
        }
        let graph = Graph::find(key)?;
        scope::with_current(key, |scope| self.controls.extend(scope.controls.iter().copied()));
        self.adopt(key)?;
        let (arguments, mut controls) = self.resolve(&graph)?;
        let of_one_branch = branch_controls::merge(&mut controls, &self.branch_controls);
        let attrs = std::mem::take(&mut self.attrs);
        let new = NewNode { op: self.op, name: &self.name, arguments, controls, attrs };
        let refused = |Refusal { kind, notes }| Failure::Cause(kind, notes);
        let id = append(&graph, new, location).map_err(refused)?;
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
        let mut inputs: SmallVec<[TensorId; 2]> = SmallVec::new();
        for tensor in &self.arguments.inputs {
            if let Ok(id) = tensor.id() {
                inputs.push(id);
            }
        }
        let arguments = self.arguments.with_inputs(inputs);
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

type Resolved = (Arguments<TensorId>, SmallVec<[NodeId; 2]>);

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
        let text = format!("{what}: `{}`, in {key}", reader.name(id));
        Some(Note::at(text, reader.location(id)))
    };
    let inputs = named_inputs(op, arguments);
    let inputs = inputs.filter_map(|(arg, x)| note(&format!("input `{arg}`"), x.operation()));
    let controls = controls.iter().filter_map(|&control| note("control input", control));
    inputs.chain(controls).collect()
}
