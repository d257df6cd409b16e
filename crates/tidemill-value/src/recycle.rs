//! Memory of dropped values, kept for new ones.

use std::cell::RefCell;
use std::mem;
use std::sync::Arc;

use crate::{Buffer, DType, Value};

thread_local! {
    /// The recycler that is installed on the thread.
    static CURRENT: RefCell<Option<Recycler>> = const { RefCell::new(None) };
}

/// Buffers of dropped values, by the logarithm of their length.
///
/// While it is [installed](Recycler::install) on a thread, values made there take their memory from
/// it. Memory that nobody took during one installation is freed at the end of the next.
#[derive(Default, Debug)]
pub struct Recycler {
    bins: Vec<Vec<Idle>>,
    idle: usize,
    round: u64,
}

#[derive(Debug)]
struct Idle {
    buffer: Arc<Buffer>,
    /// The round in which it was given.
    round: u64,
}

impl Recycler {
    /// A recycler without any memory.
    pub const fn new() -> Self {
        Recycler { bins: Vec::new(), idle: 0, round: 0 }
    }

    /// Makes values on this thread take their memory from the recycler, until the guard is
    /// dropped.
    pub fn install(&mut self) -> Installed<'_> {
        let outer = CURRENT.replace(Some(mem::take(self)));
        Installed { recycler: self, outer }
    }

    /// The number of buffers that wait for a value.
    pub fn idle(&self) -> usize {
        self.idle
    }

    /// The bytes of the buffers that wait for a value, and of the lists that they are in.
    pub fn idle_bytes(&self) -> usize {
        const HEADER: usize = size_of::<Buffer>() + 2 * size_of::<usize>();
        let bytes = |idle: &Idle| HEADER + idle.buffer.len() * idle.buffer.dtype().size();
        let places: usize = self.bins.iter().map(Vec::capacity).sum();
        self.bins.capacity() * size_of::<Vec<Idle>>()
            + places * size_of::<Idle>()
            + self.bins.iter().flatten().map(bytes).sum::<usize>()
    }

    /// Takes over memory for this many elements from the recycler of this thread, if it has some.
    pub fn take_over(&mut self, dtype: DType, elements: usize) {
        if let Some(buffer) = take(dtype, elements) {
            self.give(buffer);
        }
    }

    fn bin(elements: usize) -> usize {
        elements.checked_ilog2().map_or(0, |log| log as usize)
    }

    fn give(&mut self, buffer: Arc<Buffer>) {
        let bin = Recycler::bin(buffer.len());
        if self.bins.len() <= bin {
            self.bins.resize_with(bin + 1, Vec::new);
        }
        self.bins[bin].push(Idle { buffer, round: self.round });
        self.idle += 1;
    }

    fn take(&mut self, dtype: DType, elements: usize) -> Option<Arc<Buffer>> {
        if self.idle == 0 {
            return None;
        }
        let bin = self.bins.get_mut(Recycler::bin(elements))?;
        let fits = |idle: &Idle| idle.buffer.dtype() == dtype && idle.buffer.len() == elements;
        let found = bin.iter().rposition(fits)?;
        self.idle -= 1;
        Some(bin.swap_remove(found).buffer)
    }

    /// Frees memory that nobody took since the round before.
    #[inline]
    fn end_round(&mut self) {
        if self.idle > 0 {
            let round = self.round;
            for bin in &mut self.bins {
                bin.retain(|idle| idle.round == round);
            }
            self.idle = self.bins.iter().map(Vec::len).sum();
        }
        self.round += 1;
    }
}

/// While it lives, values on this thread take their memory from a [`Recycler`].
#[derive(Debug)]
pub struct Installed<'a> {
    recycler: &'a mut Recycler,
    /// The recycler that was installed before.
    outer: Option<Recycler>,
}

impl Drop for Installed<'_> {
    fn drop(&mut self) {
        let own = CURRENT.replace(self.outer.take());
        *self.recycler = own.unwrap_or_default();
        self.recycler.end_round();
    }
}

/// Gives the memory of a value, if no other shares it, to the recycler of this thread. If none is
/// installed, nothing would ever reuse or free it, so it is freed at once.
#[inline]
pub fn recycle(value: Value) {
    if let Some(buffer) = value.into_shared_buffer() {
        give(buffer);
    }
}

fn give(mut buffer: Arc<Buffer>) {
    if buffer.dtype().is_plain() && Arc::get_mut(&mut buffer).is_some() {
        CURRENT.with_borrow_mut(|current| {
            if let Some(current) = current {
                current.give(buffer);
            }
        });
    }
}

/// Memory for this many elements with arbitrary contents, if the recycler of this thread has some.
pub(crate) fn take(dtype: DType, elements: usize) -> Option<Arc<Buffer>> {
    CURRENT.with_borrow_mut(|current| current.as_mut()?.take(dtype, elements))
}
