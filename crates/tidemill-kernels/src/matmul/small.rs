//! Products of small matrices. A general product would first copy its operands into blocks, which
//! needs memory and takes about as long as the product itself.

use super::plan::{MatMul, TERMS};
use crate::NumericError;
use crate::float::Float;

/// The most multiplications of a small product.
const MOST_WORK: usize = 1 << 14;
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
    plan.rows > 1 && plan.work() <= MOST_WORK && plan.inner <= TERMS
}

vectorized! {
    if true;
    fn bands<T>(left: &[T], right: &[T], out: &mut [T], extents: [usize; 2])
    where [T: Float]
    {
        bands_by::<T, FUSED>(left, right, out, extents);
    }
}

// Few kinds of blocks, to be compiled soon.
#[inline(always)]
fn bands_by<T: Float, const FUSED: bool>(
    left: &[T],
    right: &[T],
    out: &mut [T],
    [inner, columns]: [usize; 2],
) {
    let whole = out.len() / columns / ROWS * ROWS;
    let (left, left_rest) = left.split_at(whole * inner);
    let (out, out_rest) = out.split_at_mut(whole * columns);
    for (left, out) in left.chunks(ROWS * inner).zip(out.chunks_mut(ROWS * columns)) {
        band::<T, FUSED, ROWS>(left, right, out, [inner, columns]);
    }
    for (left, out) in left_rest.chunks(inner).zip(out_rest.chunks_mut(columns)) {
        band::<T, FUSED, 1>(left, right, out, [inner, columns]);
    }
}

/// Computes `R` rows of a product, in blocks that fit the registers of a processor. The last block may
/// compute some columns a second time, to the same bits.
#[inline(always)]
fn band<T: Float, const FUSED: bool, const R: usize>(
    left: &[T],
    right: &[T],
    out: &mut [T],
    extents: [usize; 2],
) {
    match extents[1] {
        16.. => blocks::<T, FUSED, R, 16>(left, right, out, extents),
        4.. => blocks::<T, FUSED, R, 4>(left, right, out, extents),
        _ => blocks::<T, FUSED, R, 1>(left, right, out, extents),
    }
}

#[inline(always)]
fn blocks<T: Float, const FUSED: bool, const R: usize, const C: usize>(
    left: &[T],
    right: &[T],
    out: &mut [T],
    extents: [usize; 2],
) {
    let last = extents[1] - C;
    for column in (0..last).step_by(C).chain([last]) {
        block::<T, FUSED, R, C>(left, right, out, extents, column);
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
