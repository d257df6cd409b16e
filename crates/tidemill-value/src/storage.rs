//! The elements of plain types in memory, whoever owns it.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::any::Any;
use std::mem::{self, ManuallyDrop};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use half::{bf16, f16};
#[cfg(feature = "files")]
use memmap2::MmapMut;

use crate::copied;
use crate::dtype::DType;
use crate::mapped::FileMap;

/// A type of elements without memory of their own.
///
/// # Safety
/// `DTYPE` belongs to this type alone, its size is [`DType::plain_size`], and zero bytes are a valid
/// element. Unless it is `bool`, any bytes are.
pub(crate) unsafe trait Plain: Copy {
    const DTYPE: DType;
}

macro_rules! plain {
    ($($variant:ident $rust:ident),*) => {$(
        const _: () = assert!(size_of::<$rust>() == DType::$variant.plain_size());

        // SAFETY: Numbers and truth values are as the trait says; the size is checked above.
        unsafe impl Plain for $rust {
            const DTYPE: DType = DType::$variant;
        }
    )*};
}

plain!(
    F32 f32, F64 f64, F16 f16, BF16 bf16, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32,
    U64 u64, Bool bool
);

/// Elements of a plain type, in row-major order.
pub(crate) struct Storage {
    start: NonNull<u8>,
    dtype: DType,
    count: usize,
    owner: Owner,
    /// Where its memory goes when it is dropped, if that is still there.
    home: Option<Weak<Returns>>,
    edition: Edition,
}

/// A number that no other elements have, given when somebody asks for it, until they change.
#[derive(Default)]
struct Edition(AtomicU64);

impl Edition {
    fn get(&self) -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        match self.0.load(Ordering::Relaxed) {
            0 => {
                let next = LAST.fetch_add(1, Ordering::Relaxed) + 1;
                let set = self.0.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed);
                set.map_or_else(|given| given, |_| next)
            }
            given => given,
        }
    }

    fn end(&mut self) {
        *self.0.get_mut() = 0;
    }
}

/// Memory of dropped values, until somebody collects it.
#[derive(Default)]
pub(crate) struct Returns {
    returned: Mutex<Returned>,
    count: AtomicUsize,
    /// The most bytes that it keeps.
    limit: AtomicUsize,
}

#[derive(Default)]
struct Returned {
    storages: Vec<Storage>,
    bytes: usize,
}

impl Returns {
    /// Sets the most bytes that it keeps from now on.
    pub(crate) fn limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Keeps a storage, or frees it if there is too much.
    fn put(&self, storage: Storage) {
        let mut returned = self.returned();
        let bytes = returned.bytes.saturating_add(storage.capacity().unwrap_or_default());
        if bytes <= self.limit.load(Ordering::Relaxed) {
            returned.bytes = bytes;
            returned.storages.push(storage);
            self.count.store(returned.storages.len(), Ordering::Release);
        }
    }

    /// Calls `f` with each of the storages, and keeps none.
    pub(crate) fn collect(&self, f: impl FnMut(Storage)) {
        if self.count.load(Ordering::Acquire) > 0 {
            let mut returned = self.returned();
            self.count.store(0, Ordering::Release);
            returned.bytes = 0;
            returned.storages.drain(..).for_each(f);
        }
    }

    fn returned(&self) -> MutexGuard<'_, Returned> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The owner of the elements, who decides whether they may change and how their memory is freed.
/// Memory of another device would be one more.
enum Owner {
    /// The storage itself: the global allocator returned its memory for this layout, unless that has
    /// no size. All bytes of it are initialized.
    Host(Layout),
    /// The storage itself: pages of the system's memory.
    #[cfg(feature = "files")]
    Pages(MmapMut),
    /// The storage itself: its memory was that of a vector of the same elements, with this capacity.
    Vector { capacity: usize },
    /// A mapped file, which does not change.
    Mapped { _file: FileMap },
    /// A value of the program, which keeps the elements in place and unchanged.
    Foreign { _owner: Arc<dyn Any + Send + Sync> },
}

// SAFETY: The elements are plain data. They change only through `&mut Storage`, and only if the
// storage owns them. The other owners are `Send` and `Sync`.
unsafe impl Send for Storage {}
// SAFETY: As above.
unsafe impl Sync for Storage {}

impl Storage {
    /// The alignment of memory that values allocate: a cache line, and no vector register is longer.
    pub(crate) const ALIGNMENT: usize = 64;

    /// The least bytes for which pages are taken from the system: they are zero without being
    /// written, and first touched in large steps.
    #[cfg(feature = "files")]
    const LARGE: usize = 4 << 20;

