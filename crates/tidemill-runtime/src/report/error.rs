use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidemill_graph::{
    BuildError, BuildErrorKind, Fact, GraphKey, InsideBody, KernelError, Location, OpError,
    ShownTensor, ShownWay,
};
use tidemill_ops::LookupError;
use tidemill_value::{DType, PartialShape, Shape, ValueError};

use crate::report::numerics::NonFinite;

/// Why a run failed. A run that fails changes no variable.
///
/// It prints as a report: the error, the line that created the node in question, the chain of nodes
/// from the fetch to it, and a remedy.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Placeholders that the run needs were not fed.
    #[error("{}", Blocks(.0))]
    Unfed(Vec<UnfedPlaceholder>),
    /// Variables that the run would read have no value.
    #[error("{}", Blocks(.0))]
    Uninitialized(Vec<NullVariable>),
    /// The run needs nodes that could not be built.
    #[error("{}", report_invalid(path, causes))]
    Invalid {
        /// The calls from the handle that was fetched or fed down to the first that failed.
        path: Vec<String>,
        /// The calls that failed.
        causes: Vec<Arc<BuildError>>,
    },
    /// A fed value does not fit its tensor.
    #[error("{0}")]
    Feed(Box<FeedError>),
    /// A name is not known.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// A handle belongs to another graph than the session's.
    #[error(
        "`{}` is in {actual}, but the session runs {expected}{}\n  --> {}\n  help: make a session \
         for its graph, as in Session::with_graph(&graph)",
        site.name,
        if *is_empty { ", which is empty" } else { "" },
        site.location
    )]
    ForeignGraph {
        /// The name of the fetch or feed.
        site: Site,
        /// The graph that it belongs to.
        actual: GraphKey,
        /// The graph of the session.
        expected: GraphKey,
        /// True if that graph has no operations.
        is_empty: bool,
    },
    /// A value is fed for a name that no tensor has.
    #[error("there is no tensor `{name}` to feed{}", feed_hint(near, placeholders))]
    FeedName {
        /// The name.
        name: String,
        /// The most similar name of an operation.
        near: Option<String>,
        /// The names of the placeholders.
        placeholders: Vec<String>,
    },
    /// The fetched or fed tensor is inside a branch or a loop.
    #[error("{0}")]
    InsideBody(Box<InsideBody>),
    /// The graph of a handle no longer exists: the default graph was reset, or the graph was
    /// dropped.
    #[error("{0}")]
    GraphGone(Box<BuildErrorKind>),
    /// A kernel failed.
    #[error("{0}")]
    Kernel(Box<FailedNode<KernelError>>),
    /// A node has no kernel.
    #[error("{0}")]
    NoKernel(Box<FailedNode<OpError>>),
    /// A node produced NaN or infinity in a run that checks for them.
    #[error("{0}")]
    NonFinite(Box<NonFinite<FailedNode<&'static str>>>),
    /// Another thread has cancelled the run.
    #[error("the run was cancelled; it has changed nothing")]
    Cancelled,
    /// The run exceeded its time limit.
    #[error("the run took longer than its timeout of {timeout:?}; it has changed nothing")]
    Timeout {
        /// The time limit.
        timeout: Duration,
    },
    /// A callable was called with the wrong number of values.
    #[error("the callable has {expected} feeds, but was called with {actual} values")]
    Arguments {
        /// The number of its feeds.
        expected: usize,
        /// The number of values.
        actual: usize,
    },
    /// There is nothing to run.
    #[error("the graph of the session is empty: add operations to it before running them")]
    EmptyGraph,
    /// The session was closed.
    #[error("the session is closed")]
    Closed,
    /// The fetched tensor is the resource handle of a variable, which is not a value.
    #[error(
        "`{tensor}` is the handle of a variable, not a value: fetch the variable or a read of it"
    )]
    Handle {
        /// The name of the tensor.
        tensor: String,
    },
    /// The session is already running on this thread.
    #[error("a run of a session cannot run the same session")]
    Nested,
    /// There is no default session.
    #[error("there is no default session: call `Session::as_default` and keep what it returns")]
    NoSession,
    /// The runtime broke one of its own invariants.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

tidemill_value::debug_as_report!(RunError);

/// TensorFlow's status codes, which classify errors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Code {
    Cancelled,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    FailedPrecondition,
    Internal,
    Unknown,
}

