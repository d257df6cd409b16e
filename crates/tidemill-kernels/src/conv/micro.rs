//! The innermost loops of convolutions: blocks of a result that stay in registers.
//!
//! The numbers of a row are read where they lie, in runs. Each sum takes its terms in order, by fused
//! multiply-add where the machine has it, as the sums of matrix products do.

use crate::number::Number;
use crate::vector::{Level, level};

/// The most rows of a block,
pub(super) const ROWS: usize = 8;
/// and the most columns.
const COLUMNS: usize = 32;

/// Some terms that lie at the same distance from each other.
#[derive(Clone, Copy, Default)]
pub(super) struct Run {
    /// The distance of the first term from where its row starts.
    pub(super) offset: usize,
    pub(super) len: usize,
}

/// The operands and the places of a block. All pointers are to elements.
pub(super) struct Block<'a, T> {
    /// The starts of the rows. Those beyond `count` repeat one that is there.
    pub(super) rows: [*const T; ROWS],
    /// The places of the first results of the rows.
    pub(super) outs: [*mut T; ROWS],
    /// The number of rows.
    pub(super) count: usize,
    /// The terms of each row.
    pub(super) runs: &'a [Run],
    /// The distance of the terms of a run.
    pub(super) step: usize,
    /// For each term, one number for each column of the block.
    pub(super) right: *const T,
    /// Whether to add to the result.
    pub(super) adds: bool,
}

type Compute<T> = unsafe fn(&Block<'_, T>);

/// The loops of a machine.
pub(super) struct Kernel<T: 'static> {
    /// The number of columns of one vector.
    pub(super) lanes: usize,
    /// For some numbers of rows, those of one vector and of two.
    loops: &'static [(usize, [Compute<T>; 2])],
}

impl<T> Clone for Kernel<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Kernel<T> {}

impl<T: Number> Kernel<T> {
    /// The most rows of a block.
    pub(super) fn rows(&self) -> usize {
        self.loops.last().map_or(1, |&(rows, _)| rows)
    }

    /// The most columns of a block: two vectors.
    #[inline]
    pub(super) fn columns(&self) -> usize {
        2 * self.lanes
    }

    /// Computes a block of so many columns. The right operand is padded to one vector or to two.
    ///
    /// # Safety
    /// The block has at least one row and at most [`Kernel::rows`], and at most [`Kernel::columns`]
    /// columns; all that it refers to must be there, and nobody else may use what it writes meanwhile.
    pub(super) unsafe fn compute(&self, block: Block<'_, T>, columns: usize) {
        let width = if columns > self.lanes { self.columns() } else { self.lanes };
        let fitting = self.loops.iter().find(|(rows, _)| *rows >= block.count);
        let Some((_, loops)) = fitting else { return };
        let compute = loops[usize::from(width > self.lanes)];
        if columns == width {
            // SAFETY: As the caller ensures, and the machine has the instructions.
            return unsafe { compute(&block) };
        }
        let mut whole = [[T::ZERO; COLUMNS]; ROWS];
        let outs = whole.each_mut().map(|row| row.as_mut_ptr());
        // SAFETY: As above; no block has more elements than this.
        unsafe { compute(&Block { outs, adds: false, ..block }) };
        for (sums, out) in whole.iter().zip(block.outs).take(block.count) {
            for (i, &sum) in sums.iter().take(columns).enumerate() {
                // SAFETY: As the caller ensures.
                unsafe {
                    let out = out.add(i);
                    *out = if block.adds { (*out).plus(sum) } else { sum };
                }
            }
        }
    }
}

/// A type that convolutions have loops for.
pub(super) trait Kernels: Number {
    /// The loops of this machine.
    fn kernel() -> Kernel<Self>;
}

