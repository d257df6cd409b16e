//! The gradient of filters that take one channel each.
//!
//! Its terms are the windows, in their order, [`TERMS`] at a time. Tiles are parts of the channels, and
//! vectors go along these.

use std::array::from_fn;
use std::ops::Range;

use tidemill_value::{Element, Memory};

use super::Convolution;
use super::pass::Axis;
use crate::NumericError;
use crate::matmul::{Shared, TERMS};
use crate::number::Number;
use crate::pool::{is_cancelled, threads, try_for_each_with};

/// The number of channels summed side by side, if there are as many,
const LANES: usize = 32;
/// if there are fewer,
const FEW: usize = 16;
/// and that of elements of a window.
const TAPS: usize = 3;
/// The most times that many filters of a tile.
const TOGETHER: usize = 4;

/// The windows, and the gradients of their results.
struct Windows<'a, T> {
    plan: &'a Convolution,
    axes: [Axis; 3],
    input: &'a [T],
    grad: &'a [T],
    /// The filters that are summed, some at a time.
    filters: Range<usize>,
}

impl Convolution {
    pub(super) fn filter_gradient_depthwise<T: Number + Element>(
        &self,
        memory: &Memory,
        input: &[T],
        grad: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let lanes = match self.filters {
            filters if filters != self.channels => 1,
            LANES.. => LANES,
            FEW.. => FEW,
            _ => 1,
        };
        let axes = self.windows.each_ref().map(Axis::forward);
        let (taps, filters, windows) = (self.taps(), self.filters, self.pixels());
        let parts = filters.div_ceil(lanes);
        let together = parts.div_ceil(threads()).min(TOGETHER);
        let len = taps * together * lanes;
        let out = Shared::of(out);
        try_for_each_with(memory, 2 * len, parts.div_ceil(together), |i, space| {
            // The last parts may share filters.
            let first = (i * together * lanes).min(filters - lanes);
            let end = filters.min((i + 1) * together * lanes);
            let all = Windows { plan: self, axes, input, grad, filters: first..end };
            let (total, sums) = space[..2 * len].split_at_mut(len);
            for start in (0..windows).step_by(TERMS) {
                if is_cancelled() {
                    break;
                }
                let part = if start == 0 { &mut *total } else { &mut *sums };
                part.fill(T::ZERO);
                sum(&all, lanes, start..windows.min(start + TERMS), part);
                if start > 0 {
                    super::add_to(total, sums);
                }
            }
            let skipped = i * together * lanes - first;
            let parts = (first..end).step_by(lanes).zip(total.chunks_exact(taps * lanes));
            for (j, (first, total)) in parts.enumerate() {
                let first = first.min(filters - lanes);
                let skipped = if j == 0 { skipped } else { 0 };
                for (tap, total) in total.chunks_exact(lanes).enumerate() {
                    for (filter, &sum) in (first..end).zip(total).skip(skipped) {
                        // SAFETY: The element lies inside the gradient, which is borrowed for writing,
                        // and no other tile has it.
                        unsafe { *out.at(tap * filters + filter) = sum };
                    }
                }
            }
            Ok(())
        })
    }
}

/// Adds the products of some windows to the sums of `lanes` filters.
fn sum<T: Number>(all: &Windows<'_, T>, lanes: usize, windows: Range<usize>, sums: &mut [T]) {
    let Windows { plan, axes: [depth, down, across], .. } = all;
    let mut window = windows.start;
    while window < windows.end {
        let (line, x) = (window / across.results, window % across.results);
        let xs = x..across.results.min(x + windows.end - window);
        let (image, line) =
            (line / down.results / depth.results, line % (down.results * depth.results));
        for (z, front) in depth.meetings(line / down.results) {
            for (y, tap) in down.meetings(line % down.results) {
                let row = ((image * depth.source + z) * down.source + y) * across.source;
                let taps = (front * down.taps + tap) * across.taps;
                let place = [window, row * plan.channels, taps];
                sum_row(all, lanes, place, xs.clone(), sums);
            }
        }
        window += xs.len();
    }
}

