//! Memory for values, kept for new ones when they are gone.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::dtype::DType;
use crate::error::ValueError;
use crate::model::{Data, Element, Value};
use crate::shape::Shape;
use crate::storage::{Returns, Storage};

/// Memory that values of any plain type take, and give back when they are gone.
///
/// A run has one, and its kernels take their outputs and workspaces from it. Memory that nobody took
/// during one [round](Memory::end_round) is freed at the end of the next.
#[derive(Default)]
pub struct Memory {
    idle: RefCell<Idle>,
    /// Large values that leave the run send their memory here when they are gone.
    returns: OnceCell<Arc<Returns>>,
    /// The bytes of the large values that have left in this round.
    lent: Cell<usize>,
}

/// The least bytes of a value whose memory comes back from outside.
const LARGE: usize = 1 << 16;

/// Memory that waits for values, by the logarithm of its size.
#[derive(Default)]
struct Idle {
    bins: Vec<Vec<Block>>,
    count: usize,
    round: u64,
}

struct Block {
    storage: Arc<Storage>,
    /// The round in which it was given.
    round: u64,
}

impl Memory {
    /// No memory yet.
    pub const fn new() -> Self {
        Memory {
            idle: RefCell::new(Idle { bins: Vec::new(), count: 0, round: 0 }),
            returns: OnceCell::new(),
            lent: Cell::new(0),
        }
    }

    /// A value whose elements are zero, false or empty.
    ///
    /// # Errors
    /// [`ValueError::TooLarge`] if there is not enough memory for the elements.
    pub fn zeros(&self, dtype: DType, shape: impl Into<Shape>) -> Result<Value, ValueError> {
        let shape = shape.into();
        let Some(mut value) = self.reused(dtype, &shape) else {
            return Value::zeros(dtype, shape);
        };
        if dtype != DType::Bool {
            match_dtype!(dtype, plain, T => value.as_mut_slice::<T>()?.fill(T::default()), else ());
        }
        Ok(value)
    }

    /// A value to be written: its elements are arbitrary.
    ///
    /// # Errors
    /// [`ValueError::TooLarge`] if there is not enough memory for the elements.
    pub fn scratch(&self, dtype: DType, shape: impl Into<Shape>) -> Result<Value, ValueError> {
        let shape = shape.into();
        match self.reused(dtype, &shape) {
            Some(value) => Ok(value),
            None => Value::zeros(dtype, shape).map(spoiled),
        }
    }

    /// Sees to it that the memory of a large value that leaves the run comes back when the value is
    /// dropped, on any thread. A value that others share, such as that of a variable, is theirs.
    ///
    /// Values that are dropped together, after many rounds, bring back no more than left in the last of
    /// these: a round takes no more, and there may be none that would free the rest.
    pub fn lend(&self, value: &mut Value) {
        if let Data::Plain(storage) = &mut value.data
            && let Some(capacity) = storage.capacity()
            && capacity >= LARGE
            && let Some(storage) = Arc::get_mut(storage)
        {
            let returns = self.returns.get_or_init(Arc::default);
            storage.set_home(Some(Arc::downgrade(returns)));
            self.lent.set(self.lent.get().saturating_add(capacity));
            returns.limit(self.lent.get());
        }
    }

    /// Collects the memory of values that were dropped outside.
    fn collect(&self) {
        if let Some(returns) = self.returns.get() {
            returns.collect(|storage| self.give(Arc::new(storage)));
        }
    }

