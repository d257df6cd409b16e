//! The positions of the elements of windows.

use std::ops::Range;

use smallvec::SmallVec;

use super::Convolution;

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

    /// The number of elements of a window in one group of channels.
    pub(super) fn patch(&self) -> usize {
        self.taps() * (self.channels / self.groups)
    }
}
