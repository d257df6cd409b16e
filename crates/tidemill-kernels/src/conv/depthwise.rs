//! Convolutions whose filters take one channel each.

use std::ops::Range;

use smallvec::SmallVec;
use tidemill_value::Memory;

use super::Convolution;
use super::patches::Row;
use crate::NumericError;
use crate::number::Number;
use crate::pool::{TILE, for_each_chunk_mut};

/// The number of channels summed side by side.
const LANES: usize = 32;

impl Convolution {
    /// Calls `visit` with each element of the windows `pixels` that lies on an image: the number of
    /// the window, where the element's filters start, and where its channels start in the input.
    #[inline(always)]
    fn elements(&self, pixels: Range<usize>, mut visit: impl FnMut(usize, usize, usize)) {
        let (step, volume) = (self.windows[2].dilation() * self.channels, self.image_volume());
        self.rows(pixels, |pixel, image, Row { tap, taps, offset }| {
            for i in 0..taps {
                visit(pixel, (tap + i) * self.filters, image * volume + offset + i * step);
            }
        });
    }

    /// The number of windows whose work is worth a thread's while.
    fn light_tile(&self) -> usize {
        TILE.div_ceil(self.taps().saturating_mul(self.filters).max(1))
    }

    pub(super) fn forward_depthwise<T: Number>(
        &self,
        input: &[T],
        filter: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let tile = self.light_tile();
        for_each_chunk_mut(out, tile * self.filters, |i, out| {
            out.fill(T::ZERO);
            forward(self, i * tile, input, filter, out);
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
            image.fill(T::ZERO);
            input_gradient(self, filter, grad, image);
        });
        Ok(())
    }

    pub(super) fn filter_gradient_depthwise<T: Number>(
        &self,
        memory: &Memory,
        input: &[T],
        grad: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let parts = self.parts(self.light_tile(), out.len());
        self.sum_parts(memory, parts, 0, out, |first, count, sum, _| {
            filter_gradient(self, first..first + count, input, grad, sum);
            Ok(())
        })
    }
}

vectorized! {
    if T::IS_FLOAT;
    /// The windows from `first` on.
    fn forward<T>(plan: &Convolution, first: usize, input: &[T], filter: &[T], out: &mut [T])
    where [T: Number]
    {
        let (channels, filters) = (plan.channels, plan.filters);
        let pixels = first..first + out.len() / filters;
        if filters > channels {
            plan.elements(pixels, |pixel, weights, at| {
                let out = &mut out[(pixel - first) * filters..][..filters];
                multiply_add(&input[at..at + channels], &filter[weights..weights + filters], out);
            });
            return;
        }
        // The sums of a window stay in registers, some channels at a time.
        let mut window: SmallVec<[(usize, usize); 32]> = SmallVec::new();
        let mut current = first;
        plan.elements(pixels, |pixel, weights, at| {
            if pixel != current {
                sum_window(&window, input, filter, &mut out[(current - first) * filters..][..filters]);
                window.clear();
                current = pixel;
            }
            window.push((weights, at));
        });
        sum_window(&window, input, filter, &mut out[(current - first) * filters..][..filters]);
    }
}

/// Sums the products of a window's elements, each given by the start of its filters and of its
/// channels, where each channel has one filter.
#[inline(always)]
fn sum_window<T: Number>(window: &[(usize, usize)], input: &[T], filter: &[T], out: &mut [T]) {
    let (chunks, rest) = out.as_chunks_mut::<LANES>();
    let done = chunks.len() * LANES;
    for (i, out) in chunks.iter_mut().enumerate() {
        let mut sums = [T::ZERO; LANES];
        for &(weights, at) in window {
            let channels = &input[at + i * LANES..][..LANES];
            let weights = &filter[weights + i * LANES..][..LANES];
            for ((sum, &x), &weight) in sums.iter_mut().zip(channels).zip(weights) {
                *sum = sum.plus(x.times(weight));
            }
        }
        *out = sums;
    }
    for (i, out) in (done..).zip(rest) {
        *out = window
            .iter()
            .fold(T::ZERO, |sum: T, &(w, at)| sum.plus(input[at + i].times(filter[w + i])));
    }
}

vectorized! {
    if T::IS_FLOAT;
    /// The gradient of one image.
    fn input_gradient<T>(plan: &Convolution, filter: &[T], grad: &[T], image: &mut [T])
    where [T: Number]
    {
        let (channels, filters) = (plan.channels, plan.filters);
        plan.elements(0..plan.image_pixels(), |pixel, weights, at| {
            let grad = &grad[pixel * filters..(pixel + 1) * filters];
            add_products(grad, &filter[weights..weights + filters], &mut image[at..at + channels]);
        });
    }
}

vectorized! {
    if T::IS_FLOAT;
    fn filter_gradient<T>(
        plan: &Convolution,
        pixels: Range<usize>,
        input: &[T],
        grad: &[T],
        sum: &mut [T],
    )
    where [T: Number]
    {
        let (channels, filters) = (plan.channels, plan.filters);
        plan.elements(pixels, |pixel, weights, at| {
            let grad = &grad[pixel * filters..(pixel + 1) * filters];
            multiply_add(&input[at..at + channels], grad, &mut sum[weights..weights + filters]);
        });
    }
}

/// Adds to `out` each channel times its factors.
#[inline(always)]
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
#[inline(always)]
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
