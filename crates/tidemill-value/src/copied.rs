//! Counts the bytes that were copied instead of moved or shared.

use std::cell::Cell;

thread_local! {
    static COPIED: Cell<u64> = const { Cell::new(0) };
}

/// The number of element bytes copied on this thread since it began: by making values from borrowed
/// data or data in another layout, and by writing to shared buffers.
///
/// The difference between two calls is the number copied between them.
pub fn copied_bytes() -> u64 {
    COPIED.get()
}

pub(crate) fn count<T>(elements: &[T]) {
    COPIED.set(COPIED.get().wrapping_add(size_of_val(elements) as u64));
}

/// A copy of elements, which counts.
pub(crate) fn copy<T: Clone>(elements: &[T]) -> Vec<T> {
    count(elements);
    elements.to_vec()
}
