//! Tensors with patterns: identity matrices, grids of coordinates.

use tidemill_graph::default_graph;
use tidemill_value::DType;

use super::{broadcast_to, concat, filled, gather, matrix_diag, matrix_set_diag, reshape, shape};
use crate::operand::composite;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    exports: Indexing, eye, meshgrid;
}

/// The identity matrix: ones on the diagonal, zeros elsewhere, of shape `[rows, columns]`. It is
/// square if `columns` is `None`.
///
/// # Errors
/// The `dtype` has no 0 and 1, such as string.
///
/// ```
/// use tidemill_ops::eye;
/// use tidemill_value::DType;
/// assert_eq!(eye(3, None, DType::F32).shape().to_string(), "[3, 3]");
/// assert_eq!(eye(3, 4, DType::F32).shape().to_string(), "[3, 4]");
/// ```
#[track_caller]
pub fn eye(rows: usize, columns: impl Into<Option<usize>>, dtype: DType) -> Tensor {
    let columns = columns.into().unwrap_or(rows);
    let graph = default_graph();
    composite(Some(graph.clone()), "eye", |_| {
        let diagonal = filled(&graph, "ones", 1.0, dtype, [rows.min(columns)].into());
        match rows == columns {
            true => matrix_diag(diagonal),
            false => {
                let zeros = filled(&graph, "zeros", 0.0, dtype, [rows, columns].into());
                matrix_set_diag(zeros, diagonal, 0)
            }
        }
    })
}

/// The axis of the result of [`meshgrid`] along which the first list lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Indexing {
    /// The second one, as in images: x to the right, y down.
    #[default]
    Xy,
    /// The first one, as in matrices.
    Ij,
}

/// The coordinates of all points of a grid, from the coordinates along each axis: for each list, a
/// tensor that repeats it along the axes of the others. The extents are the lengths of the lists,
/// with the first two swapped for [`Indexing::Xy`].
///
/// # Errors
/// Tensors of more than one axis.
///
/// ```
/// use tidemill_ops::{Indexing, constant, meshgrid};
/// let grid = meshgrid([constant([1, 2, 3]), constant([4, 5])], Indexing::Xy);
/// assert_eq!(grid[0].shape().to_string(), "[2, 3]");
/// ```
#[track_caller]
pub fn meshgrid<T: Into<Operand>>(
    lists: impl IntoIterator<Item = T>,
    indexing: Indexing,
) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for list in lists {
        tensors.push(list.into().to_tensor());
    }
    let Some(graph) = tensors.first().map(|first| first.graph()) else { return tensors };
    composite(graph, "meshgrid", |_| {
        let count = tensors.len();
        let axis = |i: usize| match (indexing, i) {
            (Indexing::Xy, 0) if count > 1 => 1,
            (Indexing::Xy, 1) => 0,
            _ => i,
        };
        let mut along = vec![0; count];
        (0..count).for_each(|i| along[axis(i)] = i as i32);
        let lengths = concat(tensors.iter().map(|&list| shape(reshape(list, [-1]))), 0);
        let extents = gather(lengths, along, 0);
        let spread = |(i, &list): (usize, &Tensor)| {
            let own = (0..count).map(|j| if j == axis(i) { -1 } else { 1 });
            broadcast_to(reshape(list, own.collect::<Vec<i32>>()), extents)
        };
        tensors.iter().enumerate().map(spread).collect()
    })
}
