//! Saves variables to files and restores them.

mod error;
mod random;
mod report;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tidemill_formats::checkpoint::{
    CheckpointState, check_prefix, exists, remove_checkpoint, write_meta_graph,
};
use tidemill_formats::{TensorReader, single_file_extension, write_tensors};
use tidemill_graph::{
    Graph, GraphKey, Location, OperationRef, absolute_scope, at_location, diagnose, scoped,
    without_control_dependencies,
};
use tidemill_graphdef::{MetaGraphParts, SavedVariable, to_meta_graph};
use tidemill_ops::{Operation, Tensor, Variable, assign, global_variables, placeholder_of};
use tidemill_runtime::{Feeds, Session};
use tidemill_value::Value;

pub use error::SaverError;
pub use report::{Mismatch, Missing, RestoreReport};

/// Saves a session's variables as checkpoints that TensorFlow can read, and restores them, like
/// TensorFlow's `Saver`. If a prefix ends with `.safetensors`, the checkpoint is a file in that
/// format.
///
/// Creating a saver adds the nodes that restore variables to the graph, in the scope `save`; saving
/// and restoring add nothing.
///
/// ```
/// use tidemill_ops::{get_variable, zeros};
/// use tidemill_runtime::Session;
/// use tidemill_train::Saver;
/// let slope = get_variable("slope", [], zeros());
/// let saver = Saver::new()?;
/// # let folder = std::env::temp_dir().join(format!("tidemill-saver-{}", std::process::id()));
/// let session = Session::new();
/// session.init_missing()?;
/// let path = saver.save(&session, folder.join("model.ckpt"))?;
/// let other = Session::new();
/// assert_eq!(saver.restore(&other, path)?.restored, ["slope"]);
/// assert_eq!(other.run(slope)?.to_string(), "0.0");
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Saver {
    graph: GraphKey,
    saved: Vec<Saved>,
    max_to_keep: usize,
    meta_graph: bool,
    random_state: bool,
    reshape: bool,
    kept: Mutex<Kept>,
}

/// The checkpoints that are not removed yet.
#[derive(Debug, Default)]
struct Kept {
    /// The oldest first.
    prefixes: Vec<PathBuf>,
    /// The folders and names that have been searched for earlier ones.
    known: Vec<PathBuf>,
}

impl Kept {
    /// Takes over the checkpoints of the same name and other steps that earlier savers have left,
    /// as the folder's state file lists them.
    fn take_over(&mut self, prefix: &Path) -> Result<(), SaverError> {
        let stem = without_step(prefix);
        if self.known.contains(&stem) {
            return Ok(());
        }
        let listed =
            CheckpointState::read(CheckpointState::folder(prefix))?.unwrap_or_default().all;
        let is_earlier = |other: &PathBuf| without_step(other) == stem && exists(other);
        let earlier = listed.into_iter().filter(is_earlier);
        let earlier: Vec<PathBuf> =
            earlier.filter(|other| !self.prefixes.contains(other)).collect();
        self.prefixes.splice(0..0, earlier);
        self.known.push(stem);
        Ok(())
    }
}

/// A variable that is saved.
#[derive(Clone, Debug)]
struct Saved {
    /// Its name in checkpoints.
    name: String,
    variable: Variable,
    /// The tensor that is fed to restore it.
    value: Tensor,
    /// The node that restores it.
    assign: Operation,
}

impl Saver {
    /// A saver for the current variables of the default graph. It does not cover variables created
    /// later.
    ///
    /// # Errors
    /// [`SaverError`], if there are none, or the graph is finalized.
    #[track_caller]
    pub fn new() -> Result<Saver, SaverError> {
        Saver::of(global_variables())
    }

    /// A saver for the given variables.
    ///
    /// # Errors
    /// [`SaverError`], if there are none, they belong to several graphs, or their graph is
    /// finalized.
    #[track_caller]
    pub fn of(variables: impl IntoIterator<Item = Variable>) -> Result<Saver, SaverError> {
        Saver::named(variables.into_iter().map(|variable| (variable.op().name(), variable)))
    }

