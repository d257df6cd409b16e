//! The innermost loops of products: blocks of the result that stay in registers.
//!
//! Each element of a block is a sum in the order of the inner dimension, by fused multiply-add. So the
//! size of a block makes no difference to the bits.

use crate::vector::{Level, level};

/// The most elements of a block.
pub(super) const MOST: usize = 12 * 32;

/// The loop of a machine, over packed operands.
#[derive(Clone, Copy)]
pub(super) struct Micro<T> {
    /// The rows of a block.
    pub(super) rows: usize,
    /// The columns of a block.
    pub(super) columns: usize,
    run: Run<T>,
}

/// Gets the number of terms, `rows` numbers of the left operand for each, `columns` of the right
/// operand for each, the block, the distance of its rows, and whether to add to it.
type Run<T> = unsafe fn(usize, *const T, *const T, *mut T, usize, bool);

impl<T> Micro<T> {
    /// Computes a block of a product, or adds to it.
    ///
    /// # Safety
    /// `left` must have `rows * terms` elements, `right` must have `columns * terms`, and `out` must
    /// have `rows` rows of `columns` elements at this distance, which nobody else uses meanwhile.
    #[inline]
    pub(super) unsafe fn run(
        &self,
        terms: usize,
        (left, right): (*const T, *const T),
        (out, distance): (*mut T, usize),
        adds: bool,
    ) {
        // SAFETY: As the caller ensures, and the machine has the instructions.
        unsafe { (self.run)(terms, left, right, out, distance, adds) }
    }
}

/// A type that machines have such loops for.
pub(super) trait Block: Sized {
    /// The loop for this machine, if it has one.
    fn micro() -> Option<Micro<Self>>;
}

#[cfg(target_arch = "x86_64")]
macro_rules! block {
    (
        $name:ident, $features:literal, $rust:ty, $rows:literal, $vectors:literal, $lanes:literal,
        $zero:ident, $load:ident, $spread:ident, $fused:ident, $add:ident, $store:ident
    ) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(
            terms: usize,
            left: *const $rust,
            right: *const $rust,
            out: *mut $rust,
            distance: usize,
            adds: bool,
        ) {
            use std::arch::x86_64::*;

            let mut sums = [[$zero(); $vectors]; $rows];
            for term in 0..terms {
                // SAFETY: The operands are as long as `Micro::run` says.
                unsafe {
                    let (left, right) =
                        (left.add(term * $rows), right.add(term * $vectors * $lanes));
                    let mut columns = [$zero(); $vectors];
                    for (i, column) in columns.iter_mut().enumerate() {
                        *column = $load(right.add(i * $lanes));
                    }
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let x = $spread(*left.add(row));
                        for (sum, column) in sums.iter_mut().zip(columns) {
                            *sum = $fused(x, column, *sum);
                        }
                    }
                }
            }
            for (row, sums) in sums.into_iter().enumerate() {
                for (i, sum) in sums.into_iter().enumerate() {
                    // SAFETY: The block lies where `Micro::run` says.
                    unsafe {
                        let place = out.add(row * distance + i * $lanes);
                        $store(place, if adds { $add($load(place), sum) } else { sum });
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
block!(
    single_v4,
    "avx512f",
    f32,
    12,
    2,
    16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    _mm512_storeu_ps
);
#[cfg(target_arch = "x86_64")]
block!(
    double_v4,
    "avx512f",
    f64,
    12,
    2,
    8,
    _mm512_setzero_pd,
    _mm512_loadu_pd,
    _mm512_set1_pd,
    _mm512_fmadd_pd,
    _mm512_add_pd,
    _mm512_storeu_pd
);
#[cfg(target_arch = "x86_64")]
block!(
    single_v3,
    "avx2,fma",
    f32,
    6,
    2,
    8,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps,
    _mm256_storeu_ps
);
#[cfg(target_arch = "x86_64")]
block!(
    double_v3,
    "avx2,fma",
    f64,
    6,
    2,
    4,
    _mm256_setzero_pd,
    _mm256_loadu_pd,
    _mm256_set1_pd,
    _mm256_fmadd_pd,
    _mm256_add_pd,
    _mm256_storeu_pd
);

macro_rules! blocks {
    ($rust:ty, $lanes:literal, $v3:ident, $v4:ident) => {
        impl Block for $rust {
            fn micro() -> Option<Micro<Self>> {
                match level() {
                    Level::Baseline => None,
                    #[cfg(target_arch = "x86_64")]
                    Level::V3 => Some(Micro { rows: 6, columns: 2 * $lanes, run: $v3 }),
                    #[cfg(target_arch = "x86_64")]
                    Level::V4 => Some(Micro { rows: 12, columns: 4 * $lanes, run: $v4 }),
                }
            }
        }
    };
}

blocks!(f32, 8, single_v3, single_v4);
blocks!(f64, 4, double_v3, double_v4);
