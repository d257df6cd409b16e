//! Builds bodies by calling functions of the host program, and finds the tensors that they capture.

use std::cell::RefCell;

use rustc_hash::FxHashSet;

use super::{HANDLE_PARAMETER, PARAMETER, REF_PARAMETER};
use crate::diagnosis::{BuildErrorKind, Note};
use crate::registry::{self, override_default};
use crate::{
    Body, Effect, Execution, Fact, Graph, GraphKey, GraphReader, Location, Node, NodeBuilder,
    NodeId, OpError, OperationRef, ParameterKind, Referent, Role, Root, TensorId, TensorRef,
    absolute_scope, elsewhere, location, scope, without_control_dependencies,
};

/// A body under construction: its graph, and the parameters that stand for tensors of the graph
/// around it.
#[derive(Clone, Debug)]
pub struct Trace {
    graph: Graph,
    outer: GraphKey,
    /// The requested parameters.
    arguments: Vec<(NodeId, ParameterKind)>,
    captures: Vec<Capture>,
    /// Constants of the graph around it that have no gradient, and their copies.
    constants: Vec<(TensorId, TensorId)>,
    /// The nodes of the enclosing graph that nodes inside must run after.
    controls: Vec<NodeId>,
    results: Vec<TensorId>,
}

/// A tensor of the graph around a body, and the parameter that stands for it.
#[derive(Clone, Copy, Debug)]
struct Capture {
    outer: TensorId,
    node: NodeId,
    kind: ParameterKind,
}

thread_local! {
    /// The bodies that this thread is building, the innermost last.
    static TRACES: RefCell<Vec<Trace>> = const { RefCell::new(Vec::new()) };
}

/// Calls `build` with parameters that have these facts, and makes a body of the nodes it builds.
/// Tensors that it captures from enclosing graphs become parameters as well; it may also return
/// captured tensors. `location` is the line that asked for the body.
///
/// # Errors
/// The handle of a failed call of the graph around it, if a call failed.
pub fn trace(
    outer: &Graph,
    location: Location,
    arguments: &[Fact],
    build: impl FnOnce(&[TensorRef]) -> Vec<TensorRef>,
) -> Result<Trace, OperationRef> {
    let mut trace = Trace::new(&outer.new_within());
    let key = trace.graph.key();
    let handles = location::at_location(location, || {
        arguments.iter().map(|fact| trace.argument(fact)).collect::<Result<Vec<_>, _>>()
    });
    let handles =
        handles.map_err(|failed| hand_on_failures(&trace.graph, outer).unwrap_or(failed))?;
    let graph = trace.graph.clone();
    let _default = override_default(graph.clone());
    let running = Running::enter(trace);
    let results = location::detached(|| {
        scope::within_body(outer.key(), key, || {
            let results = build(&handles);
            location::at_location(location, || {
                results.into_iter().map(result_in_body).collect::<Result<Vec<_>, _>>()
            })
        })
    });
    let mut trace = running.leave();
    if let Some(failed) = hand_on_failures(&graph, outer) {
        return Err(failed);
    }
    trace.results = results?;
    Ok(trace)
}

/// A result as a tensor of the innermost body; it may be the result of something outside.
fn result_in_body(result: TensorRef) -> Result<TensorId, OperationRef> {
    let key = TRACES.with_borrow(|traces| traces.last().map(|trace| trace.graph.key()));
    let taken = match key {
        Some(key) if key != result.graph() => adopt(key, result),
        _ => Ok(Some(result)),
    };
    let notes = || Note::made_here(result.operation()).into_iter().collect();
    let fail = |kind| crate::fail(key, "result", kind, notes());
    match taken.map_err(fail)? {
        Some(tensor) => tensor.id().map_err(|_| tensor.operation()),
        None => Err(fail(elsewhere(result.operation(), key.unwrap_or(GraphKey::NOWHERE)))),
    }
}

/// Adds a parameter with this fact to the innermost body being built. The body takes it after its
/// arguments so far, and before the tensors that it captures.
///
/// # Errors
/// An invalid handle, if no body is being built.
pub fn add_argument(fact: &Fact) -> Result<TensorRef, OperationRef> {
    let innermost = TRACES.with_borrow(|traces| traces.last().cloned());
    let Some(mut trace) = innermost else {
        let kind = BuildErrorKind::Op(OpError::invalid("no body is being built".to_owned()));
        return Err(crate::fail(None, "argument", kind, Vec::new()));
    };
    let argument = trace.argument(fact)?;
    TRACES.with_borrow_mut(|traces| traces.last_mut().map(|last| *last = trace));
    Ok(argument)
}

/// Ends a body that is being built, even if building it panics.
struct Running {
    depth: usize,
}

