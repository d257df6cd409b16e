//! Tensors of the graphs around a body, and the parameters that stand for them in it.

use std::borrow::Cow;

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::open::{Capture, TRACES, Trace};
use super::{HANDLE_PARAMETER, PARAMETER, REF_PARAMETER};
use crate::append::{Name, NewNode, append};
use crate::arguments::Arguments;
use crate::diagnosis::BuildErrorKind;
use crate::failed::fail;
use crate::{
    Attr, Body, Effect, Execution, Fact, Graph, GraphKey, GraphReader, Location, Node, NodeId,
    OpDef, OperationRef, ParameterKind, Referent, Role, Root, TensorId, TensorRef, absolute_scope,
    location,
};

/// The tensor of the innermost body, whose graph is `key`, that stands for a tensor of a graph around
/// it; `None` for tensors of other graphs.
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
        // Adding nodes looks up the bodies under construction, so a copy is changed and put back.
        let Some(mut trace) = TRACES.with_borrow(|traces| traces.get(level).cloned()) else {
            break;
        };
        let around = TRACES.with_borrow(|traces| level.checked_sub(1).map(|i| traces[i].clone()));
        id = trace.capture(id, around.as_ref())?;
        TRACES.with_borrow_mut(|traces| traces[level] = trace);
    }
    Ok(Some(TensorRef::new(key, id)))
}

impl Trace {
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

    pub(super) fn argument(&mut self, fact: &Fact) -> Result<TensorRef, OperationRef> {
        let node = parameter(&self.graph, "arg", fact)
            .map_err(|kind| fail(Some(self.graph.key()), "parameter", kind, Vec::new()))?;
        let kind = match fact.role {
            // A parameter of unknown type is refused.
            Role::Value | Role::Unknown => ParameterKind::Value,
            Role::Ref | Role::Handle => {
                ParameterKind::Variable(Root { graph: self.graph.key(), node })
            }
        };
        self.arguments.push((node, kind));
        Ok(TensorRef::new(self.graph.key(), TensorId::new(node, 0)))
    }

    /// The tensor that stands for a tensor of the graph around the body. `around` is the trace of that
    /// graph, if it is a body's itself.
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
        // Gradients do not reach a copy, so floats are captured.
        if node.op.execution == Execution::Constant && !fact.is_differentiable() {
            let attrs = node.attrs.iter();
            let attrs = attrs.map(|(name, attr)| (Cow::Owned(name.to_owned()), attr.clone()));
            let attrs = attrs.collect();
            let copy = location::at_location(at, || add(&self.graph, node.op, &name, attrs))?;
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
        Role::Unknown => return Err(BuildErrorKind::UnknownType { input: "body" }),
    };
    let mut attrs: Vec<(Cow<'static, str>, Attr)> =
        vec![("T".into(), fact.dtype.into()), ("shape".into(), fact.shape.clone().into())];
    if let Some(list) = &fact.list {
        attrs.push(("list_dtype".into(), list.dtype.into()));
        attrs.push(("list_shape".into(), list.shape.clone().into()));
    }
    add(graph, op, name, attrs)
}

/// Adds a node without inputs to the graph of a body, outside of all scopes.
fn add(
    graph: &Graph,
    op: &'static OpDef,
    name: &str,
    attrs: Vec<(Cow<'static, str>, Attr)>,
) -> Result<NodeId, BuildErrorKind> {
    let name = Name::Wish(Cow::Owned(name.to_owned()));
    let (arguments, controls) = (Arguments::new(), SmallVec::new());
    let new = NewNode { op, name: &name, arguments, controls, attrs };
    let location = Location::caller();
    let added = absolute_scope(graph.key(), "", || append(graph, new, location));
    added.map_err(|refusal| *refusal.kind)
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