#[cfg(target_arch = "x86_64")]
macro_rules! loops {
    (
        $name:ident, $features:literal, $rust:ty, $lanes:literal, [$($rows:literal)*],
        $zero:ident, $load:ident, $spread:ident, $fused:ident, $add:ident, $store:ident
    ) => {
        mod $name {
            use std::arch::asm;
            use std::arch::x86_64::*;

            use super::{Block, Compute, Run};

            pub(super) static LOOPS: &[(usize, [Compute<$rust>; 2])] = &[$(
                ($rows, [compute::<$rows, 1>, compute::<$rows, 2>])
            ),*];

            #[target_feature(enable = $features)]
            unsafe fn compute<const ROWS: usize, const VECTORS: usize>(block: &Block<'_, $rust>) {
                let mut right = block.right;
                let step = block.step;
                let mut sums = [[$zero(); VECTORS]; ROWS];
                for &Run { offset, len } in block.runs {
                    let mut rows = [std::ptr::null(); ROWS];
                    for (row, start) in rows.iter_mut().zip(block.rows) {
                        *row = start.wrapping_add(offset);
                    }
                    let mut at = 0;
                    for _ in 0..len {
                        // SAFETY: The operands are as long as the block says.
                        unsafe {
                            let mut columns = [$zero(); VECTORS];
                            for (i, column) in columns.iter_mut().enumerate() {
                                *column = $load(right.add(i * $lanes));
                            }
                            for (row, sums) in rows.iter().zip(&mut sums) {
                                let x = $spread(*row.add(at));
                                for (sum, column) in sums.iter_mut().zip(columns) {
                                    *sum = $fused(x, column, *sum);
                                }
                            }
                        }
                        at += step;
                        right = right.wrapping_add(VECTORS * $lanes);
                        // The compiler would otherwise move each row's pointer: more additions than a
                        // processor does beside the products.
                        // SAFETY: Nothing is done.
                        unsafe { asm!("/* {0} */", inout(reg) at, options(pure, nomem, nostack, preserves_flags)) };
                    }
                }
                for (i, (sums, out)) in sums.into_iter().zip(block.outs).enumerate() {
                    if i >= block.count {
                        break;
                    }
                    for (i, sum) in sums.into_iter().enumerate() {
                        // SAFETY: The block lies where it says.
                        unsafe {
                            let place = out.add(i * $lanes);
                            $store(place, if block.adds { $add($load(place), sum) } else { sum });
                        }
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
loops!(
    single_v4, "avx512f", f32, 16, [1 2 4 6 7 8],
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_storeu_ps
);
#[cfg(target_arch = "x86_64")]
loops!(
    double_v4, "avx512f", f64, 8, [2 4 8],
    _mm512_setzero_pd, _mm512_loadu_pd, _mm512_set1_pd, _mm512_fmadd_pd, _mm512_add_pd, _mm512_storeu_pd
);
#[cfg(target_arch = "x86_64")]
loops!(
    single_v3, "avx2,fma", f32, 8, [1 2 4 5 6],
    _mm256_setzero_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_storeu_ps
);
#[cfg(target_arch = "x86_64")]
loops!(
    double_v3, "avx2,fma", f64, 4, [2 4 6],
    _mm256_setzero_pd, _mm256_loadu_pd, _mm256_set1_pd, _mm256_fmadd_pd, _mm256_add_pd, _mm256_storeu_pd
);

/// The number of columns of a vector, and of rows, in the loops of any machine.
const PORTABLE: usize = 4;

/// As the loops of a machine, without its instructions.
///
/// # Safety
/// As for [`Kernel::run`].
unsafe fn portable<T: Number, const COLUMNS: usize>(block: &Block<'_, T>) {
    const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
    let mut right = block.right;
    let mut sums = [[T::ZERO; COLUMNS]; PORTABLE];
    for &Run { offset, len } in block.runs {
        for term in 0..len {
            // SAFETY: The operands are as long as the block says.
            let columns = unsafe { *right.cast::<[T; COLUMNS]>() };
            for (row, sums) in block.rows.iter().zip(&mut sums) {
                // SAFETY: As above.
                let x = unsafe { *row.add(offset + term * block.step) };
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = sum.plus_product::<FUSED>(x, column);
                }
            }
            right = right.wrapping_add(COLUMNS);
        }
    }
    for (sums, out) in sums.into_iter().zip(block.outs).take(block.count) {
        for (i, sum) in sums.into_iter().enumerate() {
            // SAFETY: The block lies where it says.
            unsafe {
                let place = out.add(i);
                *place = if block.adds { (*place).plus(sum) } else { sum };
            }
        }
    }
}

macro_rules! kernels {
    ($($rust:ty: $($level:ident $lanes:literal $loops:path),*;)*) => {$(
        impl Kernels for $rust {
            fn kernel() -> Kernel<Self> {
                static LOOPS: &[(usize, [Compute<$rust>; 2])] =
                    &[(PORTABLE, [portable::<$rust, PORTABLE>, portable::<$rust, { 2 * PORTABLE }>])];
                match level() {
                    $(
                        #[cfg(target_arch = "x86_64")]
                        Level::$level => Kernel { lanes: $lanes, loops: $loops },
                    )*
                    #[allow(unreachable_patterns)]
                    _ => Kernel { lanes: PORTABLE, loops: LOOPS },
                }
            }
        }
    )*};
}

kernels! {
    f32: V3 8 single_v3::LOOPS, V4 16 single_v4::LOOPS;
    f64: V3 4 double_v3::LOOPS, V4 8 double_v4::LOOPS;
    i32: ;
}
