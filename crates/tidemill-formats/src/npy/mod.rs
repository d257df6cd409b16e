//! NumPy's array files: `npy` for one array, `npz` for several by name.

mod error;
mod header;
mod npz;
mod read;
mod strings;
mod write;
mod zip;

pub use error::NpyError;
pub use header::NpyHeader;
pub use npz::{NpzError, NpzReader, write_npz};
pub use read::{read_npy, read_npy_file};
pub use write::{write_npy, write_npy_file};
pub use zip::ZipError;
