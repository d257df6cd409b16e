//! TensorFlow's record files: a sequence of byte strings, each with checksums.
//!
//! A record is its length as eight bytes, a checksum of these, its bytes, and a checksum of
//! them.

use std::io::{self, Read, Write};

use crate::checksum::{is_right, masked};

/// The bytes of a length and its checksum.
const HEAD: usize = 12;

/// The error of reading a record.
#[derive(thiserror::Error)]
#[error("record {number}, at byte {offset}: {kind}")]
pub struct TfRecordError {
    /// The number of the record, from 0.
    pub number: u64,
    /// The place at which it begins.
    pub offset: u64,
    /// The error.
    pub kind: TfRecordErrorKind,
}

tidemill_value::debug_as_report!(TfRecordError);

/// The kind of error in a record.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TfRecordErrorKind {
    /// The bytes end inside it.
    #[error("the file ends inside it")]
    Truncated,
    /// Its length is damaged.
    #[error("its length does not match its checksum; the file may not be a TFRecord file")]
    Length,
    /// Its bytes are damaged.
    #[error("its {length} bytes do not match their checksum")]
    Data {
        /// Their number.
        length: u64,
    },
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

tidemill_value::debug_as_report!(TfRecordErrorKind);

/// Reads records one after the other. After an error there are no more.
#[derive(Debug)]
pub struct TfRecordReader<R> {
    input: R,
    number: u64,
    offset: u64,
    is_over: bool,
}

impl<R: Read> TfRecordReader<R> {
    /// Reads records from the beginning of `input`, which should be buffered.
    pub fn new(input: R) -> Self {
        TfRecordReader { input, number: 0, offset: 0, is_over: false }
    }

    /// The bytes of all records read so far, including lengths and checksums.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>, TfRecordErrorKind> {
        let mut head = [0; HEAD];
        match fill(&mut self.input, &mut head)? {
            0 => return Ok(None),
            HEAD => {}
            _ => return Err(TfRecordErrorKind::Truncated),
        }
        let length = record_length(&head).ok_or(TfRecordErrorKind::Length)?;
        // The memory grows with what is read, not with the claimed length.
        let mut data = Vec::new();
        let count = self.input.by_ref().take(length).read_to_end(&mut data)? as u64;
        let mut checksum = [0; 4];
        if count < length || fill(&mut self.input, &mut checksum)? < checksum.len() {
            return Err(TfRecordErrorKind::Truncated);
        }
        if !is_right(masked(crc32c::crc32c(&data)), u32::from_le_bytes(checksum)) {
            return Err(TfRecordErrorKind::Data { length });
        }
        self.offset += (HEAD + checksum.len()) as u64 + length;
        self.number += 1;
        Ok(Some(data))
    }
}

impl<R: Read> Iterator for TfRecordReader<R> {
    type Item = Result<Vec<u8>, TfRecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let (number, offset) = (self.number, self.offset);
        let record = self.read().map_err(|kind| TfRecordError { number, offset, kind });
        self.is_over = !matches!(record, Ok(Some(_)));
        record.transpose()
    }
}

/// The length of the first record of some bytes, if its checksum matches.
pub(crate) fn record_length(bytes: &[u8]) -> Option<u64> {
    let (length, rest) = bytes.split_first_chunk()?;
    let checksum = u32::from_le_bytes(*rest.first_chunk()?);
    is_right(masked(crc32c::crc32c(length)), checksum).then(|| u64::from_le_bytes(*length))
}

/// Reads until the buffer is full or the input ends.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes records one after the other.
#[derive(Debug)]
pub struct TfRecordWriter<W> {
    output: W,
}

impl<W: Write> TfRecordWriter<W> {
    /// Writes records to `output`, which should be buffered.
    pub fn new(output: W) -> Self {
        TfRecordWriter { output }
    }

    /// Writes a record.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let length = (record.len() as u64).to_le_bytes();
        self.output.write_all(&length)?;
        self.output.write_all(&masked(crc32c::crc32c(&length)).to_le_bytes())?;
        self.output.write_all(record)?;
        self.output.write_all(&masked(crc32c::crc32c(record)).to_le_bytes())
    }

    /// Flushes the output's buffer.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
