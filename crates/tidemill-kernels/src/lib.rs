//! Numeric functions of the Tidemill runtime, on slices, shapes and values.
//!
//! The crate knows no graph, no operations and no session. Element-wise functions are tables of
//! function pointers ([`elementwise`]) that a kernel picks once and calls often; the others take
//! values and return one.
//!
//! Every result is a function of the inputs alone, to the bit: work is divided, and sums are added,
//! in an order that depends only on shapes. It is the same whether elements are computed one at a
//! time, in bulk or in place.

#![warn(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[macro_use]
mod moved;
#[macro_use]
mod vector;

mod broadcast;
mod float;
mod functions;
mod number;
mod output;
mod strided;
mod sync;

pub mod batch_norm;
pub mod conv;
pub mod dilation;
pub mod einsum;
pub mod elementwise;
pub mod epilogue;
pub mod layout;
pub mod linalg;
pub mod local_response;
pub mod matmul;
pub mod order;
pub mod pool;
pub mod pooling;
pub mod random;
pub mod recurrence;
pub mod reduce;
pub mod resize;
pub mod scan;
pub mod segment;
pub mod softmax;
pub mod training;
pub mod window;

#[doc(hidden)]
pub mod internals {
    //! Private parts, for the tests of this crate, which are integration tests: unit tests would
    //! compile all loops again.

    use crate::float::Float;

    pub use crate::strided::{Axis, Odometer, coalesce};
    #[cfg(target_arch = "x86_64")]
    pub use crate::vector::forget_v4;

    pub const LN_EPSILON: (f32, f64) = (f32::LN_EPSILON, f64::LN_EPSILON);
}

pub use broadcast::Broadcast;
pub use tidemill_value::NumericError;
