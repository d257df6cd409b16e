//! Builds bodies by calling functions of the host program.

use super::capture::adopt;
use super::open::{Running, TRACES, Trace};
use crate::diagnosis::{BuildErrorKind, Note};
use crate::failed::{elsewhere, fail};
use crate::registry::override_default;
use crate::{
    Fact, Graph, GraphKey, Location, OpError, OperationRef, TensorId, TensorRef, location, scope,
};

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
    let failed = |kind| fail(key, "result", kind, notes());
    match taken.map_err(failed)? {
        Some(tensor) => tensor.id().map_err(|_| tensor.operation()),
        None => Err(failed(elsewhere(result.operation(), key.unwrap_or(GraphKey::NOWHERE)))),
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
        return Err(fail(None, "argument", kind, Vec::new()));
    };
    let argument = trace.argument(fact)?;
    TRACES.with_borrow_mut(|traces| traces.last_mut().map(|last| *last = trace));
    Ok(argument)
}

/// Lists the failed calls of a body in the graph around it, and returns the handle of the last.
fn hand_on_failures(body: &Graph, outer: &Graph) -> Option<OperationRef> {
    let errors = body.check().err()?;
    errors.errors().map(|error| outer.poison(error.clone())).last()
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
