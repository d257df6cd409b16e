//! The order in which the elements of a reduction are combined. It depends on the shape alone.
//!
//! A row is cut into blocks. In a block, element `i` goes to lane `i % LANES`, so that the lanes
//! can be computed side by side; then the lanes are combined by halves. A block of fewer elements
//! than lanes is combined one by one. A column is cut into blocks of rows, and each block is
//! combined row by row. The results of the blocks are combined in pairs, these again in pairs, and
//! so on. So rounding errors grow with the logarithm of the count, and blocks can be computed in
//! any order.

use crate::pool::{TILE, for_each_chunk_mut};

/// A reduction: it takes in elements, and combines two results into one.
pub(crate) trait Reducer {
    type Item: Copy + Sync;
    type Total: Copy + Send + Sync;
    /// The same reduction, applied to its own results along another axis.
    type Again: Reducer<Item = Self::Total, Total = Self::Total>;

    /// The result of no elements.
    const IDENTITY: Self::Total;

    fn take(item: Self::Item) -> Self::Total;
    fn combine(left: Self::Total, right: Self::Total) -> Self::Total;
}

const LANES: usize = 16;
const ROW_BLOCK: usize = 4096;
const COLUMN_BLOCK: usize = 128;
/// The number of columns combined side by side, so that their totals stay in cache.
const SIDE_BY_SIDE: usize = 256;

/// The loops of a reduction from items `I` to totals `T`. Pointers to them let the code that divides
/// work into blocks and tiles be compiled once per pair of types, not per reduction.
pub(super) struct Loops<I, T> {
    pub(super) identity: T,
    pub(super) take: fn(I) -> T,
    /// The result of a block of a row.
    block: fn(&[I]) -> T,
    /// Reduces rows of a matrix into totals: the rows, the number of columns, the first column.
    columns: fn(&[I], usize, usize, &mut [T]),
    combine: Combine<T>,
}

/// Combines two slices of totals into the right one.
type Combine<T> = fn(&[T], &mut [T]);

impl<I, T: Copy> Clone for Loops<I, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I, T: Copy> Copy for Loops<I, T> {}

impl<I: Copy + Sync, T: Copy + Send + Sync> Loops<I, T> {
    pub(super) const fn of<R: Reducer<Item = I, Total = T>>() -> Self {
        Loops {
            identity: R::IDENTITY,
            take: R::take,
            block: fold_block::<R>,
            columns: fold_block_of_columns::<R>,
            combine: combine_all::<R>,
        }
    }

    /// Reduces a row, on several threads if it is long. A power of two of blocks is a branch of the
    /// tree of pairs, so the tree is the same.
    pub(super) fn fold_row(&self, row: &[I]) -> T {
        if row.len() <= TILE {
            return self.fold_short_row(row);
        }
        let mut branches = vec![self.identity; row.len().div_ceil(TILE)];
        for_each_chunk_mut(&mut branches, 1, |i, total| {
            total[0] = self.fold_short_row(&row[i * TILE..row.len().min((i + 1) * TILE)]);
        });
        combine_row(self.combine, self.identity, branches)
    }

    fn fold_short_row(&self, row: &[I]) -> T {
        if row.len() <= ROW_BLOCK {
            return (self.block)(row);
        }
        combine_row(self.combine, self.identity, row.chunks(ROW_BLOCK).map(self.block))
    }

    /// Reduces each column of a matrix in row-major order; `out` has one element per column.
    pub(super) fn fold_columns(&self, matrix: &[I], out: &mut [T]) {
        let columns = out.len();
        let blocks = TILE.div_ceil(COLUMN_BLOCK * columns).next_power_of_two();
        let branch = blocks * COLUMN_BLOCK * columns;
        if matrix.len() <= branch {
            let rows = matrix.len() / columns;
            let width = TILE.div_ceil(SIDE_BY_SIDE * rows.max(1)) * SIDE_BY_SIDE;
            return for_each_chunk_mut(out, width, |tile, totals| {
                for (i, totals) in totals.chunks_mut(SIDE_BY_SIDE).enumerate() {
                    self.fold_tile(matrix, columns, tile * width + i * SIDE_BY_SIDE, totals);
                }
            });
        }
        let mut branches = vec![self.identity; matrix.len().div_ceil(branch) * columns];
        for_each_chunk_mut(&mut branches, columns, |i, totals| {
            let rows = &matrix[i * branch..matrix.len().min((i + 1) * branch)];
            self.fold_columns(rows, totals);
        });
        let mut tree = Pairwise::new(self.combine);
        branches.chunks_exact_mut(columns).for_each(|totals| tree.push(totals));
        tree.finish(out);
    }

