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
    /// What kind of case it is.
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
    /// What must happen, if the case must not succeed.
    pub expect: Option<Expect>,
    /// The tensors to differentiate.
    pub ys: Vec<String>,
    /// With respect to which tensors.
    pub xs: Vec<String>,
    /// The gradients of the `ys` to begin with.
    pub grad_ys: Vec<String>,
    /// The `xs` that have no gradient.
    pub none_grads: Vec<String>,
    /// The `xs` that have no second gradient.
    pub none_grads2: Vec<String>,
    /// How often to differentiate.
    pub order: usize,
    /// Runs of one session, one after the other.
    pub runs: Vec<Run>,
    /// What a malformed file claims to be.
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
    /// The signature to ask for.
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
    /// Whether each step has its own values to feed, one after the other along a first axis.
    pub feeds_per_step: bool,
    /// The norm that all gradients together are clipped to.
    pub clip_by_global_norm: Option<f64>,
    /// How the learning rate changes.
    pub learning_rate_schedule: Option<Schedule>,
    /// The variables whose gradients have only some rows.
    pub sparse_gradient_variables: Vec<String>,
}

/// An optimizer of `tf.compat.v1.train`.
#[derive(Clone, Debug, Deserialize)]
pub struct OptimizerOfCase {
    /// The name of the class.
    #[serde(rename = "type")]
    pub class: String,
    /// Whether momentum looks ahead.
    #[serde(default)]
    pub use_nesterov: bool,
    /// Whether the mean of squares is centered.
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
    /// What the rate is multiplied by.
    pub decay_rate: f64,
    /// Whether it changes only after so many steps.
    pub staircase: bool,
}

/// A variable that a case is about.
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

/// What must happen in a case that need not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// A run fails.
    Error,
    /// The file is refused.
    Reject,
    /// Anything but a crash.
    NoCrash,
}

/// What a malformed file claims to be.
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
    /// What must happen, if the run must not succeed.
    pub expect: Option<Expect>,
}

impl Manifest {
    /// Reads the list in the folder of a corpus.
    ///
    /// # Errors
    /// Where there is none, or it is of another format.
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
