//! Products of two matrices by the loops of this machine, over packed operands.
//!
//! A tile of the product takes some terms at a time, and some rows: it packs the left operand for them,
//! then goes through the right one panel by panel, as wide as a block. If all rows fit one part, the
//! first block reads the panel where it lies, and packs it for the others. If not, the tile packs its
//! columns of the right operand before. An element of the product is the sum of the sums of [`TERMS`]
//! terms each, as in the other products: where its tile lies makes no difference.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use smallvec::SmallVec;

use super::micro::{Block, MOST, Micro};
use super::plan::{MatMul, Orientation, TERMS};
use super::tiles::{LEAST_WORK, Shared};
use crate::NumericError;
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
/// The number of panels packed side by side.
const TOGETHER: usize = 4;

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
    /// Few tiles, so that little is packed twice, but some for each thread.
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
            if count >= wanted || work <= LEAST_WORK || threads == 1 {
                break;
            } else if halved < columns {
                columns = halved;
            } else if rows > 2 * micro.rows() && !is_one {
                rows = (rows / 2).next_multiple_of(micro.rows());
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
    let cut = Cut::of(plan, &micro, threads());
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
        let tile = Tile { plan, micro, left, right, rows, columns };
        // SAFETY: Tiles do not overlap, each comes up once, and the product is borrowed for writing.
        unsafe { tile.compute(&product, space.split_at_mut(cut.left)) };
        lock().push(space);
        Ok(())
    })
}

/// A rectangle of the product.
struct Tile<'a, T: 'static> {
    plan: &'a MatMul,
    micro: Micro<T>,
    left: &'a [T],
    right: &'a [T],
    rows: Range<usize>,
    columns: Range<usize>,
}

