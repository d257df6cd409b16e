//! Products of two matrices by the loops of this machine, over packed operands.
//!
//! The right operand is packed once, in panels as wide as a block; a tile of the product packs its rows
//! of the left one, some terms at a time. So the innermost loop reads both from end to end. An element
//! of the product is the sum of the sums of [`TERMS`] terms each, as in the portable product: where its
//! tile lies makes no difference.

use std::sync::{Mutex, PoisonError};

use smallvec::SmallVec;

use super::micro::{MOST, Micro};
use super::plan::{MatMul, Orientation};
use super::tiles::{Shared, tile};
use crate::NumericError;
use crate::number::Number;
use crate::pool::{for_each_chunk_mut, threads, try_for_each};

/// The number of terms that are summed before their sum joins the total.
const TERMS: usize = 1 << 8;

/// The number of elements that [`multiply`] needs to compute with.
pub(super) fn spare<T>(plan: &MatMul, micro: &Micro<T>) -> usize {
    let left = left_len(plan, micro).saturating_mul(threads());
    right_len(plan, micro).saturating_add(left)
}

fn right_len<T>(plan: &MatMul, micro: &Micro<T>) -> usize {
    plan.inner.saturating_mul(plan.columns.next_multiple_of(micro.columns))
}

/// The number of packed elements of a tile's rows.
fn left_len<T>(plan: &MatMul, micro: &Micro<T>) -> usize {
    let [rows, _] = tile(plan);
    rows.next_multiple_of(micro.rows) * plan.inner.min(TERMS)
}

/// Computes a product none of whose extents is 0. The buffers must be as long as the plan says, and
/// `spare` as long as [`spare`] does.
pub(super) fn multiply<T: Number>(
    plan: &MatMul,
    micro: Micro<T>,
    left: &[T],
    right: &[T],
    out: &mut [T],
    spare: &mut [T],
) -> Result<(), NumericError> {
    let (of_left, of_right) = (left_len(plan, &micro), right_len(plan, &micro));
    let (expected, actual) = (of_right + of_left, spare.len());
    let Some((packed, spaces)) = spare.split_at_mut_checked(of_right) else {
        return Err(NumericError::Length { expected, actual });
    };
    for_each_chunk_mut(packed, plan.inner * micro.columns, |panel, out| {
        pack_columns(plan, right, panel * micro.columns, micro.columns, out);
    });
    let packed = &*packed;
    let spaces: SmallVec<[&mut [T]; 16]> = spaces.chunks_exact_mut(of_left).collect();
    let spaces = Mutex::new(spaces);
    let lock = || spaces.lock().unwrap_or_else(PoisonError::into_inner);
    let [rows, columns] = tile(plan);
    let columns = columns.next_multiple_of(micro.columns);
    let across = plan.columns.div_ceil(columns);
    let product = Shared::of(out);
    try_for_each(plan.rows.div_ceil(rows) * across, |i| {
        let Some(space) = lock().pop() else {
            return Err(NumericError::Length { expected, actual });
        };
        let [row, column] = [i / across * rows, i % across * columns];
        let rows = row..plan.rows.min(row + rows);
        let columns = column..plan.columns.min(column + columns);
        let tile = Tile { plan, micro, rows, columns };
        // SAFETY: Tiles do not overlap, each comes up once, and the product is borrowed for writing.
        unsafe { tile.compute(left, packed, &product, space) };
        lock().push(space);
        Ok(())
    })
}

/// Packs some columns of the right operand, from `first` on: for each term, `width` numbers, of which
/// those beyond the last column are zero.
fn pack_columns<T: Number>(
    plan: &MatMul,
    right: &[T],
    first: usize,
    width: usize,
    out: &mut [T],
) {
    let count = width.min(plan.columns - first);
    match plan.right {
        Orientation::Normal => {
            for (row, out) in right.chunks_exact(plan.columns).zip(out.chunks_exact_mut(width)) {
                out[..count].copy_from_slice(&row[first..first + count]);
                out[count..].fill(T::ZERO);
            }
        }
        Orientation::Transposed => {
            let columns = &right[first * plan.inner..(first + count) * plan.inner];
            pack(columns, plan.inner, width, out);
        }
    }
}

