use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tidemill_formats::checkpoint::write_checkpoint;
use tidemill_formats::proto::{self, Message};
use tidemill_formats::{FileError, write_file};
use tidemill_graphdef::{Asset, MetaGraphParts, Signature, to_meta_graph};
use tidemill_ops::{Inspect, Operation, Tensor};
use tidemill_runtime::Session;

use super::{ASSETS, GRAPHS, SavedModelError, VARIABLES};
use crate::saver::saved_variables;

/// The version of the format.
const SCHEMA: i64 = 1;

/// Saves a session's graph and the values of its variables as a model that TensorFlow can load.
///
/// ```
/// use tidemill_graphdef::Signature;
/// use tidemill_ops::{get_variable, ones, placeholder};
/// use tidemill_runtime::Session;
/// use tidemill_train::{SavedModel, SavedModelBuilder};
/// let x = placeholder::<f32>([]).named("x");
/// let y = (x * get_variable("weight", [], ones())).named("y");
/// let session = Session::new();
/// session.init_missing()?;
/// # let folder = std::env::temp_dir().join(format!("tidemill-model-{}", std::process::id()));
/// let signature = Signature {
///     inputs: [("x".to_owned(), x)].into(),
///     outputs: [("y".to_owned(), y)].into(),
///     ..Signature::default()
/// };
/// SavedModelBuilder::new(&session).signature("serving_default", signature).save(&folder)?;
/// let model = SavedModel::load(&folder, &["serve"])?;
/// assert_eq!(model.run("serving_default", [("x", 3.0_f32)])?["y"].to_string(), "3.0");
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is saved until `save`"]
pub struct SavedModelBuilder<'a> {
    session: &'a Session,
    parts: MetaGraphParts,
    files: Vec<PathBuf>,
}

impl<'a> SavedModelBuilder<'a> {
    /// A model of a session, with the tag `serve`.
    pub fn new(session: &'a Session) -> Self {
        let parts = MetaGraphParts { tags: vec!["serve".to_owned()], ..MetaGraphParts::default() };
        SavedModelBuilder { session, parts, files: Vec::new() }
    }

    /// Sets the tags that say what the graph is for.
    pub fn tags<S: Into<String>>(mut self, tags: impl IntoIterator<Item = S>) -> Self {
        self.parts.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a signature. The default method is `tensorflow/serving/predict`.
    pub fn signature(mut self, name: &str, mut signature: Signature) -> Self {
        if signature.method_name.is_empty() {
            "tensorflow/serving/predict".clone_into(&mut signature.method_name);
        }
        self.parts.signatures.insert(name.to_owned(), signature);
        self
    }

    /// Adds an asset, a file that the graph reads. Loading the model runs the main operation with
    /// the path fed for `tensor`.
    pub fn asset(mut self, tensor: Tensor, file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.parts.assets.push(Asset { tensor, filename: name });
        self.files.push(file);
        self
    }

    /// Sets the main operation, which runs when the model is loaded, after its variables are
    /// restored.
    pub fn main_op(mut self, operation: Operation) -> Self {
        self.parts.main_op = Some(operation);
        self
    }

    /// Saves the model in a folder, which is created if it does not exist.
    ///
    /// # Errors
    /// [`SavedModelError`], if the folder already has a model, a variable has no value, or a file
    /// cannot be written.
    pub fn save(mut self, folder: impl AsRef<Path>) -> Result<(), SavedModelError> {
        let folder = folder.as_ref();
        let path = folder.join(GRAPHS);
        if path.exists() {
            return Err(SavedModelError::Exists { path: folder.to_owned() });
        }
        let graph = self.session.graph();
        let variables = graph.variables();
        let values = self.session.run(variables.clone())?;
        let names: Vec<String> = variables.iter().map(|variable| variable.op().name()).collect();
        self.parts.saved = saved_variables(names.iter().map(String::as_str).zip(variables));
        let meta_graph = to_meta_graph(graph, &self.parts)?;
        if !values.is_empty() {
            write_checkpoint(
                folder.join(VARIABLES),
                names.iter().map(String::as_str).zip(&values),
            )?;
        }
        self.copy_assets(folder)?;
        let model =
            proto::SavedModel { saved_model_schema_version: SCHEMA, meta_graphs: vec![meta_graph] };
        create(folder)?;
        // The model exists once its graph does, so the graph is written last.
        let written = write_file(&path, |file| file.write_all(&model.encode_to_vec()));
        written.map_err(|FileError { path, kind }| SavedModelError::Io { path, source: *kind })
    }

    fn copy_assets(&self, folder: &Path) -> Result<(), SavedModelError> {
        if self.files.is_empty() {
            return Ok(());
        }
        let folder = folder.join(ASSETS);
        create(&folder)?;
        for (file, asset) in self.files.iter().zip(&self.parts.assets) {
            at(file, fs::copy(file, folder.join(&asset.filename)))?;
        }
        Ok(())
    }
}

fn create(folder: &Path) -> Result<(), SavedModelError> {
    at(folder, fs::create_dir_all(folder))
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, SavedModelError> {
    result.map_err(|source| SavedModelError::Io { path: path.to_owned(), source })
}
