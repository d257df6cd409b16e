use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use tidemill_value::{FileMap, Value};

use super::header::NpyHeader;
use super::zip::{Member, ZipError, ZipWriter, members};
use super::{NpyError, read, write};
use crate::file::map_file;
use crate::{FileError, write_file};

/// The extension of every member of an `npz` file.
const SUFFIX: &str = ".npy";
/// The number of bytes in which headers are sought.
const HEAD: u64 = 1 << 12;

/// The error of reading or writing an `npz` file.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum NpzError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The archive is damaged, or not supported.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// No array has this name.
    #[error("there is no array `{name}`")]
    NotFound {
        /// The name.
        name: String,
    },
    /// An array cannot be read or written.
    #[error("the array `{name}`: {source}")]
    Array {
        /// Its name.
        name: String,
        /// The error.
        source: Box<NpyError>,
    },
}

tidemill_value::debug_as_report!(NpzError);

/// Reads the arrays of an `npz` file by name.
#[derive(Clone, Debug)]
pub struct NpzReader<B> {
    archive: B,
    members: BTreeMap<String, Member>,
}

impl NpzReader<FileMap> {
    /// Reads the directory of a file, which is mapped into memory (see [`FileMap`]).
    ///
    /// # Errors
    /// [`FileError`] of the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError<NpzError>> {
        let path = path.as_ref();
        let file = map_file(path).map_err(FileError::widen)?;
        NpzReader::new(file).map_err(|error| FileError::new(path, error))
    }
}

impl<B: std::ops::Deref<Target = [u8]>> NpzReader<B> {
    /// Reads the directory of an archive.
    ///
    /// # Errors
    /// [`NpzError`]. No two arrays may share bytes.
    pub fn new(archive: B) -> Result<Self, NpzError> {
        let members = members(&archive)?.into_iter().filter_map(|member| {
            let name = member.name.strip_suffix(SUFFIX)?.to_owned();
            Some((name, member))
        });
        let members = members.collect();
        Ok(NpzReader { archive, members })
    }

    /// The names of the arrays, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// The header of an array.
    ///
    /// # Errors
    /// [`NpzError`], if it does not exist or its header is damaged.
    pub fn header(&self, name: &str) -> Result<NpyHeader, NpzError> {
        let head = self.member(name)?.read(&self.archive, HEAD)?;
        NpyHeader::read(&head).map_err(|source| array_error(name, source))
    }

    /// Reads an array.
    ///
    /// # Errors
    /// [`NpzError`], if it does not exist, is damaged, or has a type that values cannot have.
    /// Compressed data must not become larger than its header says.
    pub fn read(&self, name: &str) -> Result<Value, NpzError> {
        let member = self.member(name)?;
        let inflated;
        let content = match member.stored() {
            Some(range) => &self.archive[range],
            None => {
                let length = self.header(name)?.file_length().unwrap_or_default();
                // One more byte reveals a content that is too long.
                inflated = member.read(&self.archive, (length as u64).saturating_add(1))?;
                &inflated[..]
            }
        };
        let value = read::read_npy(content).map_err(|source| array_error(name, source))?;
        member.check(content)?;
        Ok(value)
    }

    fn member(&self, name: &str) -> Result<&Member, NpzError> {
        self.members.get(name).ok_or_else(|| NpzError::NotFound { name: name.to_owned() })
    }
}

/// Writes arrays as an uncompressed `npz` file, atomically. The same arrays always give the same
/// bytes.
///
/// # Errors
/// [`FileError`] of the file.
pub fn write_npz<'a>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = (&'a str, &'a Value)>,
) -> Result<(), FileError<NpzError>> {
    let path = path.as_ref();
    let arrays: BTreeMap<&str, &Value> = arrays.into_iter().collect();
    let encode = |(name, value)| match write::encode(value) {
        Ok(parts) => Ok((name, parts)),
        Err(source) => Err(FileError::new(path, array_error(name, source))),
    };
    let parts = arrays.into_iter().map(encode).collect::<Result<Vec<_>, _>>()?;
    let written = write_file(path, |output| {
        let mut zip = ZipWriter::new(output);
        for (name, (header, data)) in &parts {
            zip.member(&format!("{name}{SUFFIX}"), &[header, data])?;
        }
        zip.finish()
    });
    written.map_err(FileError::widen)
}

fn array_error(name: &str, source: NpyError) -> NpzError {
    NpzError::Array { name: name.to_owned(), source: Box::new(source) }
}
