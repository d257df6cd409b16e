//! The order in which the elements of a reduction are combined. It depends on the shape alone.
//!
//! A row is cut into blocks. In a block, element `i` goes to lane `i % LANES`, so that the lanes
//! can be computed side by side; then the lanes are combined by halves. Reductions of `f32` have more
//! lanes than others, for blocks that are long enough. A block of fewer elements than lanes is combined
//! one by one. A column is cut into blocks of rows, and each block is
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

    /// Whether the loops have a copy for each instruction set.
    const VECTOR: bool;
    /// The result of no elements.
    const IDENTITY: Self::Total;

    fn take(item: Self::Item) -> Self::Total;
    fn combine(left: Self::Total, right: Self::Total) -> Self::Total;
}

const LANES: usize = 16;
/// So many that the processor need not wait for the last result to compute the next.
const MANY_LANES: usize = 64;
const ROW_BLOCK: usize = 4096;
const COLUMN_BLOCK: usize = 128;
/// The number of columns combined side by side: their totals stay in cache, and parts of rows are long.
const SIDE_BY_SIDE: usize = 1024;

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

    /// The number of totals to compute with that [`fold_row`](Loops::fold_row) and
    /// [`fold_columns`](Loops::fold_columns) need for `len` elements.
    pub(super) fn space(len: usize, columns: usize) -> usize {
        let branch = if columns == 1 { TILE } else { branch(columns) };
        match len.div_ceil(branch) {
            0 | 1 => 0,
            branches => (branches + levels(branches)) * columns,
        }
    }

    /// Reduces a row, on several threads if it is long. A power of two of blocks is a branch of the
    /// tree of pairs, so the tree is the same.
    pub(super) fn fold_row(&self, row: &[I], space: &mut [T]) -> T {
        if row.len() <= TILE {
            return self.fold_short_row(row);
        }
        let branches = &mut space[..row.len().div_ceil(TILE)];
        for_each_chunk_mut(branches, 1, |i, total| {
            total[0] = self.fold_short_row(&row[i * TILE..row.len().min((i + 1) * TILE)]);
        });
        combine_row(self.combine, self.identity, branches.iter().copied())
    }

    fn fold_short_row(&self, row: &[I]) -> T {
        if row.len() <= ROW_BLOCK {
            return (self.block)(row);
        }
        combine_row(self.combine, self.identity, row.chunks(ROW_BLOCK).map(self.block))
    }

    /// Reduces each column of a matrix in row-major order; `out` has one element per column.
    pub(super) fn fold_columns(&self, matrix: &[I], out: &mut [T], space: &mut [T]) {
        let columns = out.len();
        let branch = branch(columns);
        if matrix.len() <= branch {
            return self.fold_branch(matrix, out);
        }
        let branches = matrix.len().div_ceil(branch);
        let (totals, levels) = space.split_at_mut(branches * columns);
        for_each_chunk_mut(totals, columns, |i, totals| {
            self.fold_branch(&matrix[i * branch..matrix.len().min((i + 1) * branch)], totals);
        });
        let mut tree = Pairwise::new(self.combine, columns, levels);
        totals.chunks_exact_mut(columns).for_each(|totals| tree.push(totals));
        tree.finish(out);
    }

    fn fold_branch(&self, matrix: &[I], out: &mut [T]) {
        let columns = out.len();
        let rows = matrix.len() / columns;
        let width = TILE.div_ceil(SIDE_BY_SIDE * rows.max(1)) * SIDE_BY_SIDE;
        for_each_chunk_mut(out, width, |tile, totals| {
            for (i, totals) in totals.chunks_mut(SIDE_BY_SIDE).enumerate() {
                self.fold_tile(matrix, columns, tile * width + i * SIDE_BY_SIDE, totals);
            }
        });
    }

    /// Reduces columns into `totals`, from column `start` on.
    fn fold_tile(&self, matrix: &[I], columns: usize, start: usize, totals: &mut [T]) {
        totals.fill(self.identity);
        let mut blocks = matrix.chunks(COLUMN_BLOCK * columns);
        (self.columns)(blocks.next().unwrap_or_default(), columns, start, totals);
        if blocks.len() == 0 {
            return;
        }
        let mut levels = [self.identity; TILE_LEVELS];
        let mut tree = Pairwise::new(self.combine, totals.len(), &mut levels);
        tree.push(totals);
        for block in blocks {
            totals.fill(self.identity);
            (self.columns)(block, columns, start, totals);
            tree.push(totals);
        }
        tree.finish(totals);
    }
}

/// The number of elements of a branch of the tree over columns.
fn branch(columns: usize) -> usize {
    TILE.div_ceil(COLUMN_BLOCK * columns).next_power_of_two() * COLUMN_BLOCK * columns
}

/// The number of levels of a tree over so many blocks.
fn levels(blocks: usize) -> usize {
    (usize::BITS - blocks.leading_zeros()) as usize
}

