//! TensorFlow's event files, which TensorBoard shows: records of messages.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::proto::{DecodeError, Event, Summary, SummaryValue, TensorProto};
use crate::tfrecord::{TfRecordError, TfRecordReader, TfRecordWriter};
use crate::{FileError, SplatBudget};

/// The version in the first event of a file.
const FILE_VERSION: &str = "brain.Event:2";

/// The error of reading events.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A record is damaged.
    #[error(transparent)]
    Record(#[from] TfRecordError),
    /// A record is not an event.
    #[error("record {number} is not an event: {source}")]
    Message {
        /// The number of the record, from 0.
        number: u64,
        /// The error.
        source: DecodeError,
    },
}

tidemill_value::debug_as_report!(EventError);

/// Reads the events of a file one after the other. After an error there are no more.
#[derive(Debug)]
pub struct EventReader<R> {
    records: TfRecordReader<R>,
    number: u64,
    is_over: bool,
}

impl EventReader<BufReader<File>> {
    /// Reads the events of a file.
    ///
    /// # Errors
    /// [`FileError`], if it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError<EventError>> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| FileError::new(path, error))?;
        Ok(EventReader::new(BufReader::new(file)))
    }
}

impl<R: Read> EventReader<R> {
    /// Reads events from the beginning of `input`, which should be buffered.
    pub fn new(input: R) -> Self {
        EventReader { records: TfRecordReader::new(input), number: 0, is_over: false }
    }
}

impl<R: Read> Iterator for EventReader<R> {
    type Item = Result<Event, EventError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let number = self.number;
        let event = self.records.next()?.map_err(EventError::from).and_then(|record| {
            Event::decode(record.as_slice())
                .map_err(|source| EventError::Message { number, source })
        });
        self.number += 1;
        self.is_over = event.is_err();
        Some(event)
    }
}

/// A scalar at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScalarPoint {
    /// The step.
    pub step: i64,
    /// The time at which it was written, in seconds since 1970.
    pub wall_time: f64,
    /// The scalar.
    pub value: f32,
}

impl Event {
    /// The scalars of the event, by tag.
    pub fn scalars(&self) -> impl Iterator<Item = (&str, ScalarPoint)> {
        let (step, wall_time) = (self.step, self.wall_time);
        let values = self.summary.iter().flat_map(|summary| &summary.value);
        values.filter_map(move |value| {
            let point = |value| ScalarPoint { step, wall_time, value };
            let scalar = value.simple_value.or_else(|| single_float(value.tensor.as_ref()?));
            Some((value.tag.as_str(), point(scalar?)))
        })
    }
}

/// The element of a tensor that is a single `float32`, which is how TensorFlow 2 writes scalars.
fn single_float(tensor: &TensorProto) -> Option<f32> {
    tensor.value(&mut SplatBudget::new(size_of::<f32>())).ok()?.as_scalar()
}

/// The scalars of a file of events, by tag, in the order in which they were written.
///
/// # Errors
/// [`FileError`], if the file cannot be read, or is damaged.
pub fn read_scalars(
    path: impl AsRef<Path>,
) -> Result<BTreeMap<String, Vec<ScalarPoint>>, FileError<EventError>> {
    let path = path.as_ref();
    let mut scalars: BTreeMap<String, Vec<ScalarPoint>> = BTreeMap::new();
    for event in EventReader::open(path)? {
        for (tag, point) in event.map_err(|error| FileError::new(path, error))?.scalars() {
            match scalars.get_mut(tag) {
                Some(points) => points.push(point),
                None => drop(scalars.insert(tag.to_owned(), vec![point])),
            }
        }
    }
    Ok(scalars)
}

/// Writes events to a new file, which TensorBoard can show while it grows.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    records: TfRecordWriter<BufWriter<File>>,
}

impl EventWriter {
    /// Creates an event file in a folder, which is created if it does not exist. The file's name is
    /// unique in the folder and begins as TensorBoard expects.
    ///
    /// # Errors
    /// [`FileError`], if it cannot be written.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, FileError<EventError>> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|error| FileError::new(folder, error))?;
        let (file, path) = new_file(folder)?;
        let records = TfRecordWriter::new(BufWriter::new(file));
        let mut writer = EventWriter { path, records };
        let file_version = FILE_VERSION.to_owned();
        writer.event(&Event { wall_time: wall_time(), file_version, ..Event::default() })?;
        writer.flush()?;
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes an event.
    ///
    /// # Errors
    /// [`FileError`], if it cannot be written.
    pub fn event(&mut self, event: &Event) -> Result<(), FileError<EventError>> {
        let written = self.records.write(&event.encode_to_vec());
        written.map_err(|error| FileError::new(&self.path, error))
    }

    /// Writes the value of a scalar at a step, now.
    ///
    /// # Errors
    /// [`FileError`], if it cannot be written.
    pub fn scalar(
        &mut self,
        tag: impl Into<String>,
        value: f32,
        step: i64,
    ) -> Result<(), FileError<EventError>> {
        let simple_value = Some(value);
        let value = SummaryValue { tag: tag.into(), simple_value, ..SummaryValue::default() };
        let summary = Some(Summary { value: vec![value] });
        self.event(&Event { wall_time: wall_time(), step, summary, ..Event::default() })
    }

    /// Passes the written events to the system, so that other programs see them. Dropping the
    /// writer does this too, but cannot report errors.
    ///
    /// # Errors
    /// [`FileError`], if it cannot be written.
    pub fn flush(&mut self) -> Result<(), FileError<EventError>> {
        self.records.flush().map_err(|error| FileError::new(&self.path, error))
    }
}

fn new_file(folder: &Path) -> Result<(File, PathBuf), FileError<EventError>> {
    let stem = format!("events.out.tfevents.{:010}.{}", wall_time() as u64, process::id());
    let mut number = 0;
    loop {
        let path = folder.join(format!("{stem}.{number}"));
        match File::create_new(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(FileError::new(path, error)),
        }
    }
}

fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
