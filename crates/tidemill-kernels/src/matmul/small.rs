//! Products of small matrices. A general product would first copy its operands into blocks, which
//! needs memory and takes about as long as the product itself.

use super::plan::{MatMul, TERMS};
use crate::NumericError;
use crate::float::Float;
use crate::vector::{Level, level};

/// The most multiplications of a small product: more where registers hold a wide block.
fn most_work() -> usize {
    match level() {
        #[cfg(target_arch = "x86_64")]
        Level::V4 => 1 << 18,
        _ => 1 << 14,
    }
}

/// The number of rows of the product computed at once.
const ROWS: usize = 4;

/// Computes a product with no extent of 0, to the bits of the general one: both use fused
/// multiply-add if the machine has it. The buffers must be as long as the plan says.
pub(super) fn multiply<T: Float>(
    plan: &MatMul,
    left: &[T],
    right: &[T],
    out: &mut [T],
    spare: &mut [T],
) -> Result<(), NumericError> {
    let extents = [plan.inner, plan.columns];
    plan.by_rows(left, right, spare, |left, right| bands(left, right, out, extents))
}

/// Whether a product is small. One of a vector, on the left, is not: it is computed in another way.
pub(super) fn is_small(plan: &MatMul) -> bool {
    plan.rows > 1 && plan.work() <= most_work() && plan.inner <= TERMS
}

vectorized! {
    if true;
    fn bands<T>(left: &[T], right: &[T], out: &mut [T], extents: [usize; 2])
    where [T: Float]
    {
        bands_by::<T, FUSED>(left, right, out, extents);
    }
}

#[inline(always)]
fn bands_by<T: Float, const FUSED: bool>(
    left: &[T],
    right: &[T],
    out: &mut [T],
    [inner, columns]: [usize; 2],
) {
    for (left, out) in left.chunks(ROWS * inner).zip(out.chunks_mut(ROWS * columns)) {
        match left.len() / inner {
            ROWS => band::<T, FUSED, ROWS>(left, right, out, [inner, columns]),
            3 => band::<T, FUSED, 3>(left, right, out, [inner, columns]),
            2 => band::<T, FUSED, 2>(left, right, out, [inner, columns]),
            _ => band::<T, FUSED, 1>(left, right, out, [inner, columns]),
        }
    }
}

/// Computes `R` rows of a product, in blocks that fit the registers of a processor.
#[inline(always)]
fn band<T: Float, const FUSED: bool, const R: usize>(
    left: &[T],
    right: &[T],
    out: &mut [T],
    extents: [usize; 2],
) {
    let columns = extents[1];
    let mut column = 0;
    while column + 32 <= columns {
        block::<T, FUSED, R, 32>(left, right, out, extents, column);
        column += 32;
    }
    if column + 16 <= columns {
        block::<T, FUSED, R, 16>(left, right, out, extents, column);
        column += 16;
    }
    if column < columns && columns >= 16 {
        // Computes some columns a second time, to the same bits.
        return block::<T, FUSED, R, 16>(left, right, out, extents, columns - 16);
    }
    if column + 8 <= columns {
        block::<T, FUSED, R, 8>(left, right, out, extents, column);
        column += 8;
    }
    if column < columns && columns >= 8 {
        return block::<T, FUSED, R, 8>(left, right, out, extents, columns - 8);
    }
    if column + 4 <= columns {
        block::<T, FUSED, R, 4>(left, right, out, extents, column);
        column += 4;
    }
    if column < columns && columns >= 4 {
        return block::<T, FUSED, R, 4>(left, right, out, extents, columns - 4);
    }
    while column < columns {
        block::<T, FUSED, R, 1>(left, right, out, extents, column);
        column += 1;
    }
}

/// Computes `C` columns of `R` rows. Each number is a sum in the order of the inner dimension.
// Loops over constant bounds are unrolled, and their sums stay in registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn block<T: Float, const FUSED: bool, const R: usize, const C: usize>(
    left: &[T],
    right: &[T],
    out: &mut [T],
    [inner, columns]: [usize; 2],
    column: usize,
) {
    let mut rows: [&[T]; R] = [&[]; R];
    for row in 0..R {
        rows[row] = &left[row * inner..][..inner];
    }
    let mut sums = [[T::ZERO; C]; R];
    for (i, right) in right.chunks_exact(columns).enumerate().take(inner) {
        let Some(right) = right[column..].first_chunk::<C>() else { return };
        for row in 0..R {
            let x = rows[row][i];
            for j in 0..C {
                let sum = sums[row][j];
                sums[row][j] = if FUSED { x.times_plus(right[j], sum) } else { sum + x * right[j] };
            }
        }
    }
    for row in 0..R {
        out[row * columns + column..][..C].copy_from_slice(&sums[row]);
    }
}