impl Running {
    fn enter(trace: Trace) -> Running {
        TRACES.with_borrow_mut(|traces| {
            traces.push(trace);
            Running { depth: traces.len() }
        })
    }

    fn leave(self) -> Trace {
        TRACES.with_borrow_mut(|traces| traces.swap_remove(self.depth - 1))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        TRACES.with_borrow_mut(|traces| traces.truncate(self.depth - 1));
    }
}

/// Lists the failed calls of a body in the graph around it, and returns the handle of the last.
fn hand_on_failures(body: &Graph, outer: &Graph) -> Option<OperationRef> {
    let errors = body.check().err()?;
    errors.errors().map(|error| outer.poison(error.clone())).last()
}

/// The graph for a node next to tensors of the graph `key`: if that is around the body being built,
/// or is another body, the graph of the body being built.
pub(crate) fn redirect(key: GraphKey) -> GraphKey {
    TRACES.with_borrow(|traces| match traces.last() {
        Some(last) if traces.iter().any(|trace| trace.outer == key) => last.graph.key(),
        Some(last)
            if last.graph.key() != key
                && registry::default_graph().key() == last.graph.key()
                && is_of_body(key) =>
        {
            last.graph.key()
        }
        _ => key,
    })
}

/// True if a graph is that of a body.
fn is_of_body(key: GraphKey) -> bool {
    Graph::find(key).is_ok_and(|graph| graph.read().state().within.is_some())
}

/// The tensor of the innermost body, of the graph `key`, that stands for a tensor of a graph around
/// it; `None` if that belongs to another graph.
///
/// # Errors
/// [`BuildErrorKind::CapturedEffect`].
pub(crate) fn adopt(key: GraphKey, tensor: TensorRef) -> Result<Option<TensorRef>, BuildErrorKind> {
    let levels: Vec<(usize, Graph)> = TRACES.with_borrow(|traces| {
        let is_innermost = traces.last().is_some_and(|trace| trace.graph.key() == key);
        let outermost = traces.iter().position(|trace| trace.outer == tensor.graph());
        let levels = outermost.filter(|_| is_innermost).map(|first| first..traces.len());
        levels.into_iter().flatten().map(|level| (level, traces[level].graph.clone())).collect()
    });
    if levels.is_empty() {
        return Ok(None);
    }
    let Ok(mut id) = tensor.id() else { return Ok(Some(tensor)) };
    for (level, _) in levels {
        // A copy is changed and put back, because building looks at the bodies being built.
        let Some(mut trace) = TRACES.with_borrow(|traces| traces.get(level).cloned()) else {
            break;
        };
        let around = TRACES.with_borrow(|traces| level.checked_sub(1).map(|i| traces[i].clone()));
        id = trace.capture(id, around.as_ref())?;
        TRACES.with_borrow_mut(|traces| traces[level] = trace);
    }
    Ok(Some(TensorRef::new(key, id)))
}

/// Calls `build` outside the bodies being built, in the graph around all of them, where variables
/// are created.
pub fn outside<R>(build: impl FnOnce() -> R) -> R {
    let root = TRACES.with_borrow(|traces| traces.first().map(|trace| trace.outer));
    match root.and_then(|root| Graph::find(root).ok()) {
        Some(root) => beside(&root, build),
        None => build(),
    }
}

/// Calls `build` in `graph`, outside the bodies being built inside it. Without any, it just calls
/// `build`.
pub fn beside<R>(graph: &Graph, build: impl FnOnce() -> R) -> R {
    struct Restore(Vec<Trace>);
    impl Drop for Restore {
        fn drop(&mut self) {
            TRACES.with_borrow_mut(|traces| traces.append(&mut self.0));
        }
    }
    let inside = TRACES.with_borrow_mut(|traces| {
        let first = traces.iter().position(|trace| trace.outer == graph.key());
        first.map(|first| traces.split_off(first))
    });
    let Some(inside) = inside else { return build() };
    let inside = Restore(inside);
    let innermost = inside.0.last().map_or(graph.key(), |trace| trace.graph.key());
    let _default = override_default(graph.clone());
    scope::beside_body(graph.key(), innermost, build)
}

/// A graph that encloses a body being built, or that body itself, and the tensors that the graph
/// inside it captures.
#[derive(Clone, Debug)]
pub struct Enclosure {
    /// The graph.
    pub graph: Graph,
    /// Its tensors that the body inside captures, each with the parameter that stands for it
    /// there.
    pub captured: Vec<(TensorId, TensorId)>,
}

