//! The formats of files that hold tensors: the ways to read, write and show each.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use serde_json::{Value as Json, json};
use tidemill_formats::npy::{NpyHeader, NpzReader, read_npy_file, write_npy_file, write_npz};
use tidemill_formats::{FileKind, TensorInfo, TensorReader, map_file, nearest, write_tensors};
use tidemill_graphdef::Elements;
use tidemill_value::{DType, Shape, Value};

use crate::failure::Failure;
use crate::report::{Part, Table};

type Tensors = BTreeMap<String, Value>;
type Read = fn(&Path, Option<&str>) -> Result<Value, Failure>;
type Write = fn(&Path, &[(&str, &Value)]) -> Result<(), Failure>;

/// A format of files that hold tensors.
pub(crate) struct TensorFormat {
    kind: FileKind,
    /// The extension of the files to write. Others are checkpoints.
    extension: Option<&'static str>,
    /// Reads the tensor of a name, which files of one array do not need. If there is no function, tensors
    /// cannot be fed from such a file.
    pub(crate) read: Option<Read>,
    pub(crate) read_all: fn(&Path) -> Result<Tensors, Failure>,
    write: Write,
    /// The part of a report on such a file.
    pub(crate) part: fn(&Path) -> Result<Part, Failure>,
}

static FORMATS: &[TensorFormat] = &[
    CHECKPOINT,
    TensorFormat {
        kind: FileKind::CheckpointIndex,
        read: None,
        read_all: |path| read_named(&path.with_extension("")),
        part: |path| named_part(&path.with_extension("")),
        ..CHECKPOINT
    },
    TensorFormat { kind: FileKind::Safetensors, extension: Some("safetensors"), ..CHECKPOINT },
    TensorFormat {
        kind: FileKind::Npy,
        extension: Some("npy"),
        read: Some(|path, _| Ok(read_npy_file(path)?)),
        read_all: |path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(BTreeMap::from([(name, read_npy_file(path)?)]))
        },
        write: |path, tensors| match tensors {
            [(_, value)] => Ok(write_npy_file(path, value)?),
            _ => {
                let what = "an npy file holds one array; npz and safetensors hold several";
                Err(format!("{}: {what}", path.display()).into())
            }
        },
        part: npy_part,
    },
    TensorFormat {
        kind: FileKind::Npz,
        extension: Some("npz"),
        read: Some(read_npz),
        read_all: read_all_npz,
        write: |path, tensors| Ok(write_npz(path, tensors.iter().copied())?),
        part: npz_part,
    },
];

const CHECKPOINT: TensorFormat = TensorFormat {
    kind: FileKind::Checkpoint,
    extension: None,
    read: Some(|path, name| Ok(TensorReader::open(path)?.read(chosen(path, name)?)?)),
    read_all: read_named,
    write: |path, tensors| Ok(write_tensors(path, tensors.iter().copied())?),
    part: named_part,
};

impl TensorFormat {
    /// The format of files of a kind, if they hold tensors.
    pub(crate) fn of(kind: FileKind) -> Option<&'static TensorFormat> {
        FORMATS.iter().find(|format| format.kind == kind)
    }
}

/// Writes tensors in the format named by the extension of the path; without a known one, as a
/// checkpoint.
pub(crate) fn write_all<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Value)>,
) -> Result<(), Failure> {
    let tensors: Vec<(&str, &Value)> = tensors.into_iter().collect();
    let extension = path.extension().and_then(OsStr::to_str);
    let named = |format: &&TensorFormat| extension.is_some() && format.extension == extension;
    (FORMATS.iter().find(named).unwrap_or(&CHECKPOINT).write)(path, &tensors)
}

fn chosen<'a>(path: &Path, name: Option<&'a str>) -> Result<&'a str, Failure> {
    let several = || format!("{}: choose one of its tensors with @FILE#NAME", path.display());
    Ok(name.ok_or_else(several)?)
}

