//! Elements in memory-mapped files.

use std::ops::Deref;
use std::sync::Arc;

use crate::{Buffer, DType, Element, copied, match_dtype};

/// A memory-mapped file: the system reads its bytes from disk when they are accessed, and may drop
/// them from memory and read them again.
///
/// While a file is mapped, no program may change or truncate it: this program would see the change,
/// or be killed by the system. Replacing the file with a new file of the same name is harmless.
#[derive(Clone, Debug)]
pub struct FileMap(Arc<Memory>);

#[cfg(feature = "files")]
type Memory = memmap2::Mmap;
// Without the feature, no file can be mapped.
#[cfg(not(feature = "files"))]
type Memory = Vec<u8>;

#[cfg(feature = "files")]
impl FileMap {
    /// Maps a file.
    ///
    /// # Errors
    /// An error of the system, or if it is not a regular file, such as a folder or a pipe.
    pub fn open(path: impl AsRef<std::path::Path>) -> std::io::Result<FileMap> {
        use std::io;

        let file = std::fs::File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        // SAFETY: The type requires that nobody changes the file meanwhile; no system call could
        // ensure it.
        let map = unsafe { Memory::map(&file)? };
        Ok(FileMap(Arc::new(map)))
    }
}

impl Deref for FileMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for FileMap {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Elements in a file, laid out as the machine has them in memory.
#[derive(Debug)]
pub(crate) struct Mapped {
    file: FileMap,
    dtype: DType,
    count: usize,
    begin: usize,
}

impl Mapped {
    pub(crate) fn new(dtype: DType, count: usize, file: &FileMap, begin: usize) -> Option<Self> {
        let size = dtype.size();
        let bytes = file.get(begin..begin.checked_add(count.checked_mul(size)?)?)?;
        let any_bytes_are_elements = dtype.is_plain() && dtype != DType::Bool;
        let is_aligned = bytes.as_ptr().addr().is_multiple_of(size);
        let fits = any_bytes_are_elements && is_aligned && cfg!(target_endian = "little");
        fits.then(|| Mapped { file: file.clone(), dtype, count, begin })
    }

    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    /// The elements, if they are of type `T`.
    pub(crate) fn elements<T: Element>(&self) -> Option<&[T]> {
        if T::DTYPE != self.dtype {
            return None;
        }
        let begin = self.file.get(self.begin..)?.as_ptr();
        // SAFETY: `new` has checked that `count` elements of this type begin here, that the address
        // is a multiple of their size, and so of their alignment, and that any bytes are valid
        // elements. The file stays mapped as long as `self` is borrowed.
        Some(unsafe { std::slice::from_raw_parts(begin.cast(), self.count) })
    }

    pub(crate) fn to_buffer(&self) -> Buffer {
        match_dtype!(self.dtype, any, T => {
            let elements = self.elements::<T>().unwrap_or_default();
            copied::count(elements);
            T::into_buffer(elements.to_vec())
        })
    }
}

/// The bytes of elements, which must be of a type without padding or references: any but strings.
pub(crate) fn bytes_of<T: Element + Copy>(elements: &[T]) -> &[u8] {
    // SAFETY: Elements that are `Copy` are numbers and truth values, all of whose bytes are
    // initialized; they stay borrowed.
    unsafe { std::slice::from_raw_parts(elements.as_ptr().cast(), size_of_val(elements)) }
}
