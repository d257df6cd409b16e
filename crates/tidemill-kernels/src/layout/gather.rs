use tidemill_value::{Memory, Shape, Value};

use super::indices::Indices;
use crate::NumericError;
use crate::moved::{Moved, build, read};
use crate::output::volume;
use crate::pool::{TILE, for_each_chunk_mut};

/// Takes the parts of a value along `axis` that `indices` name, in their order.
/// TensorFlow's `GatherV2`.
///
/// `indices` are of type `int32` or `int64` and of any shape, which takes the place of `axis` in
/// the shape of the result.
///
/// # Errors
/// [`NumericError::IndexOutOfRange`] if there is no such part (negative indices name none),
/// [`NumericError::Axis`] if there is no such axis, [`NumericError::UnsupportedDType`] if the
/// indices are of another type.
pub fn gather(
    memory: &Memory,
    value: &Value,
    indices: &Value,
    axis: usize,
) -> Result<Value, NumericError> {
    let shape = value.shape();
    let rank = shape.rank();
    let extent = *shape.get(axis).ok_or(NumericError::Axis { axis, rank })?;
    let indices_shape = indices.shape();
    let indices = Indices::below(indices, extent)?;
    let (outer, inner) = (&shape[..axis], &shape[axis + 1..]);
    let output: Shape = outer.iter().chain(&indices_shape[..]).chain(inner).copied().collect();
    let dtype = value.dtype();
    match_moved!(dtype, T => {
        let elements = read::<T>(value, dtype)?;
        build(memory, dtype, output, |out| {
            if !out.is_empty() {
                gather_rows(elements, extent, inner.iter().product(), indices, out);
            }
        })
    })
}

/// [`gather()`] within each of the parts that the first `batch` axes, shared by value and indices,
/// cut both into. TensorFlow's `GatherV2` with `batch_dims`.
///
/// # Errors
/// As for [`gather()`], and [`NumericError::Shape`] if the first axes differ, or `axis` is one of
/// them.
pub fn gather_batches(
    memory: &Memory,
    value: &Value,
    indices: &Value,
    axis: usize,
    batch: usize,
) -> Result<Value, NumericError> {
    if batch == 0 {
        return gather(memory, value, indices, axis);
    }
    let shape = value.shape();
    let rank = shape.rank();
    let extent = *shape.get(axis).ok_or(NumericError::Axis { axis, rank })?;
    let own = indices.shape();
    if axis < batch || own.rank() < batch || own[..batch] != shape[..batch] {
        let (expected, actual) = (shape[..batch.min(rank)].into(), own.clone());
        return Err(NumericError::Shape { expected, actual });
    }
    let (before, inner) = (&shape[..axis], &shape[axis + 1..]);
    let output: Shape = before.iter().chain(&own[batch..]).chain(inner).copied().collect();
    let count = volume(&own[batch..]);
    let indices = Indices::below(indices, extent)?;
    let (outer, width) = (volume(&shape[batch..axis]), volume(inner));
    let dtype = value.dtype();
    match_moved!(dtype, T => {
        let elements = read::<T>(value, dtype)?;
        build(memory, dtype, output, |out| {
            if !out.is_empty() {
                let slabs = elements.chunks_exact(outer * extent * width);
                let outs = out.chunks_exact_mut(outer * count * width);
                for (i, (slab, out)) in slabs.zip(outs).enumerate() {
                    gather_rows(slab, extent, width, indices.part(i * count, count), out);
                }
            }
        })
    })
}

fn gather_rows<T: Moved>(
    elements: &[T],
    extent: usize,
    width: usize,
    indices: Indices<'_>,
    out: &mut [T],
) {
    let rows = TILE.div_ceil(width);
    for_each_chunk_mut(out, rows * width, |tile, out| {
        for (i, row) in out.chunks_exact_mut(width).enumerate() {
            let (slab, position) =
                ((tile * rows + i) / indices.len(), (tile * rows + i) % indices.len());
            let start = (slab * extent + indices.get(position)) * width;
            row.clone_from_slice(&elements[start..start + width]);
        }
    });
}