    /// A saver for variables that have other names in checkpoints.
    ///
    /// # Errors
    /// As for [`Saver::of`], and if two variables have the same name, or one variable has two
    /// names.
    #[track_caller]
    pub fn named<N: Into<String>>(
        variables: impl IntoIterator<Item = (N, Variable)>,
    ) -> Result<Saver, SaverError> {
        let mut named: Vec<(String, Variable)> =
            variables.into_iter().map(|(name, variable)| (name.into(), variable)).collect();
        named.sort_by(|(left, _), (right, _)| left.cmp(right));
        if let Some([(name, _), _]) = named.array_windows().find(|[left, right]| left.0 == right.0)
        {
            return Err(SaverError::DuplicateName { name: name.clone() });
        }
        let mut names: HashMap<OperationRef, &String> = HashMap::new();
        for (name, variable) in &named {
            if let Some(first) = names.insert(OperationRef::from(*variable), name) {
                let (variable, names) = (variable.op().name(), [first.clone(), name.clone()]);
                return Err(SaverError::SavedTwice { variable, names });
            }
        }
        let location = Location::caller();
        let graph = named.first().map(|(_, variable)| OperationRef::from(*variable).graph());
        let graph = graph.ok_or(SaverError::NoVariables)?;
        let saved = at_location(location, || restoring(graph, named))?;
        let kept = Mutex::new(Kept::default());
        Ok(Saver {
            graph,
            saved,
            max_to_keep: 5,
            meta_graph: true,
            random_state: false,
            reshape: false,
            kept,
        })
    }

    /// Sets how many checkpoints are kept: when there are more, the oldest is removed. The default
    /// is 5; 0 keeps all.
    ///
    /// Checkpoints of the same prefix that an earlier process saved also count towards the limit,
    /// if the folder's file `checkpoint` lists them.
    pub fn max_to_keep(mut self, count: usize) -> Self {
        self.max_to_keep = count;
        self
    }

    /// Sets whether to write the graph, as `prefix.meta`, in addition to the values. The default is
    /// true.
    pub fn meta_graph(mut self, is_written: bool) -> Self {
        self.meta_graph = is_written;
        self
    }

    /// Sets whether to save and restore the session's seed and how often random operations have
    /// run, so that resumed training draws the same random numbers. The default is false.
    ///
    /// In a checkpoint these are tensors whose names begin with `_tidemill/`, which TensorFlow
    /// ignores.
    pub fn random_state(mut self, is_saved: bool) -> Self {
        self.random_state = is_saved;
        self
    }

    /// Sets whether a variable can be restored from a tensor of another shape with the same number
    /// of elements, which it takes in row-major order. The default is false.
    pub fn reshape(mut self, is_allowed: bool) -> Self {
        self.reshape = is_allowed;
        self
    }

    /// The variables, with their names in checkpoints.
    pub fn variables(&self) -> impl Iterator<Item = (&str, Variable)> {
        self.saved.iter().map(|saved| (saved.name.as_str(), saved.variable))
    }

    /// Saves the values of the variables in a session as the checkpoint `prefix`, and returns its
    /// path.
    ///
    /// The checkpoint is written atomically; then the folder's file `checkpoint` names it as the
    /// latest.
    ///
    /// # Errors
    /// [`SaverError`], if a variable has no value or a file cannot be written.
    pub fn save(&self, session: &Session, prefix: impl AsRef<Path>) -> Result<PathBuf, SaverError> {
        let prefix = prefix.as_ref();
        check_prefix(prefix)?;
        self.write(&self.snapshot(session)?, prefix)?;
        self.keep(prefix)?;
        Ok(prefix.to_owned())
    }

