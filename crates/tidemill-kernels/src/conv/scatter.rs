//! The gradient of an input of few channels: the products of the gradient of the result and the filter are
//! the gradients of windows, which are added up where these overlap.

use tidemill_value::Memory;

use super::pass::Axis;
use super::{Convolution, add_to};
use crate::NumericError;
use crate::matmul::{MatMul, Multiply, Orientation};
use crate::number::Number;
use crate::pool::try_for_each_chunk_mut_with;

/// The number of elements of some windows' gradients: they fit into a cache.
const ELEMENTS: usize = 1 << 16;

impl Convolution {
    pub(super) fn input_gradient_by_scattering<T: Number + Multiply>(
        &self,
        memory: &Memory,
        filter: &[T],
        grad: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let plan = |count: usize| {
            let filter = ([self.patch(), self.filters], Orientation::Transposed);
            MatMul::new(([count, self.filters], Orientation::Normal), filter)
        };
        let pixels = self.image_pixels();
        let tile = (ELEMENTS / self.patch()).clamp(1, pixels);
        // The last tile is smaller, and its product may be computed in another way.
        let last = pixels - (pixels - 1) / tile * tile;
        let spare = plan(tile)?.spare::<T>().max(plan(last)?.spare::<T>());
        let of_windows = tile * self.patch();
        // Windows overlap, but not with those of another image.
        let image = self.image_volume();
        try_for_each_chunk_mut_with(memory, of_windows + spare, out, image, |i, image, space| {
            image.fill(T::ZERO);
            let grad = &grad[i * pixels * self.filters..(i + 1) * pixels * self.filters];
            let (windows, spare) = space.split_at_mut(of_windows);
            for (j, grad) in grad.chunks(tile * self.filters).enumerate() {
                let count = grad.len() / self.filters;
                let windows = &mut windows[..count * self.patch()];
                plan(count)?.run(grad, filter, windows, spare)?;
                self.scatter(j * tile, windows, image);
            }
            Ok(())
        })
    }

    /// Adds the gradients of windows from `first` on to that of an image.
    fn scatter<T: Number>(&self, first: usize, windows: &[T], image: &mut [T]) {
        let [depth, down, across] = self.windows.each_ref().map(Axis::forward);
        let (patch, channels) = (self.patch(), self.channels);
        let end = first + windows.len() / patch;
        let mut pixel = first;
        while pixel < end {
            let (line, x) = (pixel / across.results, pixel % across.results);
            let xs = x..across.results.min(x + end - pixel);
            for (z, front) in depth.meetings(line / down.results) {
                for (y, tap) in down.meetings(line % down.results) {
                    let row = &mut image[(z * down.source + y) * across.source * channels..];
                    let taps = (front * down.taps + tap) * across.taps;
                    for (window, x) in (pixel - first..).zip(xs.clone()) {
                        let inside = across.inside(x);
                        if inside.is_empty() {
                            continue;
                        }
                        let from = &windows[window * patch + (taps + inside.start) * channels..];
                        let from = &from[..inside.len() * channels];
                        let to = &mut row[across.position(x, inside.start) * channels..];
                        if across.gap == 1 {
                            add_to(to, from);
                            continue;
                        }
                        let to = to.chunks_mut(across.gap * channels);
                        to.zip(from.chunks_exact(channels)).for_each(|(to, from)| add_to(to, from));
                    }
                }
            }
            pixel += xs.len();
        }
    }
}
