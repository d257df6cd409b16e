//! Shapes, and operations that move values around without computing with them.

mod fill;
mod gather;
mod join;
mod reshape;
mod shape;
mod transpose;

pub use fill::{BROADCAST_TO, FILL, ONES_LIKE, RANGE, ZEROS_LIKE};
pub use fill::{broadcast_to, fill, ones_like, range, zeros_like};
pub(crate) use fill::{described_shape, filled};
pub use gather::{GATHER, WHERE, boolean_mask, gather, where_true};
pub use join::{CONCAT, PACK, concat, stack};
pub use reshape::{EXPAND_DIMS, RESHAPE, SQUEEZE, expand_dims, reshape, squeeze};
pub(crate) use shape::shape_tensor;
pub use shape::{BROADCAST_GRADIENT_ARGS, RANK, SHAPE, SIZE};
pub use shape::{broadcast_gradient_args, rank, shape, size};
pub use transpose::{INVERT_PERMUTATION, TRANSPOSE, invert_permutation, transpose};
