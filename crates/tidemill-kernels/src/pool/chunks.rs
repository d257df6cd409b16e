//! Tiles that each write a part of a slice.

use std::marker::PhantomData;
use std::slice;
use std::sync::{Mutex, PoisonError};

use smallvec::SmallVec;
use tidemill_value::{Element, Memory, ValueError};

use super::context::threads;
use super::{for_each, try_for_each};

/// A slice in chunks of one length, the last of which may be shorter.
struct Chunks<'a, T> {
    start: *mut T,
    len: usize,
    chunk: usize,
    elements: PhantomData<&'a mut [T]>,
}

// SAFETY: a thread that shares it can only take chunks of the slice, each once, as if they had been
// sent there.
unsafe impl<T: Send> Sync for Chunks<'_, T> {}

impl<'a, T> Chunks<'a, T> {
    fn of(slice: &'a mut [T], chunk: usize) -> Self {
        let (start, len) = (slice.as_mut_ptr(), slice.len());
        Chunks { start, len, chunk: chunk.max(1), elements: PhantomData }
    }

    fn count(&self) -> usize {
        self.len.div_ceil(self.chunk)
    }

    /// # Safety
    /// There must be a chunk `i`, and nobody else may take it.
    #[allow(clippy::mut_from_ref)]
    unsafe fn take(&self, i: usize) -> &mut [T] {
        let begin = i * self.chunk;
        let len = self.chunk.min(self.len - begin);
        // SAFETY: the chunk lies inside the slice, which is borrowed for as long as `self`, and
        // overlaps with no other.
        unsafe { slice::from_raw_parts_mut(self.start.add(begin), len) }
    }
}

/// Cuts a slice into chunks of `chunk` elements, the last of which may be shorter, and calls `tile`
/// with each and its index, as [`for_each`] does.
pub fn for_each_chunk_mut<T: Send>(
    slice: &mut [T],
    chunk: usize,
    tile: impl Fn(usize, &mut [T]) + Sync,
) {
    let chunks = Chunks::of(slice, chunk);
    // SAFETY: each index comes up once.
    for_each(chunks.count(), |i| tile(i, unsafe { chunks.take(i) }));
}

/// As [`for_each_chunk_mut`], for tiles that can fail, as [`try_for_each`] has it.
///
/// # Errors
/// If a tile fails.
pub fn try_for_each_chunk_mut<T: Send, E: Send>(
    slice: &mut [T],
    chunk: usize,
    tile: impl Fn(usize, &mut [T]) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let chunks = Chunks::of(slice, chunk);
    // SAFETY: each index comes up once.
    try_for_each(chunks.count(), |i| tile(i, unsafe { chunks.take(i) }))
}

/// As [`try_for_each_chunk_mut`], for tiles that need `space` elements to compute with. These are
/// arbitrary at first.
///
/// # Errors
/// If a tile fails, or memory cannot hold the elements.
pub fn try_for_each_chunk_mut_with<T: Element, E: Send + From<ValueError>>(
    memory: &Memory,
    space: usize,
    slice: &mut [T],
    chunk: usize,
    tile: impl Fn(usize, &mut [T], &mut [T]) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let chunks = Chunks::of(slice, chunk);
    // SAFETY: each index comes up once.
    let tile = |i, space: &mut [T]| tile(i, unsafe { chunks.take(i) }, space);
    try_for_each_with(memory, space, chunks.count(), tile)
}

/// As [`try_for_each`], for tiles that need `space` elements to compute with. These are arbitrary at
/// first.
///
/// # Errors
/// If a tile fails, or memory cannot hold the elements.
pub fn try_for_each_with<T: Element, E: Send + From<ValueError>>(
    memory: &Memory,
    space: usize,
    count: usize,
    tile: impl Fn(usize, &mut [T]) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let most = threads().min(count);
    let mut workspace = memory.workspace::<T>(space.saturating_mul(most))?;
    let spaces: SmallVec<[&mut [T]; 16]> = workspace.chunks_mut(space.max(1)).collect();
    let spaces = Mutex::new(spaces);
    let lock = || spaces.lock().unwrap_or_else(PoisonError::into_inner);
    try_for_each(count, |i| {
        let space = lock().pop().unwrap_or_default();
        let result = tile(i, space);
        lock().push(space);
        result
    })
}

/// As [`for_each_chunk_mut`], for two slices cut into as many chunks, each of its own length.
/// If one has more, the rest of it is left out.
pub fn for_each_chunk_pair_mut<A: Send, B: Send>(
    (left, left_chunk): (&mut [A], usize),
    (right, right_chunk): (&mut [B], usize),
    tile: impl Fn(usize, &mut [A], &mut [B]) + Sync,
) {
    let (left, right) = (Chunks::of(left, left_chunk), Chunks::of(right, right_chunk));
    for_each(left.count().min(right.count()), |i| {
        // SAFETY: each index comes up once.
        let (left, right) = unsafe { (left.take(i), right.take(i)) };
        tile(i, left, right);
    });
}

/// As [`for_each_chunk_mut`], for several slices that are cut alike. If one has more chunks than
/// another, the rest of it is left out.
pub fn for_each_chunks_mut<T: Send, const N: usize>(
    slices: [&mut [T]; N],
    chunk: usize,
    tile: impl Fn(usize, [&mut [T]; N]) + Sync,
) {
    let chunks = slices.map(|slice| Chunks::of(slice, chunk));
    let count = chunks.iter().map(Chunks::count).min().unwrap_or_default();
    // SAFETY: each index comes up once.
    for_each(count, |i| tile(i, chunks.each_ref().map(|chunks| unsafe { chunks.take(i) })));
}
