//! The operations, and the functions that add them to a graph.

pub mod activation;
pub mod arithmetic;
pub mod array;
pub mod assign;
pub mod batch;
pub mod batch_matmul;
pub mod batch_norm;
pub mod bitwise;
pub mod cast;
pub mod clip;
pub mod compare;
pub mod confusion;
pub mod constant;
pub mod control;
pub mod control_flow;
pub mod conv;
pub mod crop;
pub mod custom_gradient;
pub mod debug;
pub mod dilation;
pub mod division;
pub mod dropout;
pub mod einsum;
pub mod embedding;
pub mod gradient;
pub mod host;
pub mod identity;
pub mod image;
pub mod leaky_relu;
pub mod linalg;
pub mod local_response;
pub mod math;
pub mod matmul;
pub mod nn;
pub mod norm;
pub mod normalization;
pub mod packed_matmul;
pub mod placeholder;
pub mod pooling;
pub mod prod;
#[cfg(feature = "files")]
pub mod queue;
pub mod random;
pub mod reduce;
pub mod resize;
pub mod resource;
#[cfg(feature = "files")]
pub mod saving;
pub mod scatter;
pub mod select;
pub mod shuffle;
pub mod special;
pub mod statistics;
pub mod strings;
pub mod tensor_list;
pub mod training;
pub mod variable;
mod writes;

use crate::operations::collect;

collect! {
    activation,
    arithmetic,
    array,
    assign,
    batch,
    batch_matmul,
    batch_norm,
    bitwise,
    cast,
    clip,
    compare,
    confusion,
    constant,
    control,
    control_flow,
    conv,
    crop,
    custom_gradient,
    debug,
    dilation,
    division,
    dropout,
    einsum,
    embedding,
    gradient,
    host,
    identity,
    image,
    leaky_relu,
    linalg,
    local_response,
    math,
    matmul,
    nn,
    norm,
    normalization,
    placeholder,
    pooling,
    prod,
    #[cfg(feature = "files")]
    queue,
    random,
    reduce,
    resize,
    resource,
    #[cfg(feature = "files")]
    saving,
    scatter,
    select,
    shuffle,
    special,
    statistics,
    strings,
    tensor_list,
    training,
    variable,
}
