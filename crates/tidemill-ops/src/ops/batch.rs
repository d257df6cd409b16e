//! The common parts of operations on batches of matrices.

use tidemill_graph::{NodeBuilder, NodeView, OpError};
use tidemill_value::{Dim, PartialShape};

use super::array::{
    TRANSPOSE, broadcast_gradient_args, concat, gather, range, rank, reshape, shape, shape_tensor,
    stack,
};
use super::reduce::reduce_sum;
use crate::operand::{composite, tensor};
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    exports: matrix_transpose;
}

/// The leading axes, and the two axes of the matrices; `None` if the rank is unknown.
type Matrices<'a> = Option<(&'a [Dim], [Dim; 2])>;

/// The axes of the matrices of input `i`.
///
/// # Errors
/// Fewer than two axes.
pub(crate) fn matrices<'a>(node: &'a NodeView<'_>, i: usize) -> Result<Matrices<'a>, OpError> {
    let Some(dims) = node.shape(i).dims() else { return Ok(None) };
    match dims.split_last_chunk() {
        Some((batch, matrix)) => Ok(Some((batch, *matrix))),
        None => {
            let (input, actual) = (node.op().inputs[i].name, node.shape(i).clone());
            Err(OpError::Rank { input, expected: "at least 2 axes", actual })
        }
    }
}

/// A shape of leading axes and the two of matrices.
pub(crate) fn with_matrix(batch: &PartialShape, matrix: [Dim; 2]) -> PartialShape {
    match batch.dims() {
        Some(dims) => dims.iter().copied().chain(matrix).collect(),
        None => PartialShape::unknown(),
    }
}

/// The gradient of `x` from one in which the axes between the first `before` and the last `after`
/// were broadcast, summed back to the shape of `x`.
#[track_caller]
pub(crate) fn sum_stretched(grad: Tensor, x: Tensor, before: usize, after: usize) -> Tensor {
    let (of_grad, of_x) = (grad.shape(), x.shape());
    let between = |shape: &PartialShape| -> Option<Vec<usize>> {
        let dims = shape.dims()?;
        let dims = dims.get(before..dims.len().checked_sub(after)?)?;
        dims.iter().map(|dim| dim.known()).collect()
    };
    let (Some(stretched), Some(own)) = (between(&of_grad), between(&of_x)) else {
        return sum_stretched_in_run(grad, x, before, after);
    };
    if stretched == own {
        return grad;
    }
    let added = stretched.len().saturating_sub(own.len());
    let from_one = own.iter().zip(&stretched[added..]).enumerate();
    let from_one = from_one.filter(|(_, (own, stretched))| own != stretched);
    let axes = (0..added).chain(from_one.map(|(i, _)| added + i));
    let axes: Vec<i64> = axes.map(|axis| (before + axis) as i64).collect();
    let summed = reduce_sum(grad, axes.as_slice());
    match of_x.known() {
        Some(known) => reshape(summed, shape_tensor(&known)),
        None => reshape(summed, shape(x)),
    }
}

#[track_caller]
fn sum_stretched_in_run(grad: Tensor, x: Tensor, before: usize, after: usize) -> Tensor {
    let between = |tensor: Tensor| {
        let axes = range(before as i32, rank(tensor) - after as i32, 1);
        gather(shape(tensor), axes, 0)
    };
    let (axes, _) = broadcast_gradient_args(between(x), between(grad));
    reshape(reduce_sum(grad, axes + before as i32), shape(x))
}

/// The matrices in the last two axes of `x`, each transposed.
///
/// # Errors
/// Fewer than two axes.
///
/// ```
/// use tidemill_ops::{matrix_transpose, placeholder};
/// let x = placeholder::<f32>([7, 2, 3]);
/// assert_eq!(matrix_transpose(x).shape().to_string(), "[7, 3, 2]");
/// ```
#[doc(alias = "adjoint")]
#[track_caller]
pub fn matrix_transpose(x: impl Into<Operand>) -> Tensor {
    let x = x.into().to_tensor();
    composite(x.graph(), "matrix_transpose", |_| {
        let order = match x.shape().rank() {
            Some(axes) => {
                let mut order: Vec<i32> = (0..axes as i32).collect();
                if let Some(matrix) = order.last_chunk_mut::<2>() {
                    matrix.reverse();
                }
                Operand::from(order).to_tensor_like(x, "perm")
            }
            None => {
                let axes = rank(x);
                concat([range(0, axes - 2, 1), stack([axes - 1, axes - 2], 0)], 0)
            }
        };
        tensor(NodeBuilder::new(&TRANSPOSE).input(x).input(order))
    })
}
