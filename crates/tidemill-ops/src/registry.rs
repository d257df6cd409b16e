use std::sync::{PoisonError, RwLock};

use tidemill_graph::OpDef;

use crate::ops::{
    activation, arithmetic, array, assign, batch_matmul, batch_norm, bitwise, cast, clip, compare, constant, control, conv, custom_gradient, debug, division, einsum, gradient, host, identity, leaky_relu, linalg, math, matmul, nn, placeholder, pooling, prod, random, reduce, resize, scatter, select, shuffle, special, train, variable,
};

/// Every operation, sorted by name.
pub static ALL: &[&OpDef] = &[
    &math::ABS,
    &math::ACOS,
    &math::ACOSH,
    &arithmetic::ADD_V1,
    &arithmetic::ADD_N,
    &arithmetic::ADD,
    &reduce::ALL,
    &reduce::ANY,
    &train::APPLY_GRADIENT_DESCENT,
    &reduce::ARG_MAX,
    &reduce::ARG_MIN,
    &math::ASIN,
    &math::ASINH,
    &debug::ASSERT,
    &assign::ASSIGN,
    &assign::ASSIGN_ADD,
    &assign::ASSIGN_SUB,
    &math::ATAN,
    &special::ATAN2,
    &math::ATANH,
    &pooling::AVG_POOL,
    &pooling::AVG_POOL_GRAD,
    &batch_matmul::BATCH_MATMUL,
    &batch_matmul::BATCH_MATMUL_V2,
    &array::BATCH_TO_SPACE,
    &nn::BIAS_ADD,
    &nn::BIAS_ADD_GRAD,
    &array::BINCOUNT,
    &array::BITCAST,
    &bitwise::BITWISE_AND,
    &bitwise::BITWISE_OR,
    &bitwise::BITWISE_XOR,
    &array::BROADCAST_ARGS,
    &array::BROADCAST_GRADIENT_ARGS,
    &array::BROADCAST_TO,
    &cast::OP,
    &math::CEIL,
    &debug::CHECK_NUMERICS,
    &linalg::CHOLESKY,
    &clip::CLIP_BY_VALUE,
    &array::CONCAT_V1,
    &array::CONCAT_OFFSET,
    &array::CONCAT,
    &constant::OP,
    &conv::CONV_2D,
    &conv::CONV_2D_BACKPROP_FILTER,
    &conv::CONV_2D_BACKPROP_INPUT,
    &conv::CONV_3D,
    &conv::CONV_3D_BACKPROP_FILTER,
    &conv::CONV_3D_BACKPROP_INPUT,
    &math::COS,
    &math::COSH,
    &linalg::CROSS,
    &array::CUMPROD,
    &array::CUMSUM,
    &custom_gradient::CUSTOM_GRADIENT,
    &array::DEPTH_TO_SPACE,
    &conv::DEPTHWISE_CONV_2D,
    &conv::DEPTHWISE_CONV_2D_BACKPROP_FILTER,
    &conv::DEPTHWISE_CONV_2D_BACKPROP_INPUT,
    &array::DIAG,
    &array::DIAG_PART,
    &special::DIGAMMA,
    &division::DIV_V1,
    &division::DIV_NO_NAN,
    &array::DYNAMIC_PARTITION,
    &array::DYNAMIC_STITCH,
    &einsum::EINSUM,
    &activation::ELU,
    &gradient::ELU_GRAD,
    &compare::EQUAL,
    &special::ERF,
    &special::ERFC,
    &reduce::EUCLIDEAN_NORM,
    &math::EXP,
    &array::EXPAND_DIMS,
    &math::EXPM1,
    &array::FILL,
    &math::FLOOR,
    &arithmetic::FLOOR_DIV,
    &arithmetic::FLOOR_MOD,
    &batch_norm::FUSED_BATCH_NORM,
    &batch_norm::FUSED_BATCH_NORM_GRAD_V3,
    &batch_norm::FUSED_BATCH_NORM_V2,
    &batch_norm::FUSED_BATCH_NORM_V3,
    &array::GATHER_V1,
    &array::GATHER_ND,
    &array::GATHER,
    &compare::GREATER,
    &compare::GREATER_EQUAL,
    &host::HOST_CALL,
    &identity::IDENTITY,
    &identity::IDENTITY_N,
    &array::IN_TOP_K,
    &division::INV,
    &bitwise::INVERT,
    &array::INVERT_PERMUTATION,
    &compare::IS_FINITE,
    &compare::IS_INF,
    &compare::IS_NAN,
    &variable::IS_VARIABLE_INITIALIZED,
    &nn::L2_LOSS,
    &leaky_relu::LEAKY_RELU,
    &leaky_relu::LEAKY_RELU_GRAD,
    &bitwise::LEFT_SHIFT,
    &compare::LESS,
    &compare::LESS_EQUAL,
    &special::LGAMMA,
    &array::LIN_SPACE,
    &array::LIST_DIFF,
    &math::LOG,
    &math::LOG1P,
    &linalg::LOG_MATRIX_DETERMINANT,
    &nn::LOG_SOFTMAX,
    &compare::LOGICAL_AND,
    &compare::LOGICAL_NOT,
    &compare::LOGICAL_OR,
    &matmul::OP,
    &array::MATRIX_BAND_PART,
    &linalg::MATRIX_DETERMINANT,
    &array::MATRIX_DIAG,
    &array::MATRIX_DIAG_PART,
    &array::MATRIX_DIAG_PART_V3,
    &array::MATRIX_DIAG_V3,
    &linalg::MATRIX_INVERSE,
    &array::MATRIX_SET_DIAG,
    &array::MATRIX_SET_DIAG_V3,
    &linalg::MATRIX_SOLVE,
    &linalg::MATRIX_TRIANGULAR_SOLVE,
    &reduce::MAX,
    &pooling::MAX_POOL,
    &pooling::MAX_POOL_GRAD,
    &pooling::MAX_POOL_GRAD_GRAD,
    &pooling::MAX_POOL_GRAD_GRAD_V2,
    &pooling::MAX_POOL_GRAD_V2,
    &pooling::MAX_POOL_V2,
    &pooling::MAX_POOL_WITH_ARGMAX,
    &arithmetic::MAXIMUM,
    &reduce::MEAN,
    &reduce::MIN,
    &arithmetic::MINIMUM,
    &array::MIRROR_PAD,
    &array::MIRROR_PAD_GRAD,
    &division::MOD_V1,
    &arithmetic::MUL,
    &division::MUL_NO_NAN,
    &shuffle::MULTINOMIAL,
    &math::NEG,
    &control::NO_OP,
    &compare::NOT_EQUAL,
    &array::ONE_HOT,
    &array::ONES_LIKE,
    &array::PACK,
    &array::PAD,
    &array::PAD_V2,
    &array::PARALLEL_DYNAMIC_STITCH,
    &placeholder::PLACEHOLDER,
    &placeholder::PLACEHOLDER_WITH_DEFAULT,
    &special::POLYGAMMA,
    &arithmetic::POW,
    &identity::PREVENT_GRADIENT,
    &debug::PRINT,
    &prod::PROD,
    &shuffle::RANDOM_SHUFFLE,
    &random::RANDOM_STANDARD_NORMAL,
    &random::RANDOM_UNIFORM,
    &random::RANDOM_UNIFORM_INT,
    &array::RANGE,
    &array::RANK,
    &arithmetic::DIV,
    &math::RECIPROCAL,
    &gradient::RECIPROCAL_GRAD,
    &activation::RELU,
    &activation::RELU6,
    &gradient::RELU6_GRAD,
    &gradient::RELU_GRAD,
    &array::RESHAPE,
    &resize::RESIZE_BILINEAR,
    &resize::RESIZE_BILINEAR_GRAD,
    &resize::RESIZE_NEAREST_NEIGHBOR,
    &resize::RESIZE_NEAREST_NEIGHBOR_GRAD,
    &array::REVERSE_SEQUENCE,
    &array::REVERSE,
    &bitwise::RIGHT_SHIFT,
    &math::RINT,
    &division::ROUND,
    &math::RSQRT,
    &gradient::RSQRT_GRAD,
    &scatter::SCATTER_ADD,
    &scatter::SCATTER_DIV,
    &scatter::SCATTER_MAX,
    &scatter::SCATTER_MIN,
    &scatter::SCATTER_MUL,
    &array::SCATTER_ND,
    &scatter::SCATTER_SUB,
    &scatter::SCATTER_UPDATE,
    &array::SEGMENT_MAX,
    &array::SEGMENT_MEAN,
    &array::SEGMENT_MIN,
    &array::SEGMENT_PROD,
    &array::SEGMENT_SUM,
    &select::SELECT_V1,
    &select::SELECT,
    &activation::SELU,
    &gradient::SELU_GRAD,
    &array::SHAPE,
    &array::SHAPE_N,
    &activation::SIGMOID,
    &gradient::SIGMOID_GRAD,
    &math::SIGN,
    &math::SIN,
    &math::SINH,
    &array::SIZE,
    &array::SLICE,
    &identity::SNAPSHOT,
    &nn::SOFTMAX,
    &nn::SOFTMAX_CROSS_ENTROPY,
    &activation::SOFTPLUS,
    &gradient::SOFTPLUS_GRAD,
    &activation::SOFTSIGN,
    &gradient::SOFTSIGN_GRAD,
    &array::SPACE_TO_BATCH,
    &array::SPACE_TO_DEPTH,
    &nn::SPARSE_SOFTMAX_CROSS_ENTROPY,
    &array::SPARSE_TO_DENSE,
    &array::SPLIT,
    &array::SPLIT_V,
    &math::SQRT,
    &gradient::SQRT_GRAD,
    &math::SQUARE,
    &arithmetic::SQUARED_DIFFERENCE,
    &array::SQUEEZE,
    &identity::STOP_GRADIENT,
    &array::STRIDED_SLICE,
    &array::STRIDED_SLICE_GRAD,
    &arithmetic::SUB,
    &reduce::SUM,
    &math::TAN,
    &math::TANH,
    &gradient::TANH_GRAD,
    &array::TENSOR_SCATTER_ADD,
    &array::TENSOR_SCATTER_MAX,
    &array::TENSOR_SCATTER_MIN,
    &array::TENSOR_SCATTER_SUB,
    &array::TENSOR_SCATTER_UPDATE,
    &array::TILE,
    &array::TOP_K,
    &array::TRANSPOSE,
    &division::TRUNCATE_DIV,
    &division::TRUNCATE_MOD,
    &random::TRUNCATED_NORMAL,
    &array::UNIQUE,
    &array::UNIQUE_WITH_COUNTS,
    &array::UNPACK,
    &array::UNSORTED_SEGMENT_MAX,
    &array::UNSORTED_SEGMENT_MIN,
    &array::UNSORTED_SEGMENT_PROD,
    &array::UNSORTED_SEGMENT_SUM,
    &variable::VARIABLE,
    &array::WHERE,
    &division::XDIVY,
    &special::XLOGY,
    &array::ZEROS_LIKE,
];