    /// Reduces columns into `totals`, from column `start` on.
    fn fold_tile(&self, matrix: &[I], columns: usize, start: usize, totals: &mut [T]) {
        let mut tree = Pairwise::new(self.combine);
        let mut blocks = matrix.chunks(COLUMN_BLOCK * columns);
        loop {
            totals.fill(self.identity);
            let block = blocks.next().unwrap_or_default();
            (self.columns)(block, columns, start, totals);
            let last = blocks.len() == 0;
            if last && tree.blocks == 0 {
                return;
            }
            tree.push(totals);
            if last {
                return tree.finish(totals);
            }
        }
    }
}

/// The pending results of blocks, for several columns side by side.
///
/// As in a binary counter, a level holds the results of twice as many blocks as the one below.
struct Pairwise<T> {
    combine: Combine<T>,
    levels: Vec<Vec<T>>,
    blocks: usize,
}

impl<T: Copy> Pairwise<T> {
    fn new(combine: Combine<T>) -> Self {
        Pairwise { combine, levels: Vec::new(), blocks: 0 }
    }

    /// Takes the results of the next block; `block` is scratch afterwards.
    fn push(&mut self, block: &mut [T]) {
        let full = self.blocks.trailing_ones() as usize;
        for level in &self.levels[..full] {
            (self.combine)(level, block);
        }
        match self.levels.get_mut(full) {
            Some(level) => level.copy_from_slice(block),
            None => self.levels.push(block.to_vec()),
        }
        self.blocks += 1;
    }

    /// Puts the result into `out`. There must have been a block.
    fn finish(&self, out: &mut [T]) {
        let lowest = self.blocks.trailing_zeros() as usize;
        let occupied = |level: usize| self.blocks >> level & 1 == 1;
        for (i, level) in self.levels.iter().enumerate().filter(|(i, _)| occupied(*i)) {
            if i == lowest {
                out.copy_from_slice(level);
            } else {
                (self.combine)(level, out);
            }
        }
    }
}

fn combine_all<R: Reducer>(left: &[R::Total], right: &mut [R::Total]) {
    for (left, total) in left.iter().zip(right) {
        *total = R::combine(*left, *total);
    }
}

/// Reduces a row of elements on one thread.
#[inline(always)]
pub(crate) fn fold_row<R: Reducer>(row: &[R::Item]) -> R::Total {
    if row.len() <= ROW_BLOCK {
        return fold_block::<R>(row);
    }
    combine_row(combine_all::<R>, R::IDENTITY, row.chunks(ROW_BLOCK).map(fold_block::<R>))
}

const _: () = assert!((TILE / ROW_BLOCK).is_power_of_two() && TILE.is_multiple_of(ROW_BLOCK));

fn combine_row<T: Copy>(
    combine: Combine<T>,
    identity: T,
    totals: impl IntoIterator<Item = T>,
) -> T {
    let mut blocks = Pairwise::new(combine);
    for total in totals {
        blocks.push(&mut [total]);
    }
    let mut total = [identity];
    blocks.finish(&mut total);
    total[0]
}

#[inline(always)]
fn fold_block<R: Reducer>(block: &[R::Item]) -> R::Total {
    if block.len() < LANES {
        return block.iter().fold(R::IDENTITY, |total, x| R::combine(total, R::take(*x)));
    }
    let mut lanes = [R::IDENTITY; LANES];
    let (groups, rest) = block.as_chunks::<LANES>();
    for group in groups {
        for (lane, x) in lanes.iter_mut().zip(group) {
            *lane = R::combine(*lane, R::take(*x));
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = R::combine(*lane, R::take(*x));
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            lanes[i] = R::combine(lanes[i], lanes[i + width]);
        }
    }
    lanes[0]
}

fn fold_block_of_columns<R: Reducer>(
    rows: &[R::Item],
    columns: usize,
    start: usize,
    totals: &mut [R::Total],
) {
    for row in rows.chunks_exact(columns) {
        for (total, x) in totals.iter_mut().zip(&row[start..]) {
            *total = R::combine(*total, R::take(*x));
        }
    }
}
