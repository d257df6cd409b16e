//! Convolutions whose filters take one channel each. Vectors go along the channels, and some windows are
//! summed side by side.
//!
//! A sum takes its terms in order, by fused multiply-add where the machine has it. Elements of windows
//! beyond the input are left out.

use std::array::from_fn;
use std::ops::Range;

use smallvec::SmallVec;

use super::Convolution;
use super::pass::Axis;
use crate::matmul::TERMS;
use crate::number::Number;
use crate::pool::{TILE, for_each_chunk_mut};

/// The number of channels summed side by side, if there are as many,
const LANES: usize = 16;
/// and that of windows.
const WINDOWS: usize = 4;
/// The number of channels of a line that are computed before the next ones.
const CHANNELS: usize = 4 * LANES;
/// The number of multiplications that are worth a thread's while.
const WORK: usize = 4 * TILE;

/// The results on a part of a line, and what they are summed from.
struct Line<'a, T> {
    source: &'a [T],
    filter: &'a [T],
    /// The starts of the rows of the source, and the numbers of the elements of the filter that begin the
    /// rows that meet them.
    rows: &'a [(usize, usize)],
    across: Axis,
    /// The part of the line, among the elements of the result.
    part: Range<usize>,
    /// The numbers of channels of the source, of the result and of the filter.
    channels: [usize; 3],
}

/// Rows of the source and of the filter that meet in the windows of a line.
type Rows = SmallVec<[(usize, usize); 16]>;

impl Convolution {
    /// Whether sums are taken here. Long ones are not: products know how to order them.
    pub(super) fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.channels == self.groups && self.taps() <= TERMS
    }

    pub(super) fn forward_depthwise<T: Number>(&self, input: &[T], filter: &[T], out: &mut [T]) {
        let axis = |i: usize, _| Axis::forward(&self.windows[i]);
        self.sum_lines(input, filter, [self.channels, self.filters], axis, out);
    }

    pub(super) fn input_gradient_depthwise<T: Number>(
        &self,
        filter: &[T],
        grad: &[T],
        out: &mut [T],
    ) {
        let axis = |i: usize, start| Axis::backward(&self.windows[i], start);
        self.sum_lines(grad, filter, [self.filters, self.channels], axis, out);
    }

    /// Sums the windows of a source of so many channels for each element of the result. `axis` gives the
    /// windows of each phase along an axis.
    fn sum_lines<T: Number>(
        &self,
        source: &[T],
        filter: &[T],
        channels: [usize; 2],
        axis: impl Fn(usize, usize) -> Axis + Sync,
        out: &mut [T],
    ) {
        let first: [Axis; 3] = from_fn(|i| axis(i, 0));
        let [depth, height, width] = first.each_ref().map(|axis| axis.extent);
        let tile = WORK.div_ceil(self.taps() * self.filters).max(1);
        let channels = [channels[0], channels[1], self.filters];
        for_each_chunk_mut(out, tile * channels[1], |i, out| {
            let end = i * tile + out.len() / channels[1];
            let (mut at, mut rest) = (i * tile, out);
            while at < end {
                let (line, x) = (at / width, at % width);
                let part = x..width.min(x + end - at);
                let (out, others) = rest.split_at_mut(part.len() * channels[1]);
                let position = [line / height / depth, line / height % depth, line % height];
                let [z, y] = [1, 2].map(|i| {
                    let stride = first[i - 1].stride;
                    (axis(i - 1, position[i] % stride), position[i] / stride)
                });
                let rows = self.meeting_rows(position[0], [z, y], first[2].source, channels[0]);
                for start in 0..first[2].stride.min(width) {
                    let (part, across) = (part.clone(), axis(2, start));
                    let line = Line { source, filter, rows: &rows, across, part, channels };
                    sum_line(&line, out);
                }
                (at, rest) = (at + part.len(), others);
            }
        });
    }

    /// The rows that meet in the windows of a line, of which `axes` has the numbers.
    fn meeting_rows(
        &self,
        image: usize,
        [depth, down]: [(Axis, usize); 2],
        width: usize,
        channels: usize,
    ) -> Rows {
        let mut rows = Rows::new();
        for (z, front) in depth.0.meetings(depth.1) {
            for (y, tap) in down.0.meetings(down.1) {
                let row = (image * depth.0.source + z) * down.0.source + y;
                let tap = front * self.windows[1].filter() + tap;
                rows.push((row * width * channels, tap * self.windows[2].filter()));
            }
        }
        rows
    }
}

