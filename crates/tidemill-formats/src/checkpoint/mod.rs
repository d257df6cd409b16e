//! TensorFlow's checkpoints, in version 2 of the format: a *bundle* of files with a common
//! prefix.
//!
//! `prefix.index` is a sorted table from the name of each tensor to its type, its shape, and the
//! place of its bytes; the files `prefix.data-00000-of-00001` hold the bytes. A file `checkpoint`
//! in the same folder names the prefixes of the checkpoints that were written.

mod error;
mod files;
mod folder;
mod instead;
mod messages;
mod reader;
mod slice;
mod state;
mod strings;
mod table;
mod table_writer;
mod writer;

pub use error::{CheckpointError, CheckpointErrorKind, TensorErrorKind};
pub use files::exists;
pub use folder::check_prefix;
pub(crate) use folder::missing;
pub use instead::Instead;
pub use reader::{CheckpointReader, list_variables};
pub use state::{CheckpointState, latest_checkpoint};
pub(crate) use table::MAGIC as TABLE_MAGIC;
pub use table::TableError;
pub use writer::{remove_checkpoint, write_checkpoint, write_meta_graph};
