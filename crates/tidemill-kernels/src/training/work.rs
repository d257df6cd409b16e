//! The loop over the elements that a rule updates.

use smallvec::SmallVec;

use crate::NumericError;
use crate::float::Float;
use crate::layout::Indices;
use crate::pool::{TILE, for_each_chunks_mut};

/// The elements of a variable that are updated.
#[derive(Clone, Copy)]
pub(super) enum Parts<'a> {
    Whole,
    /// These rows, each of this many elements.
    Rows(Indices<'a>, usize),
}

/// The states that a rule updates, and its numbers.
pub(super) struct Work<'a, T> {
    pub(super) states: SmallVec<[&'a mut [T]; 4]>,
    pub(super) numbers: SmallVec<[T; 6]>,
    pub(super) gradient: &'a [T],
    pub(super) parts: Parts<'a>,
}

/// The step of a tile of all states, given that of the gradient.
type Tile<'a, T, const N: usize> = dyn Fn([&mut [T]; N], &[T]) + Sync + 'a;

/// Updates one element of a variable and its slots by an element of the gradient.
pub(super) trait Step<T, const N: usize>: Sync {
    /// Whether the loop has a copy for each instruction set.
    const VECTOR: bool;

    fn step(&self, states: [T; N], gradient: T) -> [T; N];
}

impl<T: Float> Work<'_, T> {
    /// The numbers, if the rule takes as many.
    pub(super) fn numbers<const N: usize>(&self) -> Result<[T; N], NumericError> {
        let actual = self.numbers.len();
        let numbers = <[T; N]>::try_from(&self.numbers[..]);
        numbers.map_err(|_| NumericError::Operands { expected: N, actual })
    }

    /// Whether only some rows are updated.
    pub(super) fn is_sparse(&self) -> bool {
        matches!(self.parts, Parts::Rows(..))
    }

    pub(super) fn run<S: Step<T, N>, const N: usize>(self, step: &S) -> Result<(), NumericError> {
        self.run_tiles(&|states, gradient| tile(step, states, gradient))
    }

    /// Compiled once per number of states, not per step.
    fn run_tiles<const N: usize>(self, tile: &Tile<'_, T, N>) -> Result<(), NumericError> {
        let Work { states, gradient, parts, .. } = self;
        let actual = states.len();
        if actual != N {
            return Err(NumericError::Operands { expected: N, actual });
        }
        let mut states = states.into_iter();
        let mut states: [&mut [T]; N] = std::array::from_fn(|_| states.next().unwrap_or_default());
        match parts {
            Parts::Whole if gradient.len() <= TILE => tile(states, gradient),
            Parts::Whole => for_each_chunks_mut(states, TILE, |i, states| {
                let begin = i * TILE;
                tile(states, &gradient[begin..(begin + TILE).min(gradient.len())]);
            }),
            Parts::Rows(rows, width) if width > 0 => {
                for (row, gradient) in rows.iter().zip(gradient.chunks_exact(width)) {
                    let part = row * width..(row + 1) * width;
                    tile(states.each_mut().map(|state| &mut state[part.clone()]), gradient);
                }
            }
            Parts::Rows(..) => {}
        }
        Ok(())
    }
}

/// Elements are copied in blocks of this length, so that the vector loop has no check for slices that
/// overlap.
const BLOCK: usize = 128;
/// The length of the blocks at the end of slices, which are padded.
const SMALL: usize = 16;

#[allow(clippy::needless_range_loop)]
fn tile<T: Float, S: Step<T, N>, const N: usize>(
    step: &S,
    mut states: [&mut [T]; N],
    gradient: &[T],
) {
    // A block costs more than a single number.
    if let [gradient] = gradient {
        let mut values = [T::ZERO; N];
        for n in 0..N {
            values[n] = states[n][0];
        }
        let updated = step.step(values, *gradient);
        for n in 0..N {
            states[n][0] = updated[n];
        }
        return;
    }
    if S::VECTOR {
        return vector_tile(step, states, gradient);
    }
    for begin in (0..gradient.len()).step_by(SMALL) {
        let end = (begin + SMALL).min(gradient.len());
        block::<T, S, N, SMALL>(step, &mut states, gradient, begin..end);
    }
}

vectorized! {
    if true;
    fn vector_tile<T, S; const N>(step: &S, states: [&mut [T]; N], gradient: &[T])
    where [T: Float, S: Step<T, N>]
    {
        let mut states = states;
        let full = gradient.len() - gradient.len() % BLOCK;
        for begin in (0..full).step_by(BLOCK) {
            block::<T, S, N, BLOCK>(step, &mut states, gradient, begin..begin + BLOCK);
        }
        for begin in (full..gradient.len()).step_by(SMALL) {
            let end = (begin + SMALL).min(gradient.len());
            block::<T, S, N, SMALL>(step, &mut states, gradient, begin..end);
        }
    }
}

// Loops instead of iterators and maps of arrays, which are much code for each step.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn block<T: Float, S: Step<T, N>, const N: usize, const B: usize>(
    step: &S,
    states: &mut [&mut [T]; N],
    gradient: &[T],
    part: std::ops::Range<usize>,
) {
    let count = part.len().min(B);
    let mut values = [[T::ZERO; B]; N];
    let mut gradients = [T::ZERO; B];
    for n in 0..N {
        values[n][..count].copy_from_slice(&states[n][part.clone()]);
    }
    gradients[..count].copy_from_slice(&gradient[part.clone()]);
    for i in 0..B {
        let mut own = [T::ZERO; N];
        for n in 0..N {
            own[n] = values[n][i];
        }
        let updated = step.step(own, gradients[i]);
        for n in 0..N {
            values[n][i] = updated[n];
        }
    }
    for n in 0..N {
        states[n][part.clone()].copy_from_slice(&values[n][..count]);
    }
}
