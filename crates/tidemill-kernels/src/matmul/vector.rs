//! Products of a matrix and a vector. A general product would first copy the matrix into blocks,
//! which takes longer than reading it once.

use crate::float::Float;
use crate::pool::{TILE, for_each_chunk_mut};

const LANES: usize = 16;
/// The number of rows that are combined in one pass over the output.
const ROWS: usize = 4;

/// `out[j] = Σ vector[i] · matrix[i, j]`: the rows of the matrix are added up.
pub(super) fn combine_rows<T: Float>(vector: &[T], matrix: &[T], out: &mut [T]) {
    let columns = out.len();
    let width = TILE.div_ceil(vector.len()).next_multiple_of(LANES);
    for_each_chunk_mut(out, width, |i, out| {
        combine_parts(vector, &matrix[i * width..], columns, out);
    });
}

/// Sums the parts of the rows that lie above `out`; `matrix` starts with the first of them.
fn combine_parts<T: Float>(vector: &[T], matrix: &[T], columns: usize, out: &mut [T]) {
    out.fill(T::ZERO);
    let width = out.len();
    let part = |row: usize| &matrix[row * columns..][..width];
    let (weights, rest) = vector.as_chunks::<ROWS>();
    for (i, [a, b, c, d]) in weights.iter().enumerate() {
        let [row_a, row_b, row_c, row_d] = [0, 1, 2, 3].map(|row| part(i * ROWS + row));
        let rows = row_a.iter().zip(row_b).zip(row_c).zip(row_d);
        for ((((w, x), y), z), o) in rows.zip(&mut *out) {
            *o = *o + ((*a * *w + *b * *x) + (*c * *y + *d * *z));
        }
    }
    for (i, a) in rest.iter().enumerate() {
        for (x, o) in part(weights.len() * ROWS + i).iter().zip(&mut *out) {
            *o = *o + *a * *x;
        }
    }
}

/// `out[i] = Σ matrix[i, j] · vector[j]`: the dot product of each row with the vector.
pub(super) fn dot_rows<T: Float>(vector: &[T], matrix: &[T], out: &mut [T]) {
    let rows = TILE.div_ceil(vector.len());
    for_each_chunk_mut(out, rows, |i, out| {
        let matrix = matrix[i * rows * vector.len()..].chunks_exact(vector.len());
        for (row, o) in matrix.zip(out) {
            *o = dot(row, vector);
        }
    });
}

fn dot<T: Float>(left: &[T], right: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let ((left, left_rest), (right, right_rest)) =
        (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    for (left, right) in left.iter().zip(right) {
        for ((lane, x), y) in lanes.iter_mut().zip(left).zip(right) {
            *lane = *lane + *x * *y;
        }
    }
    for ((lane, x), y) in lanes.iter_mut().zip(left_rest).zip(right_rest) {
        *lane = *lane + *x * *y;
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            lanes[i] = lanes[i] + lanes[i + width];
        }
    }
    lanes[0]
}
