//! Reports on runs: errors, explanations, traces, warnings, memory.

pub(crate) mod describe;
pub(crate) mod error;
pub(crate) mod explain;
pub(crate) mod lint;
pub(crate) mod memory;
pub(crate) mod numerics;
pub(crate) mod trace;
