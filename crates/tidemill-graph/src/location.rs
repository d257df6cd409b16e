use std::cell::Cell;
use std::fmt;
use std::panic;

use crate::NodeId;

/// The place in the user's source that created a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location(&'static panic::Location<'static>);

impl Location {
    /// The caller of the builder function. Inside a composite function, this is the caller of that
    /// function; inside a gradient rule, the place that created the node whose gradient is built.
    #[track_caller]
    pub fn caller() -> Self {
        let here = Location(panic::Location::caller());
        ORIGIN.get().map_or(here, |origin| origin.location)
    }

    /// The path of the source file, as passed to the compiler.
    pub fn file(self) -> &'static str {
        self.0.file()
    }

    /// The line, counted from 1.
    pub fn line(self) -> u32 {
        self.0.line()
    }

    /// The column, counted from 1.
    pub fn column(self) -> u32 {
        self.0.column()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the nodes that a thread adds are attributed to.
#[derive(Clone, Copy)]
struct Origin {
    location: Location,
    /// The node on whose behalf they are made, if there is one.
    node: Option<NodeId>,
    /// Whether they are those of a gradient.
    derived: bool,
}

thread_local! {
    static ORIGIN: Cell<Option<Origin>> = const { Cell::new(None) };
}

/// The node on whose behalf this thread makes others.
pub(crate) fn current_origin() -> Option<NodeId> {
    ORIGIN.get().and_then(|origin| origin.node)
}

/// Whether the nodes that this thread adds belong to a gradient. In a gradient, nodes that need
/// only the shape of a tensor do not take its value, so that running the gradient does not compute
/// the tensor.
pub fn in_gradient() -> bool {
    ORIGIN.get().is_some_and(|origin| origin.derived)
}

/// Calls `build`; the nodes it adds have the line `location` and belong to a gradient.
pub fn derived<R>(location: Location, build: impl FnOnce() -> R) -> R {
    with_origin(Origin { location, node: None, derived: true }, build)
}

/// Calls `build`, and attributes the nodes it makes to the line `location`, and to the node of their
/// graph that it made.
pub(crate) fn attribute_to<R>(
    node: Option<NodeId>,
    location: Location,
    build: impl FnOnce() -> R,
) -> R {
    with_origin(Origin { location, node, derived: true }, build)
}

/// Calls `build`, and attributes the nodes it makes to their own lines, or to the line of the node
/// that they are made on behalf of, which is of another graph.
pub(crate) fn detached<R>(build: impl FnOnce() -> R) -> R {
    match ORIGIN.get() {
        Some(origin @ Origin { node: Some(_), .. }) => {
            with_origin(Origin { node: None, ..origin }, build)
        }
        _ => build(),
    }
}

/// Calls `build`; the nodes it adds have the line `location`. A composite function uses this to
/// give its nodes the line of its caller.
pub fn at_location<R>(location: Location, build: impl FnOnce() -> R) -> R {
    with_origin(ORIGIN.get().unwrap_or(Origin { location, node: None, derived: false }), build)
}

fn with_origin<R>(origin: Origin, build: impl FnOnce() -> R) -> R {
    struct Restore(Option<Origin>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ORIGIN.set(self.0);
        }
    }
    let _restore = Restore(ORIGIN.replace(Some(origin)));
    build()
}
