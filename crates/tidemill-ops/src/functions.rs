//! The functions that add operations to a graph.

pub use crate::ops::activation::{
    crelu, elu, gelu, gelu_approximate, log_sigmoid, relu, relu6, selu, sigmoid, softplus,
    softsign, swish,
};
pub use crate::ops::arithmetic::{
    add, add_n, div, floor_div, floor_mod, maximum, minimum, mul, pow, squared_difference, sub,
};
pub use crate::ops::array::{
    Direction, Indexing, Mirror, StrideMasks, argsort, batch_to_space_nd, bincount, bitcast,
    boolean_mask, broadcast_dynamic_shape, broadcast_gradient_args, broadcast_to, concat, cumprod,
    cumprod_with, cumsum, cumsum_with, depth_to_space, diag, diag_part, dynamic_partition,
    dynamic_stitch, ensure_shape, expand_dims, eye, fill, gather, gather_batches, gather_nd,
    in_top_k, invert_permutation, lin_space, list_diff, matrix_band_part, matrix_diag,
    matrix_diag_part, matrix_set_diag, meshgrid, mirror_pad, one_hot, one_hot_with, ones_like, pad,
    pad_with, range, rank, reshape, reverse, reverse_sequence, scatter_nd, segment_max,
    segment_mean, segment_min, segment_prod, segment_sum, shape, shape_n, size, slice, sort,
    space_to_batch_nd, space_to_depth, sparse_to_dense, split, split_sizes, squeeze, stack,
    strided_slice, strided_slice_with, tensor_scatter_add, tensor_scatter_max, tensor_scatter_min,
    tensor_scatter_sub, tensor_scatter_update, tile, top_k, transpose, unique, unique_with_counts,
    unsorted_segment_max, unsorted_segment_min, unsorted_segment_prod, unsorted_segment_sum,
    unstack, unstack_count, where_true, zeros_like,
};
pub use crate::ops::assign::{assign, assign_add, assign_sub};
pub use crate::ops::batch::matrix_transpose;
pub use crate::ops::batch_matmul::{BatchMatMul, batch_matmul, batch_matmul_with};
pub use crate::ops::batch_norm::{BatchStatistics, FusedBatchNorm, fused_batch_norm};
pub use crate::ops::bitwise::{
    bitwise_and, bitwise_or, bitwise_xor, invert, left_shift, right_shift,
};
pub use crate::ops::cast::{cast, to_float};
pub use crate::ops::clip::{clip_by_global_norm, clip_by_norm, clip_by_value, global_norm};
pub use crate::ops::compare::{
    equal, greater, greater_equal, is_finite, is_inf, is_nan, less, less_equal, logical_and,
    logical_not, logical_or, logical_xor, not_equal,
};
pub use crate::ops::confusion::confusion_matrix;
pub use crate::ops::constant::{constant, convert_to_tensor};
pub use crate::ops::control::{group, no_op, with_dependencies};
pub use crate::ops::conv::{
    Conv, ConvPadding, conv1d, conv2d, conv2d_backprop_filter, conv2d_backprop_input,
    conv2d_transpose, conv3d, depthwise_conv2d_native,
};
pub use crate::ops::crop::crop_and_resize;
pub use crate::ops::custom_gradient::{CustomGradient, custom_gradient};
pub use crate::ops::debug::{
    PrintOptions, assert, check_numerics, print, print_on, print_on_with, print_with,
};
pub use crate::ops::dilation::dilation2d;
pub use crate::ops::division::{
    absorbing_mul, div_no_nan, div_v1, inv, mod_v1, mul_no_nan, round, truncate_div, truncate_mod,
    xdivy,
};
pub use crate::ops::dropout::dropout;
pub use crate::ops::einsum::{einsum, tensordot};
pub use crate::ops::embedding::{PartitionStrategy, embedding_lookup, embedding_lookup_sharded};
pub use crate::ops::host::{HostOutput, host_call};
pub use crate::ops::identity::{identity, identity_n, prevent_gradient, snapshot, stop_gradient};
pub use crate::ops::image::rot90;
pub use crate::ops::leaky_relu::leaky_relu;
pub use crate::ops::linalg::{
    TriangularSolve, cholesky, cross, log_matrix_determinant, matrix_determinant, matrix_inverse,
    matrix_solve, triangular_solve,
};
pub use crate::ops::local_response::lrn;
pub use crate::ops::math::{
    abs, acos, acosh, asin, asinh, atan, atanh, ceil, cos, cosh, exp, expm1, floor, log, log1p,
    neg, reciprocal, rint, rsqrt, sign, sin, sinh, sqrt, square, tan, tanh,
};
pub use crate::ops::matmul::{MatMul, matmul, matmul_with, xw_plus_b};
pub use crate::ops::nn::{
    bias_add, l2_loss, log_softmax, sigmoid_cross_entropy_with_logits, softmax,
    softmax_cross_entropy_with_logits, sparse_softmax_cross_entropy_with_logits,
    weighted_cross_entropy_with_logits,
};
pub use crate::ops::norm::{Norm, l2_normalize, norm};
pub use crate::ops::normalization::{batch_normalization, layer_normalization};
pub use crate::ops::placeholder::{placeholder, placeholder_of, placeholder_with_default};
pub use crate::ops::pooling::{avg_pool, max_pool, max_pool_with_argmax};
pub use crate::ops::prod::reduce_prod;
pub use crate::ops::random::{
    Distribution, random, random_integers, random_normal, random_uniform,
};
pub use crate::ops::reduce::{
    Axes, arg_max, arg_min, reduce_all, reduce_any, reduce_euclidean_norm, reduce_max, reduce_mean,
    reduce_min, reduce_sum,
};
pub use crate::ops::resize::{resize_bicubic, resize_bilinear, resize_nearest_neighbor};
pub use crate::ops::scatter::{
    scatter_add, scatter_div, scatter_max, scatter_min, scatter_mul, scatter_nd_add,
    scatter_nd_max, scatter_nd_min, scatter_nd_sub, scatter_nd_update, scatter_sub, scatter_update,
};
pub use crate::ops::select::{safe_where, select, select_v1};
pub use crate::ops::shuffle::{multinomial, random_shuffle};
pub use crate::ops::special::{atan2, digamma, erf, erfc, lgamma, polygamma, xlogy};
pub use crate::ops::statistics::{moments, reduce_logsumexp, reduce_std, reduce_variance};
pub use crate::ops::strings::{string_format, string_join};
pub use crate::ops::tensor_list::{
    empty_tensor_list, tensor_list_concat, tensor_list_concat_lists, tensor_list_element_shape,
    tensor_list_from_tensor, tensor_list_gather, tensor_list_get_item, tensor_list_length,
    tensor_list_pop_back, tensor_list_push_back, tensor_list_push_back_batch, tensor_list_reserve,
    tensor_list_resize, tensor_list_scatter, tensor_list_scatter_into, tensor_list_set_item,
    tensor_list_split, tensor_list_stack,
};
pub use crate::ops::training::apply_gradient_descent;
pub use crate::ops::variable::is_variable_initialized;
