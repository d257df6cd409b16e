//! Convolutions whose filters take one channel each.

use super::Convolution;
use super::patches::Row;
use crate::NumericError;
use crate::number::Number;
use crate::pool::{TILE, for_each_chunk_mut};

impl Convolution {
    /// Calls `visit` with each element of a window that lies on an image: where its filters, and
    /// where its channels start.
    fn elements(&self, pixel: usize, mut visit: impl FnMut(usize, usize)) {
        let step = self.windows[2].dilation() * self.channels;
        self.rows(pixel, |Row { tap, taps, offset }| {
            for i in 0..taps {
                visit((tap + i) * self.filters, offset + i * step);
            }
        });
    }

    /// So many windows that the work on them is worth a thread's while.
    fn light_tile(&self) -> usize {
        TILE.div_ceil(self.taps().saturating_mul(self.filters).max(1))
    }

    pub(super) fn forward_depthwise<T: Number>(
        &self,
        input: &[T],
        filter: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let (pixels, volume, tile) = (self.image_pixels(), self.image_volume(), self.light_tile());
        for_each_chunk_mut(out, tile * self.filters, |i, out| {
            for (j, out) in out.chunks_exact_mut(self.filters).enumerate() {
                let image = &input[(i * tile + j) / pixels * volume..][..volume];
                self.elements((i * tile + j) % pixels, |weights, channels| {
                    let channels = &image[channels..channels + self.channels];
                    multiply_add(channels, &filter[weights..weights + self.filters], out);
                });
            }
        });
        Ok(())
    }

    pub(super) fn input_gradient_depthwise<T: Number>(
        &self,
        filter: &[T],
        grad: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let pixels = self.image_pixels();
        // Windows overlap, but not with those of another image.
        for_each_chunk_mut(out, self.image_volume(), |i, image| {
            let grad = &grad[i * pixels * self.filters..(i + 1) * pixels * self.filters];
            for (pixel, grad) in grad.chunks_exact(self.filters).enumerate() {
                self.elements(pixel, |weights, channels| {
                    let channels = &mut image[channels..channels + self.channels];
                    add_products(grad, &filter[weights..weights + self.filters], channels);
                });
            }
        });
        Ok(())
    }

    pub(super) fn filter_gradient_depthwise<T: Number>(
        &self,
        input: &[T],
        grad: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let (pixels, volume) = (self.image_pixels(), self.image_volume());
        self.sum_parts(self.light_tile(), out, |first, count, sum| {
            for i in first..first + count {
                let image = &input[i / pixels * volume..][..volume];
                let grad = &grad[i * self.filters..(i + 1) * self.filters];
                self.elements(i % pixels, |weights, channels| {
                    let channels = &image[channels..channels + self.channels];
                    multiply_add(channels, grad, &mut sum[weights..weights + self.filters]);
                });
            }
            Ok(())
        })
    }
}

/// Adds to `out` the factors of each channel, times the channel.
fn multiply_add<T: Number>(channels: &[T], factors: &[T], out: &mut [T]) {
    let share = out.len() / channels.len();
    if share == 1 {
        for ((o, &x), &factor) in out.iter_mut().zip(channels).zip(factors) {
            *o = o.plus(x.times(factor));
        }
        return;
    }
    let factors = factors.chunks_exact(share).zip(out.chunks_exact_mut(share));
    for (&x, (factors, out)) in channels.iter().zip(factors) {
        for (o, &factor) in out.iter_mut().zip(factors) {
            *o = o.plus(x.times(factor));
        }
    }
}

/// Adds to each channel the products of its factors.
fn add_products<T: Number>(left: &[T], right: &[T], channels: &mut [T]) {
    let share = left.len() / channels.len();
    if share == 1 {
        return multiply_add(left, right, channels);
    }
    let factors = left.chunks_exact(share).zip(right.chunks_exact(share));
    for (o, (left, right)) in channels.iter_mut().zip(factors) {
        for (&x, &y) in left.iter().zip(right) {
            *o = o.plus(x.times(y));
        }
    }
}
