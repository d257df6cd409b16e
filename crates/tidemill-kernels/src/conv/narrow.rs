//! Products of patches and few filters. A general product would spend more on laying out its
//! operands than on multiplying them.

use crate::number::Number;

/// The most columns of a narrow product. Those of a row are summed side by side.
pub(super) const COLUMNS: usize = 16;
/// The number of rows that are added up at once, so that no sum waits for another.
const ROWS: usize = 4;

/// The columns that a product of so many is computed with.
pub(super) fn width(columns: usize) -> usize {
    match columns {
        0..=4 => 4,
        5..=8 => 8,
        _ => COLUMNS,
    }
}

/// Adds columns of zeros to a matrix, up to its [`width`].
pub(super) fn pad<T: Number>(matrix: &[T], columns: usize, padded: &mut [T]) {
    for (padded, row) in padded.chunks_exact_mut(width(columns)).zip(matrix.chunks_exact(columns)) {
        padded[..columns].copy_from_slice(row);
        padded[columns..].fill(T::ZERO);
    }
}

/// `out[i, j] = Σ left[i, k] · right[k, j]`, each sum in the order of `k`. The right matrix is
/// [padded](pad).
pub(super) fn multiply<T: Number>(left: &[T], right: &[T], columns: usize, out: &mut [T]) {
    match width(columns) {
        4 => multiply_rows(left, right.as_chunks::<4>().0, columns, out),
        8 => multiply_rows(left, right.as_chunks::<8>().0, columns, out),
        _ => multiply_rows(left, right.as_chunks::<COLUMNS>().0, columns, out),
    }
}

vectorized! {
    if T::IS_FLOAT;
    fn multiply_rows<T; const N>(
        left: &[T],
        right: &[[T; N]],
        columns: usize,
        out: &mut [T],
    )
    where [T: Number]
    {
        let inner = right.len();
        let groups = left.chunks(ROWS * inner).zip(out.chunks_mut(ROWS * columns));
        for (left, out) in groups {
            // With fewer rows than that, the last one is summed several times.
            let last = left.len() / inner - 1;
            let rows: [&[T]; ROWS] = std::array::from_fn(|row| &left[row.min(last) * inner..][..inner]);
            let [row_a, row_b, row_c, row_d] = rows;
            let [mut a, mut b, mut c, mut d] = [[T::ZERO; N]; ROWS];
            let each = right.iter().zip(row_a).zip(row_b).zip(row_c).zip(row_d);
            for ((((right, &w), &x), &y), &z) in each {
                add_multiple(&mut a, w, right);
                add_multiple(&mut b, x, right);
                add_multiple(&mut c, y, right);
                add_multiple(&mut d, z, right);
            }
            let sums = [a, b, c, d];
            for (out, sum) in out.chunks_exact_mut(columns).zip(&sums) {
                out.copy_from_slice(&sum[..columns]);
            }
        }
    }
}

#[inline(always)]
fn add_multiple<T: Number, const N: usize>(sums: &mut [T; N], factor: T, row: &[T; N]) {
    for (sum, &x) in sums.iter_mut().zip(row) {
        *sum = sum.plus(factor.times(x));
    }
}