/// Adds the products of the windows `xs` of a line and a row of the input. The first window, the row and
/// the first element of the windows on that row have these numbers.
fn sum_row<T: Number>(
    all: &Windows<'_, T>,
    lanes: usize,
    [window, row, taps]: [usize; 3],
    xs: Range<usize>,
    sums: &mut [T],
) {
    let [_, _, across] = &all.axes;
    let place = [window.wrapping_sub(xs.start), row, taps];
    let mut add = |xs: Range<usize>, taps| {
        if !xs.is_empty() {
            sum_taps(all, lanes, place, xs, taps, sums);
        }
    };
    let mut tap = 0;
    while tap + TAPS <= across.taps {
        let met: [Range<usize>; TAPS] = from_fn(|i| across.meeting(tap + i, xs.clone()));
        // In the middle of the line, all of these elements are on the input.
        let start = met.iter().map(|met| met.start).max().unwrap_or(0);
        let end = met.iter().map(|met| met.end).min().unwrap_or(0).max(start);
        for (i, met) in met.iter().enumerate() {
            add(met.start..met.end.min(start), tap + i..tap + i + 1);
        }
        add(start..end, tap..tap + TAPS);
        for (i, met) in met.iter().enumerate() {
            add(met.start.max(end)..met.end, tap + i..tap + i + 1);
        }
        tap += TAPS;
    }
    for tap in tap..across.taps {
        add(across.meeting(tap, xs.clone()), tap..tap + 1);
    }
}

vectorized! {
    if T::IS_FLOAT;
    /// Adds the products of the windows `xs` and of one of their elements, or of [`TAPS`].
    fn sum_taps<T>(
        all: &Windows<'_, T>,
        lanes: usize,
        place: [usize; 3],
        xs: Range<usize>,
        taps: Range<usize>,
        sums: &mut [T],
    )
    where [T: Number]
    {
        match (lanes, taps.len()) {
            (LANES, TAPS) => sum_taps_by::<T, FUSED, LANES, TAPS>(all, place, xs, taps.start, sums),
            (LANES, _) => sum_taps_by::<T, FUSED, LANES, 1>(all, place, xs, taps.start, sums),
            (FEW, TAPS) => sum_taps_by::<T, FUSED, FEW, TAPS>(all, place, xs, taps.start, sums),
            (FEW, _) => sum_taps_by::<T, FUSED, FEW, 1>(all, place, xs, taps.start, sums),
            (_, TAPS) => sum_taps_by::<T, FUSED, 1, TAPS>(all, place, xs, taps.start, sums),
            _ => sum_taps_by::<T, FUSED, 1, 1>(all, place, xs, taps.start, sums),
        }
    }
}

// Loops over constant bounds are unrolled, and their sums stay in registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn sum_taps_by<T: Number, const FUSED: bool, const N: usize, const TAPS: usize>(
    all: &Windows<'_, T>,
    [window, row, taps]: [usize; 3],
    xs: Range<usize>,
    tap: usize,
    sums: &mut [T],
) {
    let Windows { plan, axes: [_, _, across], input, grad, filters: some } = all;
    let (channels, filters) = (plan.channels, plan.filters);
    let sums = sums.as_chunks_mut::<N>().0;
    let grad = &grad[window.wrapping_add(xs.start) * filters..];
    let input = &input[row + across.position(xs.start, tap) * channels..];
    let (step, gap, last) = (across.step * channels, across.gap * channels, xs.len() - 1);
    assert!(N <= filters && (N == 1 || channels == filters));
    assert!((last + 1) * filters <= grad.len());
    assert!(last * step + (TAPS - 1) * gap + channels <= input.len());
    for (first, sums) in some.clone().step_by(N).zip(sums.chunks_exact_mut(plan.taps())) {
        let Some(sums) = sums[taps + tap..].first_chunk_mut::<TAPS>() else { return };
        let first = first.min(filters - N);
        let channel = if N == 1 { first * channels / filters } else { first };
        let mut totals = *sums;
        for x in 0..xs.len() {
            // SAFETY: The last window has so many filters, as has been checked.
            let grad = unsafe { *grad.as_ptr().add(x * filters + first).cast::<[T; N]>() };
            for i in 0..TAPS {
                let at = x * step + i * gap + channel;
                // SAFETY: The last element has so many channels, as has been checked.
                let numbers = unsafe { *input.as_ptr().add(at).cast::<[T; N]>() };
                for j in 0..N {
                    totals[i][j] = totals[i][j].plus_product::<FUSED>(numbers[j], grad[j]);
                }
            }
        }
        *sums = totals;
    }
}
