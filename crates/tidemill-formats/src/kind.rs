use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use prost::Message;

use crate::proto::Event;
use crate::tfrecord::{TfRecordReader, record_length};
use crate::{FileError, checkpoint};

/// The number of bytes of a file that are examined.
const HEAD: u64 = 1 << 12;
/// The end of the index of a checkpoint.
const TABLE_MAGIC: [u8; 8] = checkpoint::TABLE_MAGIC.to_le_bytes();

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// TensorFlow's `GraphDef`, binary.
    GraphDef,
    /// TensorFlow's `GraphDef` as text.
    GraphDefText,
    /// TensorFlow's `MetaGraphDef`, binary: its name ends with `.meta`.
    MetaGraph,
    /// A folder with TensorFlow's SavedModel.
    SavedModel,
    /// The prefix of a checkpoint's files.
    Checkpoint,
    /// The index of a checkpoint.
    CheckpointIndex,
    /// A folder whose file `checkpoint` names the latest checkpoint.
    CheckpointFolder,
    /// A safetensors file.
    Safetensors,
    /// A NumPy array.
    Npy,
    /// NumPy arrays by name.
    Npz,
    /// TensorFlow's record file.
    TfRecord,
    /// TensorFlow's event file, which consists of records.
    Events,
}

impl FileKind {
    /// Detects the kind of a file, folder or prefix from its contents, or from its name if the
    /// contents are not enough, such as for a damaged file.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be read, or is none of these.
    pub fn of(path: impl AsRef<Path>) -> Result<FileKind, FileError<io::Error>> {
        let path = path.as_ref();
        kind(path).map_err(|error| FileError::new(path, error))
    }

    /// The kind of file that the content shows, if it does.
    pub fn of_content(bytes: &[u8]) -> Option<FileKind> {
        let head = &bytes[..bytes.len().min(HEAD as usize)];
        by_content(head, bytes.last_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::GraphDef => "GraphDef",
            FileKind::GraphDefText => "GraphDef as text",
            FileKind::MetaGraph => "MetaGraphDef",
            FileKind::SavedModel => "SavedModel",
            FileKind::Checkpoint => "checkpoint",
            FileKind::CheckpointIndex => "index of a checkpoint",
            FileKind::CheckpointFolder => "folder of checkpoints",
            FileKind::Safetensors => "safetensors",
            FileKind::Npy => "npy",
            FileKind::Npz => "npz",
            FileKind::TfRecord => "TFRecord",
            FileKind::Events => "event file",
        })
    }
}

fn kind(path: &Path) -> io::Result<FileKind> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && checkpoint::exists(path) => {
            return Ok(FileKind::Checkpoint);
        }
        file => file?,
    };
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return folder_kind(path);
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head)?;
    let mut tail = [0; TABLE_MAGIC.len()];
    if metadata.len() >= tail.len() as u64 {
        file.seek(SeekFrom::End(-(tail.len() as i64)))?;
        file.read_exact(&mut tail)?;
    }
    let kind = by_content(&head, tail).or_else(|| by_name(path)).or_else(|| by_message(&head));
    kind.ok_or_else(|| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let what = match name.contains(".data-") && name.contains("-of-") {
            true => "this is a checkpoint's data file: open the checkpoint by its prefix",
            false => "not a recognized file type",
        };
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}

fn folder_kind(path: &Path) -> io::Result<FileKind> {
    let has = |name: &str| path.join(name).exists();
    if has("saved_model.pb") || has("saved_model.pbtxt") {
        return Ok(FileKind::SavedModel);
    }
    if has("checkpoint") {
        return Ok(FileKind::CheckpointFolder);
    }
    let what = "this folder contains neither a SavedModel nor checkpoints";
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}

fn by_content(head: &[u8], tail: [u8; 8]) -> Option<FileKind> {
    if head.starts_with(b"\x93NUMPY") {
        return Some(FileKind::Npy);
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Some(FileKind::Npz);
    }
    if tail == TABLE_MAGIC {
        return Some(FileKind::CheckpointIndex);
    }
    if record_length(head).is_some() {
        return Some(if begins_with_event(head) { FileKind::Events } else { FileKind::TfRecord });
    }
    // The length of the header comes first; no header has 2^32 bytes.
    if head.get(4..8) == Some(&[0; 4]) && head.get(8) == Some(&b'{') {
        return Some(FileKind::Safetensors);
    }
    is_text(head).then_some(FileKind::GraphDefText)
}

fn begins_with_event(head: &[u8]) -> bool {
    let first = TfRecordReader::new(head).next().and_then(Result::ok);
    let event = first.and_then(|record| Event::decode(record.as_slice()).ok());
    event.is_some_and(|event| event.file_version.starts_with("brain.Event:"))
}

/// True if the bytes begin like a message as text, after comments: with the name of a field of a
/// `GraphDef`.
fn is_text(head: &[u8]) -> bool {
    let lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with(b"#"));
    first.is_some_and(|line| {
        let length = line.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let (name, rest) = line.split_at(length);
        [&b"node"[..], b"library", b"versions", b"version"].contains(&name)
            && matches!(rest.trim_ascii_start().first(), Some(b'{' | b':' | b'<') | None)
    })
}

fn by_name(path: &Path) -> Option<FileKind> {
    match path.extension().and_then(OsStr::to_str)? {
        "pb" => Some(FileKind::GraphDef),
        "meta" => Some(FileKind::MetaGraph),
        "pbtxt" => Some(FileKind::GraphDefText),
        "index" => Some(FileKind::CheckpointIndex),
        "safetensors" => Some(FileKind::Safetensors),
        "npy" => Some(FileKind::Npy),
        "npz" => Some(FileKind::Npz),
        "tfrecord" | "tfrecords" => Some(FileKind::TfRecord),
        _ => None,
    }
}

/// Recognizes a binary `GraphDef` by its beginning: a node, which begins with its name.
fn by_message(head: &[u8]) -> Option<FileKind> {
    let mut rest = head.strip_prefix(&[0x0a])?;
    crate::bytes::decode_varint(&mut rest)?;
    rest.starts_with(&[0x0a]).then_some(FileKind::GraphDef)
}
