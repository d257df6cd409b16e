//! The bandwidth of copies and of first writes.

use std::hint::black_box;

/// Of each of the two buffers of a copy: more than caches hold.
const COPIED_BYTES: usize = 256 << 20;

pub struct Copied {
    source: Vec<u8>,
    target: Vec<u8>,
}

impl Copied {
    pub fn new() -> Self {
        Copied { source: vec![1; COPIED_BYTES], target: vec![2; COPIED_BYTES] }
    }

    /// The number of bytes copied.
    pub fn copy(&mut self) -> f64 {
        self.target.copy_from_slice(black_box(&self.source));
        black_box(&self.target);
        COPIED_BYTES as f64
    }
}

#[cfg(target_os = "linux")]
mod fresh {
    use std::io::Error;
    use std::ptr::null_mut;

    const BYTES: usize = 64 << 20;
    /// Huge pages begin at multiples of it.
    const HUGE_PAGE: usize = 2 << 20;

    /// Memory that the system has promised and not yet given.
    pub struct Fresh {
        start: *mut u8,
        length: usize,
    }

    impl Fresh {
        /// Maps memory for which `madvise` has had this advice.
        ///
        /// # Panics
        ///
        /// Without enough memory.
        pub fn map(advice: i32) -> Self {
            let length = BYTES + HUGE_PAGE;
            let (access, kind) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            // SAFETY: A new mapping overlaps no other memory.
            let start = unsafe { libc::mmap(null_mut(), length, access, kind, -1, 0) };
            assert!(start != libc::MAP_FAILED, "mmap: {}", Error::last_os_error());
            // SAFETY: The range is the mapping. A kernel that refuses the advice leaves it as it is.
            unsafe { libc::madvise(start, length, advice) };
            Fresh { start: start.cast(), length }
        }

        /// Writes it from the first huge page on; the number of bytes.
        pub fn touch(&mut self) -> f64 {
            let start = self.start.wrapping_add(self.start.align_offset(HUGE_PAGE));
            // SAFETY: At most a huge page less a byte comes before `start`, so `BYTES` are left.
            unsafe { start.write_bytes(1, BYTES) };
            std::hint::black_box(start);
            BYTES as f64
        }
    }

    impl Drop for Fresh {
        fn drop(&mut self) {
            // SAFETY: The range is the mapping, which nothing refers to any more.
            unsafe { libc::munmap(self.start.cast(), self.length) };
        }
    }
}

#[cfg(target_os = "linux")]
pub use fresh::Fresh;