    /// The bytes that are allocated for this many elements: whole cache lines. `None` if no memory
    /// is that large.
    pub(crate) fn capacity_for(dtype: DType, count: usize) -> Option<usize> {
        let bytes = count.checked_mul(dtype.plain_size())?;
        let capacity = bytes.checked_next_multiple_of(Storage::ALIGNMENT)?;
        Layout::from_size_align(capacity, Storage::ALIGNMENT).ok().map(|layout| layout.size())
    }

    /// Elements that are zero or false. `None` if there is not enough memory.
    pub(crate) fn zeroed(dtype: DType, count: usize) -> Option<Storage> {
        let capacity = Storage::capacity_for(dtype, count)?;
        #[cfg(feature = "files")]
        if capacity >= Storage::LARGE
            && let Ok(mut pages) = MmapMut::map_anon(capacity)
        {
            // Large pages are only faster.
            #[cfg(target_os = "linux")]
            let _ = pages.advise(memmap2::Advice::HugePage);
            let start = NonNull::from(&mut *pages).cast();
            return Some(Storage {
                start,
                dtype,
                count,
                owner: Owner::Pages(pages),
                home: None,
                edition: Edition::default(),
            });
        }
        let layout = Layout::from_size_align(capacity, Storage::ALIGNMENT).ok()?;
        let start = match capacity {
            0 => NonNull::<AlignedBytes>::dangling().cast(),
            // SAFETY: The layout has a size.
            _ => NonNull::new(unsafe { alloc_zeroed(layout) })?,
        };
        Some(Storage {
            start,
            dtype,
            count,
            owner: Owner::Host(layout),
            home: None,
            edition: Edition::default(),
        })
    }

    /// The elements of a vector. They are not copied.
    pub(crate) fn from_vec<T: Plain>(elements: Vec<T>) -> Storage {
        let mut elements = ManuallyDrop::new(elements);
        let owner = Owner::Vector { capacity: elements.capacity() };
        let start = NonNull::from(elements.as_mut_slice()).cast();
        Storage {
            start,
            dtype: T::DTYPE,
            count: elements.len(),
            owner,
            home: None,
            edition: Edition::default(),
        }
    }

    /// The elements of a slice that `owner` keeps in place and unchanged. They are not copied.
    ///
    /// # Safety
    /// The slice must be valid as long as `owner` is shared.
    pub(crate) unsafe fn foreign<T: Plain>(
        elements: &[T],
        owner: Arc<dyn Any + Send + Sync>,
    ) -> Storage {
        let (start, count) = (NonNull::from(elements).cast(), elements.len());
        let owner = Owner::Foreign { _owner: owner };
        Storage { start, dtype: T::DTYPE, count, owner, home: None, edition: Edition::default() }
    }

    /// Elements in a file, from byte `begin`. `None` if the file is too short, or if its bytes
    /// cannot serve as elements in memory.
    pub(crate) fn mapped(
        dtype: DType,
        count: usize,
        file: &FileMap,
        begin: usize,
    ) -> Option<Storage> {
        let size = dtype.plain_size();
        let bytes = file.get(begin..begin.checked_add(count.checked_mul(size)?)?)?;
        let any_bytes_are_elements = dtype.is_plain() && dtype != DType::Bool;
        let is_aligned = bytes.as_ptr().addr().is_multiple_of(size.max(1));
        let fits = any_bytes_are_elements && is_aligned && cfg!(target_endian = "little");
        let start = NonNull::from(bytes).cast();
        let owner = Owner::Mapped { _file: file.clone() };
        fits.then_some(Storage {
            start,
            dtype,
            count,
            owner,
            home: None,
            edition: Edition::default(),
        })
    }

    #[inline]
    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn is_mapped(&self) -> bool {
        matches!(self.owner, Owner::Mapped { .. })
    }

    /// Whether the storage owns its elements, so that it may change them.
    #[inline]
    pub(crate) fn is_owned(&self) -> bool {
        !matches!(self.owner, Owner::Mapped { .. } | Owner::Foreign { .. })
    }

    /// A number that tells these elements, as they are now, from all others.
    pub(crate) fn edition(&self) -> u64 {
        self.edition.get()
    }

    /// Sends the memory there, rather than back to the allocator, when the storage is dropped.
    pub(crate) fn set_home(&mut self, home: Option<Weak<Returns>>) {
        self.home = home;
    }

