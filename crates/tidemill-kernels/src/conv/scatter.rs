//! The gradient of an input of few channels: the products of the gradient of the result and the filter are
//! the gradients of windows, which are added up where these overlap.

use tidemill_value::Memory;

use super::Convolution;
use super::patches::Row;
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
        let (patch, step) = (self.patch(), self.windows[2].dilation() * self.channels);
        let pixels = first..first + windows.len() / patch;
        self.rows(pixels, |pixel, _, Row { tap, taps, offset }| {
            let from = &windows[(pixel - first) * patch + tap * self.channels..];
            let from = &from[..taps * self.channels];
            if step == self.channels {
                return super::add_to(&mut image[offset..][..from.len()], from);
            }
            for (i, from) in from.chunks_exact(self.channels).enumerate() {
                super::add_to(&mut image[offset + i * step..][..from.len()], from);
            }
        });
    }
}