fn read_named(path: &Path) -> Result<Tensors, Failure> {
    let reader = TensorReader::open(path)?;
    let read = |info: TensorInfo| {
        let value = reader.read(&info.name)?;
        Ok((info.name, value))
    };
    reader.tensors()?.into_iter().map(read).collect()
}

fn read_npz(path: &Path, name: Option<&str>) -> Result<Value, Failure> {
    let (reader, name) = (NpzReader::open(path)?, chosen(path, name)?);
    Ok(reader.read(name).map_err(|error| {
        let near = nearest(name, reader.names());
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("{}: {error}{near}", path.display())
    })?)
}

fn read_all_npz(path: &Path) -> Result<Tensors, Failure> {
    let reader = NpzReader::open(path)?;
    let read = |name: &str| match reader.read(name) {
        Ok(value) => Ok((name.to_owned(), value)),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    };
    reader.names().map(read).collect()
}

/// The tensors of a checkpoint, or of a safetensors file and its metadata.
pub(crate) fn named_part(path: &Path) -> Result<Part, Failure> {
    let reader = TensorReader::open(path)?;
    let mut part = tensors_part(&reader.tensors()?);
    if let TensorReader::Safetensors(file) = &reader {
        let metadata = file.metadata();
        let metadata = if metadata.is_empty() { Json::Null } else { json!(metadata) };
        part.fields.push(("metadata", metadata));
    }
    Ok(part)
}

fn npy_part(path: &Path) -> Result<Part, Failure> {
    let file = map_file(path)?;
    let header = NpyHeader::read(&file).map_err(|error| format!("{}: {error}", path.display()))?;
    let NpyHeader { dtype, shape, .. } = header;
    let fields = vec![
        ("type", format!("{dtype}{shape}").into()),
        ("elements", shape.elements().into()),
        ("bytes", bytes(dtype, &shape).into()),
    ];
    Ok(Part { fields, tables: Vec::new() })
}

fn npz_part(path: &Path) -> Result<Part, Failure> {
    let reader = NpzReader::open(path)?;
    let info = |name: &str| -> Result<TensorInfo, Failure> {
        let header = reader.header(name).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(TensorInfo::new(name, header.dtype, header.shape))
    };
    let tensors: Vec<TensorInfo> = reader.names().map(info).collect::<Result<_, _>>()?;
    Ok(tensors_part(&tensors))
}

fn tensors_part(tensors: &[TensorInfo]) -> Part {
    let mut sums: BTreeMap<&str, Elements> = BTreeMap::new();
    let mut rows = Vec::new();
    for tensor in tensors {
        let elements = tensor.shape.elements().unwrap_or_default();
        let bytes = tensor.dtype.ok().and_then(|dtype| bytes(dtype, &tensor.shape));
        let sum = sums.entry(tensor.dtype.map_or("others", DType::name)).or_default();
        sum.tensors += 1;
        sum.elements += elements;
        sum.bytes += bytes.unwrap_or_default();
        rows.push(vec![json!(tensor.name), json!(tensor.type_and_shape()), json!(bytes)]);
    }
    let parameters: usize = sums.values().map(|sum| sum.elements).sum();
    let fields = vec![("parameters", parameters.into())];
    let tensors = Table { name: "tensors", columns: &["name", "type", "bytes"], rows };
    Part { fields, tables: vec![tensors, elements("types", sums.into_iter())] }
}

/// The bytes of the elements. Those of strings are known only once they are read.
fn bytes(dtype: DType, shape: &Shape) -> Option<usize> {
    let size = dtype.is_plain().then_some(dtype.size())?;
    shape.elements()?.checked_mul(size)
}

/// The number of elements of each type.
pub(crate) fn elements<'a>(
    name: &'static str,
    sums: impl Iterator<Item = (&'a str, Elements)>,
) -> Table {
    let row = |(name, sum): (&str, Elements)| {
        vec![json!(name), json!(sum.tensors), json!(sum.elements), json!(sum.bytes)]
    };
    let columns = &["type", "tensors", "elements", "bytes"];
    Table { name, columns, rows: sums.map(row).collect() }
}
