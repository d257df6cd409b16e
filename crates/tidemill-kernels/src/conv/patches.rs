//! Where the elements of windows lie.

use super::Convolution;
use crate::number::Number;

/// The elements of one window that lie on one row of the input.
pub(super) struct Row {
    /// The number of the first, counted over the whole window.
    pub(super) tap: usize,
    /// How many there are.
    pub(super) taps: usize,
    /// Where the first channel of the first lies in the image.
    pub(super) offset: usize,
}

impl Convolution {
    /// Calls `visit` with the rows of a window of an image. Says whether none of it lies on the
    /// padding.
    pub(super) fn rows(&self, pixel: usize, mut visit: impl FnMut(Row)) {
        let [depth, height, width] = &self.windows;
        let (line, x) = (pixel / width.output(), pixel % width.output());
        let (z, y) = (line / height.output(), line % height.output());
        let across = width.taps(x);
        if across.is_empty() {
            return;
        }
        let column = width.position(x, across.start);
        for front in depth.taps(z) {
            let plane = depth.position(z, front) * height.input();
            for down in height.taps(y) {
                let line = plane + height.position(y, down);
                visit(Row {
                    tap: (front * height.filter() + down) * width.filter() + across.start,
                    taps: across.len(),
                    offset: (line * width.input() + column) * self.channels,
                });
            }
        }
    }

    /// Calls `visit` with the runs of elements of a window that lie side by side, both in a patch
    /// of a group of channels and in the image: where they start there and here, and how many
    /// there are.
    fn runs(&self, pixel: usize, group: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let taken = self.channels / self.groups;
        let dilation = self.windows[2].dilation();
        let joined = self.groups == 1 && dilation == 1;
        self.rows(pixel, |Row { tap, taps, offset }| {
            if joined {
                return visit(tap * taken, offset, taps * taken);
            }
            for i in 0..taps {
                let offset = offset + i * dilation * self.channels + group * taken;
                visit((tap + i) * taken, offset, taken);
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
        let patch = self.patch();
        let (pixels, volume) = (self.image_pixels(), self.image_volume());
        patches.fill(T::ZERO);
        for (i, patch) in patches.chunks_exact_mut(patch).enumerate() {
            let (image, pixel) = ((first + i) / pixels, (first + i) % pixels);
            let image = &input[image * volume..(image + 1) * volume];
            self.runs(pixel, group, |to, from, len| {
                patch[to..to + len].copy_from_slice(&image[from..from + len]);
            });
        }
    }

    /// Adds what is laid out as [`gather`](Convolution::gather) does it back to an image.
    pub(super) fn scatter<T: Number>(
        &self,
        first: usize,
        group: usize,
        patches: &[T],
        image: &mut [T],
    ) {
        for (i, patch) in patches.chunks_exact(self.patch()).enumerate() {
            self.runs(first + i, group, |from, to, len| {
                super::add_to(&mut image[to..to + len], &patch[from..from + len]);
            });
        }
    }

    /// The number of elements of a window in one group of channels.
    pub(super) fn patch(&self) -> usize {
        self.taps() * (self.channels / self.groups)
    }
}
