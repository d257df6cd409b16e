//! Products of a vector and a matrix whose rows they combine. A general product would copy the matrix,
//! which takes longer than reading it once.

use super::plan::TERMS;
use crate::float::Float;
use crate::pool::{for_each_chunk_mut, is_cancelled, threads};

/// The number of elements of the matrix for which a thread is worthwhile.
const WORK: usize = 1 << 16;
/// The number of columns whose sums stay in the first cache,
const COLUMNS: usize = 1 << 10;
/// and the least for which memory is read well.
const LEAST_COLUMNS: usize = 1 << 7;
/// The number of rows that are combined in one pass over the sums.
const ROWS: usize = 4;
/// A request to stop is heeded each time that so many parts of [`TERMS`] rows have been combined.
const PARTS: usize = 1 << 6;

/// `out[j] = Σ vector[i] · matrix[i, j]`, summed as every product is.
pub(super) fn combine_rows<T: Float>(vector: &[T], matrix: &[T], out: &mut [T]) {
    let columns = out.len();
    let share = columns.div_ceil(threads()).max(WORK / vector.len());
    let width = share.next_multiple_of(LEAST_COLUMNS).min(COLUMNS);
    for_each_chunk_mut(out, width, |i, out| {
        combine_parts(vector, &matrix[i * width..], columns, out);
    });
}

vectorized! {
    if true;
    /// Sums the parts of the rows that lie above `out`, of at most [`COLUMNS`] columns; `matrix` starts
    /// with the first of them.
    fn combine_parts<T>(vector: &[T], matrix: &[T], columns: usize, out: &mut [T])
    where [T: Float]
    {
        let mut sums = [T::ZERO; COLUMNS];
        let sums = &mut sums[..out.len()];
        for (i, vector) in vector.chunks(TERMS).enumerate() {
            if i % PARTS == PARTS - 1 && is_cancelled() {
                return;
            }
            sums.fill(T::ZERO);
            let part = |row: usize| &matrix[(i * TERMS + row) * columns..][..out.len()];
            let (weights, rest) = vector.as_chunks::<ROWS>();
            for (i, weights) in weights.iter().enumerate() {
                let rows = std::array::from_fn(|row| part(i * ROWS + row));
                add_rows::<T, FUSED, ROWS>(weights, rows, sums);
            }
            for (j, weight) in rest.iter().enumerate() {
                add_rows::<T, FUSED, 1>(&[*weight], [part(weights.len() * ROWS + j)], sums);
            }
            for (o, sum) in out.iter_mut().zip(&*sums) {
                *o = if i == 0 { *sum } else { *o + *sum };
            }
        }
    }
}

/// Adds rows times their weights to the sums, one after the other.
// Loops over constant bounds are unrolled.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn add_rows<T: Float, const FUSED: bool, const N: usize>(
    weights: &[T; N],
    rows: [&[T]; N],
    sums: &mut [T],
) {
    let len = sums.len();
    let rows = rows.map(|row| &row[..len]);
    for j in 0..len {
        let mut sum = sums[j];
        for i in 0..N {
            let (weight, x) = (weights[i], rows[i][j]);
            sum = if FUSED { weight.times_plus(x, sum) } else { sum + weight * x };
        }
        sums[j] = sum;
    }
}
