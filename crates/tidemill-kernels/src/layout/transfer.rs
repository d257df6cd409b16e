use std::array::from_fn;

use tidemill_value::{Bits, Element};

use crate::pool::{TILE, for_each_chunk_mut};
use crate::strided::{Axes, Axis, Odometer, coalesce};
use crate::vector::prefetch;

/// The edge of the square blocks in which a matrix is transposed.
const BLOCK: usize = 16;
/// The edge of the squares in which the blocks are visited.
const SQUARE: usize = 4 * BLOCK;

/// A copy of elements from one buffer to another, each walked in its own steps: first those of the
/// source, then those of the destination.
#[derive(Debug)]
pub(super) struct Transfer {
    axes: Axes<2>,
    starts: [usize; 2],
}

impl Transfer {
    /// Every position of the axes must lie inside both buffers.
    pub(super) fn new(axes: impl IntoIterator<Item = Axis<2>>, starts: [usize; 2]) -> Self {
        Transfer { axes: coalesce(axes), starts }
    }

    /// Whether source and destination are the same elements in the same order, all of `elements`.
    pub(super) fn is_identity(&self, elements: usize) -> bool {
        match &self.axes[..] {
            [] => elements == 1,
            [axis] => axis.extent == elements && axis.steps == [1, 1],
            _ => false,
        }
    }

    pub(super) fn run<T: Element>(&self, from: &[T], to: &mut [T]) {
        if self.axes.iter().any(|axis| axis.extent == 0) {
            return;
        }
        match self.axes.first() {
            Some(&axis) if to.len() > TILE && self.fills(to.len()) => {
                let width = axis.steps[1] as usize;
                let count = TILE.div_ceil(width).next_multiple_of(BLOCK);
                for_each_chunk_mut(to, count * width, |i, to| {
                    self.part(i * count, to.len() / width).copy(from, to);
                });
            }
            _ => self.copy(from, to),
        }
    }

    /// True if the first axis divides all of the `elements` of the destination.
    fn fills(&self, elements: usize) -> bool {
        let covers = |axis: &Axis<2>| {
            usize::try_from(axis.steps[1]).is_ok_and(|width| axis.extent * width == elements)
        };
        self.starts[1] == 0 && self.axes.first().is_some_and(covers)
    }

    /// A range of the first axis, in a destination of its own.
    fn part(&self, first: usize, extent: usize) -> Transfer {
        let mut axes = self.axes.clone();
        let mut source = self.starts[0] as isize;
        if let Some(axis) = axes.first_mut() {
            source += axis.steps[0] * first as isize;
            axis.extent = extent;
        }
        Transfer { axes, starts: [source as usize, 0] }
    }

    fn copy<T: Element>(&self, from: &[T], to: &mut [T]) {
        let mut outer = self.axes.clone();
        let inner = outer.pop().unwrap_or(Axis { extent: 1, steps: [1, 1] });
        let starts = self.starts.map(|start| start as isize);
        let rows = outer.iter().position(|axis| axis.steps[0] == 1);
        match (inner.steps, rows) {
            ([1, 1], _) => {
                for [source, target] in Odometer::new(&outer, starts) {
                    to[target..target + inner.extent]
                        .clone_from_slice(&from[source..source + inner.extent]);
                }
            }
            ([0, 1], _) => {
                for [source, target] in Odometer::new(&outer, starts) {
                    to[target..target + inner.extent].fill(from[source].clone());
                }
            }
            ([step, 1], Some(rows)) if step > 1 => {
                let rows = outer.remove(rows);
                for start in Odometer::new(&outer, starts) {
                    transpose_matrix(from, to, start, rows, inner);
                }
            }
            _ => {
                outer.push(inner);
                for [source, target] in Odometer::new(&outer, starts) {
                    to[target] = from[source].clone();
                }
            }
        }
    }
}

/// Copies the elements of a matrix of `rows` rows, column by column.
pub(crate) fn transpose_into<T: Bits>(matrix: &[T], rows: usize, out: &mut [T]) {
    let columns = matrix.len() / rows;
    let row = Axis { extent: columns, steps: [1, rows as isize] };
    let column = Axis { extent: rows, steps: [columns as isize, 1] };
    Transfer::new([row, column], [0, 0]).run(T::words(matrix), T::words_mut(out));
}

/// Copies a matrix whose rows are contiguous in the destination and whose columns are contiguous
/// in the source. It goes by square blocks through a buffer that stays in cache, and by squares of
/// such blocks, so that the ends of their lines are still in cache when their neighbors come up.
fn transpose_matrix<T: Element>(
    from: &[T],
    to: &mut [T],
    [source, target]: [usize; 2],
    rows: Axis<2>,
    columns: Axis<2>,
) {
    let (step, pitch) = (columns.steps[0] as usize, rows.steps[1] as usize);
    let mut block: Block<T> = from_fn(|_| from_fn(|_| T::default()));
    squares([0, 0], [rows.extent, columns.extent], SQUARE, |corner, extents| {
        squares(corner, extents, BLOCK, |[row, column], extents| {
            let from = &from[source + row + column * step..];
            let to = &mut to[target + row * pitch + column..];
            // The lines of a block are too far apart for the processor to foresee those of the next.
            for line in 0..BLOCK {
                prefetch(from, (BLOCK + line) * step);
                prefetch(to, line * pitch + BLOCK);
            }
            transpose_block(from, step, to, pitch, &mut block, extents);
        });
    });
}

/// Cuts a rectangle into squares, and calls `visit` with the corner and the extents of each.
fn squares(
    [row, column]: [usize; 2],
    [height, width]: [usize; 2],
    edge: usize,
    mut visit: impl FnMut([usize; 2], [usize; 2]),
) {
    for i in (0..height).step_by(edge) {
        for j in (0..width).step_by(edge) {
            visit([row + i, column + j], [edge.min(height - i), edge.min(width - j)]);
        }
    }
}

/// The rows of a block of the destination.
type Block<T> = [[T; BLOCK]; BLOCK];

fn transpose_block<T: Element>(
    from: &[T],
    step: usize,
    to: &mut [T],
    pitch: usize,
    block: &mut Block<T>,
    [height, width]: [usize; 2],
) {
    for column in 0..width {
        let line = &from[column * step..];
        // The loop of a whole column is unrolled.
        match line.first_chunk::<BLOCK>() {
            Some(line) if height == BLOCK => fill_column(block, column, line),
            _ => fill_column(block, column, &line[..height]),
        }
    }
    for (i, row) in block[..height].iter().enumerate() {
        to[i * pitch..i * pitch + width].clone_from_slice(&row[..width]);
    }
}

#[inline(always)]
fn fill_column<T: Element>(block: &mut Block<T>, column: usize, line: &[T]) {
    for (row, x) in block.iter_mut().zip(line) {
        row[column] = x.clone();
    }
}
