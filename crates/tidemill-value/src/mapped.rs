//! Memory-mapped files.

use std::ops::Deref;
use std::sync::Arc;

/// A memory-mapped file: the system reads its bytes from disk when they are accessed, and may drop
/// them from memory and read them again.
///
/// While a file is mapped, no program may change or truncate it: this program would see the change,
/// or be killed by the system. Replacing the file with a new file of the same name is harmless.
#[derive(Clone, Debug)]
pub struct FileMap(Arc<Bytes>);

#[cfg(feature = "files")]
type Bytes = memmap2::Mmap;
// Without the feature, no file can be mapped.
#[cfg(not(feature = "files"))]
type Bytes = Vec<u8>;

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
        let map = unsafe { Bytes::map(&file)? };
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
