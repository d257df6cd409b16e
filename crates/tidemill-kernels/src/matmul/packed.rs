//! Products of two matrices by the loops of this machine, over packed operands.
//!
//! A tile of the product takes some terms at a time, and some rows: it packs the left operand for them,
//! then goes through the right one panel by panel, as wide as a block. If all rows fit one part, the
//! first block reads the panel where it lies, and packs it for the others. If not, the tile packs its
//! columns of the right operand before. An element of the product is the sum of the sums of [`TERMS`]
//! terms each, as in the other products: where its tile lies makes no difference.

use std::ops::Range;
use std::slice::from_raw_parts_mut;
use std::sync::{Mutex, PoisonError};

use smallvec::SmallVec;

use super::micro::{Block, MOST, Micro};
use super::pack::{Panels, copy_parts, pack, padded, padded_width, panels};
use super::plan::{MatMul, Orientation, Right, TERMS};
use super::tiles::{LEAST_WORK, Shared};
use crate::NumericError;
use crate::elementwise::Plain;
use crate::epilogue::{SCRATCH, Then};
use crate::number::Number;
use crate::pool::{is_cancelled, threads, try_for_each};

/// The bytes of a part's rows for [`TERMS`] terms: they fit the second cache of a core.
const BYTES: usize = 256 << 10;
/// The most parts of a tile.
const PARTS: usize = 8;
/// The most bytes of a tile's columns for [`TERMS`] terms.
const RIGHT_BYTES: usize = 1 << 20;
/// A product of fewer rows takes as long as one of this many: it waits for memory.
const LEAST_ROWS: usize = 8;

/// How a product is cut into tiles.
#[derive(Clone, Copy)]
struct Cut {
    rows: usize,
    columns: usize,
    /// The number of elements packed at a time of the left operand, and of both.
    left: usize,
    both: usize,
}

impl Cut {
    /// Few tiles, so that little is packed twice, but some for each thread. Rows are cut before columns
    /// unless that leaves tiles that are flat: a tile of whole rows is written in one piece.
    fn of<T: Number>(plan: &MatMul, micro: &Micro<T>, threads: usize) -> Self {
        let part = BYTES / (TERMS * size_of::<T>());
        let is_one = plan.rows <= part;
        let mut rows = plan.rows.div_ceil(plan.rows.div_ceil(PARTS * part));
        let mut columns = plan.columns.min(RIGHT_BYTES / (TERMS * size_of::<T>()));
        let wanted = threads * if is_one { 1 } else { 2 };
        loop {
            let work = rows.max(LEAST_ROWS).saturating_mul(columns).saturating_mul(plan.inner);
            let count = plan.rows.div_ceil(rows) * plan.columns.div_ceil(columns);
            let halved = columns.div_ceil(2).next_multiple_of(micro.columns());
            let can_cut_rows = rows > 2 * micro.rows() && !is_one;
            if count >= wanted || work <= LEAST_WORK || threads == 1 {
                break;
            } else if can_cut_rows && (columns <= 4 * rows || halved >= columns) {
                rows = (rows / 2).next_multiple_of(micro.rows());
            } else if halved < columns {
                columns = halved;
            } else {
                break;
            }
        }
        columns = columns.next_multiple_of(micro.columns());
        let terms = plan.inner.min(TERMS);
        let left = (rows.min(part) * terms).next_multiple_of(micro.columns());
        let right = if is_one { micro.columns() } else { columns } * terms;
        Cut { rows, columns, left, both: left + right }
    }
}

/// The number of elements that [`multiply`] needs to compute with, on the threads of the caller or as
/// a part of one of its tiles, which one thread computes.
pub(super) fn spare<T: Number>(plan: &MatMul, micro: &Micro<T>) -> usize {
    let space = |threads| Cut::of(plan, micro, threads).both.saturating_mul(threads);
    space(threads()).max(space(1))
}

/// A product none of whose extents is 0, with operands as long as the plan says.
pub(super) struct Product<'a, T: 'static> {
    pub(super) plan: &'a MatMul,
    pub(super) micro: Micro<T>,
    pub(super) left: &'a [T],
    pub(super) right: Right<'a, T>,
    pub(super) then: Then<'a, T>,
}

