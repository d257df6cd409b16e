//! Products of patches and few filters. A general product would spend more on laying out its
//! operands than on multiplying them.

use multiversion::multiversion;

use crate::float::Float;

/// As many columns as a narrow product has at most. Those of a row are added up side by side.
pub(super) const COLUMNS: usize = 16;
/// The number of rows that are added up at once, so that no sum waits for another.
const ROWS: usize = 4;

/// `out[i, j] = Σ left[i, k] · right[k, j]`, each sum in the order of `k`.
pub(super) fn multiply<T: Float>(left: &[T], right: &[T], columns: usize, out: &mut [T]) {
    match columns {
        ..=4 => padded::<T, 4>(left, right, columns, out),
        ..=8 => padded::<T, 8>(left, right, columns, out),
        _ => padded::<T, COLUMNS>(left, right, columns, out),
    }
}

/// The product, with as many columns of zeros as there are lacking.
fn padded<T: Float, const N: usize>(left: &[T], right: &[T], columns: usize, out: &mut [T]) {
    let mut padded = vec![[T::ZERO; N]; right.len() / columns];
    for (padded, row) in padded.iter_mut().zip(right.chunks_exact(columns)) {
        padded[..columns].copy_from_slice(row);
    }
    multiply_rows(left, &padded, columns, out);
}

#[multiversion(targets = "simd")]
fn multiply_rows<T: Float, const N: usize>(
    left: &[T],
    right: &[[T; N]],
    columns: usize,
    out: &mut [T],
) {
    let inner = right.len();
    let groups = left.chunks(ROWS * inner).zip(out.chunks_mut(ROWS * columns));
    for (left, out) in groups {
        // Where there are less rows than that, the last one is added up several times.
        let last = left.len() / inner - 1;
        let rows: [&[T]; ROWS] = std::array::from_fn(|row| &left[row.min(last) * inner..][..inner]);
        let [a, b, c, d] = rows;
        let mut sums = [[T::ZERO; N]; ROWS];
        for ((((right, &a), &b), &c), &d) in right.iter().zip(a).zip(b).zip(c).zip(d) {
            for (sum, x) in sums.iter_mut().zip([a, b, c, d]) {
                for (sum, &y) in sum.iter_mut().zip(right) {
                    *sum = *sum + x * y;
                }
            }
        }
        for (out, sum) in out.chunks_exact_mut(columns).zip(&sums) {
            out.copy_from_slice(&sum[..columns]);
        }
    }
}