impl RunError {
    /// TensorFlow's status code for errors of this kind.
    pub fn code(&self) -> Code {
        match self {
            RunError::Unfed(_)
            | RunError::Invalid { .. }
            | RunError::Feed(_)
            | RunError::ForeignGraph { .. }
            | RunError::InsideBody(_)
            | RunError::GraphGone(_)
            | RunError::NoKernel(_)
            | RunError::NonFinite(_)
            | RunError::Arguments { .. } => Code::InvalidArgument,
            RunError::Cancelled => Code::Cancelled,
            RunError::Timeout { .. } => Code::DeadlineExceeded,
            RunError::Kernel(failed) => match &failed.source {
                KernelError::Host { .. } | KernelError::HostOutput { .. } => Code::Unknown,
                KernelError::Internal(_) => Code::Internal,
                _ => Code::InvalidArgument,
            },
            RunError::Lookup(_) | RunError::FeedName { .. } => Code::NotFound,
            RunError::Handle { .. } => Code::InvalidArgument,
            RunError::Uninitialized(_)
            | RunError::EmptyGraph
            | RunError::Closed
            | RunError::Nested
            | RunError::NoSession => Code::FailedPrecondition,
            RunError::Internal(_) => Code::Internal,
        }
    }
}

/// A node, as an error message names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// The line that created it.
    pub location: Location,
}

/// The chain of nodes from a fetch to a node that it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// The fetch.
    pub fetch: Site,
    /// The names of the nodes from the fetch to the node in question, both included.
    pub names: Vec<String>,
}

/// A placeholder that was not fed.
#[derive(Clone, Debug, PartialEq)]
pub struct UnfedPlaceholder {
    /// The placeholder.
    pub placeholder: Site,
    /// Its data type.
    pub dtype: DType,
    /// Its shape.
    pub shape: PartialShape,
    /// Why the run needs it.
    pub way: Way,
}

/// A variable without a value.
#[derive(Clone, Debug, PartialEq)]
pub struct NullVariable {
    /// The variable.
    pub variable: Site,
    /// Its data type.
    pub dtype: DType,
    /// Its shape.
    pub shape: PartialShape,
    /// Why the run needs it.
    pub way: Way,
    /// How to initialize it, or why it was not initialized.
    pub remedy: Remedy,
}

/// The operations in the graph that could initialize a variable.
#[derive(Clone, Debug, PartialEq)]
pub enum Remedy {
    /// An operation initializes it, along with others.
    Run(Site),
    /// An operation initializes other variables, but was created before this one.
    MadeTooEarly(Site),
    /// Only the variable's own initializer.
    None,
}

/// A fed value that does not fit its tensor.
#[derive(Clone, PartialEq)]
pub struct FeedError {
    /// The tensor.
    pub tensor: Site,
    /// The error.
    pub kind: FeedErrorKind,
}

impl Error for FeedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source()
    }
}

tidemill_value::debug_as_report!(FeedError);

/// Why a fed value is rejected.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedErrorKind {
    /// It is of another type.
    #[error("a value of type {actual} was fed, but the tensor is {expected}")]
    DType {
        /// The type of the tensor.
        expected: DType,
        /// The type of the value.
        actual: DType,
    },
    /// It has another shape.
    #[error("a value of shape {actual} was fed, but the tensor has shape {expected}")]
    Shape {
        /// The shape of the tensor.
        expected: PartialShape,
        /// The shape of the value.
        actual: Shape,
    },
    /// The value could not be made.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The tensor is fed twice.
    #[error("it is fed twice")]
    Twice,
    /// The tensor is the storage of a variable.
    #[error("a variable's storage cannot be fed; feed the variable itself, or assign to it")]
    NotFeedable,
}

tidemill_value::debug_as_report!(FeedErrorKind);

/// A node that could not be computed.
#[derive(Clone, Debug)]
pub struct FailedNode<E> {
    /// The node.
    pub node: Site,
    /// Its type.
    pub op: &'static str,
    /// Its inputs: name, the facts known before a run, and the line that created them.
    pub inputs: Vec<(Site, Fact)>,
    /// The bodies that it is in, the innermost first: the name of each, and the node that runs it.
    pub within: Vec<(String, Site)>,
    /// The error.
    pub source: E,
}

struct Blocks<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Blocks<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, block) in self.0.iter().enumerate() {
            write!(f, "{}{block}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  the fetch `{}` ({}) needs it", self.fetch.name, self.fetch.location)?;
        if self.names.len() > 1 {
            write!(f, ":\n     {}", ShownWay(&self.names))?;
        }
        Ok(())
    }
}

