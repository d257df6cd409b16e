use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A wish that work should end early, which any thread can make; or a time at which it should.
#[derive(Clone, Debug, Default)]
pub struct Cancellation {
    flag: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Cancellation {
    /// One that nobody has asked for yet.
    pub fn new() -> Self {
        Cancellation::default()
    }

    /// The same one, which also takes effect at a time.
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        Cancellation { flag: Arc::clone(&self.flag), deadline: Some(deadline) }
    }

    /// Asks for it, here and in all clones.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Release);
    }

    /// Whether somebody has asked for it, or its time has come.
    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::Acquire)
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
