//! The innermost loops of products: blocks of the result that stay in registers.
//!
//! Each element of a block is a sum in the order of the inner dimension, by fused multiply-add. So the
//! size of a block makes no difference to the bits.

use crate::number::Number;
use crate::vector::Level;

/// The most elements of a block.
pub(super) const MOST: usize = 8 * 32;

/// The operands and the place of a block. All pointers are to elements.
#[derive(Clone, Copy)]
pub(super) struct Block<T> {
    /// The number of terms of each sum.
    pub(super) terms: usize,
    /// For each term, one number for each row of the block.
    pub(super) left: *const T,
    /// For each term, one number for each column of the block.
    pub(super) right: *const T,
    /// The distance from one term of the right operand to the next.
    pub(super) step: usize,
    /// If it is given, a block of two vectors copies the right operand here, term after term.
    pub(super) packed: Option<*mut T>,
    pub(super) out: *mut T,
    /// The distance of the rows of the result.
    pub(super) distance: usize,
    /// Whether to add to the result.
    pub(super) adds: bool,
}

type Run<T> = unsafe fn(&Block<T>, *mut T);

/// The loops of a machine: for each number of rows, those of one vector, of two, and of two that copy
/// the right operand.
pub(super) struct Micro<T: 'static> {
    /// The number of columns of one vector.
    pub(super) lanes: usize,
    runs: &'static [[Run<T>; 3]],
    pack: unsafe fn([*const T; 4], usize, *mut T, usize),
}

impl<T> Clone for Micro<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Micro<T> {}

impl<T: Number> Micro<T> {
    /// The most rows of a block.
    pub(super) fn rows(&self) -> usize {
        self.runs.len()
    }

    /// The most columns of a block: two vectors.
    pub(super) fn columns(&self) -> usize {
        2 * self.lanes
    }

    /// Computes a block of `rows` rows and one vector of columns, or two if it is `wide`.
    ///
    /// # Safety
    /// The rows must be between 1 and the most, all that the block refers to must be there, and nobody
    /// else may use what it writes meanwhile.
    #[inline]
    pub(super) unsafe fn run(&self, rows: usize, wide: bool, block: &Block<T>) {
        let runs = &self.runs[rows - 1];
        let run = match (wide, block.packed.is_some()) {
            (false, _) => runs[0],
            (true, false) => runs[1],
            (true, true) => runs[2],
        };
        // SAFETY: As the caller ensures, and the machine has the instructions.
        unsafe { run(block, block.packed.unwrap_or(std::ptr::null_mut())) }
    }

    /// Packs four lists: the first number of each, the second of each, and so on, each time at a
    /// distance of `width`.
    pub(super) fn pack(&self, lists: [&[T]; 4], width: usize, out: &mut [T]) {
        let terms = lists[0].len();
        assert!(lists.iter().all(|list| list.len() == terms));
        assert!(terms == 0 || (terms - 1) * width + lists.len() <= out.len());
        // SAFETY: The lists are of one length, `out` has room for them, and the machine has the
        // instructions.
        unsafe { (self.pack)(lists.map(<[T]>::as_ptr), terms, out.as_mut_ptr(), width) }
    }
}

/// A type that machines have such loops for.
pub(super) trait Vectors: Sized {
    /// The loops for machines of this level, if there are any.
    fn micro(level: Level) -> Option<Micro<Self>>;
}

