//! What surrounds kernels while they run.

mod cancellation;

pub use cancellation::Cancellation;
