//! Shapes, and operations that move values around without computing with them.

mod band_part;
mod bitcast;
mod block;
mod concat_v1;
mod diagonal;
mod ensure_shape;
mod fill;
mod gather;
mod grid;
mod join;
mod join_gradients;
mod lin_space;
mod order;
mod pad;
mod partition;
mod recurrence;
mod reshape;
mod reverse;
mod scan;
mod scatter;
mod segment;
mod shape;
mod slice;
mod split;
mod stride;
mod tile;
mod transpose;

pub(crate) use crate::index::shape_tensor;
use crate::operations::collect;
pub use band_part::{MATRIX_BAND_PART, matrix_band_part};
pub use bitcast::{BITCAST, bitcast};
pub use block::{
    BATCH_TO_SPACE, DEPTH_TO_SPACE, SPACE_TO_BATCH, SPACE_TO_DEPTH, batch_to_space_nd,
    depth_to_space, space_to_batch_nd, space_to_depth,
};
pub use concat_v1::{CONCAT_OFFSET, CONCAT_V1};
pub use diagonal::{
    DIAG, DIAG_PART, MATRIX_DIAG, MATRIX_DIAG_PART, MATRIX_DIAG_PART_V3, MATRIX_DIAG_V3,
    MATRIX_SET_DIAG, MATRIX_SET_DIAG_V3,
};
pub use diagonal::{diag, diag_part, matrix_diag, matrix_diag_part, matrix_set_diag};
pub use ensure_shape::{ENSURE_SHAPE, ensure_shape};
pub use fill::{BROADCAST_TO, FILL, ONES_LIKE, RANGE, ZEROS_LIKE};
pub use fill::{broadcast_to, fill, ones_like, range, zeros_like};
pub(crate) use fill::{described_shape, filled};
pub use gather::{GATHER, GATHER_V1, WHERE, boolean_mask, gather, gather_batches, where_true};
pub(crate) use gather::{batch_axes, infer_gather, spread_back};
pub use grid::{Indexing, eye, meshgrid};
pub use join::{CONCAT, PACK, concat, stack};
pub use lin_space::{LIN_SPACE, lin_space};
pub use order::{
    BINCOUNT, Direction, IN_TOP_K, LIST_DIFF, TOP_K, UNIQUE, UNIQUE_WITH_COUNTS, argsort, bincount,
    in_top_k, list_diff, sort, top_k, unique, unique_with_counts,
};
pub use pad::{MIRROR_PAD, MIRROR_PAD_GRAD, Mirror, PAD, PAD_V2, mirror_pad, pad, pad_with};
pub use partition::{
    DYNAMIC_PARTITION, DYNAMIC_STITCH, ONE_HOT, PARALLEL_DYNAMIC_STITCH, dynamic_partition,
    dynamic_stitch, one_hot, one_hot_with,
};
pub(crate) use recurrence::product_of_others;
pub use recurrence::{LINEAR_RECURRENCE, SEGMENT_RECURRENCE};
pub use reshape::{EXPAND_DIMS, RESHAPE, SQUEEZE, expand_dims, reshape, squeeze};
pub use reverse::{REVERSE, REVERSE_SEQUENCE, reverse, reverse_sequence};
pub use scan::{CUMPROD, CUMSUM, cumprod, cumprod_with, cumsum, cumsum_with};
pub(crate) use scatter::parts_shape;
pub use scatter::{
    GATHER_ND, SCATTER_ND, SPARSE_TO_DENSE, TENSOR_SCATTER_ADD, TENSOR_SCATTER_MAX,
    TENSOR_SCATTER_MIN, TENSOR_SCATTER_SUB, TENSOR_SCATTER_UPDATE,
};
pub use scatter::{
    gather_nd, scatter_nd, sparse_to_dense, tensor_scatter_add, tensor_scatter_max,
    tensor_scatter_min, tensor_scatter_sub, tensor_scatter_update,
};
pub use segment::{
    SEGMENT_MAX, SEGMENT_MEAN, SEGMENT_MIN, SEGMENT_PROD, SEGMENT_SUM, UNSORTED_SEGMENT_MAX,
    UNSORTED_SEGMENT_MIN, UNSORTED_SEGMENT_PROD, UNSORTED_SEGMENT_SUM,
};
pub use segment::{
    segment_max, segment_mean, segment_min, segment_prod, segment_sum, unsorted_segment_max,
    unsorted_segment_min, unsorted_segment_prod, unsorted_segment_sum,
};
pub use shape::{BROADCAST_ARGS, BROADCAST_GRADIENT_ARGS, RANK, SHAPE, SHAPE_N, SIZE};
pub use shape::{broadcast_dynamic_shape, broadcast_gradient_args, rank, shape, shape_n, size};
pub(crate) use shape::{needs_no_value, shape_as};
pub use slice::{
    SLICE, STRIDED_SLICE, STRIDED_SLICE_GRAD, slice, strided_slice, strided_slice_with,
};
pub use split::{SPLIT, SPLIT_V, UNPACK, split, split_sizes, unstack, unstack_count};
pub use stride::StrideMasks;
pub use tile::{TILE, tile};
pub use transpose::{INVERT_PERMUTATION, TRANSPOSE, invert_permutation, transpose};

collect! {
    band_part, bitcast, block, concat_v1, diagonal, ensure_shape, fill, gather, grid, join, lin_space, order,
    pad, partition, recurrence, reshape, reverse, scan, scatter, segment, shape, slice, split,
    stride, tile, transpose,
}
