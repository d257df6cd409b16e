use tidemill_graph::{Graph, TensorRef};
use tidemill_value::DType;

use crate::ops::array::{concat, reshape, shape, unique, unsorted_segment_sum};
use crate::ops::cast::cast;
use crate::{Tensor, s};

/// A sparse tensor, zero except in some rows: each row of `values` is added to the row given by its
/// entry in the list `indices`. It is TensorFlow's `IndexedSlices`.
///
/// The gradient of a table whose rows are gathered has this form. Like every gradient it is a
/// tensor, the dense sum; code that gets its slices with [`IndexedSlices::of`] does not need that
/// sum, so a run does not compute it.
///
/// ```
/// use tidemill_ops::{IndexedSlices, constant};
/// let [values, indices] = [constant([[1.0_f32, 2.0]]), constant([3])];
/// let dense = IndexedSlices { values, indices, dense_shape: constant([4, 2]) }.to_dense();
/// assert_eq!(dense.shape().to_string(), "[4, 2]");
/// assert_eq!(IndexedSlices::of(dense).map(|slices| slices.values), Some(values));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct IndexedSlices {
    /// The rows, along the first axis.
    pub values: Tensor,
    /// The index of each row: `int32` or `int64`.
    pub indices: Tensor,
    /// The shape of the dense tensor: `int32` or `int64`.
    pub dense_shape: Tensor,
}

impl IndexedSlices {
    /// The slices of a tensor that [`IndexedSlices::to_dense`] built; `None` for any other tensor.
    pub fn of(tensor: Tensor) -> Option<Self> {
        let tensor = TensorRef::from(tensor);
        let slices = Graph::find(tensor.graph()).ok()?.read().slices(tensor.id().ok()?)?;
        let handle = |id| TensorRef::new(tensor.graph(), id).into();
        Some(IndexedSlices {
            values: handle(slices.values),
            indices: handle(slices.indices),
            dense_shape: handle(slices.dense_shape),
        })
    }

    /// The dense tensor. Rows with equal indices are added, and rows with a negative index are
    /// ignored.
    ///
    /// # Errors
    /// Values that do not have one row for each index; a run fails if an index is too large.
    #[track_caller]
    pub fn to_dense(self) -> Tensor {
        let rows = self.dense_shape.slice(s![0]);
        let dense = unsorted_segment_sum(self.values, self.indices, rows);
        if let Some(graph) = dense.graph() {
            let slices = [self.values, self.indices, self.dense_shape].map(TensorRef::from);
            graph.record_slices(dense.into(), slices);
        }
        dense
    }

    /// The sum of several tensors of one shape: the slices of all of them. `None` if there are
    /// none.
    #[track_caller]
    pub fn sum(parts: &[IndexedSlices]) -> Option<Self> {
        let (first, rest) = parts.split_first()?;
        if rest.is_empty() {
            return Some(*first);
        }
        let is_one_type = rest.iter().all(|part| part.indices.dtype() == first.indices.dtype());
        let wide = |indices| if is_one_type { indices } else { cast(indices, DType::I64) };
        Some(IndexedSlices {
            values: concat(parts.iter().map(|part| part.values), 0),
            indices: concat(parts.iter().map(|part| wide(part.indices)), 0),
            dense_shape: first.dense_shape,
        })
    }

    /// The same tensor with distinct indices, in the order of their first occurrence.
    #[track_caller]
    pub fn deduplicate(self) -> Self {
        let (indices, positions) = unique(self.indices);
        let count = shape(indices).slice(s![0]);
        let values = unsorted_segment_sum(self.values, positions, count);
        IndexedSlices { values, indices, dense_shape: self.dense_shape }
    }
}

/// The gradient of a table whose rows `indices` were gathered, as the slices of `grad`.
#[track_caller]
pub(crate) fn rows_gradient(grad: Tensor, table: Tensor, indices: Tensor) -> Tensor {
    let dense_shape = shape(table);
    let (values, indices) = match indices.shape().rank() {
        Some(1) => (grad, indices),
        _ => {
            let list = reshape(indices, [-1]);
            let row = dense_shape.slice(s![1..]);
            (reshape(grad, concat([shape(list), row], 0)), list)
        }
    };
    IndexedSlices { values, indices, dense_shape }.to_dense()
}
