//! The order in which the elements of a reduction meet. It depends on the shape alone.
//!
//! A row is cut into blocks. In a block, element `i` goes to lane `i % LANES`, so that the lanes
//! can be computed side by side; then the lanes are combined by halves. A block of fewer elements
//! than lanes is combined one by one. A column is cut into blocks of rows, and each block is
//! combined row by row. The results of the blocks are combined in pairs, these again in pairs, and
//! so on. So rounding errors grow with the logarithm of the count, and blocks can be computed in
//! any order.

use crate::pool::{TILE, for_each_chunk_mut};

/// A reduction: how elements are taken in, and how two results become one.
pub(crate) trait Reducer {
    type Item: Copy + Sync;
    type Total: Copy + Send + Sync;
    /// The same reduction over what it made of another axis.
    type Again: Reducer<Item = Self::Total, Total = Self::Total>;

    /// The result of no elements.
    const IDENTITY: Self::Total;

    fn take(item: Self::Item) -> Self::Total;
    fn combine(left: Self::Total, right: Self::Total) -> Self::Total;
}

const LANES: usize = 16;
const ROW_BLOCK: usize = 4096;
const COLUMN_BLOCK: usize = 128;
/// The number of columns that are combined side by side, so that their totals stay in cache.
const SIDE_BY_SIDE: usize = 256;

/// The results of blocks on their way to one result, for several columns side by side.
///
/// As in a binary counter, a level holds the results of twice as many blocks as the one below.
struct Pairwise<R: Reducer> {
    levels: Vec<Vec<R::Total>>,
    blocks: usize,
}

impl<R: Reducer> Pairwise<R> {
    fn new() -> Self {
        Pairwise { levels: Vec::new(), blocks: 0 }
    }

    /// Takes the results of the next block; what is left in `block` is of no use.
    fn push(&mut self, block: &mut [R::Total]) {
        let full = self.blocks.trailing_ones() as usize;
        for level in &self.levels[..full] {
            combine_all::<R>(level, block);
        }
        match self.levels.get_mut(full) {
            Some(level) => level.copy_from_slice(block),
            None => self.levels.push(block.to_vec()),
        }
        self.blocks += 1;
    }

    /// Puts the result into `out`. There must have been a block.
    fn finish(&self, out: &mut [R::Total]) {
        let lowest = self.blocks.trailing_zeros() as usize;
        let occupied = |level: usize| self.blocks >> level & 1 == 1;
        for (i, level) in self.levels.iter().enumerate().filter(|(i, _)| occupied(*i)) {
            if i == lowest {
                out.copy_from_slice(level);
            } else {
                combine_all::<R>(level, out);
            }
        }
    }
}

fn combine_all<R: Reducer>(left: &[R::Total], right: &mut [R::Total]) {
    for (left, total) in left.iter().zip(right) {
        *total = R::combine(*left, *total);
    }
}

/// Reduces a row of elements.
#[inline(always)]
pub(crate) fn fold_row<R: Reducer>(row: &[R::Item]) -> R::Total {
    if row.len() <= ROW_BLOCK {
        return fold_block::<R>(row);
    }
    combine_row::<R>(row.chunks(ROW_BLOCK).map(fold_block::<R>))
}

/// As [`fold_row`], on several threads where the row is long. As many blocks as a power of two
/// are a branch of the tree of pairs, so that it is the same tree.
pub(super) fn fold_long_row<R: Reducer>(row: &[R::Item]) -> R::Total {
    if row.len() <= TILE {
        return fold_row::<R>(row);
    }
    let mut branches = vec![R::IDENTITY; row.len().div_ceil(TILE)];
    for_each_chunk_mut(&mut branches, 1, |i, total| {
        total[0] = fold_row::<R>(&row[i * TILE..row.len().min((i + 1) * TILE)]);
    });
    combine_row::<R>(branches)
}

const _: () = assert!((TILE / ROW_BLOCK).is_power_of_two() && TILE.is_multiple_of(ROW_BLOCK));

fn combine_row<R: Reducer>(totals: impl IntoIterator<Item = R::Total>) -> R::Total {
    let mut blocks = Pairwise::<R>::new();
    for total in totals {
        blocks.push(&mut [total]);
    }
    let mut total = [R::IDENTITY];
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

/// Reduces each column of a matrix in row-major order; `out` has one element per column.
pub(super) fn fold_columns<R: Reducer>(matrix: &[R::Item], out: &mut [R::Total]) {
    let columns = out.len();
    let blocks = TILE.div_ceil(COLUMN_BLOCK * columns).next_power_of_two();
    let branch = blocks * COLUMN_BLOCK * columns;
    if matrix.len() <= branch {
        let rows = matrix.len() / columns;
        let width = TILE.div_ceil(SIDE_BY_SIDE * rows.max(1)) * SIDE_BY_SIDE;
        return for_each_chunk_mut(out, width, |tile, totals| {
            for (i, totals) in totals.chunks_mut(SIDE_BY_SIDE).enumerate() {
                fold_tile::<R>(matrix, columns, tile * width + i * SIDE_BY_SIDE, totals);
            }
        });
    }
    let mut branches = vec![R::IDENTITY; matrix.len().div_ceil(branch) * columns];
    for_each_chunk_mut(&mut branches, columns, |i, totals| {
        let rows = &matrix[i * branch..matrix.len().min((i + 1) * branch)];
        fold_columns::<R>(rows, totals);
    });
    let mut tree = Pairwise::<R>::new();
    branches.chunks_exact_mut(columns).for_each(|totals| tree.push(totals));
    tree.finish(out);
}

/// Reduces as many columns as there are totals, from column `start` on.
fn fold_tile<R: Reducer>(
    matrix: &[R::Item],
    columns: usize,
    start: usize,
    totals: &mut [R::Total],
) {
    let mut blocks = Pairwise::<R>::new();
    let mut rows = matrix.chunks_exact(columns);
    loop {
        totals.fill(R::IDENTITY);
        for row in rows.by_ref().take(COLUMN_BLOCK) {
            for (total, x) in totals.iter_mut().zip(&row[start..]) {
                *total = R::combine(*total, R::take(*x));
            }
        }
        let last = rows.len() == 0;
        if last && blocks.blocks == 0 {
            return;
        }
        blocks.push(totals);
        if last {
            return blocks.finish(totals);
        }
    }
}
