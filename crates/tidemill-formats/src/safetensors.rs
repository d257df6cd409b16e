use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorInfo as Stored};
use serde_json::json;
use tidemill_value::{DType, FileMap, Shape, Value};

use crate::bytes::{bytes_of, value_from_file};
use crate::file::{folder_of, map_file};
use crate::proto::DataTypeError;
use crate::tensor_info::{TensorInfo, nearest};
use crate::{BytesError, FileError, value_from_bytes, write_file};

/// The alignment of tensors in written files.
const ALIGNMENT: usize = 8;
/// The bytes of the length of the header.
const LENGTH: usize = 8;
/// The key of the header's metadata.
const METADATA: &str = "__metadata__";

/// The error of reading or writing a safetensors file.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SafetensorsError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are not a safetensors file.
    #[error("not a safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    /// No tensor has this name.
    #[error(
        "there is no tensor `{name}`{}",
        near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
    )]
    NotFound {
        /// The name.
        name: String,
        /// A similar name, if there is one.
        near: Option<String>,
    },
    /// A tensor has a data type that values cannot have.
    #[error("the tensor `{name}`: {source}")]
    DType {
        /// The name of the tensor.
        name: String,
        /// The error.
        source: DataTypeError,
    },
    /// The bytes of a tensor do not fill its shape.
    #[error("the tensor `{name}`: {source}")]
    Bytes {
        /// The name of the tensor.
        name: String,
        /// The error.
        source: BytesError,
    },
    /// The format has no such data type.
    #[error("the tensor `{name}` is of type string, which safetensors cannot store")]
    Strings {
        /// The name of the tensor.
        name: String,
    },
    /// The name is not allowed for a tensor.
    #[error("a tensor in a safetensors file cannot be named `{METADATA}`")]
    Name,
}

tidemill_value::debug_as_report!(SafetensorsError);

/// The tensors of a safetensors file, by name.
///
/// # Errors
/// [`SafetensorsError`]. The header is checked before any tensor is read.
pub fn read_safetensors(bytes: &[u8]) -> Result<BTreeMap<String, Value>, SafetensorsError> {
    let header = Header::read(bytes)?;
    let tensor = |(name, info): (&String, &Stored)| {
        let bytes = &bytes[header.range(info)];
        let value = value(name, info, |dtype, shape| value_from_bytes(dtype, shape, bytes))?;
        Ok((name.clone(), value))
    };
    header.tensors.iter().map(tensor).collect()
}

/// A safetensors file, whose tensors are read one at a time.
///
/// The file is memory-mapped (see [`FileMap`]). A large tensor stays in the file if the machine
/// can use its elements in place.
#[derive(Clone, Debug)]
pub struct SafetensorsFile {
    path: PathBuf,
    file: FileMap,
    header: Header,
}

impl SafetensorsFile {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// [`FileError`] of the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError<SafetensorsError>> {
        let path = path.as_ref();
        let file = map_file(path).map_err(FileError::widen)?;
        let header = Header::read(&file).map_err(|error| FileError::new(path, error))?;
        Ok(SafetensorsFile { path: path.to_owned(), file, header })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The metadata in the header.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.header.metadata
    }

    /// The tensors, in the order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = TensorInfo> {
        self.header.tensors.iter().map(|(name, info)| TensorInfo {
            name: name.clone(),
            dtype: dtype(info.dtype),
            shape: info.shape.as_slice().into(),
        })
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// [`FileError`], if no tensor has this name, or values cannot have its type.
    pub fn read(&self, name: &str) -> Result<Value, FileError<SafetensorsError>> {
        let read = |info: &Stored| {
            let range = self.header.range(info);
            value(name, info, |dtype, shape| value_from_file(dtype, shape, &self.file, range))
        };
        let result = self.header.tensors.get(name).map(read).unwrap_or_else(|| {
            let near = nearest(name, self.header.tensors.keys().map(String::as_str));
            let (name, near) = (name.to_owned(), near.map(str::to_owned));
            Err(SafetensorsError::NotFound { name, near })
        });
        result.map_err(|error| FileError::new(&self.path, error))
    }
}