    /// The elements, if they are of type `T`.
    #[inline]
    pub(crate) fn elements<T: Plain>(&self) -> Option<&[T]> {
        if T::DTYPE != self.dtype {
            return None;
        }
        // SAFETY: `count` elements of this type begin at `start`, aligned and initialized, as every
        // constructor ensures. They live and stay unchanged as long as `self` is borrowed.
        Some(unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), self.count) })
    }

    /// The elements, if they are of type `T` and the storage owns them.
    #[inline]
    pub(crate) fn elements_mut<T: Plain>(&mut self) -> Option<&mut [T]> {
        if T::DTYPE != self.dtype || !self.is_owned() {
            return None;
        }
        self.edition.end();
        // SAFETY: As above, and nobody else refers to memory that the storage owns.
        Some(unsafe { slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.count) })
    }

    /// The bytes of the elements, in this machine's order.
    pub(crate) fn bytes(&self) -> &[u8] {
        let len = self.count * self.dtype.plain_size();
        // SAFETY: All bytes of plain elements are initialized; they live as long as `self`.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), len) }
    }

    /// Takes the elements out, without a copy if the storage was made of a vector.
    pub(crate) fn into_vec<T: Plain>(self) -> Option<Vec<T>> {
        let elements = self.elements::<T>()?;
        let Owner::Vector { capacity } = self.owner else {
            copied::count(elements);
            return Some(elements.to_vec());
        };
        let storage = ManuallyDrop::new(self);
        let start = storage.start.as_ptr().cast();
        // SAFETY: These are the parts of the vector that `from_vec` took, and its type is that of
        // the elements; `storage` is not dropped.
        Some(unsafe { Vec::from_raw_parts(start, storage.count, capacity) })
    }

    /// The bytes that the storage allocated for its elements. `None` if it did not allocate them.
    pub(crate) fn capacity(&self) -> Option<usize> {
        match self.owner {
            Owner::Host(layout) => Some(layout.size()),
            #[cfg(feature = "files")]
            Owner::Pages(ref pages) => Some(pages.len()),
            Owner::Vector { .. } | Owner::Mapped { .. } | Owner::Foreign { .. } => None,
        }
    }

    /// Gives its memory to other elements, which are arbitrary, except that truth values are false.
    /// Returns false if the storage has not allocated memory of just their size.
    pub(crate) fn reuse(&mut self, dtype: DType, count: usize) -> bool {
        if !dtype.is_plain() || self.capacity() != Storage::capacity_for(dtype, count) {
            return false;
        }
        if dtype == DType::Bool {
            // SAFETY: The capacity is at least `count` bytes, and the storage owns them.
            unsafe { self.start.as_ptr().write_bytes(0, count) };
        }
        (self.dtype, self.count) = (dtype, count);
        self.edition.end();
        true
    }

    /// Overwrites the elements with those of a storage of the same type and length. Returns false
    /// if it has another one, or does not own its elements.
    pub(crate) fn copy_from(&mut self, other: &Storage) -> bool {
        if (self.dtype, self.count) != (other.dtype, other.count) || !self.is_owned() {
            return false;
        }
        copied::count(other.bytes());
        self.edition.end();
        let len = self.bytes().len();
        // SAFETY: Both have `len` bytes, and nobody else refers to those of `self`.
        unsafe { self.start.as_ptr().copy_from_nonoverlapping(other.start.as_ptr(), len) };
        true
    }
}

/// The bytes of an element, in this machine's order.
pub(crate) fn bytes_of<T: Plain>(element: &T) -> &[u8] {
    // SAFETY: All bytes of plain elements are initialized; they live as long as the element.
    unsafe { slice::from_raw_parts(std::ptr::from_ref(element).cast(), size_of::<T>()) }
}

/// The alignment of [`Storage::ALIGNMENT`].
#[repr(align(64))]
struct AlignedBytes;

impl Drop for Storage {
    fn drop(&mut self) {
        if let Some(home) = self.home.take().and_then(|home| home.upgrade()) {
            let owner = mem::replace(&mut self.owner, Owner::Host(Layout::new::<()>()));
            let Storage { start, dtype, count, .. } = *self;
            return home.put(Storage {
                start,
                dtype,
                count,
                owner,
                home: None,
                edition: Edition::default(),
            });
        }
        match self.owner {
            // SAFETY: The allocator returned the memory for this layout, and it is freed once.
            Owner::Host(layout) if layout.size() > 0 => unsafe {
                dealloc(self.start.as_ptr(), layout);
            },
            Owner::Vector { capacity } => crate::match_dtype!(self.dtype, plain, T => {
                // SAFETY: These are the parts of the vector that `from_vec` took.
                drop(unsafe { Vec::<T>::from_raw_parts(self.start.as_ptr().cast(), 0, capacity) });
            }, else ()),
            #[cfg(feature = "files")]
            Owner::Pages(_) => {}
            Owner::Host(_) | Owner::Mapped { .. } | Owner::Foreign { .. } => {}
        }
    }
}
