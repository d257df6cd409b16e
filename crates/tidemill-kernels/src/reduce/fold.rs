//! The order in which the elements of a reduction meet. It depends on the shape alone.
//!
//! A row is cut into blocks. In a block, element `i` goes to lane `i % LANES`, so that the lanes
//! can be computed side by side; then the lanes are combined by halves. A block of fewer elements
//! than lanes is combined one by one. A column is cut into blocks of rows, and each block is
//! combined row by row. The results of the blocks are combined in pairs, these again in pairs, and
//! so on. So rounding errors grow with the logarithm of the count, and blocks can be computed in
//! any order.

/// A reduction: how elements are taken in, and how two results become one.
pub(crate) trait Reducer {
    type Item: Copy;
    type Total: Copy;
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
const TILE: usize = 256;

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
pub(crate) fn fold_row<R: Reducer>(row: &[R::Item]) -> R::Total {
    if row.len() <= ROW_BLOCK {
        return fold_block::<R>(row);
    }
    let mut blocks = Pairwise::<R>::new();
    for block in row.chunks(ROW_BLOCK) {
        blocks.push(&mut [fold_block::<R>(block)]);
    }
    let mut total = [R::IDENTITY];
    blocks.finish(&mut total);
    total[0]
}

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
    for (tile, totals) in out.chunks_mut(TILE).enumerate() {
        fold_tile::<R>(matrix, columns, tile * TILE, totals);
    }
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
