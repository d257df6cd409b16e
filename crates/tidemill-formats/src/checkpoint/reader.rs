use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use prost::Message;
use tidemill_value::{DType, FileMap, Shape, Value};

use super::error::{CheckpointError, CheckpointErrorKind, TensorErrorKind};
use super::files::{data_path, index_path};
use super::folder;
use super::messages::{BundleEntry, BundleHeader, VERSION};
use super::slice::{Slice, join, slice_key};
use super::strings;
use super::table::read_table;
use crate::ShapeError;
use crate::bytes::value_from_file;
use crate::checksum::{is_right, masked};
use crate::file::map_file;
use crate::proto::{DataType, TensorShapeProto};
use crate::tensor_info::{TensorInfo, nearest};

/// The most data files of a checkpoint, given by the digits in their names.
const MOST_SHARDS: i32 = 99_999;

/// Reads the tensors of a checkpoint, one at a time.
#[derive(Clone, Debug)]
pub struct CheckpointReader {
    prefix: PathBuf,
    shards: i32,
    /// Tensors by name.
    tensors: BTreeMap<String, BundleEntry>,
    /// Slices by key.
    slices: BTreeMap<Vec<u8>, BundleEntry>,
}

impl CheckpointReader {
    /// Reads the index of the checkpoint `prefix`.
    ///
    /// # Errors
    /// [`CheckpointError`], if it does not exist or is damaged.
    pub fn open(prefix: impl AsRef<Path>) -> Result<CheckpointReader, CheckpointError> {
        let prefix = prefix.as_ref();
        let index = map_file(index_path(prefix)).map_err(|error| {
            folder::missing(prefix, &error.kind).unwrap_or_else(|| error.into())
        })?;
        CheckpointReader::from_index(prefix, &index)
    }

    /// Opens the checkpoint `prefix` from the bytes of its index.
    ///
    /// # Errors
    /// [`CheckpointError`], if they are damaged.
    pub fn from_index(
        prefix: impl AsRef<Path>,
        index: &[u8],
    ) -> Result<CheckpointReader, CheckpointError> {
        let prefix = prefix.as_ref();
        CheckpointReader::parse(prefix, index).map_err(|kind| kind.at(index_path(prefix)))
    }

    fn parse(prefix: &Path, index: &[u8]) -> Result<CheckpointReader, CheckpointErrorKind> {
        let mut entries = read_table(index)?.into_iter();
        let header = match entries.next() {
            Some((key, value)) if key.is_empty() => decode::<BundleHeader>(&key, &value)?,
            _ => return Err(CheckpointErrorKind::NoHeader),
        };
        let shards = check_header(&header)?;
        let (mut tensors, mut slices) = (BTreeMap::new(), BTreeMap::new());
        for (key, value) in entries {
            let entry = decode(&key, &value)?;
            if key.first() == Some(&0) {
                slices.insert(key, entry);
            } else {
                let name = String::from_utf8(key).map_err(|error| CheckpointErrorKind::Name {
                    name: String::from_utf8_lossy(error.as_bytes()).into_owned(),
                })?;
                tensors.insert(name, entry);
            }
        }
        Ok(CheckpointReader { prefix: prefix.to_owned(), shards, tensors, slices })
    }

    /// The prefix of its files.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// The number of data files.
    pub(super) fn shards(&self) -> i32 {
        self.shards
    }

    /// The tensors by name.
    ///
    /// # Errors
    /// [`CheckpointError`] if a tensor has an impossible shape.
    pub fn tensors(&self) -> Result<Vec<TensorInfo>, CheckpointError> {
        let info = |(name, entry): (&String, &BundleEntry)| {
            let shape = shape_of(entry).map_err(|error| self.error(name, error.into()))?;
            Ok(TensorInfo { name: name.clone(), dtype: DataType::dtype(entry.dtype), shape })
        };
        self.tensors.iter().map(info).collect()
    }

    /// Whether the checkpoint has a tensor with this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The names of the tensors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Reads a tensor. If it is stored as slices, they are joined. The elements of a large tensor
    /// may stay in the file, memory-mapped (see [`FileMap`]).
    ///
    /// # Errors
    /// [`CheckpointError`] if there is no such tensor, values cannot have its type, or its bytes
    /// are damaged. Nothing is allocated for missing bytes.
    pub fn read(&self, name: &str) -> Result<Value, CheckpointError> {
        let Some(entry) = self.tensors.get(name) else {
            let near = nearest(name, self.names()).map(str::to_owned);
            let kind = CheckpointErrorKind::NotFound { name: name.to_owned(), near };
            return Err(kind.at(&self.prefix));
        };
        let value = match entry.slices.is_empty() {
            true => self.read_whole(entry),
            false => self.read_slices(name, entry),
        };
        value.map_err(|source| self.error(name, source))
    }

    fn error(&self, name: &str, source: TensorErrorKind) -> CheckpointError {
        let (name, source) = (name.to_owned(), Box::new(source));
        CheckpointErrorKind::Tensor { name, source }.at(&self.prefix)
    }