/// The operations that programs registered.
static REGISTERED: RwLock<Vec<&OpDef>> = RwLock::new(Vec::new());

/// An operation cannot be registered because there is another one of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is an operation {name} already")]
pub struct NameTaken {
    /// The name.
    pub name: &'static str,
}

/// Makes an operation known to the whole process by its name, so that graphs that are imported
/// can have nodes of it. To build nodes of it in a program needs no registration.
///
/// To register it again changes nothing.
///
/// # Errors
/// [`NameTaken`] where another operation has its name.
pub fn register_op(op: &'static OpDef) -> Result<(), NameTaken> {
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    match built_in(op.name).or_else(|| find(&registered, op.name)) {
        None => {
            registered.push(op);
            Ok(())
        }
        Some(known) if std::ptr::eq(known, op) => Ok(()),
        Some(_) => Err(NameTaken { name: op.name }),
    }
}

/// The operation of that name: one of [`ALL`], or one that was [registered](register_op).
pub fn lookup(name: &str) -> Option<&'static OpDef> {
    let registered = || REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    built_in(name).or_else(|| find(&registered(), name))
}

fn built_in(name: &str) -> Option<&'static OpDef> {
    ALL.binary_search_by(|op| op.name.cmp(name)).ok().map(|i| ALL[i])
}

fn find(ops: &[&'static OpDef], name: &str) -> Option<&'static OpDef> {
    ops.iter().copied().find(|op| op.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_name() {
        assert!(ALL.is_sorted_by_key(|op| op.name));
        for op in ALL {
            assert_eq!(lookup(op.name), Some(*op));
        }
        assert_eq!(lookup("Nonsense"), None);
    }
}

#[test]
fn zz() { for o in ALL { println!("NAME {}", o.name); } }
