//! The gradient of a filter: the product of the windows, transposed, and the gradient of the result.
//!
//! Its terms are the windows. They are summed in their order, [`TERMS`] at a time; tiles are parts of the
//! gradient.

use std::ops::Range;
use std::ptr::null_mut;

use tidemill_value::{Element, Memory};

use super::dense::{Runs, shares};
use super::filter::{copy_panels, padded_width, panels};
use super::micro::{Block, Kernel, Kernels, ROWS, Run};
use super::pass::Axis;
use super::strip::{Layout, Source};
use super::{Convolution, add_to};
use crate::NumericError;
use crate::matmul::{Multiply, Orientation, Shared, TERMS};
use crate::pool::{
    TILE, for_each_chunk_mut, is_cancelled, threads, try_for_each_chunk_mut_with, try_for_each_with,
};
use crate::window::Window;

/// The most columns of a tile,
const COLUMNS: usize = 512;
/// and the most elements, so that a cache holds them.
const ELEMENTS: usize = 1 << 16;
/// The number of parts of [`TERMS`] windows for each thread whose sums are added together.
const BLOCKS: usize = 4;
/// The least number of multiplications of a tile for [`TERMS`] windows, if there are enough.
const WORK: usize = 1 << 16;

impl Convolution {
    pub(super) fn filter_gradient_dense<T: Kernels + Multiply>(
        &self,
        memory: &Memory,
        input: &[T],
        grad: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        if self.is_product() {
            let left = ([self.pixels(), self.channels], Orientation::Transposed, input);
            let right = ([self.pixels(), self.filters], Orientation::Normal, grad);
            return Self::multiply(memory, left, right, out);
        }
        let axes = self.windows.each_ref().map(Axis::forward);
        let source = Source { numbers: input, axes, channels: self.channels };
        let [_, down, across] = axes.map(|axis| axis.results);
        let (layout, slabs) = if across > TERMS {
            (source.layout(1, TERMS), 2)
        } else {
            let lines = (TERMS + across - 2) / across + 1;
            (source.layout(lines.min(down), across), (lines + down - 2) / down + 1)
        };
        let (kernel, windows) = (T::kernel(), self.pixels());
        Gradient { of: self, source, layout, slabs, grad, kernel, windows }.compute(memory, out)
    }
}

struct Gradient<'a, T: 'static> {
    of: &'a Convolution,
    source: Source<'a, T>,
    /// The layout of the slabs for [`TERMS`] windows, and the most slabs of these.
    layout: Layout,
    slabs: usize,
    grad: &'a [T],
    kernel: Kernel<T>,
    windows: usize,
}

