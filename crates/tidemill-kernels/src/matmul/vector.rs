//! Products of a matrix and a vector. A general product would first copy the matrix into
//! blocks, which takes longer than to read it once.

use crate::float::Float;

const LANES: usize = 16;
/// The number of rows that are combined in one pass over the output.
const ROWS: usize = 4;

/// `out[j] = Σ vector[i] · matrix[i, j]`: the rows of the matrix are added up.
pub(super) fn combine_rows<T: Float>(vector: &[T], matrix: &[T], out: &mut [T]) {
    out.fill(T::ZERO);
    let columns = out.len();
    let (weights, rest) = vector.as_chunks::<ROWS>();
    let (rows, rest_rows) = matrix.split_at(weights.len() * ROWS * columns);
    for ([a, b, c, d], rows) in weights.iter().zip(rows.chunks_exact(ROWS * columns)) {
        let (first, second) = rows.split_at(2 * columns);
        let ((row_a, row_b), (row_c, row_d)) = (first.split_at(columns), second.split_at(columns));
        let rows = row_a.iter().zip(row_b).zip(row_c).zip(row_d);
        for ((((w, x), y), z), o) in rows.zip(&mut *out) {
            *o = *o + ((*a * *w + *b * *x) + (*c * *y + *d * *z));
        }
    }
    for (a, row) in rest.iter().zip(rest_rows.chunks_exact(columns)) {
        for (x, o) in row.iter().zip(&mut *out) {
            *o = *o + *a * *x;
        }
    }
}

/// `out[i] = Σ matrix[i, j] · vector[j]`: the dot product of each row with the vector.
pub(super) fn dot_rows<T: Float>(vector: &[T], matrix: &[T], out: &mut [T]) {
    for (row, o) in matrix.chunks_exact(vector.len()).zip(out) {
        *o = dot(row, vector);
    }
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
