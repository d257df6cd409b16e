//! Walks over the axes of several buffers at once.

use smallvec::SmallVec;

/// One axis of an iteration over `N` buffers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis<const N: usize> {
    /// The number of elements.
    pub extent: usize,
    /// The distance from one element to the next in each buffer.
    pub steps: [isize; N],
}

pub(crate) type Axes<const N: usize> = SmallVec<[Axis<N>; 4]>;

/// Drops the axes of extent 1 and joins neighbors that every buffer walks evenly.
pub fn coalesce<const N: usize>(axes: impl IntoIterator<Item = Axis<N>>) -> Axes<N> {
    let mut joined: Axes<N> = SmallVec::new();
    for axis in axes.into_iter().filter(|axis| axis.extent != 1) {
        match joined.last_mut() {
            Some(outer) if continues(outer, &axis) => {
                let extent = outer.extent.saturating_mul(axis.extent);
                *outer = Axis { extent, steps: axis.steps };
            }
            _ => joined.push(axis),
        }
    }
    joined
}

fn continues<const N: usize>(outer: &Axis<N>, inner: &Axis<N>) -> bool {
    let extent = inner.extent as isize;
    outer.steps.iter().zip(inner.steps).all(|(&outer, inner)| outer == inner * extent)
}

/// The offsets into `N` buffers at every position of some axes, in row-major order.
pub struct Odometer<'a, const N: usize> {
    axes: &'a [Axis<N>],
    position: SmallVec<[usize; 4]>,
    offsets: [isize; N],
    remaining: usize,
}

impl<'a, const N: usize> Odometer<'a, N> {
    /// The number of positions must fit `usize`.
    pub fn new(axes: &'a [Axis<N>], start: [isize; N]) -> Self {
        Odometer {
            axes,
            position: SmallVec::from_elem(0, axes.len()),
            offsets: start,
            remaining: axes.iter().map(|axis| axis.extent).product(),
        }
    }

    /// Starts at position number `first`, if there is one, instead of the first.
    pub fn starting_at(mut self, first: usize) -> Self {
        self.remaining = self.remaining.saturating_sub(first);
        let mut rest = if self.remaining == 0 { 0 } else { first };
        for (axis, position) in self.axes.iter().zip(&mut self.position).rev() {
            *position = rest % axis.extent.max(1);
            rest /= axis.extent.max(1);
            for (offset, step) in self.offsets.iter_mut().zip(axis.steps) {
                *offset += step * *position as isize;
            }
        }
        self
    }

    fn advance(&mut self) {
        for (axis, position) in self.axes.iter().zip(&mut self.position).rev() {
            *position += 1;
            let turned = *position == axis.extent;
            let steps = if turned { axis.extent as isize - 1 } else { -1 };
            for (offset, step) in self.offsets.iter_mut().zip(axis.steps) {
                *offset -= step * steps;
            }
            if !turned {
                return;
            }
            *position = 0;
        }
    }
}

impl<const N: usize> Iterator for Odometer<'_, N> {
    type Item = [usize; N];

    #[inline]
    fn next(&mut self) -> Option<[usize; N]> {
        self.remaining = self.remaining.checked_sub(1)?;
        let offsets = self.offsets.map(|offset| offset as usize);
        if self.remaining > 0 {
            self.advance();
        }
        Some(offsets)
    }
}
