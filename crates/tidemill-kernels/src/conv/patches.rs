//! The positions of the elements of windows.

use std::ops::Range;

use smallvec::SmallVec;

use super::Convolution;
use crate::number::Number;

/// The elements of one window that lie on one row of the input.
pub(super) struct Row {
    /// The number of the first element, counted over the whole window.
    pub(super) tap: usize,
    /// The number of elements.
    pub(super) taps: usize,
    /// The position in the image of the first channel of the first element.
    pub(super) offset: usize,
}

/// The rows of filter and image that meet in every window of one line of the output: the number of
/// each row's first element in the filter, and its start in the image.
type Meetings = SmallVec<[(usize, usize); 16]>;

impl Convolution {
    /// Calls `visit` with the rows of each of the windows `pixels`, which are counted over all
    /// images, and with the numbers of the window and of its image.
    #[inline(always)]
    pub(super) fn rows(&self, pixels: Range<usize>, mut visit: impl FnMut(usize, usize, Row)) {
        let [depth, height, width] = &self.windows;
        let lines = depth.output() * height.output();
        let mut meetings = Meetings::new();
        let mut pixel = pixels.start;
        while pixel < pixels.end {
            let (line, first) = (pixel / width.output(), pixel % width.output());
            let image = line / lines;
            self.meet(line % lines, &mut meetings);
            let end = pixels.end.min(pixel + width.output() - first);
            for (pixel, x) in (pixel..end).zip(first..) {
                let across = width.taps(x);
                if across.is_empty() {
                    continue;
                }
                let column = width.position(x, across.start) * self.channels;
                for &(tap, offset) in &meetings {
                    let (tap, taps) = (tap + across.start, across.len());
                    visit(pixel, image, Row { tap, taps, offset: offset + column });
                }
            }
            pixel = end;
        }
    }

    fn meet(&self, line: usize, meetings: &mut Meetings) {
        let [depth, height, width] = &self.windows;
        let (z, y) = (line / height.output(), line % height.output());
        meetings.clear();
        for front in depth.taps(z) {
            let plane = depth.position(z, front) * height.input();
            for down in height.taps(y) {
                let row = plane + height.position(y, down);
                let tap = (front * height.filter() + down) * width.filter();
                meetings.push((tap, row * width.input() * self.channels));
            }
        }
    }

    /// Calls `visit` with the runs of elements of windows that lie side by side both in a patch of
    /// a group of channels and in the image: the numbers of window and image, the starts in both,
    /// and the length.
    #[inline(always)]
    fn runs(
        &self,
        pixels: Range<usize>,
        group: usize,
        mut visit: impl FnMut(usize, usize, [usize; 2], usize),
    ) {
        let taken = self.channels / self.groups;
        let dilation = self.windows[2].dilation();
        let joined = self.groups == 1 && dilation == 1;
        self.rows(pixels, |pixel, image, Row { tap, taps, offset }| {
            if joined {
                return visit(pixel, image, [tap * taken, offset], taps * taken);
            }
            for i in 0..taps {
                let offset = offset + i * dilation * self.channels + group * taken;
                visit(pixel, image, [(tap + i) * taken, offset], taken);
            }
        });
    }

    /// Lays out windows of a group of channels, from `first` on, as the rows of a matrix.
    pub(super) fn gather<T: Number>(
        &self,
        first: usize,
        group: usize,
        input: &[T],
        patches: &mut [T],
    ) {
        let (patch, volume) = (self.patch(), self.image_volume());
        patches.fill(T::ZERO);
        let pixels = first..first + patches.len() / patch;
        self.runs(pixels, group, |pixel, image, [to, from], len| {
            let (to, from) = ((pixel - first) * patch + to, image * volume + from);
            copy(&input[from..from + len], &mut patches[to..to + len]);
        });
    }

    /// Adds windows laid out as by [`gather`](Convolution::gather) back to an image; `first` is
    /// counted within that image.
    pub(super) fn scatter<T: Number>(
        &self,
        first: usize,
        group: usize,
        patches: &[T],
        image: &mut [T],
    ) {
        let patch = self.patch();
        let pixels = first..first + patches.len() / patch;
        self.runs(pixels, group, |pixel, _, [from, to], len| {
            let from = (pixel - first) * patch + from;
            super::add_to(&mut image[to..to + len], &patches[from..from + len]);
        });
    }

    /// The number of elements of a window in one group of channels.
    pub(super) fn patch(&self) -> usize {
        self.taps() * (self.channels / self.groups)
    }
}

/// Copies a run. Short ones are not worth a call.
#[inline(always)]
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    match from.len() {
        1 => fixed::<T, 1>(from, to),
        2 => fixed::<T, 2>(from, to),
        3 => fixed::<T, 3>(from, to),
        4 => fixed::<T, 4>(from, to),
        5 => fixed::<T, 5>(from, to),
        6 => fixed::<T, 6>(from, to),
        7 => fixed::<T, 7>(from, to),
        8 => fixed::<T, 8>(from, to),
        _ => to.copy_from_slice(from),
    }
}

#[inline(always)]
fn fixed<T: Copy, const N: usize>(from: &[T], to: &mut [T]) {
    if let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
        *to = *from;
    }
}
