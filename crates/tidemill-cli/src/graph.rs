//! Graphs from files, and sessions that run them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use tidemill_formats::proto::{Bytes, GraphDef, Message, MetaGraphDef, SignatureDef};
use tidemill_formats::{FileKind, TextMessage, map_file, nearest};
use tidemill_graph::{Graph, OpError};
use tidemill_graphdef::{ImportOptions, Signature, import_graph_def, import_meta_graph};
use tidemill_ops::Inspect;
use tidemill_runtime::{RunError, Session, SessionOptions};
use tidemill_train::{SavedModel, Saver};

use crate::failure::Failure;

/// A graph as stored in its file.
pub(crate) struct Loaded {
    pub(crate) graph_def: GraphDef,
    pub(crate) tags: Vec<String>,
    pub(crate) signatures: BTreeMap<String, SignatureDef>,
}

/// The graphs of a file. Only a SavedModel can have several.
pub(crate) fn load(path: &Path, kind: FileKind) -> Result<Vec<Loaded>, Failure> {
    let of_file = |error: &dyn Display| format!("{}: {error}", path.display());
    if kind == FileKind::SavedModel {
        let model = SavedModel::read(path).map_err(|error| of_file(&error))?;
        return Ok(model.meta_graphs.into_iter().map(of_meta_graph).collect());
    }
    let file = map_file(path)?;
    match kind {
        FileKind::GraphDef | FileKind::GraphDefText => {
            let graph_def = match kind {
                FileKind::GraphDef => GraphDef::decode(Bytes::from_owner(file))
                    .map_err(|error| of_file(&format!("not a GraphDef: {error}")))?,
                _ => {
                    let text = str::from_utf8(&file).map_err(|error| of_file(&error))?;
                    GraphDef::from_text(text).map_err(|error| of_file(&error))?
                }
            };
            Ok(vec![Loaded { graph_def, tags: Vec::new(), signatures: BTreeMap::new() }])
        }
        FileKind::MetaGraph => {
            let meta = MetaGraphDef::decode(Bytes::from_owner(file))
                .map_err(|error| of_file(&format!("not a MetaGraphDef: {error}")))?;
            Ok(vec![of_meta_graph(meta)])
        }
        _ => Err(of_file(&format!("expected a graph, found {kind}")).into()),
    }
}

fn of_meta_graph(meta: MetaGraphDef) -> Loaded {
    Loaded {
        graph_def: meta.graph_def.unwrap_or_default(),
        tags: meta.meta_info_def.map(|info| info.tags).unwrap_or_default(),
        signatures: meta.signature_def,
    }
}

/// The choice of a graph, and of the values of its variables.
#[derive(clap::Args)]
pub(crate) struct ModelArgs {
    /// Restores the variables: the prefix of a checkpoint, or a safetensors file.
    #[arg(long, value_name = "PREFIX")]
    checkpoint: Option<PathBuf>,
    /// Runs an operation first, such as one that initializes variables.
    #[arg(long, value_name = "NAME")]
    init: Vec<String>,
    /// The tags of the graph of a SavedModel.
    #[arg(long, value_name = "TAG,..", value_delimiter = ',', default_value = "serve")]
    tags: Vec<String>,
}

/// A graph in a session, with its signatures.
pub(crate) struct Model {
    pub(crate) session: Session,
    signatures: BTreeMap<String, Signature>,
}

impl Model {
    pub(crate) fn open(
        path: &Path,
        args: &ModelArgs,
        options: SessionOptions,
    ) -> Result<Model, Failure> {
        let kind = FileKind::of(path)?;
        let of_file = |error: &dyn Display| format!("{}: {error}", path.display());
        let model = if kind == FileKind::SavedModel {
            let model = SavedModel::load_with_options(path, &args.tags, options);
            let (session, meta) = model.map_err(|error| of_file(&error))?.into_parts();
            Model { session, signatures: meta.signatures }
        } else {
            let graph = Graph::new();
            let _default = graph.as_default();
            let mut signatures = BTreeMap::new();
            if kind == FileKind::MetaGraph {
                let meta = MetaGraphDef::decode(Bytes::from_owner(map_file(path)?))
                    .map_err(|error| of_file(&error))?;
                let meta = import_meta_graph(meta, &ImportOptions::default());
                signatures = meta.map_err(|error| of_file(&error))?.signatures;
            } else {
                for loaded in load(path, kind)? {
                    import_graph_def(loaded.graph_def).map_err(|error| of_file(&error))?;
                }
            }
            Model { session: Session::with_options(&graph, options), signatures }
        };
        model.prepare(args)?;
        Ok(model)
    }

    /// Gives the variables their values.
    fn prepare(&self, args: &ModelArgs) -> Result<(), Failure> {
        for name in &args.init {
            let operation = self.graph().operation(name).map_err(|e| format!("--init {e}"))?;
            self.session.run(operation).map_err(|error| self.explain(&error))?;
        }
        if let Some(prefix) = &args.checkpoint {
            let saver = Saver::of(self.graph().variables())?;
            saver.restore(&self.session, prefix)?;
        }
        Ok(())
    }

    pub(crate) fn graph(&self) -> &Graph {
        self.session.graph()
    }

    /// The signature of a name.
    pub(crate) fn signature(&self, name: &str) -> Result<&Signature, Failure> {
        self.signatures.get(name).ok_or_else(|| {
            let hint = hint(name, &self.signatures);
            format!("the graph has no signature `{name}`{hint}").into()
        })
    }

    /// The message of a run's error for a user who has no program whose lines it could name.
    pub(crate) fn explain(&self, error: &RunError) -> String {
        let location = self.graph().operations().iter().find_map(|operation| operation.location());
        let location = location.map(|location| location.to_string()).unwrap_or_default();
        let text = error.to_string().replace(&format!(" ({location})"), "");
        let is_of_program =
            |line: &&str| line.starts_with("  help: ") || line.trim() == format!("--> {location}");
        let mut lines: Vec<&str> = text.lines().filter(|line| !is_of_program(line)).collect();
        let help = match error {
            RunError::Unfed(missing) => missing.first().map(|unfed| {
                format!("  help: feed it with --feed {}=@FILE", unfed.placeholder.name)
            }),
            RunError::Uninitialized(_) => Some(
                "  help: give it a value with --checkpoint PREFIX, or --init OPERATION".to_owned(),
            ),
            RunError::NoKernel(failed) if matches!(failed.source, OpError::Opaque { .. }) => {
                Some("  help: feed what is computed from it with --feed NAME=@FILE".to_owned())
            }
            _ => None,
        };
        lines.extend(help.as_deref());
        lines.join("\n")
    }
}

/// The hint for a name that is not among others.
pub(crate) fn hint<T>(name: &str, others: &BTreeMap<String, T>) -> String {
    let known: Vec<&str> = others.keys().map(String::as_str).collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => "; there are none".to_owned(),
        None => format!("; there are: {}", known.join(", ")),
    }
}
