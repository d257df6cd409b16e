use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// The list of a corpus's cases.
#[derive(Debug, Deserialize)]
pub struct Manifest {
    /// The version of the format.
    pub format: u32,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One case. Fields that belong to other categories are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Case {
    /// The category and the name within it.
    pub name: String,
    /// The category.
    pub category: String,
    /// The file of the graph.
    pub graph: Option<String>,
    /// The file of inputs and expected results.
    pub tensors: Option<String>,
    /// The operation types in the graph.
    pub ops: Vec<String>,
    /// The tensors that are fed.
    pub feeds: Vec<String>,
    /// The tensors to compare.
    pub fetches: Vec<String>,
    /// Nodes to run as well.
    pub targets: Vec<String>,
    /// The relative tolerance.
    pub rtol: f64,
    /// The absolute tolerance.
    pub atol: f64,
    /// The expected outcome, if the case need not succeed.
    pub expect: Option<Expect>,
    /// The tensors to differentiate.
    pub ys: Vec<String>,
    /// The tensors to differentiate with respect to.
    pub xs: Vec<String>,
    /// The initial gradients of the `ys`.
    pub grad_ys: Vec<String>,
    /// The `xs` that have no gradient.
    pub none_grads: Vec<String>,
    /// The `xs` that have no second gradient.
    pub none_grads2: Vec<String>,
    /// The number of times to differentiate.
    pub order: usize,
    /// Runs of one session, one after the other.
    pub runs: Vec<Run>,
    /// The kind of file that a malformed file claims to be.
    pub kind: Option<Kind>,
    /// The malformed file.
    pub file: Option<String>,
    /// The prefix of the files of a checkpoint.
    pub prefix: Option<String>,
    /// The variables to train, or the tensors of the checkpoint.
    pub variables: Vec<VariableOfCase>,
    /// Those of them that are strings.
    pub string_tensors: BTreeMap<String, Vec<String>>,
    /// The variables of the graph to restore from the checkpoint.
    pub restore: Vec<String>,
    /// The folder of a saved model.
    pub saved_model: Option<String>,
    /// The tags of its graph.
    pub tags: Vec<String>,
    /// The signature to run.
    pub signature: Option<String>,
    /// The tensors to read from a malformed checkpoint.
    pub read: Vec<String>,
    /// The optimizer to train with.
    pub optimizer: Option<OptimizerOfCase>,
    /// The operation that initializes the variables to train.
    pub init_target: String,
    /// The tensor to minimize.
    pub loss: String,
    /// The number of steps.
    pub steps: usize,
    /// True if each step has its own feeds, one after the other along a first axis.
    pub feeds_per_step: bool,
    /// The global norm that the gradients are clipped to.
    pub clip_by_global_norm: Option<f64>,
    /// The schedule of the learning rate.
    pub learning_rate_schedule: Option<Schedule>,
    /// The variables with sparse gradients.
    pub sparse_gradient_variables: Vec<String>,
}

/// An optimizer of `tf.compat.v1.train`.
#[derive(Clone, Debug, Deserialize)]
pub struct OptimizerOfCase {
    /// The name of the class.
    #[serde(rename = "type")]
    pub class: String,
    /// True if momentum looks ahead.
    #[serde(default)]
    pub use_nesterov: bool,
    /// True if the mean of squares is centered.
    #[serde(default)]
    pub centered: bool,
    /// The hyperparameters.
    #[serde(flatten)]
    pub numbers: BTreeMap<String, f64>,
}

/// A learning rate that decays exponentially.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Schedule {
    /// The number of steps to which `decay_rate` applies.
    pub decay_steps: f64,
    /// The factor of the rate.
    pub decay_rate: f64,
    /// True if it changes only every `decay_steps`.
    pub staircase: bool,
}

/// A variable or tensor of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum VariableOfCase {
    /// A node of the graph.
    Node(String),
    /// A tensor of a checkpoint.
    Stored(StoredTensor),
}

/// A tensor of a checkpoint.
#[derive(Clone, Debug, Deserialize)]
pub struct StoredTensor {
    /// Its name.
    pub name: String,
    /// The name of its data type.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// The expected outcome of a case that need not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// A run fails.
    Error,
    /// The file is rejected.
    Reject,
    /// Anything but a crash.
    NoCrash,
}

/// The kind of file that a malformed file claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Graphdef,
    Checkpoint,
    Safetensors,
}

/// One run of a session.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Run {
    /// The tensors that are fed.
    pub feeds: Vec<String>,
    /// The tensors to compare.
    pub fetches: Vec<String>,
    /// Nodes to run as well.
    pub targets: Vec<String>,
    /// The expected outcome, if the run need not succeed.
    pub expect: Option<Expect>,
}

impl Manifest {
    /// Reads the list in the folder of a corpus.
    ///
    /// # Errors
    /// If there is no list, or it has another format.
    pub fn load(corpus: &Path) -> Result<Manifest, String> {
        let bytes = read(corpus, "manifest.json")?;
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| format!("manifest.json: {error}"))?;
        match manifest.format {
            1 => Ok(manifest),
            format => Err(format!("manifest.json is of format {format}, not 1")),
        }
    }
}

/// Reads a file of a corpus.
pub(super) fn read(corpus: &Path, file: &str) -> Result<Vec<u8>, String> {
    std::fs::read(corpus.join(file)).map_err(|error| format!("{file}: {error}"))
}
