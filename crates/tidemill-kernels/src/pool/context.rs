use std::cell::Cell;
use std::ptr;

use super::Cancellation;

/// The conditions under which a thread computes.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The number of threads that may compute at once, including this one.
    pub threads: usize,
    /// The request to heed, if there is one.
    pub cancellation: Option<&'a Cancellation>,
}

/// The conditions of one thread, without the lifetime.
#[derive(Clone, Copy)]
struct Ambient {
    threads: usize,
    cancellation: *const Cancellation,
}

thread_local! {
    static AMBIENT: Cell<Ambient> =
        const { Cell::new(Ambient { threads: 1, cancellation: ptr::null() }) };
}

/// Restores the previous conditions.
struct Restore(Ambient);

impl Drop for Restore {
    fn drop(&mut self) {
        AMBIENT.set(self.0);
    }
}

/// Calls `compute` under the conditions of `context`. Without a context, a thread computes alone
/// and heeds no request.
pub fn with_context<R>(context: &Context<'_>, compute: impl FnOnce() -> R) -> R {
    let cancellation = context.cancellation.map_or(ptr::null(), ptr::from_ref);
    let ambient = Ambient { threads: context.threads, cancellation };
    let _restore = Restore(AMBIENT.replace(ambient));
    compute()
}

/// Calls `inspect` with the conditions of this thread.
#[inline]
pub(super) fn inspect<R>(inspect: impl FnOnce(&Context<'_>) -> R) -> R {
    let Ambient { threads, cancellation } = AMBIENT.get();
    // SAFETY: the pointer is null, or comes from a reference that outlives the call of
    // `with_context` that set it. The reference made from it here is gone when `inspect` returns,
    // which happens inside that call.
    let cancellation = unsafe { cancellation.as_ref() };
    inspect(&Context { threads, cancellation })
}

/// True if this thread has been asked to stop. Long loops outside the pool check it now and then.
pub fn is_cancelled() -> bool {
    inspect(|context| context.cancellation.is_some_and(Cancellation::is_cancelled))
}

/// The number of threads that may compute at once here.
pub fn threads() -> usize {
    AMBIENT.get().threads
}
