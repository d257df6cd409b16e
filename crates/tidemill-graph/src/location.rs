use std::cell::Cell;
use std::fmt;
use std::panic;
use std::sync::{PoisonError, RwLock};

use crate::NodeId;

/// The place in the user's source that created a node: in a Rust program, or in another file that
/// the program reads, such as a script.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location(Place);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Place {
    Rust(&'static panic::Location<'static>),
    /// The number of the file.
    File {
        file: u32,
        line: u32,
        column: u32,
    },
}

/// The names of files that are not Rust source. They are few, and live as long as the process.
static FILES: RwLock<Vec<&'static str>> = RwLock::new(Vec::new());

impl Location {
    /// The caller of the builder function. Inside a composite function, this is the caller of that
    /// function; inside a gradient rule, the place that created the node whose gradient is built.
    #[track_caller]
    pub fn caller() -> Self {
        let here = Location(Place::Rust(panic::Location::caller()));
        ORIGIN.get().map_or(here, |origin| origin.location)
    }

    /// A place in a file that is not Rust source. Lines and columns are counted from 1.
    ///
    /// The name of the file is kept until the process ends.
    pub fn in_file(file: &str, line: u32, column: u32) -> Self {
        let mut files = FILES.write().unwrap_or_else(PoisonError::into_inner);
        let number = files.iter().position(|known| *known == file).unwrap_or_else(|| {
            files.push(Box::leak(Box::from(file)));
            files.len() - 1
        });
        Location(Place::File { file: number as u32, line, column })
    }

    /// The path of the source file, as passed to the compiler or to [`in_file`](Location::in_file).
    pub fn file(self) -> &'static str {
        match self.0 {
            Place::Rust(place) => place.file(),
            Place::File { file, .. } => {
                let files = FILES.read().unwrap_or_else(PoisonError::into_inner);
                files.get(file as usize).copied().unwrap_or_default()
            }
        }
    }

    /// The line, counted from 1.
    pub fn line(self) -> u32 {
        match self.0 {
            Place::Rust(place) => place.line(),
            Place::File { line, .. } => line,
        }
    }

    /// The column, counted from 1.
    pub fn column(self) -> u32 {
        match self.0 {
            Place::Rust(place) => place.column(),
            Place::File { column, .. } => column,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file(), self.line(), self.column())
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The attribution of the nodes that a thread adds.
#[derive(Clone, Copy)]
struct Origin {
    location: Location,
    /// The node on whose behalf they are made, if there is one.
    node: Option<NodeId>,
    /// True if they belong to a gradient.
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

/// Calls `build`, and attributes the nodes it makes to the line `location`, and to the node of
/// their graph that was created there.
pub(crate) fn attribute_to<R>(
    node: Option<NodeId>,
    location: Location,
    build: impl FnOnce() -> R,
) -> R {
    with_origin(Origin { location, node, derived: true }, build)
}

/// Calls `build`, and attributes the nodes it makes to their own lines, or to the line of the node
/// in another graph on whose behalf they are made.
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
    let _restore = enter_location(location);
    build()
}

/// [`at_location`], until the result is dropped.
pub(crate) fn enter_location(location: Location) -> Restore {
    enter_origin(ORIGIN.get().unwrap_or(Origin { location, node: None, derived: false }))
}

fn with_origin<R>(origin: Origin, build: impl FnOnce() -> R) -> R {
    let _restore = enter_origin(origin);
    build()
}

fn enter_origin(origin: Origin) -> Restore {
    Restore(ORIGIN.replace(Some(origin)))
}

/// Brings an origin back when it is dropped.
pub(crate) struct Restore(Option<Origin>);

impl Drop for Restore {
    fn drop(&mut self) {
        ORIGIN.set(self.0);
    }
}