/// Sums the windows of a line, those in the middle side by side.
fn sum_line<T: Number>(line: &Line<'_, T>, out: &mut [T]) {
    let Line { across, part, channels: [_, channels, _], .. } = line;
    let before = |element: usize| element.saturating_sub(across.start).div_ceil(across.stride);
    let results = before(part.start)..before(part.end).min(across.results);
    let whole = across.whole(results.clone());
    let meetings = Meetings::of(line);
    // Few channels at a time, so that the first cache keeps the rows for the next line.
    for start in (0..*channels).step_by(CHANNELS) {
        let channels = start..*channels.min(&(start + CHANNELS));
        let mut x = results.start;
        while x < results.end {
            let is_whole = x >= whole.start && x < whole.end;
            let taps = if is_whole { 0..across.taps } else { across.inside(x) };
            let windows = (x, taps, channels.clone());
            if is_whole && x + WINDOWS <= whole.end {
                sum_windows(line, &meetings, windows, WINDOWS, out);
                x += WINDOWS;
            } else {
                sum_windows(line, &meetings, windows, 1, out);
                x += 1;
            }
        }
    }
}

/// The numbers that meet in the windows of a line: for each row and each element of a window on it, the
/// places of the first channel of the source, counted from the window's first column, and of the filters.
struct Meetings(SmallVec<[(usize, usize); TERMS]>);

impl Meetings {
    fn of<T>(line: &Line<'_, T>) -> Self {
        let Line { filter, rows, across, channels: [channels, _, filters], .. } = line;
        let mut places = SmallVec::new();
        for &(row, row_tap) in *rows {
            for tap in 0..across.taps {
                let weights = (row_tap + across.filter_tap(tap)) * filters;
                assert!(weights + filters <= filter.len());
                places.push((row + tap * across.gap * channels, weights));
            }
        }
        Meetings(places)
    }
}

vectorized! {
    if T::IS_FLOAT;
    /// Sums some elements of `count` windows from `x` on, and some channels.
    fn sum_windows<T>(
        line: &Line<'_, T>,
        meetings: &Meetings,
        windows: (usize, Range<usize>, Range<usize>),
        count: usize,
        out: &mut [T],
    )
    where [T: Number]
    {
        let [source, results, _] = line.channels;
        match (source == results && source >= LANES, count) {
            (true, WINDOWS) => sum_by::<T, FUSED, LANES, WINDOWS>(line, meetings, windows, out),
            (true, _) => sum_by::<T, FUSED, LANES, 1>(line, meetings, windows, out),
            (false, WINDOWS) => sum_by::<T, FUSED, 1, WINDOWS>(line, meetings, windows, out),
            (false, _) => sum_by::<T, FUSED, 1, 1>(line, meetings, windows, out),
        }
    }
}

// Loops over constant bounds are unrolled, and their sums stay in registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn sum_by<T: Number, const FUSED: bool, const N: usize, const WINDOWS: usize>(
    line: &Line<'_, T>,
    Meetings(places): &Meetings,
    (x, taps, some): (usize, Range<usize>, Range<usize>),
    out: &mut [T],
) {
    let Line { source, filter, rows, across, part, channels } = line;
    let [channels, results, filters] = *channels;
    let first = across.start + x * across.stride - part.start;
    let (step, share) = (across.step * channels, (channels / results).max(1));
    // The rows are in order.
    if let Some((row, _)) = rows.last().filter(|_| !taps.is_empty()) {
        let last = (across.position(x, taps.end - 1) + 1) * channels + (WINDOWS - 1) * step;
        assert!(row + last <= source.len());
    }
    assert!(N == 1 || channels == results && results == filters && N <= results);
    let column = across.position(x, 0).wrapping_mul(channels);
    // Elements of all rows come one after the other if all meet the window.
    let all = if taps.len() == across.taps { places.len() } else { across.taps };
    let taps = if taps.len() == across.taps { 0..places.len() } else { taps };
    for channel in some.step_by(N) {
        // The last channels may have been summed before, to the same bits.
        let from = channel.min(results - N);
        let (of_source, of_filter) = match N {
            1 => (from * channels / results, from * filters / results),
            _ => (from, from),
        };
        let mut sums = [[T::ZERO; N]; WINDOWS];
        for places in places.chunks_exact(all.max(1)) {
            for &(at, weights) in &places[taps.clone()] {
                for i in 0..if N == 1 { share } else { 1 } {
                    // SAFETY: All places have so many filters, as has been checked.
                    let weights =
                        unsafe { *filter.as_ptr().add(weights + of_filter + i).cast::<[T; N]>() };
                    for window in 0..WINDOWS {
                        let at = at.wrapping_add(column) + window * step + of_source + i;
                        // SAFETY: The last row has so many channels, as has been checked.
                        let numbers = unsafe { *source.as_ptr().add(at).cast::<[T; N]>() };
                        for j in 0..N {
                            let sum = sums[window][j];
                            sums[window][j] = sum.plus_product::<FUSED>(numbers[j], weights[j]);
                        }
                    }
                }
            }
        }
        for (window, sums) in sums.iter().enumerate() {
            let place = (first + window * across.stride) * results + from;
            out[place..place + N].copy_from_slice(sums);
        }
    }
}
