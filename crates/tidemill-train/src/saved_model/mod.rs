//! TensorFlow's SavedModels: folders with a graph, the values of its variables, and its asset
//! files.

mod error;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tidemill_formats::proto::{self, Message, MetaGraphDef};
use tidemill_formats::{FileKind, TextMessage, checkpoint};
use tidemill_graph::Graph;
use tidemill_graphdef::{ImportOptions, MetaGraph, Signature, import_meta_graph};
use tidemill_ops::{Inspect, Tensor};
use tidemill_runtime::{Feeds, Session, SessionOptions};
use tidemill_value::{IntoValue, Value};

use crate::Saver;
pub use error::SavedModelError;
pub use write::SavedModelBuilder;

const GRAPHS: &str = "saved_model.pb";
const GRAPHS_AS_TEXT: &str = "saved_model.pbtxt";
const VARIABLES: &str = "variables/variables";
const ASSETS: &str = "assets";

/// A loaded model: its graph, a session that holds the values of its variables, and its signatures.
///
/// ```no_run
/// use tidemill_train::SavedModel;
/// let model = SavedModel::load("models/iris", &["serve"])?;
/// let results = model.run("serving_default", [("features", [[5.1_f32, 3.5, 1.4, 0.2]])])?;
/// println!("{}", results["label"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SavedModel {
    session: Session,
    meta: MetaGraph,
}

impl SavedModel {
    /// Loads the graph with exactly these tags from a folder, as TensorFlow does. It restores the
    /// variables, with the graph's own nodes if it has them, and then runs the main operation,
    /// which initializes the rest and is fed the paths of the asset files.
    ///
    /// # Errors
    /// [`SavedModelError`], if a file cannot be read, no graph has the tags, or the graph cannot be
    /// imported or run.
    pub fn load<S: AsRef<str>>(
        folder: impl AsRef<Path>,
        tags: &[S],
    ) -> Result<SavedModel, SavedModelError> {
        SavedModel::load_with_options(folder, tags, SessionOptions::default())
    }

    /// [`SavedModel::load`] with session options.
    ///
    /// # Errors
    /// As for [`SavedModel::load`].
    pub fn load_with_options<S: AsRef<str>>(
        folder: impl AsRef<Path>,
        tags: &[S],
        options: SessionOptions,
    ) -> Result<SavedModel, SavedModelError> {
        let folder = folder.as_ref();
        let wanted: BTreeSet<&str> = tags.iter().map(AsRef::as_ref).collect();
        let graph_def = with_tags(SavedModel::read(folder)?, &wanted)?;
        let graph = Graph::new();
        let meta = {
            let _default = graph.as_default();
            import_meta_graph(graph_def, &ImportOptions::default())?
        };
        let session = Session::with_options(&graph, options);
        restore(&session, &meta, folder)?;
        if let Some(main_op) = meta.main_op {
            let path = |name: &str| folder.join(ASSETS).join(name).to_string_lossy().into_owned();
            let feeds = meta.assets.iter().fold(Feeds::new(), |feeds, asset| {
                feeds.feed(asset.tensor, path(&asset.filename).as_str())
            });
            session.run_with(main_op, feeds)?;
        }
        Ok(SavedModel { session, meta })
    }

    /// Reads the message in a folder, binary or text.
    ///
    /// # Errors
    /// [`SavedModelError`], if it cannot be read.
    pub fn read(folder: impl AsRef<Path>) -> Result<proto::SavedModel, SavedModelError> {
        let folder = folder.as_ref();
        let path = folder.join(GRAPHS);
        match fs::read(&path) {
            Ok(bytes) => Ok(proto::SavedModel::decode(bytes.as_slice())?),
            Err(error) if is_missing(&error) => {
                let text = match fs::read_to_string(folder.join(GRAPHS_AS_TEXT)) {
                    Ok(text) => text,
                    Err(_) => {
                        let found = instead_of_model(folder);
                        let message = format!("no SavedModel here: {found}");
                        let source = io::Error::new(error.kind(), message);
                        return Err(SavedModelError::Io { path: folder.to_owned(), source });
                    }
                };
                Ok(proto::SavedModel::from_text(&text)?)
            }
            Err(source) => Err(SavedModelError::Io { path, source }),
        }
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        self.session.graph()
    }

