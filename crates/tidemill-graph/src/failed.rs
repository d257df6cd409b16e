//! Failed calls: their handles, and where they are recorded.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError};

use crate::body::{Enclosing, InsideBody};
use crate::diagnosis::{BuildError, BuildErrorKind, BuildErrors, Note, PoisonTable};
use crate::registry::{ORPHANS, default_graph};
use crate::{Execution, Graph, GraphKey, Location, NodeId, OperationRef, Referent, TensorId};

/// Records a failed call in the graph of that key, if it is alive.
#[track_caller]
pub(crate) fn record(key: GraphKey, error: BuildError) -> OperationRef {
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
    record(graph.unwrap_or_else(|| default_graph().key()), error)
}

#[track_caller]
#[allow(clippy::panic)] // Strict graphs exist to panic.
pub(crate) fn fail_strictly(error: &BuildError) -> ! {
    panic!("{error}")
}

/// Records a failed call on a handle whose graph is gone.
#[track_caller]
fn orphan(error: BuildError) -> OperationRef {
    if std::env::var_os("TIDEMILL_STRICT").is_some_and(|value| value == "1") {
        fail_strictly(&error);
    }
    let mut orphans = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
    let id = orphans.root_once(error);
    OperationRef::new(GraphKey::NOWHERE, Referent::Poison(id))
}

/// Reports the process's failed builder calls whose graph no longer exists; if a line fails
/// repeatedly, only the first call.
///
/// # Errors
/// The calls.
pub fn check_orphans() -> Result<(), BuildErrors> {
    let orphans = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
    BuildErrors::check(orphans.all_roots())
}

/// The root causes behind the handle of a failed call, and the calls from it down to the first of
/// them. Empty for other handles.
pub fn diagnose(operation: OperationRef) -> (Vec<Arc<BuildError>>, Vec<String>) {
    let Referent::Poison(id) = operation.referent() else { return Default::default() };
    let report = |table: &PoisonTable| {
        (table.roots([id]), table.path(id).into_iter().map(str::to_owned).collect())
    };
    if operation.graph() == GraphKey::NOWHERE {
        return report(&ORPHANS.lock().unwrap_or_else(PoisonError::into_inner));
    }
    Graph::find(operation.graph()).map(|graph| report(graph.read().poison())).unwrap_or_default()
}

impl Note {
    /// A remark that says where an operation was created; `None` for the handle of a failed call.
    pub fn made_here(operation: OperationRef) -> Option<Self> {
        let Referent::Node(id) = operation.referent() else { return None };
        let graph = Graph::find(operation.graph()).ok()?;
        let reader = graph.read();
        Some(Note::at(format!("`{}` was made here", reader.name(id)), reader.location(id)))
    }
}

/// The error of an operation that is not in `graph`: it is inside a body, or in another graph.
pub fn elsewhere(operation: OperationRef, graph: GraphKey) -> BuildErrorKind {
    match InsideBody::of(operation, graph) {
        Some(inside) => BuildErrorKind::InsideBody(Box::new(inside)),
        None => BuildErrorKind::ForeignGraph { left: graph, right: operation.graph() },
    }
}

impl InsideBody {
    /// The place of a node, if it is inside a body of a graph or of an enclosing graph.
    pub fn of(operation: OperationRef, outside: GraphKey) -> Option<InsideBody> {
        let Referent::Node(id) = operation.referent() else { return None };
        let graph = Graph::find(operation.graph()).ok()?;
        let around: Vec<GraphKey> =
            std::iter::successors(Some(outside), |&key| Some(around(key)?.0)).collect();
        let mut inside = InsideBody {
            name: graph.read().name(id).to_owned(),
            within: Vec::new(),
            outputs: Vec::new(),
        };
        let mut key = operation.graph();
        while let Some((outer, call)) = self::around(key) {
            match call {
                Some(call) => inside.enter(key, outer, call)?,
                // Nothing inside this body is available yet.
                None => inside.within.clear(),
            }
            if around.contains(&outer) {
                return Some(inside);
            }
            key = outer;
        }
        None
    }

    fn enter(&mut self, body: GraphKey, outer: GraphKey, call: NodeId) -> Option<()> {
        let graph = Graph::find(outer).ok()?;
        let reader = graph.read();
        let node = reader.node(call);
        let body = node.bodies().find(|candidate| candidate.graph().key() == body)?;
        self.within.push(Enclosing {
            body: body.name().to_owned(),
            call: reader.name(call).to_owned(),
            is_loop: node.op.execution == Execution::Loop,
            location: reader.location(call),
        });
        let slots = 0..node.outputs.len() as u32;
        self.outputs = slots.map(|slot| reader.tensor_name(TensorId::new(call, slot))).collect();
        Some(())
    }
}

/// The graph around a body's graph, and the node that runs the body.
fn around(key: GraphKey) -> Option<(GraphKey, Option<NodeId>)> {
    Graph::find(key).ok()?.read().state().within
}