/// The most totals that the levels of a tree over the blocks of one branch have: 2 levels of up to
/// 256 columns, 3 of up to 128, and so on.
const TILE_LEVELS: usize = 2 * TILE / COLUMN_BLOCK;
const _: () = assert!(TILE / COLUMN_BLOCK <= SIDE_BY_SIDE);

/// The pending results of blocks, for several columns side by side.
///
/// As in a binary counter, a level holds the results of twice as many blocks as the one below.
struct Pairwise<'a, T> {
    combine: Combine<T>,
    width: usize,
    levels: &'a mut [T],
    blocks: usize,
}

impl<'a, T: Copy> Pairwise<'a, T> {
    /// A tree over blocks with `width` results, for which `levels` has room.
    fn new(combine: Combine<T>, width: usize, levels: &'a mut [T]) -> Self {
        Pairwise { combine, width, levels, blocks: 0 }
    }

    /// Takes the results of the next block; `block` is scratch afterwards.
    fn push(&mut self, block: &mut [T]) {
        let full = self.blocks.trailing_ones() as usize * self.width;
        for level in self.levels[..full].chunks_exact(self.width) {
            (self.combine)(level, block);
        }
        self.levels[full..full + self.width].copy_from_slice(block);
        self.blocks += 1;
    }

    /// Puts the result into `out`. There must have been a block.
    fn finish(&self, out: &mut [T]) {
        let lowest = self.blocks.trailing_zeros() as usize;
        let occupied = |level: usize| self.blocks >> level & 1 == 1;
        let levels = self.levels.chunks_exact(self.width).take(levels(self.blocks)).enumerate();
        for (i, level) in levels.filter(|(i, _)| occupied(*i)) {
            if i == lowest {
                out.copy_from_slice(level);
            } else {
                (self.combine)(level, out);
            }
        }
    }
}

#[inline(never)]
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
    let mut levels = [identity; usize::BITS as usize];
    let mut blocks = Pairwise::new(combine, 1, &mut levels);
    for total in totals {
        blocks.push(&mut [total]);
    }
    let mut total = [identity];
    blocks.finish(&mut total);
    total[0]
}

fn fold_block<R: Reducer>(block: &[R::Item]) -> R::Total {
    if block.len() < LANES {
        return block.iter().fold(R::IDENTITY, |total, x| R::combine(total, R::take(*x)));
    }
    if R::VECTOR && block.len() >= MANY_LANES {
        fold_lanes::<R, MANY_LANES>(block)
    } else {
        fold_lanes::<R, LANES>(block)
    }
}

#[inline(always)]
fn fold_lanes<R: Reducer, const LANES: usize>(block: &[R::Item]) -> R::Total {
    let mut lanes = [R::IDENTITY; LANES];
    let (groups, rest) = block.as_chunks::<LANES>();
    fold_groups::<R, LANES>(groups, &mut lanes);
    finish_lanes::<R>(&mut lanes, rest)
}

/// Takes in an incomplete group, and combines the lanes.
#[inline(never)]
fn finish_lanes<R: Reducer>(mut lanes: &mut [R::Total], rest: &[R::Item]) -> R::Total {
    if !rest.is_empty() {
        fold_block_of_columns::<R>(rest, rest.len(), 0, &mut lanes[..rest.len()]);
    }
    while lanes.len() > 1 {
        let (lower, upper) = lanes.split_at_mut(lanes.len() / 2);
        combine_all::<R>(lower, upper);
        lanes = upper;
    }
    lanes[0]
}

vectorized! {
    if R::VECTOR;
    #[inline(never)]
    /// Takes in groups of one element for each lane.
    fn fold_groups<R; const LANES>(groups: &[[R::Item; LANES]], lanes: &mut [R::Total; LANES])
    where [R: Reducer]
    {
        // The processor keeps its own copy in registers.
        let mut totals = *lanes;
        for group in groups {
            for (total, x) in totals.iter_mut().zip(group) {
                *total = R::combine(*total, R::take(*x));
            }
        }
        *lanes = totals;
    }
}

vectorized! {
    if R::VECTOR;
    #[inline(never)]
    fn fold_block_of_columns<R>(
        rows: &[R::Item],
        columns: usize,
        start: usize,
        totals: &mut [R::Total],
    )
    where [R: Reducer]
    {
        // Four rows at a time, so that totals are read and written a quarter as often.
        let fours = if R::VECTOR { rows.len() / (4 * columns) } else { 0 };
        let (fours, rest) = rows.split_at(fours * 4 * columns);
        for four in fours.chunks_exact(4 * columns) {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| &four[i * columns + start..][..totals.len()]);
            for (i, total) in totals.iter_mut().enumerate() {
                let two = R::combine(R::combine(*total, R::take(a[i])), R::take(b[i]));
                *total = R::combine(R::combine(two, R::take(c[i])), R::take(d[i]));
            }
        }
        for row in rest.chunks_exact(columns) {
            for (total, x) in totals.iter_mut().zip(&row[start..]) {
                *total = R::combine(*total, R::take(*x));
            }
        }
    }
}
