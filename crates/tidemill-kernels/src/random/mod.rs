//! Random numbers that are a function of a key and a position.
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
//! easy as 1, 2, 3", 2011). It turns a counter into a group of four 32-bit numbers, so any part of a
//! tensor can be filled on its own. Counters and distributions are laid out as TensorFlow's
//! kernels lay them out: the first execution of an operation draws TensorFlow's own numbers.

mod classes;
mod distribution;
mod philox;
mod shuffle;

pub use classes::classes;
pub use distribution::{
    RandomFloat, RandomInteger, standard_normal, truncated_normal, uniform, uniform_integer,
};
pub use philox::{RandomKey, philox};
pub use shuffle::shuffle_permutation;
