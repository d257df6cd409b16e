//! Products of small matrices. A general product would first copy its operands into blocks, for
//! which it needs memory, and takes about as long for that as for the product.

use multiversion::multiversion;

use super::MatMul;
use crate::NumericError;
use crate::float::Float;

/// As many multiplications a small product has at most.
pub(super) const MOST_WORK: usize = 1 << 20;
/// Sums of more terms are better made of sums of some.
pub(super) const MOST_INNER: usize = 1 << 10;
/// As many rows of the product are computed at once.
const ROWS: usize = 4;

/// Computes a product none of whose extents is 0. The buffers must be as long as the plan says.
pub(super) fn multiply<T: Float>(
    plan: &MatMul,
    left: &[T],
    right: &[T],
    out: &mut [T],
) -> Result<(), NumericError> {
    let (inner, columns) = (plan.inner, plan.columns);
    plan.by_rows(left, right, |left, right| bands(left, right, out, [inner, columns]))
}

#[multiversion(targets = "simd")]
fn bands<T: Float>(left: &[T], right: &[T], out: &mut [T], [inner, columns]: [usize; 2]) {
    for (left, out) in left.chunks(ROWS * inner).zip(out.chunks_mut(ROWS * columns)) {
        match left.len() / inner {
            ROWS => band::<T, ROWS>(left, right, out, [inner, columns]),
            3 => band::<T, 3>(left, right, out, [inner, columns]),
            2 => band::<T, 2>(left, right, out, [inner, columns]),
            _ => band::<T, 1>(left, right, out, [inner, columns]),
        }
    }
}

/// Computes `R` rows of a product, in blocks that fit the registers of a processor.
#[inline(always)]
fn band<T: Float, const R: usize>(left: &[T], right: &[T], out: &mut [T], extents: [usize; 2]) {
    let columns = extents[1];
    let mut column = 0;
    while column + 32 <= columns {
        block::<T, R, 32>(left, right, out, extents, column);
        column += 32;
    }
    if column + 16 <= columns {
        block::<T, R, 16>(left, right, out, extents, column);
        column += 16;
    }
    if column < columns && columns >= 16 {
        // Some columns are computed a second time, to the same bits.
        return block::<T, R, 16>(left, right, out, extents, columns - 16);
    }
    if column + 8 <= columns {
        block::<T, R, 8>(left, right, out, extents, column);
        column += 8;
    }
    if column + 4 <= columns {
        block::<T, R, 4>(left, right, out, extents, column);
        column += 4;
    }
    while column < columns {
        block::<T, R, 1>(left, right, out, extents, column);
        column += 1;
    }
}

/// Computes `C` columns of `R` rows. Each number is a sum in the order of the inner dimension.
#[inline(always)]
fn block<T: Float, const R: usize, const C: usize>(
    left: &[T],
    right: &[T],
    out: &mut [T],
    [inner, columns]: [usize; 2],
    column: usize,
) {
    let rows: [&[T]; R] = std::array::from_fn(|row| &left[row * inner..][..inner]);
    let mut sums = [[T::ZERO; C]; R];
    for (i, right) in right.chunks_exact(columns).take(inner).enumerate() {
        let right: &[T] = &right[column..][..C];
        for (sums, row) in sums.iter_mut().zip(rows) {
            let x = row[i];
            for (sum, y) in sums.iter_mut().zip(right) {
                *sum = *sum + x * *y;
            }
        }
    }
    for (sums, out) in sums.iter().zip(out.chunks_exact_mut(columns)) {
        out[column..][..C].copy_from_slice(sums);
    }
}
