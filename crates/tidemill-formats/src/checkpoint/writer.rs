use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use prost::Message;
use tidemill_value::{ByteString, DType, Value};

use super::error::{CheckpointError, CheckpointErrorKind};
use super::files::{data_path, index_path, meta_path};
use super::folder::check_prefix;
use super::messages::{BundleEntry, BundleHeader, VERSION};
use super::{reader, strings, table_writer};
use crate::bytes::bytes_of;
use crate::checksum::masked;
use crate::file::{Staged, folder_of, write_file};
use crate::proto::{DataType, DataTypeError, MetaGraphDef, TensorShapeProto, VersionDef};
use crate::tensor_info::single_file_extension;

/// Writes tensors as the checkpoint `prefix`, which TensorFlow can read. The folder is created if
/// it does not exist.
///
/// The files get their names only when all data is on disk: a checkpoint with a new prefix is
/// written atomically. Overwriting a checkpoint may lose it if the machine stops in between; its
/// checksums reveal this.
///
/// # Errors
/// [`CheckpointError`], if a file cannot be written, or a name is empty or begins with the NUL
/// character.
pub fn write_checkpoint<'a>(
    prefix: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (&'a str, &'a Value)>,
) -> Result<(), CheckpointError> {
    let prefix = prefix.as_ref();
    let tensors: BTreeMap<&str, &Value> = tensors.into_iter().collect();
    if let Some(name) = tensors.keys().find(|name| name.is_empty() || name.starts_with('\0')) {
        return Err(CheckpointErrorKind::Name { name: (*name).to_owned() }.at(prefix));
    }
    if let Some((name, value)) = tensors.iter().find(|(_, value)| value.dtype() == DType::Variant) {
        let dtype = DataTypeError::Unsupported { name: value.dtype().proto_name() };
        let (name, source) = ((*name).to_owned(), Box::new(dtype.into()));
        return Err(CheckpointErrorKind::Tensor { name, source }.at(prefix));
    }
    make_folder(prefix)?;
    let version = VersionDef { producer: VERSION, ..VersionDef::default() };
    let header = BundleHeader { num_shards: 1, endianness: 0, version: Some(version) };
    let mut entries = vec![(String::new(), header.encode_to_vec())];
    let mut staged = Staged::new();
    staged.write(&data_path(prefix, 0, 1), |file| {
        let mut offset = 0;
        for (name, value) in tensors {
            let (bytes, crc32c) = encode(value);
            file.write_all(&bytes)?;
            let entry = BundleEntry {
                dtype: DataType::from(value.dtype()).into(),
                shape: Some(TensorShapeProto::from(value.shape())),
                shard_id: 0,
                offset,
                size: bytes.len() as i64,
                crc32c,
                slices: Vec::new(),
            };
            offset += bytes.len() as i64;
            entries.push((name.to_owned(), entry.encode_to_vec()));
        }
        Ok(())
    })?;
    let entries = entries.iter().map(|(name, entry)| (name.as_bytes(), entry.as_slice()));
    let index = table_writer::write_usual_table(entries);
    staged.write(&index_path(prefix), |file| file.write_all(&index))?;
    Ok(staged.commit()?)
}

/// Writes the graph that belongs to the checkpoint `prefix`, as `prefix.meta`. The folder is
/// created if it does not exist.
///
/// # Errors
/// [`CheckpointError`], if the file cannot be written.
pub fn write_meta_graph(
    prefix: impl AsRef<Path>,
    meta_graph: &MetaGraphDef,
) -> Result<(), CheckpointError> {
    let prefix = prefix.as_ref();
    make_folder(prefix)?;
    let bytes = meta_graph.encode_to_vec();
    Ok(write_file(meta_path(prefix), |file| file.write_all(&bytes))?)
}

/// Creates the folder of a prefix, which must name files.
fn make_folder(prefix: &Path) -> Result<(), CheckpointError> {
    check_prefix(prefix)?;
    let folder = folder_of(prefix);
    fs::create_dir_all(folder).map_err(|error| {
        match folder.ancestors().find(|part| part.is_file()) {
            Some(file) => CheckpointErrorKind::NotAFolder.at(file),
            None => CheckpointErrorKind::Folder(error).at(folder),
        }
    })
}

/// The bytes of a value, and their masked checksum.
fn encode(value: &Value) -> (Cow<'_, [u8]>, u32) {
    match value.as_slice::<ByteString>() {
        Ok(elements) => {
            let (bytes, checksum) = strings::encode(elements);
            (bytes.into(), checksum)
        }
        Err(_) => {
            let bytes = bytes_of(value);
            let checksum = masked(crc32c::crc32c(&bytes));
            (bytes, checksum)
        }
    }
}

/// Removes the files of the checkpoint `prefix`, or the safetensors file of that name, and the graph
/// that belongs to it. Missing files are not an error.
///
/// # Errors
/// [`CheckpointError`], if a file cannot be removed.
pub fn remove_checkpoint(prefix: impl AsRef<Path>) -> Result<(), CheckpointError> {
    let prefix = prefix.as_ref();
    if single_file_extension(prefix).is_some() {
        return [prefix.to_owned(), meta_path(prefix)].iter().try_for_each(|path| remove(path));
    }
    // Without a header, the number of data files is unknown.
    let shards = reader::CheckpointReader::open(prefix).map_or(1, |reader| reader.shards());
    let data = (0..shards).map(|shard| data_path(prefix, shard, shards));
    // Without its index, it is no longer a checkpoint.
    let paths = [index_path(prefix), meta_path(prefix)].into_iter().chain(data);
    paths.into_iter().try_for_each(|path| remove(&path))
}

fn remove(path: &Path) -> Result<(), CheckpointError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(CheckpointErrorKind::Io(error).at(path))
        }
        _ => Ok(()),
    }
}