    /// The session, which holds the values of the variables.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The imported graph with its signatures, assets and tags.
    pub fn meta(&self) -> &MetaGraph {
        &self.meta
    }

    /// The session, and the imported graph with its signatures, assets and tags.
    pub fn into_parts(self) -> (Session, MetaGraph) {
        (self.session, self.meta)
    }

    /// The signature with this name.
    ///
    /// # Errors
    /// [`SavedModelError::NoSignature`].
    pub fn signature(&self, name: &str) -> Result<&Signature, SavedModelError> {
        self.meta.signatures.get(name).ok_or_else(|| SavedModelError::NoSignature {
            name: name.to_owned(),
            known: self.meta.signatures.keys().cloned().collect(),
        })
    }

    /// Runs a signature: takes values by argument name and returns values by result name.
    ///
    /// # Errors
    /// [`SavedModelError`], if the signature or an argument does not exist, or the run fails.
    pub fn run<'a, V: IntoValue>(
        &self,
        signature: &str,
        arguments: impl IntoIterator<Item = (&'a str, V)>,
    ) -> Result<BTreeMap<String, Value>, SavedModelError> {
        let of_signature = self.signature(signature)?;
        let mut feeds = Feeds::new();
        for (name, value) in arguments {
            let tensor = of_signature.inputs.get(name);
            let tensor = tensor.ok_or_else(|| SavedModelError::NoArgument {
                signature: signature.to_owned(),
                name: name.to_owned(),
                known: of_signature.inputs.keys().cloned().collect(),
            })?;
            feeds = feeds.feed(*tensor, value);
        }
        let fetches: Vec<Tensor> = of_signature.outputs.values().copied().collect();
        let values = self.session.run_with(fetches, feeds)?;
        Ok(of_signature.outputs.keys().cloned().zip(values).collect())
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A description of a path that is not the folder of a model.
fn instead_of_model(path: &Path) -> String {
    match FileKind::of(path) {
        Ok(FileKind::CheckpointFolder) => {
            "the folder has checkpoints, which a Saver restores".to_owned()
        }
        Ok(kind) => format!("this is a different kind of file: {kind}"),
        Err(_) if path.is_dir() => "the folder has no `saved_model.pb`".to_owned(),
        Err(_) if path.exists() => "this is a file, not a folder".to_owned(),
        Err(_) => "the folder does not exist".to_owned(),
    }
}

fn with_tags(
    model: proto::SavedModel,
    wanted: &BTreeSet<&str>,
) -> Result<MetaGraphDef, SavedModelError> {
    let tags = |graph: &MetaGraphDef| {
        graph.meta_info_def.as_ref().map(|info| info.tags.clone()).unwrap_or_default()
    };
    let known: Vec<Vec<String>> = model.meta_graphs.iter().map(tags).collect();
    let is_wanted =
        |tags: &Vec<String>| tags.iter().map(String::as_str).collect::<BTreeSet<&str>>() == *wanted;
    let place = known.iter().position(is_wanted);
    let graph = place.and_then(|place| model.meta_graphs.into_iter().nth(place));
    graph.ok_or_else(|| SavedModelError::NoTags {
        tags: wanted.iter().map(|tag| (*tag).to_owned()).collect(),
        known,
    })
}

/// Restores the variables from the folder, if it has values.
fn restore(session: &Session, meta: &MetaGraph, folder: &Path) -> Result<(), SavedModelError> {
    let prefix = folder.join(VARIABLES);
    if !checkpoint::exists(&prefix) {
        return Ok(());
    }
    if let Some(saver) = &meta.saver {
        let prefix: PathBuf = prefix;
        let filename = meta.imported.tensor(&saver.filename_tensor_name)?;
        let restore = meta.imported.operation(&saver.restore_op_name)?;
        let feeds = Feeds::new().feed(filename, &*prefix.to_string_lossy());
        session.run_with(restore, feeds)?;
        return Ok(());
    }
    let variables = session.graph().variables();
    if !variables.is_empty() {
        Saver::of(variables)?.restore(session, prefix)?;
    }
    Ok(())
}