/// A graph and those that enclose it, from the inside out: more than one if `graph` is that of a
/// body being built.
pub fn enclosures(graph: &Graph) -> Vec<Enclosure> {
    let mut enclosures = vec![Enclosure { graph: graph.clone(), captured: Vec::new() }];
    TRACES.with_borrow(|traces| {
        let innermost = traces.iter().rposition(|trace| trace.graph.key() == graph.key());
        for trace in innermost.map_or(&[][..], |last| &traces[..=last]).iter().rev() {
            let Ok(graph) = Graph::find(trace.outer) else { break };
            let captures = trace.captures.iter();
            let captured = captures.map(|c| (c.outer, TensorId::new(c.node, 0))).collect();
            enclosures.push(Enclosure { graph, captured });
        }
    });
    enclosures
}

/// The graph of the innermost body being built, if there is one and `graph` is around it.
pub fn innermost(graph: &Graph) -> Graph {
    Graph::find(redirect(graph.key())).unwrap_or_else(|_| graph.clone())
}

impl Trace {
    fn new((graph, outer): &(Graph, GraphKey)) -> Trace {
        Trace {
            graph: graph.clone(),
            outer: *outer,
            arguments: Vec::new(),
            captures: Vec::new(),
            constants: Vec::new(),
            controls: Vec::new(),
            results: Vec::new(),
        }
    }

    /// Its graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The tensors of the graph around it that it captures, apart from its arguments.
    pub fn captured(&self) -> impl Iterator<Item = TensorRef> {
        self.captures.iter().map(|capture| TensorRef::new(self.outer, capture.outer))
    }

    /// The nodes of the enclosing graph that the node that runs the body must run after.
    pub fn controls(&self) -> impl Iterator<Item = OperationRef> {
        self.controls.iter().map(|&id| OperationRef::new(self.outer, Referent::Node(id)))
    }

    /// Its results.
    pub fn results(&self) -> &[TensorId] {
        &self.results
    }

    /// The body. It takes its arguments and then these tensors of the graph around it; it returns
    /// its results and, if it runs repeatedly, the captured tensors.
    ///
    /// # Errors
    /// [`BuildErrorKind::CapturedEffect`].
    pub fn finish(
        mut self,
        name: &str,
        captured: &[TensorRef],
        repeats: bool,
    ) -> Result<Body, Box<BuildErrorKind>> {
        let mut parameters = self.arguments.clone();
        for id in captured.iter().filter_map(|tensor| tensor.id().ok()) {
            self.capture(id, None)?;
            let capture = self.captures.iter().find(|capture| capture.outer == id);
            parameters.extend(capture.map(|capture| (capture.node, capture.kind)));
        }
        let mut results = self.results;
        if repeats {
            let passed = parameters.iter().skip(self.arguments.len());
            results.extend(passed.map(|(node, _)| TensorId::new(*node, 0)));
        }
        Ok(Body::new(name.to_owned(), self.graph, parameters, results))
    }

    fn argument(&mut self, fact: &Fact) -> Result<TensorRef, OperationRef> {
        let node = parameter(&self.graph, "arg", fact)
            .map_err(|kind| crate::fail(Some(self.graph.key()), "parameter", kind, Vec::new()))?;
        let kind = match fact.role {
            Role::Value => ParameterKind::Value,
            Role::Ref | Role::Handle => {
                ParameterKind::Variable(Root { graph: self.graph.key(), node })
            }
        };
        self.arguments.push((node, kind));
        Ok(TensorRef::new(self.graph.key(), TensorId::new(node, 0)))
    }

    /// The tensor that stands for a tensor of the graph around it. `around` is that graph, if it is
    /// a body itself.
    fn capture(
        &mut self,
        outer: TensorId,
        around: Option<&Trace>,
    ) -> Result<TensorId, BuildErrorKind> {
        if let Some(capture) = self.captures.iter().find(|capture| capture.outer == outer) {
            return Ok(TensorId::new(capture.node, 0));
        }
        if let Some((_, copy)) = self.constants.iter().find(|(constant, _)| *constant == outer) {
            return Ok(*copy);
        }
        let graph = Graph::find(self.outer)?;
        let (node, name, at) = {
            let reader = graph.read();
            let (id, node) = (outer.node, reader.node(outer.node).clone());
            (node, reader.name(id).to_owned(), reader.location(id))
        };
        if acts(&node) {
            return Err(BuildErrorKind::CapturedEffect { name, op: node.op.name, at });
        }
        let fact = &node.outputs[outer.slot as usize];
        // Gradients could not reach a copy of a float.
        if node.op.execution == Execution::Constant && !fact.is_differentiable() {
            let copy = NodeBuilder::like(&node, &[]).name(name);
            let copy = location::at_location(at, || add(&self.graph, copy))?;
            let copy = TensorId::new(copy, outer.slot);
            self.constants.push((outer, copy));
            return Ok(copy);
        }
        let kind = kind_of(&graph.read(), outer, fact, around);
        let node = location::at_location(at, || parameter(&self.graph, &name, fact))?;
        let variable = graph.read().variable_of(outer);
        if variable.is_some_and(|variable| graph.read().is_reshaped(variable)) {
            self.graph.note_reshaped(node);
        }
        self.captures.push(Capture { outer, node, kind });
        Ok(TensorId::new(node, 0))
    }
}

