//! Reads arrays and events that NumPy and TensorFlow wrote, and writes them again for those to read
//! (`tests/peers/run.sh`).
//!
//! `cargo run --release -p tidemill-testing --example rewrite_files -- FOLDER FOLDER`

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use tidemill_formats::event::{EventReader, EventWriter};
use tidemill_formats::npy::{NpzReader, read_npy_file, write_npy_file, write_npz};
use tidemill_formats::tfrecord::{TfRecordReader, TfRecordWriter};
use tidemill_value::Value;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("usage: rewrite_files FOLDER FOLDER".into());
    };
    for file in fs::read_dir(from)? {
        let file = file?.path();
        let name = file.file_name().unwrap_or_default();
        rewrite(&file, &to.join(name)).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

fn rewrite(from: &Path, to: &Path) -> Outcome {
    match from.extension().and_then(|extension| extension.to_str()) {
        Some("npy") => write_npy_file(to, &read_npy_file(from)?)?,
        Some("npz") => {
            let archive = NpzReader::open(from)?;
            let array = |name: &str| Ok((name.to_owned(), archive.read(name)?));
            let arrays: Vec<(String, Value)> =
                archive.names().map(array).collect::<Result<_, Box<dyn Error>>>()?;
            write_npz(to, arrays.iter().map(|(name, array)| (name.as_str(), array)))?;
        }
        Some("tfrecord") => {
            let mut written = TfRecordWriter::new(fs::File::create(to)?);
            for record in TfRecordReader::new(fs::File::open(from)?) {
                written.write(&record?)?;
            }
            written.flush()?;
        }
        _ => {
            // The writer begins its file with its own event.
            let mut written = EventWriter::create(to)?;
            for event in EventReader::open(from)?.skip(1) {
                written.event(&event?)?;
            }
            written.flush()?;
        }
    }
    Ok(())
}