    fn read_whole(&self, entry: &BundleEntry) -> Result<Value, TensorErrorKind> {
        let (dtype, shape) = (DataType::dtype(entry.dtype)?, shape_of(entry)?);
        let count = shape.elements().ok_or(ShapeError::TooLarge)?;
        let expected = match dtype {
            // The number of strings is known only from the bytes.
            DType::String => None,
            _ => Some(count.checked_mul(dtype.size()).ok_or(ShapeError::TooLarge)?),
        };
        let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
        if let Some(expected) = expected.filter(|&expected| expected != size) {
            let actual = size;
            return Err(crate::BytesError::Count { dtype, shape, expected, actual }.into());
        }
        let (file, range) = self.map_bytes(entry)?;
        let bytes = &file[range.clone()];
        let (value, actual) = match dtype {
            DType::String => {
                let (strings, checksum) =
                    strings::decode(bytes, count).ok_or(TensorErrorKind::Strings { count })?;
                (Value::from_vec(shape, strings)?, checksum)
            }
            _ => {
                let checksum = masked(crc32c::crc32c(bytes));
                (value_from_file(dtype, shape, &file, range)?, checksum)
            }
        };
        let expected = entry.crc32c;
        match is_right(actual, expected) {
            true => Ok(value),
            false => Err(TensorErrorKind::Checksum { actual, expected }),
        }
    }

    /// The bytes of a tensor, which must all be in the file.
    fn map_bytes(&self, entry: &BundleEntry) -> Result<(FileMap, Range<usize>), TensorErrorKind> {
        let path = self.data_path(entry)?;
        let file = FileMap::open(&path).map_err(|source| TensorErrorKind::Io { path, source })?;
        let BundleEntry { offset, size, .. } = *entry;
        let range = || {
            let begin = usize::try_from(offset).ok()?;
            let end = begin.checked_add(usize::try_from(size).ok()?)?;
            (end <= file.len()).then_some(begin..end)
        };
        let outside = TensorErrorKind::OutOfFile { offset, size, length: file.len() as u64 };
        let range = range().ok_or(outside)?;
        Ok((file, range))
    }

    fn data_path(&self, entry: &BundleEntry) -> Result<PathBuf, TensorErrorKind> {
        let (shard, shards) = (entry.shard_id, self.shards);
        match (0..shards).contains(&shard) {
            true => Ok(data_path(&self.prefix, shard, shards)),
            false => Err(TensorErrorKind::Shard { shard, shards }),
        }
    }

    fn read_slices(&self, name: &str, whole: &BundleEntry) -> Result<Value, TensorErrorKind> {
        let (dtype, shape) = (DataType::dtype(whole.dtype)?, shape_of(whole)?);
        let mut parts = Vec::with_capacity(whole.slices.len());
        for proto in &whole.slices {
            let slice = Slice::within(&shape, proto)?;
            let part = self.slices.get(&slice_key(name, proto)).ok_or(TensorErrorKind::Slice)?;
            if part.dtype != whole.dtype || shape_of(part)? != slice.shape() {
                return Err(TensorErrorKind::Slice);
            }
            parts.push((slice, part));
        }
        // Before reading anything, make certain that the slices can fill the tensor.
        let elements = |(slice, _): &(Slice, _)| slice.shape().elements();
        let total = parts.iter().map(elements).try_fold(0_usize, |sum, n| sum.checked_add(n?));
        if total.is_none() || total != shape.elements() || !are_apart(&parts) {
            return Err(TensorErrorKind::SliceCover { shape });
        }
        let read = |(slice, part)| Ok((slice, self.read_whole(part)?));
        let parts: Vec<(Slice, Value)> =
            parts.into_iter().map(read).collect::<Result<_, TensorErrorKind>>()?;
        join(Value::zeros(dtype, shape)?, &parts)
    }
}

/// True if no two slices have bytes in common, so that together they take no more memory than the
/// files.
fn are_apart(parts: &[(Slice, &BundleEntry)]) -> bool {
    let filled = parts.iter().filter(|(_, part)| part.size > 0);
    let mut places: Vec<_> =
        filled.map(|(_, part)| (part.shard_id, part.offset, part.size)).collect();
    places.sort_unstable();
    places.array_windows().all(|&[(shard, offset, size), (next_shard, next, _)]| {
        shard != next_shard || offset.saturating_add(size) <= next
    })
}

/// The tensors of the checkpoint `prefix`, by name.
///
/// # Errors
/// [`CheckpointError`], if it does not exist or its index is damaged.
pub fn list_variables(prefix: impl AsRef<Path>) -> Result<Vec<TensorInfo>, CheckpointError> {
    CheckpointReader::open(prefix)?.tensors()
}

fn decode<M: Message + Default>(key: &[u8], value: &[u8]) -> Result<M, CheckpointErrorKind> {
    M::decode(value).map_err(|source| CheckpointErrorKind::Entry {
        name: String::from_utf8_lossy(key).into_owned(),
        source,
    })
}

/// The number of data files.
fn check_header(header: &BundleHeader) -> Result<i32, CheckpointErrorKind> {
    let version = header.version.clone().unwrap_or_default();
    let min_consumer = version.min_consumer;
    if min_consumer > VERSION || version.bad_consumers.contains(&VERSION) {
        return Err(CheckpointErrorKind::Version { min_consumer });
    }
    if header.endianness != 0 {
        return Err(CheckpointErrorKind::BigEndian);
    }
    match header.num_shards {
        shards @ 0..=MOST_SHARDS => Ok(shards),
        _ => Err(CheckpointErrorKind::NoHeader),
    }
}

fn shape_of(entry: &BundleEntry) -> Result<Shape, ShapeError> {
    entry.shape.as_ref().map_or(Ok(Shape::scalar()), TensorShapeProto::shape)
}
