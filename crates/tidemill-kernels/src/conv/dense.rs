//! Convolutions as products of patches and filters.

use tidemill_value::{Memory, ValueError, Workspace};

use super::{Convolution, add_to, narrow};
use crate::NumericError;
use crate::matmul::{MatMul, Multiply, Orientation};
use crate::number::Number;
use crate::pool::try_for_each_chunk_mut_with;
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
        memory: &Memory,
        input: &[T],
        filter: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        if self.is_product() {
            let plan = self.product(self.pixels())?;
            return plan.run(input, filter, out, &mut memory.workspace(plan.spare::<T>())?);
        }
        let mut sorted = Columns::space(memory, filter, self.groups)?;
        let filters = Columns::of(filter, self.filters, self.groups, &mut sorted);
        let (tile, share) = (self.tile().min(self.pixels()), self.filters / self.groups);
        let is_narrow = share <= narrow::COLUMNS;
        let of_filter = if is_narrow { self.patch() * narrow::width(share) } else { 0 };
        let mut padded = memory.workspace::<T>(self.groups * of_filter)?;
        if is_narrow {
            for (group, padded) in padded.chunks_exact_mut(of_filter).enumerate() {
                narrow::pad(filters.group(group), share, padded);
            }
        }
        let padded = &padded[..];
        let of_patches = tile * self.patch();
        let of_product = if self.groups > 1 { tile * share } else { 0 };
        let spare = |count| Ok::<_, NumericError>(self.product(count)?.spare::<T>());
        // The last tile is smaller, and its product may be computed in another way.
        let spare = spare(tile)?.max(spare(last(self.pixels(), tile))?);
        let space = of_patches + of_product + spare;
        try_for_each_chunk_mut_with(memory, space, out, tile * self.filters, |i, out, space| {
            let count = out.len() / self.filters;
            let (patches, space) = space.split_at_mut(of_patches);
            let (product, spare) = space.split_at_mut(of_product);
            let patches = &mut patches[..count * self.patch()];
            let plan = self.product(count)?;
            let mut multiply = |group: usize, out: &mut [T]| {
                self.gather(i * tile, group, input, patches);
                if is_narrow {
                    let filter = &padded[group * of_filter..(group + 1) * of_filter];
                    narrow::multiply(patches, filter, share, out);
                    return Ok(());
                }
                plan.run(patches, filters.group(group), out, spare)
            };
            if self.groups == 1 {
                return multiply(0, out);
            }
            let product = &mut product[..count * share];
            for group in 0..self.groups {
                multiply(group, product)?;
                filters.put(group, product, out);
            }
            Ok(())
        })
    }

    pub(super) fn input_gradient_dense<T: Number + Multiply>(
        &self,
        memory: &Memory,
        filter: &[T],
        grad: &[T],
        out: &mut [T],
    ) -> Result<(), NumericError> {
        let share = self.filters / self.groups;
        let plan = |count: usize| {
            let filter = ([self.patch(), share], Orientation::Transposed);
            MatMul::new(([count, share], Orientation::Normal), filter)
        };
        if self.is_product() {
            let plan = plan(self.pixels())?;
            return plan.run(grad, filter, out, &mut memory.workspace(plan.spare::<T>())?);
        }
        let mut sorted = Columns::space(memory, filter, self.groups)?;
        let filters = Columns::of(filter, self.filters, self.groups, &mut sorted);
        let pixels = self.image_pixels();
        let tile = self.tile().min(pixels);
        let of_patches = tile * self.patch();
        let of_grad = if self.groups > 1 { tile * self.filters } else { 0 };
        // The last tile is smaller, and its product may be computed in another way.
        let spare = plan(tile)?.spare::<T>().max(plan(last(pixels, tile))?.spare::<T>());
        let space = of_patches + of_grad + spare;
        // Windows overlap, but not with those of another image.
        let image = self.image_volume();
        try_for_each_chunk_mut_with(memory, space, out, image, |i, image, space| {
            image.fill(T::ZERO);
            let grad = &grad[i * pixels * self.filters..(i + 1) * pixels * self.filters];
            let (patches, space) = space.split_at_mut(of_patches);
            let (sorted, spare) = space.split_at_mut(of_grad);
            for (j, grad) in grad.chunks(tile * self.filters).enumerate() {
                let count = grad.len() / self.filters;
                let (patches, plan) = (&mut patches[..count * self.patch()], plan(count)?);
                let grad = Columns::of(grad, self.filters, self.groups, sorted);
                for group in 0..self.groups {
                    plan.run(grad.group(group), filters.group(group), patches, spare)?;
                    self.scatter(j * tile, group, patches, image);
                }
            }
            Ok(())
        })
    }

    pub(super) fn filter_gradient_dense<T: Number + Multiply>(
        &self,
        memory: &Memory,
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
            let plan = plan(self.pixels())?;
            return plan.run(input, grad, out, &mut memory.workspace(plan.spare::<T>())?);
        }
        let parts = self.parts(self.tile(), out.len());
        let tile = self.tile().min(parts.windows);
        let [of_patches, of_product] = [tile * self.patch(), self.patch() * share];
        let of_grad = if self.groups > 1 { tile * self.filters } else { 0 };
        // The last tile of a part is smaller, and its product may be computed in another way.
        let spares = [tile, last(parts.windows, tile), last(parts.last_windows(), tile)]
            .map(|count| plan(count).map(|plan| plan.spare::<T>()));
        let spare = spares.into_iter().try_fold(0, |most, spare| spare.map(|n| most.max(n)))?;
        let space = of_patches + of_product + of_grad + spare;
        self.sum_parts(memory, parts, space, out, |first, count, sum, space| {
            let (patches, space) = space.split_at_mut(of_patches);
            let (product, space) = space.split_at_mut(of_product);
            let (sorted, spare) = space.split_at_mut(of_grad);
            let grad = &grad[first * self.filters..(first + count) * self.filters];
            for (i, grad) in grad.chunks(tile * self.filters).enumerate() {
                let count = grad.len() / self.filters;
                let (patches, plan) = (&mut patches[..count * self.patch()], plan(count)?);
                let grad = Columns::of(grad, self.filters, self.groups, sorted);
                for group in 0..self.groups {
                    self.gather(first + i * tile, group, input, patches);
                    plan.run(patches, grad.group(group), product, spare)?;
                    grad.add(group, product, sum);
                }
            }
            Ok(())
        })
    }
}