impl<T: Number + Plain> Product<'_, T> {
    /// Computes it, with as much space as [`spare`] says.
    pub(super) fn compute(&self, out: &mut [T], spare: &mut [T]) -> Result<(), NumericError> {
        let Product { plan, micro, .. } = self;
        let cut = Cut::of(plan, micro, threads());
        let length = NumericError::Length { expected: cut.both, actual: spare.len() };
        let spaces: SmallVec<[&mut [T]; 16]> = spare.chunks_exact_mut(cut.both).collect();
        let spaces = Mutex::new(spaces);
        let lock = || spaces.lock().unwrap_or_else(PoisonError::into_inner);
        let across = plan.columns.div_ceil(cut.columns);
        let product = Shared::of(out);
        try_for_each(plan.rows.div_ceil(cut.rows) * across, |i| {
            let Some(space) = lock().pop() else { return Err(length.clone()) };
            let [row, column] = [i / across * cut.rows, i % across * cut.columns];
            let rows = row..plan.rows.min(row + cut.rows);
            let columns = column..plan.columns.min(column + cut.columns);
            let tile = Tile { of: self, rows, columns };
            // SAFETY: Tiles do not overlap, each comes up once, and the product is borrowed for
            // writing.
            let result = unsafe { tile.compute(&product, space.split_at_mut(cut.left)) };
            lock().push(space);
            result
        })
    }
}

/// A rectangle of the product.
struct Tile<'a, 'p, T: 'static> {
    of: &'a Product<'p, T>,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// The numbers of a panel, for some terms.
enum Numbers<'a, T> {
    Packed(&'a [T]),
    /// They are in this right operand; there is space to pack them.
    Plain(&'a [T], &'a mut [T]),
}

impl<T: Number + Plain> Tile<'_, '_, T> {
    /// Computes the tile, with space for what it packs of both operands. A request to stop is heeded
    /// between terms.
    ///
    /// # Safety
    /// Nobody else may use the elements of the tile meanwhile.
    unsafe fn compute(
        &self,
        product: &Shared<T>,
        (left, space): (&mut [T], &mut [T]),
    ) -> Result<(), NumericError> {
        let Tile { of: Product { plan, micro, right, .. }, columns: all, .. } = self;
        let has_space_for_all = space.len() > micro.columns() * TERMS.min(plan.inner);
        for first in (0..plan.inner).step_by(TERMS) {
            let terms = first..plan.inner.min(first + TERMS);
            if is_cancelled() {
                return Ok(());
            }
            if let Right::Plain(right) = right
                && has_space_for_all
            {
                let panels = Panels { plan, micro: *micro, right, columns: all.clone() };
                panels.pack(terms.clone(), space);
            }
            let most = left.len() / TERMS.min(plan.inner);
            for part in shares(self.rows.clone(), most) {
                for rows in shares(part.clone(), micro.rows()) {
                    let start = (rows.start - part.start) * terms.len();
                    let out = &mut left[start..][..rows.len() * terms.len()];
                    self.pack_rows(rows, terms.clone(), out);
                }
                for columns in panels(micro, all) {
                    let numbers = match *right {
                        Right::Packed(right) => {
                            let before = terms.start * padded(micro, plan.columns);
                            Numbers::Packed(&right[before + columns.start * terms.len()..])
                        }
                        Right::Plain(_) if has_space_for_all => {
                            let before = columns.start - all.start;
                            Numbers::Packed(&space[before * terms.len()..])
                        }
                        Right::Plain(right) => Numbers::Plain(right, &mut *space),
                    };
                    // SAFETY: As the caller ensures.
                    unsafe { self.panel(columns, terms.clone(), numbers, &part, left, product) };
                }
                if terms.end == plan.inner {
                    // SAFETY: As the caller ensures.
                    unsafe { self.finish(part, product)? };
                }
            }
        }
        Ok(())
    }

    /// Finishes the sums of some rows.
    ///
    /// # Safety
    /// Nobody else may use the elements of the tile meanwhile.
    unsafe fn finish(&self, rows: Range<usize>, product: &Shared<T>) -> Result<(), NumericError> {
        let Some((finish, before)) = self.of.then else { return Ok(()) };
        let mut scratch = [T::default(); SCRATCH];
        for row in rows {
            let first = row * self.of.plan.columns + self.columns.start;
            // SAFETY: The tile lies inside the product, and the caller vouches for it.
            let part = unsafe { from_raw_parts_mut(product.at(first), self.columns.len()) };
            finish.part(before + first, part, &mut scratch)?;
        }
        Ok(())
    }