/// Adds a parameter with this fact to the graph of a body.
///
/// # Errors
/// [`BuildErrorKind`] if the graph takes no more nodes.
pub fn parameter(graph: &Graph, name: &str, fact: &Fact) -> Result<NodeId, BuildErrorKind> {
    let op = match fact.role {
        Role::Value => &PARAMETER,
        Role::Ref => &REF_PARAMETER,
        Role::Handle => &HANDLE_PARAMETER,
    };
    let node = NodeBuilder::new(op).attr("T", fact.dtype).attr("shape", fact.shape.clone());
    let node = match &fact.list {
        Some(list) => node.attr("list_dtype", list.dtype).attr("list_shape", list.shape.clone()),
        None => node,
    };
    add(graph, node.name(name.to_owned()))
}

fn add(graph: &Graph, node: NodeBuilder) -> Result<NodeId, BuildErrorKind> {
    let key = graph.key();
    absolute_scope(key, "", || {
        without_control_dependencies(key, || node.within(key).try_node(Location::caller()))
    })
}

/// The kind of the parameter that stands for a tensor.
fn kind_of(
    graph: &GraphReader<'_>,
    tensor: TensorId,
    fact: &Fact,
    around: Option<&Trace>,
) -> ParameterKind {
    let mut known = around.into_iter().flat_map(|trace| {
        let captures = trace.captures.iter().map(|capture| (capture.node, capture.kind));
        trace.arguments.iter().copied().chain(captures)
    });
    let mut parameter = |node| known.find(|(known, _)| *known == node).map(|(_, kind)| kind);
    if fact.role != Role::Value {
        let node = graph.variable_of(tensor).unwrap_or(tensor.node);
        return parameter(node)
            .unwrap_or(ParameterKind::Variable(Root { graph: graph.key(), node }));
    }
    let read = graph.node(tensor.node).inputs.first().and_then(|&input| graph.variable_of(input));
    match read {
        Some(node) if graph.variable(node).is_some_and(|record| record.read == tensor) => {
            ParameterKind::Read(Root { graph: graph.key(), node })
        }
        _ => parameter(tensor.node).unwrap_or(ParameterKind::Value),
    }
}

/// True if a node does more than compute or check values.
fn acts(node: &Node) -> bool {
    node.op.execution == Execution::Write
        || matches!(node.op.effect, Effect::Print | Effect::Host)
        || node.bodies().any(|body| !body.effects().is_empty())
}

/// True if a control edge stays inside the graph `key`. An edge from an enclosing graph into the body
/// being built does not: the trace records that the node that runs the body must run after `control`.
///
/// # Errors
/// [`BuildErrorKind::CapturedEffect`] if `control` is outside and has an effect, or groups nodes that do.
pub(crate) fn is_control_inside(
    key: GraphKey,
    control: OperationRef,
) -> Result<bool, BuildErrorKind> {
    let Referent::Node(id) = control.referent() else { return Ok(true) };
    let crossed = TRACES.with_borrow(|traces| {
        let is_innermost = traces.last().is_some_and(|trace| trace.graph.key() == key);
        let crossed = traces.iter().position(|trace| trace.outer == control.graph());
        crossed.filter(|_| is_innermost)
    });
    let Some(crossed) = crossed else { return Ok(true) };
    let graph = Graph::find(control.graph())?;
    let reader = graph.read();
    if let Some(effect) = effect_behind(&reader, id) {
        let (name, op) = (reader.name(effect).to_owned(), reader.node(effect).op.name);
        return Err(BuildErrorKind::CapturedEffect { name, op, at: reader.location(effect) });
    }
    TRACES.with_borrow_mut(|traces| {
        let controls = &mut traces[crossed].controls;
        if !controls.contains(&id) {
            controls.push(id);
        }
    });
    Ok(false)
}

/// The node itself if it has an effect, or the first such node that it only groups.
fn effect_behind(graph: &GraphReader<'_>, id: NodeId) -> Option<NodeId> {
    let mut seen = FxHashSet::default();
    let mut pending = vec![id];
    while let Some(id) = pending.pop() {
        let node = graph.node(id);
        if acts(node) {
            return Some(id);
        }
        if node.op.is_pure() && node.outputs.is_empty() {
            pending.extend(node.control_inputs.iter().rev().filter(|&&id| seen.insert(id)));
        }
    }
    None
}
