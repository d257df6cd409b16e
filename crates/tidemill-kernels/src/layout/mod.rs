//! Functions that move elements without computing on them.
//!
//! They take values of any data type and return a value that shares the buffer of its input
//! where the elements keep their order. Axes are counted from 0.

mod bitcast;
mod block;
mod diagonal;
mod gather;
mod generate;
mod indices;
mod join;
mod mirror;
mod nonzero;
mod pad;
mod scatter;
mod sequence;
mod transfer;
mod unslice;
mod view;

pub use bitcast::bitcast;
pub use block::{Channels, batch_to_space, depth_to_space, space_to_batch, space_to_depth};
pub use diagonal::{
    Band, diag, diag_part, matrix_band_part, matrix_diag, matrix_diag_part, matrix_set_diag,
};
pub use gather::{gather, gather_batches};
pub use generate::{lin_space, one_hot, range, range_length};
pub(crate) use indices::Indices;
pub use join::{concat, pack, split, unpack};
pub use mirror::{mirror_pad, mirror_pad_grad};
pub use nonzero::nonzero;
pub use pad::pad;
pub use scatter::{
    Combine, check_scatter_rows, check_tensor_scatter, dynamic_partition, dynamic_stitch,
    gather_nd, scatter_nd, scatter_rows, sparse_to_dense, tensor_scatter,
};
pub use sequence::reverse_sequence;
pub(crate) use transfer::transpose_into;
pub use unslice::unslice;
pub use view::{Cut, broadcast_to, reverse, slice, strided_slice, tile, transpose};