/// The parts of the file before the tensors.
#[derive(Clone, Debug)]
struct Header {
    /// The start of the first tensor.
    begin: usize,
    tensors: BTreeMap<String, Stored>,
    metadata: BTreeMap<String, String>,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Header, SafeTensorError> {
        let (length, header) = SafeTensors::read_metadata(bytes)?;
        let tensors = header.tensors().into_iter().map(|(name, info)| (name, info.clone()));
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Header {
            begin: LENGTH + length,
            tensors: tensors.collect(),
            metadata: metadata.into_iter().collect(),
        })
    }

    /// The range of the bytes of a tensor; their presence has been checked.
    fn range(&self, info: &Stored) -> Range<usize> {
        let (begin, end) = info.data_offsets;
        self.begin + begin..self.begin + end
    }
}

fn value(
    name: &str,
    info: &Stored,
    read: impl FnOnce(DType, Shape) -> Result<Value, BytesError>,
) -> Result<Value, SafetensorsError> {
    let name = || name.to_owned();
    let dtype =
        dtype(info.dtype).map_err(|source| SafetensorsError::DType { name: name(), source })?;
    read(dtype, Shape::from(info.shape.as_slice()))
        .map_err(|source| SafetensorsError::Bytes { name: name(), source })
}

/// Writes tensors as a safetensors file, atomically. It also stores `metadata`. The folder is
/// created if it does not exist.
///
/// # Errors
/// [`FileError`] if the file cannot be written, or a tensor is of strings or named `__metadata__`.
pub fn write_safetensors<'a>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (&'a str, &'a Value)>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), FileError<SafetensorsError>> {
    let path = path.as_ref();
    let tensors: BTreeMap<&str, &Value> = tensors.into_iter().collect();
    let mut tensors: Vec<(&str, &Value)> = tensors.into_iter().collect();
    // Wide elements come first, so that all are aligned as in memory.
    tensors.sort_by_key(|(_, value)| std::cmp::Reverse(value.dtype().size()));
    let header = header_of(&tensors, metadata).map_err(|error| FileError::new(path, error))?;
    let folder = folder_of(path);
    std::fs::create_dir_all(folder).map_err(|error| FileError::new(folder, error))?;
    let written = write_file(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        tensors.iter().try_for_each(|(_, value)| file.write_all(&bytes_of(value)))
    });
    written.map_err(FileError::widen)
}

fn header_of(
    tensors: &[(&str, &Value)],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, SafetensorsError> {
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        header.insert(METADATA.to_owned(), json!(metadata));
    }
    let mut begin = 0;
    for (name, value) in tensors {
        let dtype = dtype_of(value.dtype())
            .ok_or_else(|| SafetensorsError::Strings { name: (*name).to_owned() })?;
        if *name == METADATA {
            return Err(SafetensorsError::Name);
        }
        let end = begin + value.bytes();
        let info = json!({
            "dtype": dtype.to_string(), "shape": &value.shape()[..], "data_offsets": [begin, end],
        });
        header.insert((*name).to_owned(), info);
        begin = end;
    }
    let mut bytes = serde_json::Value::Object(header).to_string().into_bytes();
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), b' ');
    Ok(bytes)
}

const DTYPES: [(DType, Dtype); 13] = [
    (DType::F32, Dtype::F32),
    (DType::F64, Dtype::F64),
    (DType::F16, Dtype::F16),
    (DType::BF16, Dtype::BF16),
    (DType::I8, Dtype::I8),
    (DType::I16, Dtype::I16),
    (DType::I32, Dtype::I32),
    (DType::I64, Dtype::I64),
    (DType::U8, Dtype::U8),
    (DType::U16, Dtype::U16),
    (DType::U32, Dtype::U32),
    (DType::U64, Dtype::U64),
    (DType::Bool, Dtype::BOOL),
];

fn dtype(stored: Dtype) -> Result<DType, DataTypeError> {
    let found = DTYPES.iter().find(|(_, other)| *other == stored).map(|(dtype, _)| *dtype);
    found.ok_or(DataTypeError::Unsupported {
        name: match stored {
            Dtype::C64 => "complex64",
            Dtype::F8_E5M2 => "float8_e5m2",
            Dtype::F8_E4M3 => "float8_e4m3fn",
            Dtype::F8_E8M0 => "float8_e8m0fnu",
            Dtype::F8_E5M2FNUZ => "float8_e5m2fnuz",
            Dtype::F8_E4M3FNUZ => "float8_e4m3fnuz",
            _ => "of fewer than 8 bits",
        },
    })
}

fn dtype_of(dtype: DType) -> Option<Dtype> {
    DTYPES.iter().find(|(other, _)| *other == dtype).map(|(_, stored)| *stored)
}
