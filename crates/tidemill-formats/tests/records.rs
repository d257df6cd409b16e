//! Records and events read back as they were written, and damaged ones are rejected.

use std::fs;

use proptest::collection::vec;
use proptest::prelude::*;
use tidemill_formats::FileKind;
use tidemill_formats::event::{EventReader, EventWriter, read_scalars};
use tidemill_formats::proto::{Event, Message, Summary, SummaryValue, TensorProto};
use tidemill_formats::tfrecord::{TfRecordErrorKind, TfRecordReader, TfRecordWriter};
use tidemill_value::Value;

fn file(records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = TfRecordWriter::new(&mut bytes);
    records.iter().for_each(|record| writer.write(record).unwrap());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn records_are_read_as_they_were_written(records in vec(vec(any::<u8>(), 0..40), 0..5)) {
        let bytes = file(&records);
        let mut reader = TfRecordReader::new(&bytes[..]);
        let read = reader.by_ref().collect::<Result<Vec<_>, _>>().unwrap();
        prop_assert_eq!(&read, &records);
        prop_assert_eq!(reader.offset(), bytes.len() as u64);
    }

    #[test]
    fn a_damaged_record_is_refused(records in vec(vec(any::<u8>(), 0..20), 1..4), bit in 0_u8..8) {
        let bytes = file(&records);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let mut reader = TfRecordReader::new(&damaged[..]);
            prop_assert!(reader.by_ref().any(|record| record.is_err()), "byte {}", at);
            prop_assert!(reader.next().is_none(), "there is nothing after an error");
        }
    }

    #[test]
    fn a_file_that_ends_early_has_the_records_before(records in vec(vec(any::<u8>(), 0..20), 1..4)) {
        let bytes = file(&records);
        for length in 0..bytes.len() {
            let read: Vec<_> = TfRecordReader::new(&bytes[..length]).collect();
            let whole = read.iter().filter(|record| record.is_ok()).count();
            prop_assert!(read[..whole].iter().flatten().eq(&records[..whole]));
            let ends_between = file(&records[..whole]).len() == length;
            prop_assert_eq!(read.len(), whole + usize::from(!ends_between));
        }
    }
}

#[test]
fn a_length_that_is_not_there_is_not_allocated() {
    let length = (u64::MAX - 3).to_le_bytes();
    let mut bytes = file(&[]);
    bytes.extend(length);
    bytes
        .extend((crc32c::crc32c(&length).rotate_right(15)).wrapping_add(0xa282_ead8).to_le_bytes());
    let error = TfRecordReader::new(&bytes[..]).next().unwrap().unwrap_err();
    assert!(matches!(error.kind, TfRecordErrorKind::Truncated));
}

#[test]
fn errors_say_which_record_is_damaged() {
    let records = [b"first".to_vec(), b"second".to_vec()];
    let bytes = file(&records);
    let first = file(&records[..1]).len();
    let error = |at: Option<usize>, length: usize| {
        let mut damaged = bytes[..length].to_vec();
        at.iter().for_each(|&at| damaged[at] ^= 1);
        TfRecordReader::new(&damaged[..]).find_map(Result::err).unwrap().to_string()
    };
    let whole = bytes.len();
    let messages = [
        error(Some(first), whole),
        error(Some(first + 13), whole),
        error(None, whole - 1),
        error(None, first + 3),
    ];
    insta::assert_snapshot!(messages.join("\n"), @r"
    record 1, at byte 21: its length does not match its checksum; the file may not be a TFRecord file
    record 1, at byte 21: its 6 bytes do not match their checksum
    record 1, at byte 21: the file ends inside it
    record 1, at byte 21: the file ends inside it
    ");
}

#[test]
fn scalars_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(folder.path().join("logs")).unwrap();
    for step in 0..3 {
        writer.scalar("loss", 1.0 / (step as f32 + 1.0), step).unwrap();
        writer.scalar("rate", 0.5, step).unwrap();
    }
    // TensorFlow 2 writes scalars as tensors; histograms are not scalars.
    let value = |tag: &str, tensor: Value| SummaryValue {
        tag: tag.to_owned(),
        tensor: Some(TensorProto::from(&tensor)),
        ..SummaryValue::default()
    };
    let values = vec![value("rate", Value::from(0.25_f32)), value("histogram", Value::from([1.0]))];
    let event = Event { step: 3, summary: Some(Summary { value: values }), ..Event::default() };
    writer.event(&event).unwrap();
    writer.flush().unwrap();
    let scalars = read_scalars(writer.path()).unwrap();
    assert!(scalars.keys().eq(["loss", "rate"]));
    let points = |tag: &str| -> Vec<_> {
        scalars[tag].iter().map(|point| (point.step, point.value)).collect()
    };
    assert_eq!(points("loss"), [(0, 1.0), (1, 0.5), (2, 1.0 / 3.0)]);
    assert_eq!(points("rate"), [(0, 0.5), (1, 0.5), (2, 0.5), (3, 0.25)]);
    assert!(scalars["loss"][0].wall_time > 1e9);
    assert_eq!(FileKind::of(writer.path()).unwrap(), FileKind::Events);
    let first = EventReader::open(writer.path()).unwrap().next().unwrap().unwrap();
    assert_eq!(first.file_version, "brain.Event:2");
    assert!(EventWriter::create(folder.path().join("logs")).unwrap().path() != writer.path());
}

#[test]
fn records_that_are_no_events_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let version = Event { file_version: "brain.Event:2".to_owned(), ..Event::default() };
    fs::write(&path, file(&[version.encode_to_vec(), b"\xff".to_vec()])).unwrap();
    let error = read_scalars(&path).unwrap_err();
    assert!(error.to_string().contains("record 1 is not an event"), "{error}");
    assert_eq!(FileKind::of(&path).unwrap(), FileKind::Events);
    fs::write(&path, file(&[b"\xff".to_vec()])).unwrap();
    assert_eq!(FileKind::of(&path).unwrap(), FileKind::TfRecord);
}
