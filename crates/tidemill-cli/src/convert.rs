//! `tidemill convert`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tidemill_formats::proto::{GraphDef, Message};
use tidemill_formats::{FileKind, TextMessage, write_file};
use tidemill_ops::Tensor;
use tidemill_runtime::SessionOptions;
use tidemill_train::freeze_session;

use crate::failure::Failure;
use crate::formats::{TensorFormat, write_all};
use crate::graph::{Model, ModelArgs, load};

/// Converts a file to another format, named by the extension of the second path.
///
/// Tensors become tensors: a checkpoint (a path without a known extension is its prefix),
/// safetensors, npy or npz. Graphs become a GraphDef, binary (.pb) or as text (.pbtxt). The graph
/// of a SavedModel, and any graph for which --output names the wanted results, is frozen: its
/// variables become constants, and the parts that are not needed are left out.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file to convert.
    from: PathBuf,
    /// The file to write.
    to: PathBuf,
    /// Freezes the graph to the part that this tensor or operation needs.
    #[arg(long = "output", value_name = "NAME")]
    outputs: Vec<String>,
    /// Freezes the graph to the outputs of this signature. Default for a SavedModel:
    /// serving_default.
    #[arg(long, value_name = "NAME", conflicts_with = "outputs")]
    signature: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
}

pub(crate) fn convert(args: &Args) -> Result<(), Failure> {
    let kind = FileKind::of(&args.from)?;
    let end = args.to.extension().and_then(OsStr::to_str);
    let is_of_graphs = matches!(
        kind,
        FileKind::GraphDef | FileKind::GraphDefText | FileKind::MetaGraph | FileKind::SavedModel
    );
    match end {
        Some("pb" | "pbtxt") if is_of_graphs => {
            write_graph(&args.to, &graph(args, kind)?, end == Some("pbtxt"))
        }
        Some("pb" | "pbtxt" | "meta") => Err(cannot(args, kind)),
        _ => {
            let format = TensorFormat::of(kind).ok_or_else(|| cannot(args, kind))?;
            let tensors = (format.read_all)(&args.from)?;
            write_all(&args.to, tensors.iter().map(|(name, value)| (name.as_str(), value)))
        }
    }
}

fn cannot(args: &Args, kind: FileKind) -> Failure {
    let (from, to) = (args.from.display(), args.to.display());
    format!("{from}: cannot convert from {kind} to {to}").into()
}

/// The graph, as it is or frozen.
fn graph(args: &Args, kind: FileKind) -> Result<GraphDef, Failure> {
    let is_whole = args.outputs.is_empty() && args.signature.is_none();
    if is_whole && kind != FileKind::SavedModel {
        let graph = load(&args.from, kind)?.into_iter().next();
        return Ok(graph.map(|loaded| loaded.graph_def).unwrap_or_default());
    }
    let model = Model::open(&args.from, &args.model, SessionOptions::default())?;
    if !args.outputs.is_empty() {
        return Ok(freeze_session(&model.session, &args.outputs)?);
    }
    let signature = model.signature(args.signature.as_deref().unwrap_or("serving_default"))?;
    let outputs: Vec<String> = signature.outputs.values().copied().map(Tensor::name).collect();
    Ok(freeze_session(&model.session, &outputs)?)
}

fn write_graph(path: &Path, graph_def: &GraphDef, as_text: bool) -> Result<(), Failure> {
    let bytes = if as_text { graph_def.to_text().into_bytes() } else { graph_def.encode_to_vec() };
    Ok(write_file(path, |file| file.write_all(&bytes))?)
}
