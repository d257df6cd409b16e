//! Products of two matrices by the loops of this machine, over packed operands.
//!
//! A tile of the product packs its rows of the left operand, some terms at a time, and the columns of
//! the right one, in panels as wide as a block; if several tiles need those, they are packed before. So
//! the innermost loop reads both from end to end. An element of the product is the sum of the sums of
//! [`TERMS`] terms each, as in the portable product: where its tile lies makes no difference.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use smallvec::SmallVec;

use super::micro::{MOST, Micro};
use super::plan::{MatMul, Orientation};
use super::tiles::{LEAST_WORK, MOST_WORK, Shared};
use crate::NumericError;
use crate::number::Number;
use crate::pool::{for_each_chunk_mut, threads, try_for_each};

/// The number of terms that are summed before their sum joins the total.
const TERMS: usize = 1 << 8;
/// The most rows of a tile: whole blocks, which with [`TERMS`] terms fit a core's cache.
const ROWS: usize = 120;
/// The most columns of a tile.
const COLUMNS: usize = 1024;

/// The number of elements that [`multiply`] needs to compute with.
pub(super) fn spare<T>(plan: &MatMul, micro: &Micro<T>) -> usize {
    let Layout { before, space } = Layout::of(plan, micro);
    before.saturating_add(space.saturating_mul(threads()))
}

/// The lengths of packed operands.
struct Layout {
    /// The whole right operand, if it is packed before.
    before: usize,
    /// The operands of a tile.
    space: usize,
}

impl Layout {
    fn of<T>(plan: &MatMul, micro: &Micro<T>) -> Self {
        let terms = plan.inner.min(TERMS);
        let left = plan.rows.min(ROWS).next_multiple_of(micro.rows) * terms;
        if plan.rows <= ROWS {
            return Layout { before: 0, space: left + terms * micro.columns };
        }
        let columns = plan.columns.next_multiple_of(micro.columns);
        Layout { before: plan.inner.saturating_mul(columns), space: left }
    }
}

/// The extents of the tiles: few, so that little is packed twice, but some for each thread, and none
/// that takes long.
fn tile<T>(plan: &MatMul, micro: &Micro<T>) -> [usize; 2] {
    let [mut rows, mut columns] = [plan.rows.min(ROWS), plan.columns.min(COLUMNS)];
    let wanted = match threads() {
        1 => 1,
        threads if plan.rows <= ROWS => threads,
        threads => 3 * threads,
    };
    loop {
        let work = rows.saturating_mul(columns).saturating_mul(plan.inner);
        let count = plan.rows.div_ceil(rows) * plan.columns.div_ceil(columns);
        let is_enough = work <= MOST_WORK && (count >= wanted || work <= LEAST_WORK);
        let halved = (columns / 2).next_multiple_of(micro.columns);
        if !is_enough && halved < columns {
            columns = halved;
        } else if !is_enough && plan.rows > ROWS && rows > micro.rows {
            rows = (rows / 2).next_multiple_of(micro.rows);
        } else {
            return [rows, columns.next_multiple_of(micro.columns)];
        }
    }
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
    let Layout { before, space } = Layout::of(plan, &micro);
    let (expected, actual) = (before + space, spare.len());
    let Some((packed, spaces)) = spare.split_at_mut_checked(before) else {
        return Err(NumericError::Length { expected, actual });
    };
    for_each_chunk_mut(packed, plan.inner * micro.columns, |panel, out| {
        pack_columns(plan, right, panel * micro.columns, 0..plan.inner, micro.columns, out);
    });
    let right = if before > 0 { Right::Packed(packed) } else { Right::Given(right) };
    let spaces: SmallVec<[&mut [T]; 16]> = spaces.chunks_exact_mut(space).collect();
    let spaces = Mutex::new(spaces);
    let lock = || spaces.lock().unwrap_or_else(PoisonError::into_inner);
    let [rows, columns] = tile(plan, &micro);
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
        unsafe { tile.compute(left, right, &product, space) };
        lock().push(space);
        Ok(())
    })
}