/// Packs lists of `len` numbers: the first of each, the second of each, and so on, each time with zeros
/// up to `width` numbers.
fn pack<T: Number>(lists: &[T], len: usize, width: usize, out: &mut [T]) {
    let count = lists.len() / len;
    if count < width {
        out.fill(T::ZERO);
    }
    for (i, list) in lists.chunks_exact(len).enumerate() {
        for (x, out) in list.iter().zip(out.chunks_exact_mut(width)) {
            out[i] = *x;
        }
    }
}

/// A rectangle of the product.
struct Tile<'a, T> {
    plan: &'a MatMul,
    micro: Micro<T>,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
}

impl<T: Number> Tile<'_, T> {
    /// Computes the tile; `packed` is the right operand, and `space` is for packed rows of the left one.
    ///
    /// # Safety
    /// Nobody else may use the elements of the tile meanwhile.
    unsafe fn compute(&self, left: &[T], packed: &[T], product: &Shared<T>, space: &mut [T]) {
        let Tile { plan, micro, .. } = self;
        for first in (0..plan.inner).step_by(TERMS) {
            let terms = TERMS.min(plan.inner - first);
            let of_panel = terms * micro.rows;
            for (row, out) in
                self.rows.clone().step_by(micro.rows).zip(space.chunks_exact_mut(of_panel))
            {
                self.pack_rows(left, row, first, out);
            }
            for column in self.columns.clone().step_by(micro.columns) {
                let panel = column / micro.columns * plan.inner * micro.columns;
                let right = &packed[panel + first * micro.columns..][..terms * micro.columns];
                let rows = self.rows.clone().step_by(micro.rows);
                for (row, left) in rows.zip(space.chunks_exact(of_panel)) {
                    // SAFETY: The block lies in the tile.
                    unsafe { self.block([row, column], (left, right), product, first > 0) };
                }
            }
        }
    }

    /// Packs a panel of rows of the left operand, from `row` on, with the terms from `first` on.
    fn pack_rows(&self, left: &[T], row: usize, first: usize, out: &mut [T]) {
        let (plan, width) = (self.plan, self.micro.rows);
        let count = width.min(self.rows.end - row);
        if count < width {
            out.fill(T::ZERO);
        }
        match plan.left {
            Orientation::Normal => {
                for (i, list) in left.chunks_exact(plan.inner).skip(row).take(count).enumerate() {
                    for (x, out) in list[first..].iter().zip(out.chunks_exact_mut(width)) {
                        out[i] = *x;
                    }
                }
            }
            Orientation::Transposed => {
                let lists = left.chunks_exact(plan.rows).skip(first);
                for (list, out) in lists.zip(out.chunks_exact_mut(width)) {
                    out[..count].copy_from_slice(&list[row..row + count]);
                }
            }
        }
    }

    /// Computes a block, or adds to it.
    ///
    /// # Safety
    /// The block must lie in the product, and nobody else may use its elements meanwhile.
    unsafe fn block(
        &self,
        [row, column]: [usize; 2],
        (left, right): (&[T], &[T]),
        product: &Shared<T>,
        adds: bool,
    ) {
        let Tile { plan, micro, .. } = self;
        let operands = (left.as_ptr(), right.as_ptr());
        let terms = right.len() / micro.columns;
        let rows = micro.rows.min(self.rows.end - row);
        let columns = micro.columns.min(plan.columns - column);
        if (rows, columns) == (micro.rows, micro.columns) {
            // SAFETY: The caller ensures it; the operands have a number for each term and row or column.
            unsafe {
                let out = product.at(row * plan.columns + column);
                micro.run(terms, operands, (out, plan.columns), adds);
            }
            return;
        }
        let mut whole = [T::ZERO; MOST];
        // SAFETY: No block has more elements than this.
        unsafe { micro.run(terms, operands, (whole.as_mut_ptr(), micro.columns), false) };
        for (i, block) in whole.chunks_exact(micro.columns).take(rows).enumerate() {
            for (j, &sum) in block.iter().take(columns).enumerate() {
                // SAFETY: The caller ensures it.
                unsafe {
                    let out = product.at((row + i) * plan.columns + column + j);
                    *out = if adds { (*out).plus(sum) } else { sum };
                }
            }
        }
    }
}
