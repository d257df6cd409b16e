//! The parts of a source that windows read, with the padding around them.

use std::ops::Range;

use super::pass::{Axis, Span};
use crate::number::Number;

/// The bytes after which addresses meet the same lines of the first cache, and those of a line.
const PAGE: usize = 4096;
const LINE: usize = 64;

/// A source of shape `[images, space.., channels]` and the windows that pass over it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a, T> {
    pub(super) numbers: &'a [T],
    pub(super) axes: [Axis; 3],
    pub(super) channels: usize,
}

/// The distances of windows and of their elements, in numbers.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Whether windows are read where they lie on the source.
    pub(super) is_in_place: bool,
    spans: [Span; 3],
    /// The distance of the elements of a line.
    column: usize,
    /// The distance of lines of windows.
    line: usize,
    /// The distance of the windows of a line.
    pub(super) window: usize,
    /// The distances of the elements of a window along each axis.
    pub(super) pitches: [usize; 3],
    /// The numbers of one slab.
    pub(super) slab: usize,
}

impl<T: Number> Source<'_, T> {
    /// The layout of slabs of up to `height` lines of `width` windows.
    pub(super) fn layout(&self, height: usize, width: usize) -> Layout {
        let [depth, down, across] = &self.axes;
        let spans = [depth.span(1), down.span(height), across.span(width)];
        // Rows whose numbers lie at multiples of a page would crowd the same lines of the first cache.
        let page = PAGE / size_of::<T>();
        let is_in_place = !self.axes.iter().any(Axis::is_padded)
            && !(across.step * self.channels).is_multiple_of(page);
        let (column, extents, steps, pitches, slab) = if is_in_place {
            let axes = &self.axes;
            let extents = [1, 2].map(|i| axes[i].source);
            (self.channels, extents, [1, 2].map(|i| axes[i].step), axes.map(|axis| axis.gap), 0)
        } else {
            let crowded = self.channels.is_multiple_of(page / 2);
            let column = self.channels + if crowded { LINE / size_of::<T>() } else { 0 };
            let [planes, rows, columns] = spans.map(|span| span.len);
            let slab = planes.saturating_mul(rows).saturating_mul(columns).saturating_mul(column);
            let steps = [1, 2].map(|i| spans[i].step);
            (column, [rows, columns], steps, spans.map(|span| span.pitch), slab)
        };
        // Distances that nothing is at may be longer than memory.
        let row = extents[1].wrapping_mul(column);
        let plane = extents[0].wrapping_mul(row);
        let pitches = [
            pitches[0].wrapping_mul(plane),
            pitches[1].wrapping_mul(row),
            pitches[2].wrapping_mul(column),
        ];
        let (line, window) = (steps[0].wrapping_mul(row), steps[1].wrapping_mul(column));
        Layout { is_in_place, spans, column, line, window, pitches, slab }
    }

    /// The image, the plane and the line of one of all lines of windows.
    pub(super) fn line(&self, line: usize) -> [usize; 3] {
        let [depth, down, _] = &self.axes;
        let (slab, y) = (line / down.results, line % down.results);
        [slab / depth.results, slab % depth.results, y]
    }

    /// Calls `place` with each of some lines of one slab, and with the place of window `x` of it; the slab
    /// is at `at` unless windows are read in place.
    pub(super) fn places(
        &self,
        layout: &Layout,
        lines: Range<usize>,
        (x, at): (usize, usize),
        mut place: impl FnMut(usize, usize),
    ) {
        let first = if layout.is_in_place {
            let (image, start) = self.start(lines.start, x);
            let [z, y, x] = start.map(|position| position as usize);
            let [depth, down, across] = self.axes.map(|axis| axis.source);
            (((image * depth + z) * down + y) * across + x) * self.channels
        } else {
            at
        };
        for (i, line) in lines.enumerate() {
            place(line, first + i * layout.line);
        }
    }

    /// The image and the position where window `x` of a line starts.
    fn start(&self, line: usize, x: usize) -> (usize, [isize; 3]) {
        let [image, z, y] = self.line(line);
        let start =
            |i: usize, result: usize| self.axes[i].shift + (result * self.axes[i].step) as isize;
        (image, [start(0, z), start(1, y), start(2, x)])
    }

    /// Lays out the windows `xs` of some lines of one slab, unless they are read in place.
    pub(super) fn copy(
        &self,
        layout: &Layout,
        lines: Range<usize>,
        xs: Range<usize>,
        slab: &mut [T],
    ) {
        if layout.is_in_place {
            return;
        }
        let (image, start) = self.start(lines.start, xs.start);
        let [depth, down, across] = self.axes.map(|axis| axis.source);
        let [planes, rows, columns] = &layout.spans;
        let line = columns.len * layout.column;
        // Only spans whose elements lie in one run can be cut short.
        let rows_used = if rows.is_run() { self.axes[1].reach(lines.len()) } else { rows.len };
        let columns_used =
            if columns.is_run() { self.axes[2].reach(xs.len()) } else { columns.len };
        let is_run = columns.is_run() && layout.column == self.channels;
        for plane in 0..planes.len {
            let z = planes.position(start[0], plane);
            for row in 0..rows_used {
                let y = rows.position(start[1], row);
                let out =
                    &mut slab[(plane * rows.len + row) * line..][..columns_used * layout.column];
                if !inside(z, depth) || !inside(y, down) {
                    out.fill(T::ZERO);
                    continue;
                }
                let from = ((image * depth + z as usize) * down + y as usize) * across;
                let from = &self.numbers[from * self.channels..][..across * self.channels];
                if is_run {
                    copy_run(from, start[2], self.channels, out);
                    continue;
                }
                for (i, out) in out.chunks_exact_mut(layout.column).enumerate() {
                    let out = &mut out[..self.channels];
                    copy_run(from, columns.position(start[2], i), self.channels, out);
                }
            }
        }
    }
}

fn inside(position: isize, extent: usize) -> bool {
    usize::try_from(position).is_ok_and(|position| position < extent)
}

/// Copies elements of a row, of `channels` numbers each, from `start` on, with zeros beyond its ends.
fn copy_run<T: Number>(row: &[T], start: isize, channels: usize, out: &mut [T]) {
    let count = out.len() / channels;
    let before = if start < 0 { start.unsigned_abs().min(count) } else { 0 };
    let first = usize::try_from(start).unwrap_or(0).min(row.len() / channels);
    let copied = (count - before).min(row.len() / channels - first);
    let (before, copied) = (before * channels, copied * channels);
    out[..before].fill(T::ZERO);
    out[before..before + copied].copy_from_slice(&row[first * channels..][..copied]);
    out[before + copied..].fill(T::ZERO);
}