impl fmt::Display for UnfedPlaceholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Site { name, location } = &self.placeholder;
        let fetch = &self.way.fetch.name;
        let (dtype, shape) = (self.dtype, &self.shape);
        writeln!(f, "placeholder `{name}`, {dtype}{shape}, was not fed")?;
        writeln!(f, "  --> {location}")?;
        writeln!(f, "{}", self.way)?;
        write!(f, "  help: feed it, as in session.run_with({fetch}, feeds![{name} => ..])")
    }
}

impl fmt::Display for NullVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Site { name, location } = &self.variable;
        let (dtype, shape) = (self.dtype, &self.shape);
        writeln!(f, "variable `{name}`, {dtype}{shape}, has no value in this session")?;
        writeln!(f, "  --> {location}")?;
        writeln!(f, "{}", self.way)?;
        match &self.remedy {
            Remedy::Run(init) => {
                write!(f, "  help: run `{}` ({}) first", init.name, init.location)
            }
            Remedy::MadeTooEarly(init) => {
                let Site { name: init, location } = init;
                writeln!(f, "  `{init}` ({location}) was made before `{name}`, and leaves it out")?;
                write!(
                    f,
                    "  help: make the initializer after all variables, or call \
                     session.init_missing()"
                )
            }
            Remedy::None => write!(
                f,
                "  help: run global_variables_initializer(), made after all variables, or call \
                 session.init_missing()"
            ),
        }
    }
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Site { name, location } = &self.tensor;
        write!(f, "cannot feed `{name}`: {}\n  --> {location}", self.kind)?;
        match self.kind {
            FeedErrorKind::DType { expected, .. } => match literal(expected) {
                Some(literal) => write!(f, "\n  help: write its numbers as {literal}"),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

/// A literal of this type, as Rust writes it.
fn literal(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::F32 => "1.0_f32",
        DType::F64 => "1.0_f64",
        DType::I8 => "1_i8",
        DType::I16 => "1_i16",
        DType::I32 => "1_i32",
        DType::I64 => "1_i64",
        DType::U8 => "1_u8",
        DType::U16 => "1_u16",
        DType::U32 => "1_u32",
        DType::U64 => "1_u64",
        _ => return None,
    })
}

/// The most placeholders that are listed.
const SHOWN_PLACEHOLDERS: usize = 10;

fn feed_hint(near: &Option<String>, placeholders: &[String]) -> String {
    let mut hint = match near {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    };
    let shown: Vec<String> =
        placeholders.iter().take(SHOWN_PLACEHOLDERS).map(|name| format!("`{name}`")).collect();
    hint.push_str(&match shown.as_slice() {
        [] => "\n  the graph has no placeholders".to_owned(),
        shown => format!("\n  the placeholders are {}", shown.join(", ")),
    });
    if let Some(more @ 1..) = placeholders.len().checked_sub(SHOWN_PLACEHOLDERS) {
        hint.push_str(&format!(" and {more} more"));
    }
    hint
}

impl<E: fmt::Display> fmt::Display for FailedNode<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Site { name, location } = &self.node;
        write!(f, "{}\n  --> {location} (in `{name}`, of type {})", self.source, self.op)?;
        for (input, fact) in &self.inputs {
            let shown = ShownTensor { name: &input.name, fact };
            write!(f, "\n  input: {shown} ({})", input.location)?;
        }
        write_within(f, &self.within)
    }
}

impl fmt::Display for NonFinite<FailedNode<&'static str>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailedNode { node: Site { name, location }, op, inputs, within, source } = &self.node;
        write!(f, "`{name}` {source}: {}\n  --> {location} (of type {op})", self.values)?;
        for ((input, fact), range) in inputs.iter().zip(&self.inputs) {
            write!(f, "\n  input: {}", ShownTensor { name: &input.name, fact })?;
            if let Some(range) = range {
                write!(f, ", values: {range}")?;
            }
            write!(f, " ({})", input.location)?;
        }
        write_within(f, within)
    }
}

fn write_within(f: &mut fmt::Formatter<'_>, within: &[(String, Site)]) -> fmt::Result {
    for (body, call) in within {
        write!(f, "\n  inside `{}` ({}), in its `{body}`", call.name, call.location)?;
    }
    Ok(())
}

fn report_invalid(path: &[String], causes: &[Arc<BuildError>]) -> String {
    let mut report: Vec<String> = causes.iter().map(|cause| cause.to_string()).collect();
    if let (Some(handle), true) = (path.first(), path.len() > 1) {
        let way = ShownWay(path);
        report.push(format!(
            "  `{handle}` could not be built because it depends on this call: {way}"
        ));
    }
    report.join("\n")
}
