//! Gradients of operations that join tensors, and of those that split them.

use tidemill_graph::NodeBuilder;
use tidemill_value::DType;

use super::{CONCAT, SPLIT_V, gather, rank, shape, stack};
use crate::Tensor;
use crate::operand::tensor;
use crate::ops::arithmetic::floor_mod;
use crate::ops::cast::cast;

/// The gradient of a split: the parts' gradients concatenated.
#[track_caller]
pub(super) fn concat_along(parts: &[Tensor], axis: Tensor) -> Tensor {
    tensor(NodeBuilder::new(&CONCAT).inputs(parts.iter().copied()).input(axis))
}

/// The gradients of a concatenation: parts with the extents of the values along the axis.
#[track_caller]
pub(super) fn split_like(grad: Tensor, values: &[Tensor], axis: Tensor) -> Vec<Tensor> {
    let Some(&first) = values.first() else { return Vec::new() };
    let axis = cast(axis, DType::I32);
    let counted = floor_mod(axis, rank(first));
    let shapes = stack(values.iter().map(|&value| shape(value)), 0);
    let sizes = gather(shapes, counted, 1);
    let node = NodeBuilder::new(&SPLIT_V).input(grad).input(sizes).input(axis);
    let node = node.attr("num_split", values.len() as i64).build();
    (0..values.len()).map(|i| node.output(i as u32).into()).collect()
}