    /// Arbitrary elements to compute with, whose memory comes back when they are dropped.
    ///
    /// # Errors
    /// [`ValueError::TooLarge`] if there is not enough memory for the elements.
    pub fn workspace<T: Element>(&self, len: usize) -> Result<Workspace<'_, T>, ValueError> {
        let value = if len > 0 { Some(self.scratch(T::DTYPE, [len])?) } else { None };
        Ok(Workspace { memory: self, value, elements: PhantomData })
    }

    /// Makes a value the only owner of its elements: if it is not, they are copied to this memory.
    pub fn make_unique(&self, value: &mut Value) {
        if !value.is_unique()
            && let Data::Plain(shared) = &value.data
            && let Some(mut copy) = self.take(shared.dtype(), shared.count())
            && Arc::get_mut(&mut copy).is_some_and(|copy| copy.copy_from(shared))
        {
            value.data = Data::Plain(copy);
        }
    }

    /// Takes back the memory of a value, unless other values share it or it has another owner.
    #[inline]
    pub fn recycle(&self, value: Value) {
        if let Data::Plain(storage) = value.data {
            self.give(storage);
        }
    }

    /// Takes memory for this many elements from another one, if that has some.
    pub fn take_over(&self, other: &Memory, dtype: DType, count: usize) {
        if let Some(storage) = other.take(dtype, count) {
            self.give(storage);
        }
    }

    /// Frees memory that nobody took since the round before.
    #[inline]
    pub fn end_round(&self) {
        self.collect();
        let idle = &mut *self.idle.borrow_mut();
        if idle.count > 0 {
            for bin in &mut idle.bins {
                bin.retain(|block| block.round == idle.round);
            }
            idle.count = idle.bins.iter().map(Vec::len).sum();
        }
        idle.round += 1;
        self.lent.set(0);
    }

    /// The number of blocks of memory that wait for a value.
    pub fn idle(&self) -> usize {
        self.collect();
        self.idle.borrow().count
    }

    /// The bytes of memory that wait for a value, and of the lists that they are in.
    pub fn idle_bytes(&self) -> usize {
        const HEADER: usize = size_of::<Storage>() + 2 * size_of::<usize>();
        self.collect();
        let bins = &self.idle.borrow().bins;
        let bytes = |block: &Block| HEADER + block.storage.capacity().unwrap_or_default();
        let places: usize = bins.iter().map(Vec::capacity).sum();
        bins.capacity() * size_of::<Vec<Block>>()
            + places * size_of::<Block>()
            + bins.iter().flatten().map(bytes).sum::<usize>()
    }

    fn reused(&self, dtype: DType, shape: &Shape) -> Option<Value> {
        if shape.rank() == 0 {
            return None;
        }
        let storage = self.take(dtype, shape.elements()?)?;
        Some(spoiled(Value { shape: shape.clone(), data: Data::Plain(storage) }))
    }

    fn give(&self, mut storage: Arc<Storage>) {
        let Some(capacity) = storage.capacity() else { return };
        let Some(unique) = Arc::get_mut(&mut storage) else { return };
        unique.set_home(None);
        let idle = &mut *self.idle.borrow_mut();
        let bin = bin_of(capacity);
        if idle.bins.len() <= bin {
            idle.bins.resize_with(bin + 1, Vec::new);
        }
        idle.bins[bin].push(Block { storage, round: idle.round });
        idle.count += 1;
    }

    fn take(&self, dtype: DType, count: usize) -> Option<Arc<Storage>> {
        if !dtype.is_plain() {
            return None;
        }
        let capacity = Storage::capacity_for(dtype, count)?;
        if capacity >= LARGE {
            self.collect();
        }
        let idle = &mut *self.idle.borrow_mut();
        if idle.count == 0 {
            return None;
        }
        let bin = idle.bins.get_mut(bin_of(capacity))?;
        let found = bin.iter().rposition(|block| block.storage.capacity() == Some(capacity))?;
        idle.count -= 1;
        let mut storage = bin.swap_remove(found).storage;
        Arc::get_mut(&mut storage)?.reuse(dtype, count).then_some(storage)
    }
}

fn bin_of(capacity: usize) -> usize {
    capacity.checked_ilog2().map_or(0, |log| log as usize)
}

/// In builds with debug assertions, fills elements that should be overwritten with a number that
/// tests notice.
fn spoiled(mut value: Value) -> Value {
    if cfg!(debug_assertions) {
        match_dtype!(value.dtype(), numbers, T => {
            if let Ok(elements) = value.as_mut_slice::<T>() {
                elements.fill(77 as T);
            }
        }, else ());
    }
    value
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("idle", &self.idle()).finish_non_exhaustive()
    }
}

/// Elements to compute with, which belong to a [`Memory`].
#[derive(Debug)]
pub struct Workspace<'a, T: Element> {
    memory: &'a Memory,
    /// `None` if there are no elements.
    value: Option<Value>,
    elements: PhantomData<[T]>,
}

impl<T: Element> Deref for Workspace<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.value.as_ref().and_then(|value| value.as_slice().ok()).unwrap_or_default()
    }
}

impl<T: Element> DerefMut for Workspace<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.value.as_mut().and_then(|value| value.as_mut_slice().ok()).unwrap_or_default()
    }
}

impl<T: Element> Drop for Workspace<'_, T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.memory.recycle(value);
        }
    }
}
