//! Adds nodes to graphs.

use std::borrow::Cow;

use smallvec::SmallVec;
use tidemill_value::{ByteString, PartialShape};

use crate::all_or_nothing::count_added;
use crate::arguments::Arguments;
use crate::bind::{self, Bound};
use crate::diagnosis::{BuildErrorKind, Note};
use crate::location::current_origin;
use crate::model::State;
use crate::names::{self, Reserved};
use crate::variable::SharedName;
use crate::{
    Access, Attr, Execution, Fact, Graph, GraphKey, Location, Node, NodeId, NodeView, OpDef, Role,
    ShownTensor, TensorId, TensorRef, opaque, scope,
};

/// The name that a node is to have.
pub(crate) enum Name {
    /// Made unique, in the current name scope.
    Wish(Cow<'static, str>),
    /// Exactly this one, whatever the current scope.
    Exact(String),
}

/// A node to add to a graph.
pub(crate) struct NewNode<'a> {
    pub(crate) op: &'static OpDef,
    pub(crate) name: &'a Name,
    pub(crate) arguments: Arguments<TensorId>,
    pub(crate) controls: SmallVec<[NodeId; 2]>,
    pub(crate) attrs: Vec<(Cow<'static, str>, Attr)>,
}

/// Why a node was not added.
pub(crate) struct Refusal {
    pub(crate) kind: Box<BuildErrorKind>,
    pub(crate) notes: Vec<Note>,
}

impl From<BuildErrorKind> for Refusal {
    fn from(kind: BuildErrorKind) -> Self {
        Refusal { kind: kind.into(), notes: Vec::new() }
    }
}

/// Adds a node to a graph, if its inputs and attributes fit.
// A call would copy the node a few times.
#[inline]
pub(crate) fn append(
    graph: &Graph,
    new: NewNode<'_>,
    location: Location,
) -> Result<NodeId, Refusal> {
    let NewNode { op, name, mut arguments, controls, attrs } = new;
    let (bound, facts) = {
        let reader = graph.read();
        let state = reader.state();
        for input in &mut arguments.inputs {
            input.node = state.variables.shared(input.node);
        }
        if !state.stand_ins.is_empty() && current_origin().is_none() {
            take_stand_ins(state, op, &mut arguments);
        }
        let facts = facts_of(state, op, &arguments)?;
        check_targets(state, op, &arguments)?;
        let bound = bind::bind(op, &arguments, &facts, attrs);
        let explain = |kind: BuildErrorKind| {
            let help = kind.help().map(Note::new);
            let notes = input_notes(state, op, &arguments).into_iter().chain(help);
            Refusal { kind: Box::new(kind), notes: notes.collect() }
        };
        (bound.map_err(explain)?, facts)
    };
    let outputs = infer_outputs(op, &bound, &facts).map_err(|kind| {
        let notes = input_notes(graph.read().state(), op, &arguments);
        Refusal { kind: kind.into(), notes }
    })?;
    let node = Node {
        op,
        attrs: bound.attrs,
        inputs: arguments.inputs,
        control_inputs: controls,
        outputs,
    };
    Ok(push(graph, node, name, location)?)
}

/// Replaces inputs that are read as values by their stand-ins.
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
    let mut facts: SmallVec<[Fact; 2]> = SmallVec::new();
    for &TensorId { node, slot } in &arguments.inputs {
        let Node { op, outputs, .. } = state.dag.node(node);
        let missing = || BuildErrorKind::NoOutput { op: op.name, slot, outputs: outputs.len() };
        facts.push(outputs.get(slot as usize).ok_or_else(missing)?.clone());
    }
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

/// Checks that every input to be written names a variable.
fn check_targets(
    state: &State,
    op: &'static OpDef,
    arguments: &Arguments<TensorId>,
) -> Result<(), BuildErrorKind> {
    if op.inputs.iter().all(|arg| arg.access == Access::Read) {
        return Ok(());
    }
    for (arg, tensors) in op.inputs.iter().zip(arguments.iter()) {
        let is_variable = |tensor: &TensorId| state.variable_of(*tensor).is_some();
        if arg.access != Access::Read && !tensors.iter().all(is_variable) {
            return Err(BuildErrorKind::NotAVariable { input: arg.name });
        }
    }
    Ok(())
}

/// Infers the facts of a node's outputs.
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
    let is_untyped = |i| op.execution == Execution::Opaque && opaque::is_untyped(&bound.attrs, i);
    let facts = bound.output_types.iter().zip(inferred).enumerate();
    Ok(facts
        .map(|(i, (&(dtype, role), inferred))| {
            let role = match i {
                _ if is_variable(i) => inputs[i].role,
                _ if is_untyped(i) => Role::Unknown,
                _ => role,
            };
            inferred.into_fact(dtype, role)
        })
        .collect())
}

fn push(
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
    let id = state.push(node);
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

/// The shared name of a variable's node. Its type and shape must agree with those of the first node of
/// that name.
fn find_shared(state: &State, node: &Node) -> Result<Option<SharedName>, BuildErrorKind> {
    let Some(name) = shared_name(node) else { return Ok(None) };
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

/// The shared name of a node, if it names a variable that it may share.
fn shared_name(node: &Node) -> Option<SharedName> {
    if node.op.execution != Execution::Variable {
        return None;
    }
    let attr = |name: &str| match node.attrs.get(name) {
        Some(Attr::Str(text)) => text.clone(),
        _ => ByteString::default(),
    };
    let (container, name) = (attr("container"), attr("shared_name"));
    let is_shared = node.op.shares_unnamed || !name.is_empty();
    is_shared.then_some(SharedName { op: node.op.name, container, name })
}

/// The inputs, each with the name of its argument.
pub(crate) fn named_inputs<T: Copy>(
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

/// A note below the error of a call that rejects an input: its type and shape, and where it was made.
pub fn input_note(arg: &str, tensor: TensorRef) -> Option<Note> {
    let (graph, id) = (Graph::find(tensor.graph()).ok()?, tensor.id().ok()?);
    let reader = graph.read();
    Some(note_of(reader.state(), arg, id))
}

fn note_of(state: &State, arg: &str, tensor: TensorId) -> Note {
    let fact = &state.dag.node(tensor.node).outputs[tensor.slot as usize];
    let shown = ShownTensor { name: state.names.name(tensor.node), fact };
    Note::at(format!("input `{arg}`: {shown}"), state.locations[tensor.node.index()])
}

/// Notes that say where the inputs were made.
fn input_notes(state: &State, op: &'static OpDef, arguments: &Arguments<TensorId>) -> Vec<Note> {
    named_inputs(op, arguments).map(|(arg, tensor)| note_of(state, &arg, tensor)).collect()
}
