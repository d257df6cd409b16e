use std::borrow::Cow;
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;
use tidemill_value::DType;

use crate::body::InsideBody;
use crate::holding::Holding;
use crate::ids::PoisonId;
use crate::{GradientError, GraphKey, Location, OpError};

/// The error of a builder call that made no node.
#[derive(Clone)]
pub struct BuildError {
    /// The error.
    pub kind: BuildErrorKind,
    /// The name of the function or operation that was called.
    pub what: Cow<'static, str>,
    /// The line of the call.
    pub location: Location,
    /// Further help, such as where the inputs were created.
    pub notes: Vec<Note>,
}

/// A remark below an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The text.
    pub text: String,
    /// The line it is about.
    pub location: Option<Location>,
}

impl Note {
    /// A remark about a line.
    pub fn at(text: impl Into<String>, location: Location) -> Self {
        Note { text: text.into(), location: Some(location) }
    }

    /// A remark.
    pub fn new(text: impl Into<String>) -> Self {
        Note { text: text.into(), location: None }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location {
            Some(location) => write!(f, "  {} ({location})", self.text),
            None => write!(f, "  {}", self.text),
        }
    }
}

/// The kind of a builder call's error.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BuildErrorKind {
    /// The inputs or attributes break a rule of the operation.
    #[error(transparent)]
    Op(#[from] OpError),
    /// Two inputs that must have the same type differ.
    #[error(
        "`{left}` is {left_dtype} and `{right}` is {right_dtype}, but they must have the same type"
    )]
    DTypes {
        /// The name of the first input.
        left: &'static str,
        /// Its type.
        left_dtype: DType,
        /// The name of the second input.
        right: &'static str,
        /// Its type.
        right_dtype: DType,
    },
    /// An input has a type that the operation does not take.
    #[error("`{input}` is {dtype}, but must be {}", one_of(allowed))]
    DType {
        /// The name of the input or attribute.
        input: &'static str,
        /// Its type.
        dtype: DType,
        /// The allowed types.
        allowed: Vec<DType>,
    },
    /// An input must be a variable, but is not.
    #[error("`{input}` must be a variable")]
    NotAVariable {
        /// The name of the input.
        input: &'static str,
    },
    /// An input must be the handle of a variable, but is not.
    #[error("`{input}` must be the handle of a resource variable")]
    NotAHandle {
        /// The name of the input.
        input: &'static str,
    },
    /// An input is the handle of a variable, not a value.
    #[error(
        "`{input}` must be a value, but is the handle of a resource variable, which must be read \
         first"
    )]
    Handle {
        /// The name of the input.
        input: &'static str,
    },
    /// An input is made by a node of a file that is not understood, so its type is unknown.
    #[error(
        "the type of `{input}` is unknown, because it is made by an operation that is not \
         understood"
    )]
    UnknownType {
        /// The name of the input.
        input: &'static str,
    },
    /// An operation gets the wrong number of inputs.
    #[error("expected {expected} inputs, but {actual} were given")]
    InputCount {
        /// The number that it takes.
        expected: usize,
        /// The number given.
        actual: usize,
    },
    /// An input is an output that its operation does not have.
    #[error("{op} has no output {slot}: it has {outputs} outputs")]
    NoOutput {
        /// The operation.
        op: &'static str,
        /// The requested output.
        slot: u32,
        /// The number of outputs it has.
        outputs: usize,
    },
    /// The operation has no such attribute.
    #[error("there is no attribute `{name}` of kind {kind}")]
    UnknownAttr {
        /// The attribute.
        name: String,
        /// The kind it was given as.
        kind: &'static str,
    },
    /// Handles of two graphs are combined.
    #[error("tensors of two graphs cannot be combined: one is in {left}, the other in {right}")]
    ForeignGraph {
        /// The graph of the first.
        left: GraphKey,
        /// The graph of the other.
        right: GraphKey,
    },
    /// A tensor or operation of a body is used outside of it.
    #[error("{0}")]
    InsideBody(Box<InsideBody>),
    /// A node outside a body has an effect and is used inside.
    #[error(
        "`{name}` ({op}) was made at {at}, outside of this body, and has an effect: make it inside, \
         or run it before"
    )]
    CapturedEffect {
        /// Its name.
        name: String,
        /// Its type.
        op: &'static str,
        /// The line that created it.
        at: Location,
    },
    /// The graph of a handle was dropped.
    #[error("the graph of this handle is gone: it was dropped")]
    GraphGone,
    /// The default graph of a handle was reset.
    #[error("this handle is stale: its graph was discarded by reset_default_graph at {reset_at}")]
    Stale {
        /// The line that reset it.
        reset_at: Location,
    },
    /// The graph takes no more nodes.
    #[error("the graph was finalized at {at} and takes no more nodes")]
    Finalized {
        /// The line that finalized it.
        at: Location,
    },
    /// The graph is full.
    #[error("the graph is full: it cannot hold more nodes")]
    Full,
    /// A name has invalid characters.
    #[error(
        "`{name}` cannot be a name: names consist of letters, digits and `._/>-`, and begin \
         with a letter, a digit or `.`"
    )]
    InvalidName {
        /// The name.
        name: String,
    },
    /// Another node has the requested name.
    #[error("the name `{name}` is taken")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Another variable has the requested name.
    #[error("the variable `{name}` already exists")]
    VariableExists {
        /// The name.
        name: String,
    },
    /// The variable to share does not exist.
    #[error("there is no variable `{name}` to reuse")]
    VariableMissing {
        /// The name.
        name: String,
    },
    /// The variable to share has another type or shape.
    #[error("the variable `{name}` is {actual}, but {wanted} was requested")]
    VariableMismatch {
        /// The name.
        name: String,
        /// Its actual type and shape.
        actual: String,
        /// The requested type and shape.
        wanted: String,
    },
    /// A gradient could not be built.
    #[error(transparent)]
    Gradient(#[from] GradientError),
    /// An error of a higher layer.
    #[error(transparent)]
    Other(Arc<dyn Error + Send + Sync>),
}