    /// The current values to save. They share the memory of the session.
    pub(crate) fn snapshot(&self, session: &Session) -> Result<Snapshot, SaverError> {
        let variables: Vec<Variable> = self.saved.iter().map(|saved| saved.variable).collect();
        let names = self.saved.iter().map(|saved| saved.name.clone());
        let (values, random) = match self.random_state {
            true => random::with_state(session, || session.run(variables.clone()))?,
            false => (session.run(variables)?, Vec::new()),
        };
        let tensors = names.zip(values).chain(random).collect();
        Ok(Snapshot { graph: session.graph().clone(), tensors })
    }

    /// Writes a snapshot as the checkpoint `prefix`.
    pub(crate) fn write(&self, snapshot: &Snapshot, prefix: &Path) -> Result<(), SaverError> {
        if self.meta_graph {
            let saved = saved_variables(self.variables());
            let parts = MetaGraphParts { saved, ..MetaGraphParts::default() };
            write_meta_graph(prefix, &to_meta_graph(&snapshot.graph, &parts)?)?;
        }
        let tensors = snapshot.tensors.iter().map(|(name, value)| (name.as_str(), value));
        Ok(write_tensors(prefix, tensors)?)
    }

    /// [`Saver::save`] as the checkpoint `prefix-step`, or `stem-step.safetensors`.
    ///
    /// # Errors
    /// As for [`Saver::save`].
    pub fn save_step(
        &self,
        session: &Session,
        prefix: impl AsRef<Path>,
        step: u64,
    ) -> Result<PathBuf, SaverError> {
        check_prefix(&prefix)?;
        self.save(session, at_step(prefix.as_ref(), step))
    }

    /// Records a new checkpoint, and removes those that are too old.
    fn keep(&self, prefix: &Path) -> Result<(), SaverError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take_over(prefix)?;
        let kept = &mut kept.prefixes;
        kept.retain(|other| other != prefix);
        kept.push(prefix.to_owned());
        let surplus = match self.max_to_keep {
            0 => 0,
            most => kept.len().saturating_sub(most),
        };
        let old: Vec<PathBuf> = kept.drain(..surplus).collect();
        // A checkpoint must be unlisted before it is removed.
        let state = CheckpointState { latest: prefix.to_owned(), all: kept.clone() };
        state.write(CheckpointState::folder(prefix))?;
        Ok(old.iter().try_for_each(remove_checkpoint)?)
    }

    /// Restores the variables in a session from the checkpoint `prefix`. They need no other
    /// initialization. The checkpoint may hold other tensors.
    ///
    /// # Errors
    /// [`SaverError`], if the checkpoint cannot be read, lacks a variable, or has it with another
    /// type or shape; no variable changes then.
    pub fn restore(
        &self,
        session: &Session,
        prefix: impl AsRef<Path>,
    ) -> Result<RestoreReport, SaverError> {
        let reader = TensorReader::open(prefix)?;
        let report = self.compare(&reader)?;
        match report.is_complete() {
            true => self.assign(session, &reader, report),
            false => Err(SaverError::Incomplete(Box::new(report))),
        }
    }

    /// Restores the variables that the checkpoint has with their types and shapes. The others do
    /// not change; the report names them.
    ///
    /// # Errors
    /// [`SaverError`], if the checkpoint cannot be read.
    pub fn restore_matching(
        &self,
        session: &Session,
        prefix: impl AsRef<Path>,
    ) -> Result<RestoreReport, SaverError> {
        let reader = TensorReader::open(prefix)?;
        let report = self.compare(&reader)?;
        self.assign(session, &reader, report)
    }

    /// Compares a checkpoint with the variables.
    fn compare(&self, reader: &TensorReader) -> Result<RestoreReport, SaverError> {
        Graph::find(self.graph).map_err(|source| SaverError::GraphGone(Box::new(source)))?;
        Ok(RestoreReport::new(reader, self.variables(), self.reshape)?)
    }

    fn assign(
        &self,
        session: &Session,
        reader: &TensorReader,
        report: RestoreReport,
    ) -> Result<RestoreReport, SaverError> {
        let is_restored = |saved: &&Saved| report.restored.binary_search(&saved.name).is_ok();
        let saved: Vec<&Saved> = self.saved.iter().filter(is_restored).collect();
        let random = match self.random_state {
            true => random::read_state(reader)?,
            false => None,
        };
        let mut feeds = Feeds::new();
        for saved in &saved {
            let value: Value = reader.read(&saved.name)?;
            let shape = saved.variable.shape().known().filter(|_| self.reshape);
            let reshaped = shape.and_then(|shape| value.clone().reshape(shape).ok());
            feeds = feeds.feed(saved.value, reshaped.unwrap_or(value));
        }
        if !saved.is_empty() {
            let targets: Vec<Operation> = saved.iter().map(|saved| saved.assign).collect();
            session.run_with(targets, feeds)?;
        }
        if let Some(random) = random {
            session.set_random_state(&random)?;
        }
        Ok(report)
    }
}

