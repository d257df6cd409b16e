//! Convolutions as products of patches and filters.

use std::borrow::Cow;

use super::{Convolution, add_to, narrow};
use crate::NumericError;
use crate::matmul::{MatMul, Multiply, Orientation};
use crate::number::Number;
use crate::pool::try_for_each_chunk_mut;
use crate::window::Window;

/// The number of elements of a tile's patches: they fit into a cache beside the filter.
const TILE_VOLUME: usize = 1 << 16;
/// The least number of patches in a tile, so that the product is worth packing the filter,
const LEAST_PATCHES: usize = 64;
/// unless they would have more elements than this,
const MOST_VOLUME: usize = 1 << 22;
/// and the most, so that there are tiles for several threads.
const MOST_PATCHES: usize = 512;

impl Convolution {
    /// The number of patches in a tile.
    fn tile(&self) -> usize {
        let most = MOST_VOLUME / self.patch();
        (TILE_VOLUME / self.patch()).max(LEAST_PATCHES.min(most)).clamp(1, MOST_PATCHES)
    }

    /// Whether the input itself is its patches.
    fn is_product(&self) -> bool {
        self.groups == 1 && self.windows.iter().all(Window::is_identity)
    }

    /// The product of `patches` and the filters of a group.
    fn product(&self, patches: usize) -> Result<MatMul, NumericError> {
        let filter = [self.patch(), self.filters / self.groups];
        MatMul::new(([patches, filter[0]], Orientation::Normal), (filter, Orientation::Normal))
    }

    pub(super) fn forward_dense<T: Number + Multiply>(
        &self,
        input: &[T],
        filter: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        if self.is_product() {
            return self.product(self.pixels())?.run(input, filter, out);
        }
        let filters = Columns::of(filter, self.filters, self.groups);
        let tile = self.tile();
        try_for_each_chunk_mut(out, tile * self.filters, |i, out| {
            let count = out.len() / self.filters;
            let mut patches = vec![T::ZERO; count * self.patch()];
            let share = self.filters / self.groups;
            let plan = self.product(count)?;
            let multiply = |patches: &[T], filter: &[T], out: &mut [T]| match share {
                ..=narrow::COLUMNS => {
                    narrow::multiply(patches, filter, share, out);
                    Ok(())
                }
                _ => plan.run(patches, filter, out),
            };
            if self.groups == 1 {
                self.gather(i * tile, 0, input, &mut patches);
                return multiply(&patches, filter, out);
            }
            let mut product = vec![T::ZERO; out.len() / self.groups];
            for group in 0..self.groups {
                self.gather(i * tile, group, input, &mut patches);
                multiply(&patches, filters.group(group), &mut product)?;
                filters.put(group, &product, out);
            }
            Ok(())
        })
    }

    pub(super) fn input_gradient_dense<T: Number + Multiply>(
        &self,
        filter: &[T],
        grad: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let filters = Columns::of(filter, self.filters, self.groups);
        let plan = |count: usize| {
            let share = self.filters / self.groups;
            let filter = ([self.patch(), share], Orientation::Transposed);
            MatMul::new(([count, share], Orientation::Normal), filter)
        };
        if self.is_product() {
            return plan(self.pixels())?.run(grad, filter, out);
        }
        let pixels = self.image_pixels();
        // Windows overlap, but not with those of another image.
        try_for_each_chunk_mut(out, self.image_volume(), |i, image| {
            let grad = &grad[i * pixels * self.filters..(i + 1) * pixels * self.filters];
            let tile = self.tile();
            let mut patches = vec![T::ZERO; tile.min(pixels) * self.patch()];
            for (j, grad) in grad.chunks(tile * self.filters).enumerate() {
                let count = grad.len() / self.filters;
                let (patches, plan) = (&mut patches[..count * self.patch()], plan(count)?);
                let grad = Columns::of(grad, self.filters, self.groups);
                for group in 0..self.groups {
                    plan.run(grad.group(group), filters.group(group), patches)?;
                    self.scatter(j * tile, group, patches, image);
                }
            }
            Ok(())
        })
    }

    pub(super) fn filter_gradient_dense<T: Number + Multiply>(
        &self,
        input: &[T],
        grad: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let share = self.filters / self.groups;
        let plan = |count: usize| {
            let patches = ([count, self.patch()], Orientation::Transposed);
            MatMul::new(patches, ([count, share], Orientation::Normal))
        };
        if self.is_product() {
            return plan(self.pixels())?.run(input, grad, out);
        }
        let tile = self.tile();
        self.sum_parts(tile, out, |first, count, sum| {
            let mut patches = vec![T::ZERO; tile.min(count) * self.patch()];
            let mut product = vec![T::ZERO; self.patch() * share];
            let grad = &grad[first * self.filters..(first + count) * self.filters];
            for (i, grad) in grad.chunks(tile * self.filters).enumerate() {
                let count = grad.len() / self.filters;
                let (patches, plan) = (&mut patches[..count * self.patch()], plan(count)?);
                let grad = Columns::of(grad, self.filters, self.groups);
                for group in 0..self.groups {
                    self.gather(first + i * tile, group, input, patches);
                    plan.run(patches, grad.group(group), &mut product)?;
                    grad.add(group, &product, sum);
                }
            }
            Ok(())
        })
    }
}

/// The columns of a matrix in groups, each of which is a matrix of its own.
struct Columns<'a, T: Clone> {
    groups: Cow<'a, [T]>,
    group: usize,
    columns: usize,
    share: usize,
}

impl<'a, T: Number> Columns<'a, T> {
    fn of(matrix: &'a [T], columns: usize, groups: usize) -> Self {
        let (group, share) = (matrix.len() / groups, columns / groups);
        if groups == 1 {
            return Columns { groups: matrix.into(), group, columns, share };
        }
        let mut sorted = Vec::with_capacity(matrix.len());
        for i in 0..groups {
            for row in matrix.chunks_exact(columns) {
                sorted.extend_from_slice(&row[i * share..(i + 1) * share]);
            }
        }
        Columns { groups: sorted.into(), group, columns, share }
    }

    fn group(&self, i: usize) -> &[T] {
        &self.groups[i * self.group..(i + 1) * self.group]
    }

    /// Writes the columns of a group to a matrix of all columns.
    fn put(&self, i: usize, group: &[T], matrix: &mut [T]) {
        for (from, to) in group.chunks_exact(self.share).zip(matrix.chunks_exact_mut(self.columns))
        {
            to[i * self.share..(i + 1) * self.share].copy_from_slice(from);
        }
    }

    /// Adds the columns of a group to a matrix of all columns.
    fn add(&self, i: usize, group: &[T], matrix: &mut [T]) {
        for (from, to) in group.chunks_exact(self.share).zip(matrix.chunks_exact_mut(self.columns))
        {
            add_to(&mut to[i * self.share..(i + 1) * self.share], from);
        }
    }
}