/// The length of the last of the parts of length `part` that `count` is cut into.
fn last(count: usize, part: usize) -> usize {
    match count % part {
        0 => part,
        rest => rest,
    }
}

/// The columns of a matrix in groups, each of which is a matrix of its own.
struct Columns<'a, T> {
    groups: &'a [T],
    group: usize,
    columns: usize,
    share: usize,
}

impl<'a, T: Number> Columns<'a, T> {
    /// Memory for the groups of a matrix.
    fn space<'m>(
        memory: &'m Memory,
        matrix: &[T],
        groups: usize,
    ) -> Result<Workspace<'m, T>, ValueError> {
        memory.workspace(if groups > 1 { matrix.len() } else { 0 })
    }

    /// Copies the groups, if there are several, to `space`.
    fn of(matrix: &'a [T], columns: usize, groups: usize, space: &'a mut [T]) -> Self {
        let (group, share) = (matrix.len() / groups, columns / groups);
        if groups == 1 {
            return Columns { groups: matrix, group, columns, share };
        }
        let sorted = &mut space[..matrix.len()];
        let mut rows = sorted.chunks_exact_mut(share);
        for i in 0..groups {
            for (row, sorted) in matrix.chunks_exact(columns).zip(&mut rows) {
                sorted.copy_from_slice(&row[i * share..(i + 1) * share]);
            }
        }
        Columns { groups: sorted, group, columns, share }
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
