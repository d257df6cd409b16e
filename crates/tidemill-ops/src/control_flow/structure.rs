use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use crate::{Operation, Tensor, TensorArray};

/// Tensors and operations in a structure of the host program: a tensor, a [`TensorArray`], an
/// operation, nothing, or a tuple, an array, a vector, an option or a map of these. A struct of a
/// program can implement it by rebuilding its fields in turn.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a structure of tensors",
    label = "not a structure of tensors",
    note = "loops and branches pass on tensors, operations, and tuples, arrays, vectors, options and \
            maps of them; a number becomes a tensor by `constant(..)`, a variable by `.read()`"
)]
pub trait Structure: Sized {
    /// The same structure with its tensors and operations replaced, from first to last.
    fn rebuild(self, with: &mut dyn Rebuild) -> Self;
}

/// Replaces the tensors and operations of a [`Structure`].
pub trait Rebuild {
    /// The replacement of a tensor.
    fn tensor(&mut self, tensor: Tensor) -> Tensor;

    /// The replacement of an operation.
    fn operation(&mut self, operation: Operation) -> Operation;
}

impl Structure for Tensor {
    fn rebuild(self, with: &mut dyn Rebuild) -> Self {
        with.tensor(self)
    }
}

impl Structure for Operation {
    fn rebuild(self, with: &mut dyn Rebuild) -> Self {
        with.operation(self)
    }
}

impl Structure for TensorArray {
    fn rebuild(self, with: &mut dyn Rebuild) -> Self {
        self.rebuild_flow(|flow| with.tensor(flow))
    }
}

impl<S: Structure> Structure for Vec<S> {
    fn rebuild(self, with: &mut dyn Rebuild) -> Self {
        self.into_iter().map(|part| part.rebuild(with)).collect()
    }
}

impl<K: Ord, S: Structure> Structure for BTreeMap<K, S> {
    fn rebuild(self, with: &mut dyn Rebuild) -> Self {
        self.into_iter().map(|(key, part)| (key, part.rebuild(with))).collect()
    }
}

impl<K: Ord + Hash, S: Structure, H: BuildHasher + Default> Structure for HashMap<K, S, H> {
    /// In the order of the keys: the order of the map differs from one run of the program to the
    /// next.
    fn rebuild(self, with: &mut dyn Rebuild) -> Self {
        let mut parts: Vec<(K, S)> = self.into_iter().collect();
        parts.sort_by(|(left, _), (right, _)| left.cmp(right));
        parts.into_iter().map(|(key, part)| (key, part.rebuild(with))).collect()
    }
}

impl<S: Structure> Structure for Option<S> {
    fn rebuild(self, with: &mut dyn Rebuild) -> Self {
        self.map(|part| part.rebuild(with))
    }
}

impl<S: Structure, const N: usize> Structure for [S; N] {
    fn rebuild(self, with: &mut dyn Rebuild) -> Self {
        self.map(|part| part.rebuild(with))
    }
}

macro_rules! tuples {
    ($(($($part:ident)*))*) => {$(
        impl<$($part: Structure),*> Structure for ($($part,)*) {
            #[allow(non_snake_case, unused_variables, clippy::unused_unit)]
            fn rebuild(self, with: &mut dyn Rebuild) -> Self {
                let ($($part,)*) = self;
                ($($part.rebuild(with),)*)
            }
        }
    )*};
}

tuples! {
    ()
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
}