tidemill_value::debug_as_report!(BuildErrorKind);

impl BuildErrorKind {
    /// The remedy.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            BuildErrorKind::DTypes { left, right, .. } if left == right => {
                Some("help: convert those that differ with cast".to_owned())
            }
            BuildErrorKind::DTypes {
                left_dtype: DType::F32,
                right_dtype: DType::F64,
                right,
                ..
            } => Some(format!(
                "help: write numbers as 1.0_f32, or convert: cast({right}, DType::F32)"
            )),
            BuildErrorKind::DTypes { left_dtype, right, .. } => Some(format!(
                "help: convert one of them, as in cast({right}, DType::{left_dtype:?})"
            )),
            BuildErrorKind::DType { input, allowed, .. } => allowed
                .first()
                .map(|dtype| format!("help: convert it, as in cast({input}, DType::{dtype:?})")),
            _ => None,
        }
    }
}

fn one_of(dtypes: &[DType]) -> String {
    let names: Vec<&str> = dtypes.iter().map(|dtype| dtype.name()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "of another type".to_owned(),
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  --> {} (in `{}`)", self.kind, self.location, self.what)?;
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

impl BuildError {
    /// True if the same call failed for the same reason.
    fn is_like(&self, other: &BuildError) -> bool {
        self.location == other.location
            && self.what == other.what
            && self.kind.to_string() == other.kind.to_string()
    }

    fn text_bytes(&self) -> usize {
        let notes = self.notes.iter().map(|note| note.text.capacity());
        self.notes.capacity() * size_of::<Note>() + notes.sum::<usize>()
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source()
    }
}

tidemill_value::debug_as_report!(BuildError);

/// All errors of a graph's builder calls.
#[derive(Clone)]
pub struct BuildErrors(Vec<Arc<BuildError>>);

impl BuildErrors {
    /// `Err` with the errors, if there are any.
    pub(crate) fn check(errors: Vec<Arc<BuildError>>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(BuildErrors(errors)) }
    }

    /// The errors, in the order in which the calls were made.
    pub fn errors(&self) -> impl ExactSizeIterator<Item = &BuildError> {
        self.0.iter().map(AsRef::as_ref)
    }
}

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl Error for BuildErrors {}

tidemill_value::debug_as_report!(BuildErrors);

/// The builder calls of a graph that made no node.
#[derive(Default)]
pub(crate) struct PoisonTable(Vec<Poison>);

struct Poison {
    label: String,
    cause: Cause,
}

enum Cause {
    Root(Arc<BuildError>),
    /// An input or control input was poison itself.
    FedBy(SmallVec<[PoisonId; 2]>),
}

impl PoisonTable {
    pub(crate) const fn new() -> Self {
        PoisonTable(Vec::new())
    }

    pub(crate) fn root(&mut self, error: Arc<BuildError>) -> PoisonId {
        self.push(error.what.clone().into_owned(), Cause::Root(error))
    }

    /// Records a call unless the same line has already made the same call with the same error: once
    /// no call can succeed, a loop that keeps calling does not fill the table.
    pub(crate) fn root_once(&mut self, error: BuildError) -> PoisonId {
        let is_same = |poison: &Poison| match &poison.cause {
            Cause::Root(known) => known.is_like(&error),
            Cause::FedBy(_) => false,
        };
        self.last(is_same).unwrap_or_else(|| self.root(Arc::new(error)))
    }

    /// Like [`root_once`](PoisonTable::root_once), for a call whose inputs are failed calls.
    pub(crate) fn fed_by_once(
        &mut self,
        label: String,
        inputs: SmallVec<[PoisonId; 2]>,
    ) -> PoisonId {
        let is_same = |poison: &Poison| match &poison.cause {
            Cause::Root(_) => false,
            Cause::FedBy(known) => *known == inputs && poison.label == label,
        };
        self.last(is_same).unwrap_or_else(|| self.fed_by(label, inputs))
    }

    fn last(&self, is_wanted: impl Fn(&Poison) -> bool) -> Option<PoisonId> {
        self.0.iter().rposition(is_wanted).map(|index| PoisonId(index as u32))
    }

    pub(crate) fn fed_by(&mut self, label: String, inputs: SmallVec<[PoisonId; 2]>) -> PoisonId {
        self.push(label, Cause::FedBy(inputs))
    }

    fn push(&mut self, label: String, cause: Cause) -> PoisonId {
        let id = PoisonId(self.0.len() as u32);
        self.0.push(Poison { label, cause });
        id
    }

    /// The number of calls, and the bytes that they take.
    pub(crate) fn holding(&self) -> Holding {
        let bytes = |poison: &Poison| {
            poison.label.capacity()
                + match &poison.cause {
                    Cause::Root(error) => size_of::<BuildError>() + error.text_bytes(),
                    Cause::FedBy(inputs) if inputs.spilled() => size_of_val(&**inputs),
                    Cause::FedBy(_) => 0,
                }
        };
        let bytes =
            self.0.capacity() * size_of::<Poison>() + self.0.iter().map(bytes).sum::<usize>();
        Holding { count: self.0.len(), bytes }
    }

    pub(crate) fn rename(&mut self, id: PoisonId, label: String) {
        if let Some(poison) = self.0.get_mut(id.0 as usize) {
            poison.label = label;
        }
    }

    /// Every root cause, in the order of the calls.
    pub(crate) fn all_roots(&self) -> Vec<Arc<BuildError>> {
        self.0
            .iter()
            .filter_map(|poison| match &poison.cause {
                Cause::Root(error) => Some(Arc::clone(error)),
                Cause::FedBy(_) => None,
            })
            .collect()
    }

    /// The root causes of `ids`, in the order of the calls.
    pub(crate) fn roots(&self, ids: impl IntoIterator<Item = PoisonId>) -> Vec<Arc<BuildError>> {
        let mut pending: BTreeSet<PoisonId> = ids.into_iter().collect();
        let mut roots = Vec::new();
        while let Some(id) = pending.pop_last() {
            match self.0.get(id.0 as usize).map(|poison| &poison.cause) {
                Some(Cause::Root(error)) => roots.push(Arc::clone(error)),
                Some(Cause::FedBy(inputs)) => pending.extend(inputs.iter().copied()),
                None => {}
            }
        }
        roots.reverse();
        roots
    }

    /// The calls from `id` down to its first root cause.
    pub(crate) fn path(&self, id: PoisonId) -> Vec<&str> {
        let mut path = Vec::new();
        let mut next = Some(id);
        while let Some(poison) = next.and_then(|id| self.0.get(id.0 as usize)) {
            path.push(poison.label.as_str());
            next = match &poison.cause {
                Cause::Root(_) => None,
                Cause::FedBy(inputs) => inputs.first().copied(),
            };
        }
        path
    }
}
