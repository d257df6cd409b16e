use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A request, shared by its clones, to stop computing. A deadline can trigger it.
#[derive(Clone, Debug, Default)]
pub struct Cancellation {
    requested: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Cancellation {
    /// A request that has not been made yet.
    pub fn new() -> Self {
        Cancellation::default()
    }

    /// The same request, but a holder of the result also sees it made at `deadline`.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        let earlier = self.deadline.map_or(deadline, |own| own.min(deadline));
        Cancellation { requested: Arc::clone(&self.requested), deadline: Some(earlier) }
    }

    /// Makes the request. It cannot be withdrawn.
    pub fn cancel(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// Whether the request was made, or the deadline has passed.
    pub fn is_cancelled(&self) -> bool {
        self.is_requested() || self.is_overdue()
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Whether the deadline has passed.
    pub fn is_overdue(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