impl<T: Kernels + Element> Gradient<'_, T> {
    /// The numbers of rows and columns of the gradient of a group.
    fn sides(&self) -> [usize; 2] {
        [self.of.patch(), self.of.filters / self.of.groups]
    }

    /// The numbers of rows and columns of a tile.
    fn cut(&self, threads: usize) -> [usize; 2] {
        let [all_rows, all_columns] = self.sides();
        // Elements that are written once need not stay in a cache.
        let most = if self.windows > TERMS { ELEMENTS } else { usize::MAX };
        let columns = all_columns.min(COLUMNS);
        let parts = all_rows.div_ceil(most / columns);
        let across = all_columns.div_ceil(columns) * self.of.groups;
        // Tiles read the same numbers: there are no more than threads, if possible.
        let work = all_rows.saturating_mul(columns) * self.windows.min(TERMS);
        let wanted = threads.div_ceil(across).min(work.div_ceil(WORK));
        let parts =
            if parts * across >= 4 * threads { parts } else { parts.next_multiple_of(wanted) };
        [all_rows.div_ceil(parts.min(all_rows)), columns]
    }

    /// The number of elements of the gradient of [`TERMS`] results, packed, unless it is read in place.
    fn packed(&self) -> usize {
        let [_, columns] = self.sides();
        let is_panel = [self.kernel.lanes, self.kernel.columns()].contains(&columns);
        if is_panel && self.of.groups == 1 {
            return 0;
        }
        columns.next_multiple_of(self.kernel.lanes) * self.of.groups * TERMS.min(self.windows)
    }

    fn compute(&self, memory: &Memory, out: &mut [T]) -> Result<(), NumericError> {
        let threads = threads();
        let read = TERMS * (self.of.filters + self.of.channels);
        if threads > 1 && self.windows > TERMS && out.len() < read {
            return self.compute_by_windows(memory, BLOCKS * threads, out);
        }
        let [rows, columns] = self.sides();
        let cut = self.cut(threads);
        let [down, across] = [rows.div_ceil(cut[0]), columns.div_ceil(cut[1])];
        let out = Shared::of(out);
        try_for_each_with(memory, self.space(), self.of.groups * down * across, |i, space| {
            let (i, column) = (i / across, i % across * cut[1]);
            let (group, row) = (i / down, i % down * cut[0]);
            let columns = column..columns.min(column + cut[1]);
            let tile = Tile { of: self, group, rows: row..rows.min(row + cut[0]), columns };
            for first in (0..self.windows).step_by(TERMS) {
                if is_cancelled() {
                    break;
                }
                let windows = first..self.windows.min(first + TERMS);
                let laid_out = self.lay_out(windows, space);
                // SAFETY: Tiles do not overlap, each comes up once, and the gradient is borrowed for
                // writing.
                unsafe { tile.sum(&laid_out, &out, first > 0) };
            }
            Ok(())
        })
    }

    /// As [`compute`](Self::compute), where the windows take longer to read than the gradient: a tile is
    /// [`TERMS`] windows, whose sums are added later.
    fn compute_by_windows(
        &self,
        memory: &Memory,
        blocks: usize,
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let (len, [rows, columns]) = (out.len(), self.sides());
        let blocks = blocks.min(self.windows.div_ceil(TERMS));
        let mut sums = memory.workspace::<T>(blocks * len)?;
        for start in (0..self.windows).step_by(blocks * TERMS) {
            let count = (self.windows - start).div_ceil(TERMS).min(blocks);
            let sums = &mut sums[..count * len];
            try_for_each_chunk_mut_with(memory, self.space(), sums, len, |i, sum, space| {
                let first = start + i * TERMS;
                let windows = first..self.windows.min(first + TERMS);
                let (laid_out, sum) = (self.lay_out(windows, space), Shared::of(sum));
                for group in 0..self.of.groups {
                    let tile = Tile { of: self, group, rows: 0..rows, columns: 0..columns };
                    // SAFETY: The sums are borrowed for writing.
                    unsafe { tile.sum(&laid_out, &sum, false) };
                }
                Ok::<_, NumericError>(())
            })?;
            for_each_chunk_mut(out, TILE / count, |i, out| {
                for (block, sum) in sums.chunks_exact(len).enumerate() {
                    let sum = &sum[i * (TILE / count)..][..out.len()];
                    if start == 0 && block == 0 {
                        out.copy_from_slice(sum);
                    } else {
                        add_to(out, sum);
                    }
                }
            });
        }
        Ok(())
    }

    /// The number of elements that a tile needs to lay out windows and to pack the gradient.
    fn space(&self) -> usize {
        self.layout.slab.saturating_mul(self.slabs).saturating_add(self.packed())
    }

    /// Lays out some windows, and packs the gradient of their results.
    fn lay_out<'s>(&'s self, windows: Range<usize>, space: &'s mut [T]) -> LaidOut<'s, T> {
        let (filters, count) = (self.of.filters, windows.len());
        let (packed, strip) = space.split_at_mut(self.packed());
        let [_, columns] = self.sides();
        let of_group = columns.next_multiple_of(self.kernel.lanes) * count;
        for (group, packed) in packed.chunks_exact_mut(of_group).take(self.of.groups).enumerate() {
            let grad = &self.grad[windows.start * filters + group * columns..];
            copy_panels(&self.kernel, grad, filters, 0..columns, packed);
        }
        for (i, (lines, xs)) in self.pieces(windows.clone()).enumerate() {
            let slab = &mut strip[i * self.layout.slab..][..self.layout.slab];
            self.source.copy(&self.layout, lines, xs, slab);
        }
        let numbers = if self.layout.is_in_place { self.source.numbers } else { strip };
        let packed = if packed.is_empty() { &self.grad[windows.start * filters..] } else { packed };
        LaidOut { runs: self.runs(windows), count, numbers, packed }
    }

    /// The lines of each slab that some windows are in, and the parts of these lines to be laid out.
    fn pieces(&self, windows: Range<usize>) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let [_, down, across] = self.source.axes.map(|axis| axis.results);
        let mut window = windows.start;
        std::iter::from_fn(move || {
            if window >= windows.end {
                return None;
            }
            let (line, x) = (window / across, window % across);
            let is_long = across > TERMS;
            let end = if is_long { line + 1 } else { (line / down + 1) * down };
            let end = end.min(windows.end.div_ceil(across));
            window = end * across;
            let xs = if is_long { x..windows.end.min(window) - line * across } else { 0..across };
            Some((line..end, xs))
        })
    }

    /// The runs of some windows' first elements.
    fn runs(&self, windows: Range<usize>) -> Runs {
        let across = self.source.axes[2].results;
        let mut runs = Runs::new();
        for (i, (lines, xs)) in self.pieces(windows.clone()).enumerate() {
            let at = (xs.start, i * self.layout.slab);
            self.source.places(&self.layout, lines, at, |line, place| {
                let first = line * across;
                let skipped = windows.start.saturating_sub(first + xs.start);
                let len = (windows.end - first).min(xs.end) - xs.start - skipped;
                runs.push(Run { offset: place + skipped * self.layout.window, len });
            });
        }
        runs
    }
}

