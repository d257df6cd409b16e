//! Counts the bytes that are copied where moving or sharing them would have been wished for.

use std::cell::Cell;

thread_local! {
    static COPIED: Cell<u64> = const { Cell::new(0) };
}

/// How many bytes of elements were copied on this thread since it began: by making values of
/// what is only borrowed or laid out otherwise, and by writing to buffers that are shared.
///
/// The difference of two calls tells what was copied between them.
pub fn copied_bytes() -> u64 {
    COPIED.get()
}

pub(crate) fn count<T>(elements: &[T]) {
    COPIED.set(COPIED.get().wrapping_add(size_of_val(elements) as u64));
}