/// The right operand.
#[derive(Clone, Copy)]
enum Right<'a, T> {
    Given(&'a [T]),
    /// All terms of a panel follow one another.
    Packed(&'a [T]),
}

/// Packs some terms of some columns of the right operand, from `first` on: for each term, `width`
/// numbers, of which those beyond the last column are zero.
fn pack_columns<T: Number>(
    plan: &MatMul,
    right: &[T],
    first: usize,
    terms: Range<usize>,
    width: usize,
    out: &mut [T],
) {
    let count = width.min(plan.columns - first);
    match plan.right {
        Orientation::Normal => {
            let rows = right[terms.start * plan.columns..].chunks_exact(plan.columns);
            for (row, out) in rows.zip(out.chunks_exact_mut(width)) {
                out[..count].copy_from_slice(&row[first..first + count]);
                out[count..].fill(T::ZERO);
            }
        }
        Orientation::Transposed => {
            let columns = right.chunks_exact(plan.inner).skip(first).take(count);
            pack(columns.map(|column| &column[terms.clone()]), width, out);
        }
    }
}

/// Packs lists: the first number of each, the second of each, and so on, each time with zeros up to
/// `width` numbers.
fn pack<'a, T: Number>(lists: impl ExactSizeIterator<Item = &'a [T]>, width: usize, out: &mut [T]) {
    let lists: SmallVec<[&[T]; 32]> = lists.collect();
    for (term, out) in out.chunks_exact_mut(width).enumerate() {
        let (own, rest) = out.split_at_mut(lists.len());
        for (out, list) in own.iter_mut().zip(&lists) {
            *out = list[term];
        }
        rest.fill(T::ZERO);
    }
}

/// A rectangle of the product.
struct Tile<'a, T> {
    plan: &'a MatMul,
    micro: Micro<T>,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl<T: Number> Tile<'_, T> {
    /// Computes the tile; `space` is for what it packs.
    ///
    /// # Safety
    /// Nobody else may use the elements of the tile meanwhile.
    unsafe fn compute(
        &self,
        left: &[T],
        right: Right<'_, T>,
        product: &Shared<T>,
        space: &mut [T],
    ) {
        let Tile { plan, micro, .. } = self;
        let panels = self.rows.len().div_ceil(micro.rows);
        for first in (0..plan.inner).step_by(TERMS) {
            let terms = first..plan.inner.min(first + TERMS);
            let of_rows = terms.len() * micro.rows;
            let (packed, rest) = space.split_at_mut(panels * of_rows);
            let rows = self.rows.clone().step_by(micro.rows);
            for (row, out) in rows.zip(packed.chunks_exact_mut(of_rows)) {
                self.pack_rows(left, row, terms.clone(), out);
            }
            for column in self.columns.clone().step_by(micro.columns) {
                let len = terms.len() * micro.columns;
                let columns = match right {
                    Right::Packed(right) => {
                        let panel = column / micro.columns * plan.inner * micro.columns;
                        &right[panel + first * micro.columns..][..len]
                    }
                    Right::Given(right) => {
                        let out = &mut rest[..len];
                        pack_columns(plan, right, column, terms.clone(), micro.columns, out);
                        out
                    }
                };
                let rows = self.rows.clone().step_by(micro.rows);
                for (row, left) in rows.zip(packed.chunks_exact(of_rows)) {
                    // SAFETY: The block lies in the tile.
                    unsafe { self.block([row, column], (left, columns), product, first > 0) };
                }
            }
        }
    }

    /// Packs some terms of a panel of rows of the left operand, from `row` on.
    fn pack_rows(&self, left: &[T], row: usize, terms: Range<usize>, out: &mut [T]) {
        let (plan, width) = (self.plan, self.micro.rows);
        let count = width.min(self.rows.end - row);
        match plan.left {
            Orientation::Normal => {
                let rows = left.chunks_exact(plan.inner).skip(row).take(count);
                pack(rows.map(|row| &row[terms.clone()]), width, out);
            }
            Orientation::Transposed => {
                let lists = left.chunks_exact(plan.rows).skip(terms.start);
                for (list, out) in lists.zip(out.chunks_exact_mut(width)) {
                    out[..count].copy_from_slice(&list[row..row + count]);
                    out[count..].fill(T::ZERO);
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