impl<T: Number> Tile<'_, T> {
    /// Computes the tile, with space for what it packs of both operands. A request to stop is heeded
    /// between terms.
    ///
    /// # Safety
    /// Nobody else may use the elements of the tile meanwhile.
    unsafe fn compute(&self, product: &Shared<T>, (left, right): (&mut [T], &mut [T])) {
        let (plan, width) = (self.plan, self.micro.columns());
        for first in (0..plan.inner).step_by(TERMS) {
            let terms = first..plan.inner.min(first + TERMS);
            let is_packed = right.len() > width * TERMS.min(plan.inner);
            if is_cancelled() {
                return;
            }
            if is_packed {
                self.pack_panels(terms.clone(), right);
            }
            let most = left.len() / TERMS.min(plan.inner);
            for part in shares(self.rows.clone(), most) {
                for rows in shares(part.clone(), self.micro.rows()) {
                    let start = (rows.start - part.start) * terms.len();
                    let out = &mut left[start..][..rows.len() * terms.len()];
                    self.pack_rows(rows, terms.clone(), out);
                }
                for (i, columns) in self.panels().enumerate() {
                    let start = if is_packed { i * width * terms.len() } else { 0 };
                    let panel = Panel { columns, terms: terms.clone(), is_packed };
                    // SAFETY: As the caller ensures.
                    unsafe { self.panel(panel, part.clone(), product, left, &mut right[start..]) };
                }
            }
        }
    }

    /// The columns of the panels.
    fn panels(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let (end, width) = (self.columns.end, self.micro.columns());
        self.columns.clone().step_by(width).map(move |start| start..end.min(start + width))
    }

    /// The number of columns that a panel is padded to.
    fn width(&self, columns: &Range<usize>) -> usize {
        if columns.len() > self.micro.lanes { self.micro.columns() } else { self.micro.lanes }
    }

    /// Computes the blocks of a panel and some rows; `packed` is the panel, or space for it.
    ///
    /// # Safety
    /// Nobody else may use the elements of the tile meanwhile.
    unsafe fn panel(
        &self,
        Panel { columns, terms, is_packed }: Panel,
        part: Range<usize>,
        product: &Shared<T>,
        left: &[T],
        packed: &mut [T],
    ) {
        let Tile { plan, micro, .. } = self;
        let width = self.width(&columns);
        let packed = &mut packed[..width * terms.len()];
        let in_place =
            !is_packed && plan.right == Orientation::Normal && columns.len() == micro.columns();
        if !is_packed && !in_place {
            self.pack_columns(columns.clone(), terms.clone(), packed);
        }
        let place = if in_place { terms.start * plan.columns + columns.start } else { 0 };
        let place = &self.right[place..];
        let packed = packed.as_mut_ptr();
        for rows in shares(part.clone(), micro.rows()) {
            let is_first = in_place && rows.start == part.start;
            let left = &left[(rows.start - part.start) * terms.len()..];
            let mut block = Block {
                terms: terms.len(),
                left: left.as_ptr(),
                right: if is_first { place.as_ptr() } else { packed },
                step: if is_first { plan.columns } else { width },
                packed: is_first.then_some(packed),
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
        unsafe { self.micro.run(rows, width > self.micro.lanes, &inside) };
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
        let (plan, width) = (self.plan, rows.len());
        match plan.left {
            Orientation::Normal => {
                let list = |i: usize| &self.left[(rows.start + i) * plan.inner..][terms.clone()];
                pack(&self.micro, list, width, width, out);
            }
            Orientation::Transposed => {
                copy_parts(&self.left[terms.start * plan.rows..], plan.rows, rows, width, out);
            }
        }
    }

    /// Packs some terms of the right operand, panel by panel.
    fn pack_panels(&self, terms: Range<usize>, out: &mut [T]) {
        let (plan, width) = (self.plan, self.micro.columns());
        let len = width * terms.len();
        let mut panels = self.panels();
        for out in out.chunks_mut(TOGETHER * len) {
            let group: SmallVec<[Range<usize>; TOGETHER]> =
                panels.by_ref().take(TOGETHER).collect();
            let is_whole =
                group.len() == TOGETHER && group.iter().all(|panel| panel.len() == width);
            if plan.right == Orientation::Normal && is_whole {
                // Rows are read over several panels: memory likes long reads.
                let columns = group[0].start..group[0].start + TOGETHER * width;
                let rows = self.right.chunks_exact(plan.columns).skip(terms.start);
                for (i, row) in rows.take(terms.len()).enumerate() {
                    let parts = row[columns.clone()].chunks_exact(width);
                    for (part, out) in parts.zip(out.chunks_exact_mut(len)) {
                        copy(part, &mut out[i * width..]);
                    }
                }
                continue;
            }
            for (columns, out) in group.into_iter().zip(out.chunks_mut(len)) {
                let out = &mut out[..self.width(&columns) * terms.len()];
                self.pack_columns(columns, terms.clone(), out);
            }
        }
    }

    /// Packs some terms of the columns of a panel: for each term, numbers up to its width, of which
    /// those beyond the last column are zero.
    fn pack_columns(&self, columns: Range<usize>, terms: Range<usize>, out: &mut [T]) {
        let (plan, width) = (self.plan, self.width(&columns));
        match plan.right {
            Orientation::Normal => {
                let rows = &self.right[terms.start * plan.columns..];
                copy_parts(rows, plan.columns, columns.clone(), width, out);
            }
            Orientation::Transposed => {
                let list =
                    |i: usize| &self.right[(columns.start + i) * plan.inner..][terms.clone()];
                pack(&self.micro, list, columns.len(), width, out);
            }
        }
        if columns.len() < width {
            out.chunks_exact_mut(width).for_each(|out| out[columns.len()..].fill(T::ZERO));
        }
    }
}

/// Some columns of the right operand for some terms.
struct Panel {
    columns: Range<usize>,
    terms: Range<usize>,
    is_packed: bool,
}

/// Cuts a range into about equal shares, none longer than `most`.
fn shares(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let (start, len) = (range.start, range.len());
    let count = len.div_ceil(most);
    (0..count).map(move |i| start + len * i / count..start + len * (i + 1) / count)
}

/// Packs `count` lists: the first number of each, the second of each, and so on, each time at a
/// distance of `width`.
fn pack<'a, T: Number>(
    micro: &Micro<T>,
    list: impl Fn(usize) -> &'a [T],
    count: usize,
    width: usize,
    out: &mut [T],
) {
    if count < 4 {
        for i in 0..count {
            for (out, &x) in out[i..].iter_mut().step_by(width).zip(list(i)) {
                *out = x;
            }
        }
        return;
    }
    let mut first = 0;
    while first < count {
        // The last four lists may have been packed in part.
        let start = first.min(count - 4);
        let lists = [0, 1, 2, 3].map(|i| list(start + i));
        micro.pack(lists, width, &mut out[start..]);
        first += 4;
    }
}

/// Copies a part of each row of a matrix, at distances of `width`.
#[inline(never)]
fn copy_parts<T: Copy>(
    matrix: &[T],
    columns: usize,
    part: Range<usize>,
    width: usize,
    out: &mut [T],
) {
    for (row, out) in matrix.chunks_exact(columns).zip(out.chunks_exact_mut(width)) {
        copy(&row[part.clone()], out);
    }
}

/// Copies a few numbers to the beginning of `to`. So few are not worth a call.
#[inline(always)]
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    let ((from, from_rest), (to, to_rest)) =
        (from.as_chunks::<4>(), to[..from.len()].as_chunks_mut::<4>());
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = *from;
    }
}
