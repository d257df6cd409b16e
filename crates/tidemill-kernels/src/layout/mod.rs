//! Functions that move elements without computing on them.
//!
//! They take values of any data type and return a value that shares the buffer of its input
//! where the elements keep their order. Axes are counted from 0.

mod gather;
mod generate;
mod join;
mod nonzero;
mod pad;
mod transfer;
mod view;

pub(crate) use gather::checked_indices;
pub use gather::gather;
pub use generate::{one_hot, range, range_length};
pub use join::{concat, pack, split, unpack};
pub use nonzero::nonzero;
pub use pad::pad;
pub(crate) use transfer::transposed;
pub use view::{Cut, broadcast_to, reverse, slice, strided_slice, tile, transpose};
