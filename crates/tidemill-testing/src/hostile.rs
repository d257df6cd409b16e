//! Readers of files from untrusted sources: they must end, soon and without much memory, with the
//! contents or an error.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use tidemill_formats::checkpoint::CheckpointReader;
use tidemill_formats::event::EventReader;
use tidemill_formats::npy::{NpzReader, read_npy, write_npy};
use tidemill_formats::proto::{GraphDef, Message};
use tidemill_formats::tfrecord::TfRecordReader;
use tidemill_formats::{TextMessage, read_safetensors};
use tidemill_graph::Graph;
use tidemill_graphdef::{import_graph_def, to_graph_def};

/// A function that reads bytes as files of one format.
pub type Reader = fn(&[u8]);

/// The readers, by the names of their fuzz targets.
pub const READERS: &[(&str, Reader)] = &[
    ("checkpoint_data", checkpoint_data),
    ("checkpoint_index", checkpoint_index),
    ("graph_def", graph_def),
    ("graph_def_text", graph_def_text),
    ("npy", npy),
    ("records", records),
    ("safetensors", safetensors),
];

/// A `GraphDef`. An imported graph can be exported, and written as text.
pub fn graph_def(bytes: &[u8]) {
    let graph = Graph::new();
    let _default = graph.as_default();
    if import_graph_def(bytes).is_ok() {
        let _ = (to_graph_def(&graph), graph.to_text());
    }
}

/// The text of a `GraphDef`. The result is the same when it is written and read again.
pub fn graph_def_text(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(graph_def) = GraphDef::from_text(text) else { return };
    let again = GraphDef::from_text(&graph_def.to_text()).unwrap();
    // Compared as bytes, because a NaN is not equal to itself.
    assert_eq!(again.encode_to_vec(), graph_def.encode_to_vec());
}

/// The index of a checkpoint that has no data.
pub fn checkpoint_index(bytes: &[u8]) {
    let Ok(reader) = CheckpointReader::from_index("/nowhere/model.ckpt", bytes) else { return };
    let _ = reader.tensors();
    reader.names().for_each(|name| drop(reader.read(name)));
}

/// The data of a checkpoint, after two bytes for its length and followed by the index.
pub fn checkpoint_data(bytes: &[u8]) {
    /// In memory, if the system has files there.
    static PREFIX: LazyLock<PathBuf> = LazyLock::new(|| {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        folder.join(format!("tidemill-hostile-{}", std::process::id()))
    });
    let Some((length, bytes)) = bytes.split_first_chunk() else { return };
    let length = usize::from(u16::from_le_bytes(*length)).min(bytes.len());
    let (data, index) = bytes.split_at(length);
    let Ok(reader) = CheckpointReader::from_index(&*PREFIX, index) else { return };
    let path = format!("{}.data-00000-of-00001", PREFIX.display());
    if fs::write(&path, data).is_ok() {
        reader.names().for_each(|name| drop(reader.read(name)));
        let _ = fs::remove_file(path);
    }
}

/// A safetensors file.
pub fn safetensors(bytes: &[u8]) {
    let _ = read_safetensors(bytes);
}

/// An `npy` and an `npz` file. An array is the same when it is written and read again.
pub fn npy(bytes: &[u8]) {
    if let Ok(value) = read_npy(bytes) {
        let mut written = Vec::new();
        write_npy(&value, &mut written).unwrap();
        assert!(read_npy(&written).unwrap().bits_eq(&value));
    }
    if let Ok(reader) = NpzReader::new(bytes) {
        reader.names().for_each(|name| drop((reader.header(name), reader.read(name))));
    }
}

/// A record file, and an event file.
pub fn records(bytes: &[u8]) {
    let _ = TfRecordReader::new(bytes).count();
    for event in EventReader::new(bytes).map_while(Result::ok) {
        let _ = event.scalars().count();
    }
}