    /// Computes the blocks of a panel and some rows.
    ///
    /// # Safety
    /// Nobody else may use the elements of the tile meanwhile.
    unsafe fn panel(
        &self,
        columns: Range<usize>,
        terms: Range<usize>,
        numbers: Numbers<'_, T>,
        part: &Range<usize>,
        left: &[T],
        product: &Shared<T>,
    ) {
        let Product { plan, micro, .. } = self.of;
        let width = padded_width(micro, &columns);
        let len = width * terms.len();
        // The first block reads the numbers in place if all its columns are there.
        let (packed, place, copy) = match numbers {
            Numbers::Packed(packed) => (packed[..len].as_ptr(), None, None),
            Numbers::Plain(right, space)
                if plan.right == Orientation::Normal && columns.len() == micro.columns() =>
            {
                let place = &right[terms.start * plan.columns + columns.start..];
                let copy = space[..len].as_mut_ptr();
                (copy.cast_const(), Some(place.as_ptr()), Some(copy))
            }
            Numbers::Plain(right, space) => {
                let columns = columns.clone();
                let panels = Panels { plan, micro: *micro, right, columns: columns.clone() };
                panels.pack_panel(columns, terms.clone(), &mut space[..len]);
                (space.as_ptr(), None, None)
            }
        };
        for rows in shares(part.clone(), micro.rows()) {
            let place = place.filter(|_| rows.start == part.start);
            let left = &left[(rows.start - part.start) * terms.len()..];
            let mut block = Block {
                terms: terms.len(),
                left: left.as_ptr(),
                right: place.unwrap_or(packed),
                step: if place.is_some() { plan.columns } else { width },
                packed: copy.filter(|_| place.is_some() && rows.len() < part.len()),
                out: std::ptr::null_mut(),
                distance: plan.columns,
                adds: terms.start > 0,
            };
            // SAFETY: The operands have a number for each term and each row or column of the block, in
            // place if all its columns are there. It lies in the tile, which the caller vouches for.
            unsafe {
                block.out = product.at(rows.start * plan.columns + columns.start);
                if columns.len() == width {
                    micro.run(rows.len(), width > micro.lanes, &block);
                } else {
                    self.edge([rows.len(), columns.len()], width, block);
                }
            }
        }
    }

    /// Computes a block some of whose columns lie beyond the edge of the product.
    ///
    /// # Safety
    /// As for [`Micro::run`]; only `columns` of the columns of the result need to be there.
    unsafe fn edge(&self, [rows, columns]: [usize; 2], width: usize, block: Block<T>) {
        let mut whole = [T::ZERO; MOST];
        let inside = Block { out: whole.as_mut_ptr(), distance: width, adds: false, ..block };
        // SAFETY: As the caller ensures; no block has more elements than this.
        unsafe { self.of.micro.run(rows, width > self.of.micro.lanes, &inside) };
        for (i, sums) in whole.chunks_exact(width).take(rows).enumerate() {
            for (j, &sum) in sums.iter().take(columns).enumerate() {
                // SAFETY: As the caller ensures.
                unsafe {
                    let out = block.out.add(i * block.distance + j);
                    *out = if block.adds { (*out).plus(sum) } else { sum };
                }
            }
        }
    }

    /// Packs some terms of the rows of a block.
    fn pack_rows(&self, rows: Range<usize>, terms: Range<usize>, out: &mut [T]) {
        let (Product { plan, micro, left, .. }, width) = (self.of, rows.len());
        match plan.left {
            Orientation::Normal => {
                let list = |i: usize| &left[(rows.start + i) * plan.inner..][terms.clone()];
                pack(micro, list, width, width, out);
            }
            Orientation::Transposed => {
                copy_parts(&left[terms.start * plan.rows..], plan.rows, rows, width, out);
            }
        }
    }
}

/// Cuts a range into about equal shares, none longer than `most`.
fn shares(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let (start, len) = (range.start, range.len());
    let count = len.div_ceil(most);
    (0..count).map(move |i| start + len * i / count..start + len * (i + 1) / count)
}
