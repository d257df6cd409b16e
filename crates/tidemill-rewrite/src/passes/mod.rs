//! One file for each pass.

pub(crate) mod algebra;
pub(crate) mod cse;
pub(crate) mod dead;
pub(crate) mod fold;
pub(crate) mod pack;
