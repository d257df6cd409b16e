//! Passes of windows over a source, each of which gives one result: the windows of a convolution over
//! its input, or those of its input's gradient over the gradient of the result.
//!
//! A stride of the convolution parts the elements of the input into *phases*, each of which meets a part
//! of the filter: the gradient has a pass for each phase, whose windows move by 1.

use std::ops::Range;

use crate::window::Window;

/// The windows of a pass along one axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Axis {
    /// The number of windows.
    pub(super) results: usize,
    /// The distance from one window to the next, on the source.
    pub(super) step: usize,
    /// The number of elements of a window.
    pub(super) taps: usize,
    /// The position on the source of the first element of the first window.
    pub(super) shift: isize,
    /// The distance from one element of a window to the next, on the source.
    pub(super) gap: usize,
    /// The extent of the source.
    pub(super) source: usize,
    /// The element of the filter that meets the first element of a window, and the distance to the next.
    pub(super) filter: (usize, isize),
    /// The place of the first result, the distance to the next, and the extent of all results of all
    /// passes.
    pub(super) start: usize,
    pub(super) stride: usize,
    pub(super) extent: usize,
}

impl Axis {
    /// The windows of a convolution.
    pub(super) fn forward(window: &Window) -> Self {
        let results = window.output();
        Axis {
            results,
            step: window.stride(),
            taps: window.filter(),
            shift: -(window.padding().0 as isize),
            gap: window.dilation(),
            source: window.input(),
            filter: (0, 1),
            start: 0,
            stride: 1,
            extent: results,
        }
    }

    /// The number of phases of the gradient of the input.
    pub(super) fn phases(window: &Window) -> usize {
        window.stride().min(window.input())
    }

    /// The windows of a phase of the gradient of the input, which begins with element `start`. There may
    /// be no elements in a window.
    pub(super) fn backward(window: &Window, start: usize) -> Self {
        let (stride, dilation) = (window.stride(), window.dilation());
        let before = start + window.padding().0;
        let (first, phase) = (before / stride, before % stride);
        // Each so many elements of the filter, one meets the phase.
        let common = common_divisor(stride, dilation);
        let (period, gap) = (stride / common, dilation / common);
        let lowest = (0..period.min(window.filter())).find(|tap| tap * dilation % stride == phase);
        let taps = lowest.map_or(0, |lowest| (window.filter() - lowest).div_ceil(period));
        let highest = lowest.unwrap_or(0) + taps.saturating_sub(1) * period;
        // The last element of the filter meets the first element of the gradient.
        let back = (highest * dilation).saturating_sub(phase) / stride;
        Axis {
            results: (window.input() - start).div_ceil(stride),
            step: 1,
            taps,
            shift: first as isize - back as isize,
            gap,
            source: window.output(),
            filter: (highest, -(period as isize)),
            start,
            stride,
            extent: window.input(),
        }
    }

    /// The element of the filter that meets element `tap` of a window.
    pub(super) fn filter_tap(&self, tap: usize) -> usize {
        self.filter.0.wrapping_add_signed(self.filter.1 * tap as isize)
    }

    /// The extent of the source that some windows, and at least one, reach over.
    pub(super) fn reach(&self, results: usize) -> usize {
        (results.max(1) - 1) * self.step + (self.taps.max(1) - 1) * self.gap + 1
    }

    /// Whether some elements of windows lie beyond the source.
    pub(super) fn is_padded(&self) -> bool {
        match usize::try_from(self.shift) {
            Ok(shift) => shift + self.reach(self.results) > self.source,
            Err(_) => true,
        }
    }

    /// The position on the source of an element of a window that lies on it.
    #[inline(always)]
    pub(super) fn position(&self, result: usize, tap: usize) -> usize {
        (result * self.step + tap * self.gap).wrapping_add_signed(self.shift)
    }

    /// The elements of a window that lie on the source.
    #[inline(always)]
    pub(super) fn inside(&self, result: usize) -> Range<usize> {
        let start = (result * self.step) as isize + self.shift;
        let steps = |distance: isize| match (usize::try_from(distance), self.gap) {
            (Err(_), _) => 0,
            // Division takes longer than all the rest.
            (Ok(distance), 1) => distance,
            (Ok(distance), gap) => distance.div_ceil(gap),
        };
        let end = steps(self.source as isize - start).min(self.taps);
        steps(-start).min(end)..end
    }

    /// The positions on the source of the elements of a window that lie there, and the elements of the
    /// filter that meet them.
    #[inline(always)]
    pub(super) fn meetings(&self, result: usize) -> impl Iterator<Item = (usize, usize)> {
        let axis = *self;
        self.inside(result).map(move |tap| (axis.position(result, tap), axis.filter_tap(tap)))
    }

    /// The windows among `results` whose element `tap` lies on the source.
    #[inline(always)]
    pub(super) fn meeting(&self, tap: usize, results: Range<usize>) -> Range<usize> {
        let start = (tap * self.gap) as isize + self.shift;
        // Division takes longer than all the rest.
        let steps = |distance: isize| match (usize::try_from(distance), self.step) {
            (Err(_), _) => 0,
            (Ok(distance), 1) => distance,
            (Ok(distance), 2) => distance.div_ceil(2),
            (Ok(distance), step) => distance.div_ceil(step),
        };
        let end = steps(self.source as isize - start).min(results.end).max(results.start);
        steps(-start).clamp(results.start, end)..end
    }

    /// The windows among `results` all of whose elements lie on the source.
    #[inline(always)]
    pub(super) fn whole(&self, results: Range<usize>) -> Range<usize> {
        let first = self.meeting(0, results.clone());
        let last = self.meeting(self.taps.max(1) - 1, results);
        first.start.max(last.start)..first.end.min(last.end)
    }

    /// How `results` windows lie side by side in memory of their own.
    pub(super) fn span(&self, results: usize) -> Span {
        let (starts, taps) = ((results.max(1) - 1) * self.step + 1, self.taps.max(1));
        if results > 1 && self.step > (taps - 1) * self.gap {
            // The windows do not overlap: what lies between them is left out.
            let (step, pitch, len) = (taps, 1, results * taps);
            Span { step, pitch, len, part: taps, distances: [self.step, self.gap] }
        } else if self.gap > starts {
            // The elements that meet one of the filter do not overlap with those of the next.
            let (step, pitch, len) = (self.step, starts, taps * starts);
            Span { step, pitch, len, part: starts, distances: [self.gap, 1] }
        } else {
            let (step, pitch, len) = (self.step, self.gap, self.reach(results));
            Span { step, pitch, len, part: 1, distances: [1, 0] }
        }
    }
}

fn common_divisor(left: usize, right: usize) -> usize {
    if right == 0 { left } else { common_divisor(right, left % right) }
}

/// Windows side by side.
#[derive(Clone, Copy)]
pub(super) struct Span {
    /// The distance from one window to the next.
    pub(super) step: usize,
    /// The distance from one element of a window to the next.
    pub(super) pitch: usize,
    pub(super) len: usize,
    part: usize,
    /// The distances on the source of the parts, and within one.
    distances: [usize; 2],
}

impl Span {
    /// The position on the source of an element of the span, if that begins at `start`.
    pub(super) fn position(&self, start: isize, at: usize) -> isize {
        let (part, rest) = match self.part {
            1 => (at, 0),
            len => (at / len, at % len),
        };
        start + (part * self.distances[0] + rest * self.distances[1]) as isize
    }

    /// Whether the elements lie side by side on the source too.
    pub(super) fn is_run(&self) -> bool {
        self.part == 1 && self.distances[0] == 1
    }
}
