//! `tidemill inspect`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use tidemill_formats::checkpoint::latest_checkpoint;
use tidemill_formats::event::EventReader;
use tidemill_formats::proto::{self, DataType, SignatureDef, TensorEncoding};
use tidemill_formats::tfrecord::TfRecordReader;
use tidemill_formats::{FileKind, map_file};
use tidemill_graphdef::{GraphSummary, NotUnderstood, TensorSummary};

use crate::failure::Failure;
use crate::formats::{TensorFormat, elements, named_part};
use crate::graph;
use crate::graph::Loaded;
use crate::report::{Part, Report, Table};

/// Shows the contents of a file of a graph or of tensors.
///
/// The kind of file is recognized by its content: a GraphDef, binary or as text, a SavedModel, a
/// checkpoint (its prefix, its index, or a folder of them), safetensors, npy, npz, TFRecord or an
/// event file.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file, or the prefix of a checkpoint.
    file: PathBuf,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn inspect(args: &Args, output: &mut dyn Write) -> Result<(), Failure> {
    let report = report(&args.file)?;
    match args.json {
        true => writeln!(output, "{:#}", report.to_json())?,
        false => write!(output, "{report}")?,
    }
    Ok(())
}

fn report(path: &Path) -> Result<Report, Failure> {
    let kind = FileKind::of(path)?;
    let part = match kind {
        _ if let Some(format) = TensorFormat::of(kind) => (format.part)(path)?,
        FileKind::CheckpointFolder => latest(path)?,
        FileKind::TfRecord => records(path)?,
        FileKind::Events => events(path)?,
        _ => {
            let parts = graph::load(path, kind)?.into_iter().map(graph_part).collect();
            return Ok(Report { path: path.display().to_string(), kind: kind.to_string(), parts });
        }
    };
    let path = path.display().to_string();
    Ok(Report { path, kind: kind.to_string(), parts: vec![part] })
}

fn graph_part(loaded: Loaded) -> Part {
    let Loaded { graph_def, tags, signatures } = loaded;
    let mut part = summary_part(&GraphSummary::of(&graph_def));
    if !tags.is_empty() {
        part.fields.insert(0, ("tags", tags.join(", ").into()));
    }
    part.tables.insert(0, signature_table(&signatures));
    part
}

fn signature_table(signatures: &BTreeMap<String, SignatureDef>) -> Table {
    let row = |signature: &str, way: &str, name: &str, info: &proto::TensorInfo| {
        let tensor = match &info.encoding {
            Some(TensorEncoding::Name(tensor)) => json!(tensor),
            _ => Json::Null,
        };
        let shape = info.tensor_shape.as_ref().and_then(|shape| shape.partial_shape().ok());
        let what = DataType::dtype(info.dtype).ok().zip(shape);
        let what = what.map(|(dtype, shape)| format!("{dtype}{shape}"));
        vec![json!(signature), json!(way), json!(name), tensor, json!(what)]
    };
    let rows = signatures.iter().flat_map(|(signature, def)| {
        let inputs = def.inputs.iter().map(|(name, info)| row(signature, "takes", name, info));
        let outputs = def.outputs.iter().map(|(name, info)| row(signature, "gives", name, info));
        inputs.chain(outputs).collect::<Vec<_>>()
    });
    let columns = &["signature", "way", "name", "tensor", "type"];
    Table { name: "signatures", columns, rows: rows.collect() }
}

fn summary_part(summary: &GraphSummary) -> Part {
    let error = summary.error.as_ref().map(ToString::to_string);
    let fields = vec![
        ("nodes", summary.nodes.into()),
        ("functions", summary.functions.into()),
        ("parameters", summary.parameters().into()),
        ("cannot_run", error.into()),
    ];
    let names = |tensors: &[TensorSummary]| tensors.iter().map(row_of_tensor).collect();
    let op = |(op, count): &(String, usize)| vec![json!(op), json!(count)];
    let blocked = |(output, node): (&String, &String)| vec![json!(output), json!(node)];
    let lacking = |node: &NotUnderstood| vec![json!(node.node), json!(node.op), json!(node.reason)];
    let tables = vec![
        Table { name: "inputs", columns: &["name", "op", "type"], rows: names(&summary.inputs) },
        Table { name: "outputs", columns: &["name", "op", "type"], rows: names(&summary.outputs) },
        Table {
            name: "variables",
            columns: &["name", "op", "type"],
            rows: names(&summary.variables),
        },
        elements("constants", summary.constants.iter().map(|(dtype, sum)| (dtype.name(), *sum))),
        Table {
            name: "operations",
            columns: &["op", "count"],
            rows: summary.ops.iter().map(op).collect(),
        },
        Table {
            name: "not_understood",
            columns: &["node", "op", "reason"],
            rows: summary.not_understood.iter().map(lacking).collect(),
        },
        Table {
            name: "outputs_that_cannot_run",
            columns: &["output", "needs"],
            rows: summary.blocked.iter().map(blocked).collect(),
        },
    ];
    Part { fields, tables }
}

fn row_of_tensor(tensor: &TensorSummary) -> Vec<Json> {
    let what = tensor.dtype.map(|dtype| format!("{dtype}{}", tensor.shape));
    vec![json!(tensor.name), json!(tensor.op), json!(what)]
}

/// The checkpoint that a folder names as its latest.
fn latest(folder: &Path) -> Result<Part, Failure> {
    let latest = latest_checkpoint(folder)?.ok_or_else(|| {
        format!("{}: the latest checkpoint it names does not exist", folder.display())
    })?;
    let mut part = named_part(&latest)?;
    part.fields.insert(0, ("latest", latest.display().to_string().into()));
    Ok(part)
}

fn records(path: &Path) -> Result<Part, Failure> {
    let file = map_file(path)?;
    let mut reader = TfRecordReader::new(&file[..]);
    let (mut records, mut shortest, mut longest) = (0_u64, usize::MAX, 0);
    for record in reader.by_ref() {
        let record = record.map_err(|error| format!("{}: {error}", path.display()))?;
        records += 1;
        shortest = shortest.min(record.len());
        longest = longest.max(record.len());
    }
    let fields = vec![
        ("records", records.into()),
        ("shortest", shortest.min(longest).into()),
        ("longest", longest.into()),
        ("bytes", reader.offset().into()),
    ];
    Ok(Part { fields, tables: Vec::new() })
}

/// The scalars of a tag.
#[derive(Default)]
struct Scalars {
    points: usize,
    first: i64,
    last: i64,
    value: f32,
}

fn events(path: &Path) -> Result<Part, Failure> {
    let mut tags: BTreeMap<String, Scalars> = BTreeMap::new();
    let mut events = 0_u64;
    for event in EventReader::open(path)? {
        let event = event.map_err(|error| format!("{}: {error}", path.display()))?;
        events += 1;
        for (tag, point) in event.scalars() {
            let scalars = tags.entry(tag.to_owned()).or_default();
            if scalars.points == 0 {
                scalars.first = point.step;
            }
            scalars.points += 1;
            (scalars.last, scalars.value) = (point.step, point.value);
        }
    }
    let row = |(tag, scalars): (String, Scalars)| {
        let Scalars { points, first, last, value } = scalars;
        vec![json!(tag), json!(points), json!(first), json!(last), json!(value.to_string())]
    };
    let columns = &["tag", "points", "first_step", "last_step", "last_value"];
    let scalars = Table { name: "scalars", columns, rows: tags.into_iter().map(row).collect() };
    Ok(Part { fields: vec![("events", events.into())], tables: vec![scalars] })
}
