//! The portable product of two matrices, tile by tile.
//!
//! A tile is a rectangle of the product. Each of its elements is a sum over the whole inner
//! dimension, in an order that does not depend on where the tile lies.

use matrixmultiply::{dgemm, sgemm};

use super::plan::MatMul;
use crate::pool::for_each;

/// The least number of multiplications of a tile, if the product has as many: some ten
/// microseconds.
pub(super) const LEAST_WORK: usize = 1 << 20;
/// The most multiplications of a tile: a few milliseconds, after which a request to stop is heeded.
pub(super) const MOST_WORK: usize = 1 << 27;
/// The approximate number of tiles of a product, so that threads share the work evenly.
const TILES: usize = 8;
/// The sides of a tile: multiples of the blocks that fit a processor's registers.
const ROWS: usize = 128;
const COLUMNS: usize = 512;
const SMALLEST_SIDE: usize = 32;

/// The general product of matrices with strides.
pub(super) trait Gemm: Copy + Send + Sync {
    /// # Safety
    /// Every element that the steps lead to must lie inside its buffer, and `out` must not overlap
    /// with the operands.
    unsafe fn gemm(
        extents: [usize; 3],
        left: (*const Self, [isize; 2]),
        right: (*const Self, [isize; 2]),
        out: (*mut Self, isize),
    );
}

macro_rules! gemm {
    ($($rust:ty, $gemm:ident);*) => {$(
        impl Gemm for $rust {
            unsafe fn gemm(
                [rows, inner, columns]: [usize; 3],
                (left, [left_row, left_column]): (*const Self, [isize; 2]),
                (right, [right_row, right_column]): (*const Self, [isize; 2]),
                (out, out_row): (*mut Self, isize),
            ) {
                // SAFETY: the caller has promised the requirements of the function.
                unsafe {
                    $gemm(
                        rows, inner, columns,
                        1.0,
                        left, left_row, left_column,
                        right, right_row, right_column,
                        0.0,
                        out, out_row, 1,
                    );
                }
            }
        }
    )*};
}

gemm!(f32, sgemm; f64, dgemm);

/// The extents of the tiles of a product.
fn tile(plan: &MatMul) -> [usize; 2] {
    let most = (plan.work() / TILES).clamp(LEAST_WORK, MOST_WORK);
    let [mut rows, mut columns] = [plan.rows.min(ROWS), plan.columns.min(COLUMNS)];
    while rows.saturating_mul(columns).saturating_mul(plan.inner) > most {
        let longer = if columns > rows { &mut columns } else { &mut rows };
        if *longer <= SMALLEST_SIDE {
            break;
        }
        *longer = longer.div_ceil(2).next_multiple_of(SMALLEST_SIDE);
    }
    [rows, columns]
}

/// Computes a product none of whose extents is 0. The buffers must be as long as the plan says.
pub(super) fn multiply<T: Gemm>(plan: &MatMul, left: &[T], right: &[T], out: &mut [T]) {
    let [rows, columns] = tile(plan);
    let [left_steps, right_steps] = plan.steps();
    let across = plan.columns.div_ceil(columns);
    let product = Shared::of(out);
    for_each(plan.rows.div_ceil(rows) * across, |i| {
        let [row, column] = [i / across * rows, i % across * columns];
        let extents = [rows.min(plan.rows - row), plan.inner, columns.min(plan.columns - column)];
        // SAFETY: the tile lies inside the product. So its rows of the left operand and its columns
        // of the right one lie inside those, whose lengths have been checked. The product is
        // borrowed for writing, and each of its tiles comes up once.
        unsafe {
            T::gemm(
                extents,
                (left.as_ptr().offset(row as isize * left_steps[0]), left_steps),
                (right.as_ptr().offset(column as isize * right_steps[1]), right_steps),
                (product.at(row * plan.columns + column), plan.columns as isize),
            );
        }
    });
}

/// The start of a product that several threads write.
pub(crate) struct Shared<T>(*mut T);

// SAFETY: the threads write different elements, which may be sent to them.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn of(product: &mut [T]) -> Self {
        Shared(product.as_mut_ptr())
    }

    /// # Safety
    /// The element must lie inside the product.
    pub(crate) unsafe fn at(&self, element: usize) -> *mut T {
        // SAFETY: as the caller promised.
        unsafe { self.0.add(element) }
    }
}