/// The values of a session to save.
pub(crate) struct Snapshot {
    graph: Graph,
    /// Tensors by their names in the checkpoint.
    pub(crate) tensors: Vec<(String, Value)>,
}

/// The path of a checkpoint `prefix` at a step.
pub(crate) fn at_step(prefix: &Path, step: u64) -> PathBuf {
    let suffix = single_file_extension(prefix);
    let stem = if suffix.is_some() { prefix.with_extension("") } else { prefix.to_owned() };
    let mut path = stem.into_os_string();
    path.push(format!("-{step}"));
    if let Some(suffix) = suffix {
        path.push(".");
        path.push(suffix);
    }
    path.into()
}

/// The path from which [`at_step`] made this one, or the path itself if it has no step.
fn without_step(path: &Path) -> PathBuf {
    let suffix = single_file_extension(path);
    let stem = if suffix.is_some() { path.with_extension("") } else { path.to_owned() };
    let name = stem.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let numbered = name.rsplit_once('-').filter(|(_, step)| step.parse::<u64>().is_ok());
    let stem = match numbered {
        Some((name, _)) => stem.with_file_name(name),
        None => stem,
    };
    match suffix {
        Some(suffix) => stem.with_added_extension(suffix),
        None => stem,
    }
}

/// The description of saved variables in a message.
pub(crate) fn saved_variables<'a>(
    variables: impl Iterator<Item = (&'a str, Variable)>,
) -> Vec<SavedVariable> {
    let saved = |(name, variable): (&str, Variable)| {
        Some(SavedVariable {
            name: name.to_owned(),
            node: variable.op().name(),
            dtype: variable.dtype()?,
            is_resource: variable.is_resource(),
        })
    };
    variables.filter_map(saved).collect()
}

/// The nodes that restore variables, which must be in the order of their names.
fn restoring(key: GraphKey, named: Vec<(String, Variable)>) -> Result<Vec<Saved>, SaverError> {
    let graph = Graph::find(key).map_err(|source| SaverError::GraphGone(Box::new(source)))?;
    let _default = graph.as_default();
    let build = |(name, variable): (String, Variable)| {
        let operation = OperationRef::from(variable);
        if operation.graph() != key {
            return Err(SaverError::SeveralGraphs {
                name,
                variable: operation.graph(),
                first: key,
            });
        }
        let Some(dtype) = variable.dtype() else { return Err(invalid(name, operation)) };
        let value = placeholder_of(dtype, variable.shape());
        let assign = assign(variable, value).op();
        match assign.is_invalid() {
            true => Err(invalid(name, assign.into())),
            false => Ok(Saved { name, variable, value, assign }),
        }
    };
    absolute_scope(key, "", || {
        scoped(&graph, "save", |_| {
            without_control_dependencies(key, || named.into_iter().map(build).collect())
        })
    })
}

fn invalid(name: String, operation: OperationRef) -> SaverError {
    let (causes, _) = diagnose(operation);
    SaverError::Invalid { name, causes }
}