/// Up to [`TERMS`] windows.
struct LaidOut<'a, T> {
    /// The runs of their first elements.
    runs: Runs,
    count: usize,
    /// What the windows are in.
    numbers: &'a [T],
    /// The gradient of their results.
    packed: &'a [T],
}

/// Some rows and columns of the gradient of a group.
struct Tile<'a, 'g, T: 'static> {
    of: &'a Gradient<'g, T>,
    group: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl<T: Kernels + Element> Tile<'_, '_, T> {
    /// Sums the products of some windows, and adds them if there are others before.
    ///
    /// # Safety
    /// Nobody else may use the elements of the tile meanwhile.
    unsafe fn sum(&self, windows: &LaidOut<'_, T>, out: &Shared<T>, adds: bool) {
        let Gradient { kernel, .. } = self.of;
        let [_, columns] = self.of.sides();
        let before = self.group * columns.next_multiple_of(kernel.lanes);
        for panel in panels(kernel, self.columns.clone()) {
            let len = padded_width(kernel, &panel) * windows.count;
            let right = &windows.packed[(before + panel.start) * windows.count..][..len];
            // SAFETY: As the caller ensures.
            unsafe { self.panel((windows.numbers, &windows.runs), panel, right, adds, out) };
        }
    }

    /// Adds the products of some windows to the columns of a panel.
    ///
    /// # Safety
    /// Nobody else may use the elements of the tile meanwhile.
    unsafe fn panel(
        &self,
        (numbers, runs): (&[T], &[Run]),
        columns: Range<usize>,
        right: &[T],
        adds: bool,
        out: &Shared<T>,
    ) {
        let Gradient { of: plan, kernel, .. } = self.of;
        let column = self.group * (plan.filters / plan.groups) + columns.start;
        let mut elements = Elements::from(self, self.rows.start);
        let mut row = self.rows.start;
        for count in shares(self.rows.len(), kernel.rows()) {
            let (rows, outs) = ([numbers.as_ptr(); ROWS], [null_mut(); ROWS]);
            let (right, step) = (right.as_ptr(), self.of.layout.window);
            let mut block = Block { rows, outs, count, runs, step, right, adds };
            for i in 0..count {
                block.rows[i] = numbers.as_ptr().wrapping_add(elements.next());
                // SAFETY: The element lies inside the gradient.
                block.outs[i] = unsafe { out.at(row * plan.filters + column) };
                row += 1;
            }
            // SAFETY: Each window has all its numbers in the source or the strip, the panel has one for
            // each window and column, and the caller vouches for the gradient.
            unsafe { kernel.compute(block, columns.len()) };
        }
    }
}

/// The elements of windows, one after the other.
struct Elements {
    extents: [usize; 3],
    pitches: [usize; 3],
    channels: usize,
    group: usize,
    taps: [usize; 3],
    channel: usize,
}

impl Elements {
    fn from<T>(tile: &Tile<'_, '_, T>, element: usize) -> Self {
        let (plan, group, pitches) = (tile.of.of, tile.group, tile.of.layout.pitches);
        let channels = plan.channels / plan.groups;
        let extents = plan.windows.each_ref().map(Window::filter);
        let (tap, channel) = (element / channels, element % channels);
        let (line, across) = (tap / extents[2], tap % extents[2]);
        let taps = [line / extents[1], line % extents[1], across];
        Elements { extents, pitches, channels, group, taps, channel }
    }

    /// The place of the element in the first window.
    fn next(&mut self) -> usize {
        let tap: usize = (0..3).map(|i| self.taps[i] * self.pitches[i]).sum();
        let place = tap + self.group * self.channels + self.channel;
        self.channel += 1;
        if self.channel == self.channels {
            self.channel = 0;
            for i in [2, 1, 0] {
                self.taps[i] += 1;
                if self.taps[i] < self.extents[i] {
                    break;
                }
                self.taps[i] = 0;
            }
        }
        place
    }
}