#[cfg(target_arch = "x86_64")]
macro_rules! block {
    (
        $name:ident, $features:literal, $rust:ty, $lanes:literal, [$($rows:literal)*],
        $zero:ident, $load:ident, $spread:ident, $fused:ident, $add:ident, $store:ident
    ) => {
        mod $name {
            use std::arch::x86_64::*;

            use super::{Block, Run};

            pub(super) static RUNS: &[[Run<$rust>; 3]] = &[$([
                run::<$rows, 1, false>, run::<$rows, 2, false>, run::<$rows, 2, true>,
            ]),*];

            #[target_feature(enable = $features)]
            unsafe fn run<const ROWS: usize, const VECTORS: usize, const COPIES: bool>(
                block: &Block<$rust>,
                mut packed: *mut $rust,
            ) {
                let Block { terms, mut left, mut right, step, out, distance, adds, .. } = *block;
                for row in 0..ROWS {
                    let place = out.wrapping_add(row * distance);
                    _mm_prefetch::<_MM_HINT_T0>(place.cast());
                    _mm_prefetch::<_MM_HINT_T0>(place.wrapping_add(VECTORS * $lanes - 1).cast());
                }
                let mut sums = [[$zero(); VECTORS]; ROWS];
                    for _ in 0..terms {
                        // SAFETY: The operands are as long as the block says.
                        unsafe {
                            let mut columns = [$zero(); VECTORS];
                            for (i, column) in columns.iter_mut().enumerate() {
                                *column = $load(right.add(i * $lanes));
                                if COPIES {
                                    $store(packed.add(i * $lanes), *column);
                                }
                            }
                            for (row, sums) in sums.iter_mut().enumerate() {
                                let x = $spread(*left.add(row));
                                for (sum, column) in sums.iter_mut().zip(columns) {
                                    *sum = $fused(x, column, *sum);
                                }
                            }
                            left = left.add(ROWS);
                            right = right.wrapping_add(step);
                            if COPIES {
                                packed = packed.add(VECTORS * $lanes);
                            }
                        }
                    }
                for (row, sums) in sums.into_iter().enumerate() {
                    for (i, sum) in sums.into_iter().enumerate() {
                        // SAFETY: The block lies where it says.
                        unsafe {
                            let place = out.add(row * distance + i * $lanes);
                            $store(place, if adds { $add($load(place), sum) } else { sum });
                        }
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
block!(
    single_v4, "avx512f", f32, 16, [1 2 3 4 5 6 7 8],
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_storeu_ps
);
#[cfg(target_arch = "x86_64")]
block!(
    double_v4, "avx512f", f64, 8, [1 2 3 4 5 6 7 8],
    _mm512_setzero_pd, _mm512_loadu_pd, _mm512_set1_pd, _mm512_fmadd_pd, _mm512_add_pd, _mm512_storeu_pd
);
#[cfg(target_arch = "x86_64")]
block!(
    single_v3, "avx2,fma", f32, 8, [1 2 3 4 5 6],
    _mm256_setzero_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_storeu_ps
);
#[cfg(target_arch = "x86_64")]
block!(
    double_v3, "avx2,fma", f64, 4, [1 2 3 4 5 6],
    _mm256_setzero_pd, _mm256_loadu_pd, _mm256_set1_pd, _mm256_fmadd_pd, _mm256_add_pd, _mm256_storeu_pd
);

/// Packs four lists of `terms` numbers.
///
/// # Safety
/// The lists must be that long, and `out` must have four numbers at each distance of `width`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn pack_singles(lists: [*const f32; 4], terms: usize, out: *mut f32, width: usize) {
    use std::arch::x86_64::*;

    let mut term = 0;
    while term + 4 <= terms {
        // SAFETY: As the caller ensures.
        unsafe {
            let [mut a, mut b, mut c, mut d] = lists.map(|list| _mm_loadu_ps(list.add(term)));
            _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
            for (i, numbers) in [a, b, c, d].into_iter().enumerate() {
                _mm_storeu_ps(out.add((term + i) * width), numbers);
            }
        }
        term += 4;
    }
    // SAFETY: As above.
    unsafe { pack_rest(lists, term..terms, out, width) };
}

/// As [`pack_singles`].
///
/// # Safety
/// As there.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn pack_doubles(lists: [*const f64; 4], terms: usize, out: *mut f64, width: usize) {
    use std::arch::x86_64::*;

    let mut term = 0;
    while term + 4 <= terms {
        // SAFETY: As the caller ensures.
        unsafe {
            let [a, b, c, d] = lists.map(|list| _mm256_loadu_pd(list.add(term)));
            let (even, odd) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            let (even_rest, odd_rest) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
            let rows = [
                _mm256_permute2f128_pd::<0x20>(even, even_rest),
                _mm256_permute2f128_pd::<0x20>(odd, odd_rest),
                _mm256_permute2f128_pd::<0x31>(even, even_rest),
                _mm256_permute2f128_pd::<0x31>(odd, odd_rest),
            ];
            for (i, numbers) in rows.into_iter().enumerate() {
                _mm256_storeu_pd(out.add((term + i) * width), numbers);
            }
        }
        term += 4;
    }
    // SAFETY: As above.
    unsafe { pack_rest(lists, term..terms, out, width) };
}

/// Packs some terms of four lists.
///
/// # Safety
/// As for [`pack_singles`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn pack_rest<T: Copy>(
    lists: [*const T; 4],
    terms: std::ops::Range<usize>,
    out: *mut T,
    width: usize,
) {
    for term in terms {
        for (i, list) in lists.into_iter().enumerate() {
            // SAFETY: As the caller ensures.
            unsafe { *out.add(term * width + i) = *list.add(term) };
        }
    }
}

macro_rules! vectors {
    ($rust:ty, $lanes:literal, $v3:ident, $v4:ident, $pack:ident) => {
        impl Vectors for $rust {
            fn micro(level: Level) -> Option<Micro<Self>> {
                match level {
                    Level::Baseline => None,
                    #[cfg(target_arch = "x86_64")]
                    Level::V3 => Some(Micro { lanes: $lanes, runs: $v3::RUNS, pack: $pack }),
                    #[cfg(target_arch = "x86_64")]
                    Level::V4 => Some(Micro { lanes: 2 * $lanes, runs: $v4::RUNS, pack: $pack }),
                }
            }
        }
    };
}

vectors!(f32, 8, single_v3, single_v4, pack_singles);
vectors!(f64, 4, double_v3, double_v4, pack_doubles);
