//! The lists of the operations and functions that each file of [`ops`](crate::ops) declares.
//!
//! A file says in [`operations!`] what it declares, and the module above it collects its files with
//! [`collect!`], up to [`ALL`](crate::ALL) and [`functions`](crate::functions).

use tidemill_graph::OpDef;

/// The operations of a module.
pub(crate) enum Operations {
    /// These operations.
    These(&'static [&'static OpDef]),
    /// Those of each of its tables or files.
    Of(&'static [Operations]),
}

impl Operations {
    /// The number of operations.
    pub(crate) const fn len(&self) -> usize {
        let groups = match self {
            Operations::These(ops) => return ops.len(),
            Operations::Of(groups) => *groups,
        };
        let (mut i, mut len) = (0, 0);
        while i < groups.len() {
            len += groups[i].len();
            i += 1;
        }
        len
    }

    /// All operations, `N` in number, sorted by name. It does not compile if two have the same name.
    pub(crate) const fn sorted<const N: usize>(&self) -> [&'static OpDef; N] {
        const NONE: &OpDef = &OpDef::new("", "");
        let mut sorted = [NONE; N];
        assert!(self.insert(&mut sorted, 0) == N);
        let mut i = 1;
        while i < N {
            let [left, right] = [sorted[i - 1].name, sorted[i].name];
            assert!(is_before(left.as_bytes(), right.as_bytes()), "an operation is listed twice");
            i += 1;
        }
        sorted
    }

    /// Inserts the operations into the first `len` ones of a sorted list, and returns how many there
    /// are then.
    const fn insert(&self, sorted: &mut [&'static OpDef], mut len: usize) -> usize {
        let mut i = 0;
        match self {
            Operations::These(ops) => {
                while i < ops.len() {
                    insert(ops[i], sorted, len);
                    (i, len) = (i + 1, len + 1);
                }
            }
            Operations::Of(groups) => {
                while i < groups.len() {
                    len = groups[i].insert(sorted, len);
                    i += 1;
                }
            }
        }
        len
    }
}

const fn insert(op: &'static OpDef, sorted: &mut [&'static OpDef], len: usize) {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low.midpoint(high);
        match is_before(sorted[middle].name.as_bytes(), op.name.as_bytes()) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    let mut i = len;
    while i > low {
        sorted[i] = sorted[i - 1];
        i -= 1;
    }
    sorted[low] = op;
}

/// The order of byte strings, which no trait can give at compile time.
const fn is_before(left: &[u8], right: &[u8]) -> bool {
    let mut i = 0;
    while i < left.len() && i < right.len() {
        if left[i] != right[i] {
            return left[i] < right[i];
        }
        i += 1;
    }
    left.len() < right.len()
}

/// Lists what a file declares: its operations, and the functions and types that the crate exports.
/// The tables of families list theirs.
macro_rules! operations {
    (
        $(tables: $($table:ident),+;)?
        $(ops: $($op:ident),+;)?
        $(exports: $($export:ident),+;)?
    ) => {
        pub(crate) const OPS: $crate::operations::Operations =
            $crate::operations::Operations::Of(&[
                $($($table::OPS,)+)?
                $($crate::operations::Operations::These(&[$(&$op),+]),)?
            ]);

        #[allow(unused_imports, unreachable_pub, reason = "these lints lose track of nested globs")]
        pub(crate) mod exports {
            $($(
                pub use super::$table::exports::*;
            )+)?
            $(
                #[doc(inline)]
                pub use super::{$($export),+};
            )?
        }
    };
}
pub(crate) use operations;

/// Lists the rows of a table: a module that [`operations!`] takes among its `tables`.
macro_rules! table {
    ($table:ident: [$($op:ident),*] [$($function:ident),*]) => {
        mod $table {
            pub(super) const OPS: $crate::operations::Operations =
                $crate::operations::Operations::These(&[$(&super::$op),*]);

            #[allow(unused_imports, unreachable_pub, reason = "these lints lose track of nested globs")]
            pub(super) mod exports {
                #[doc(inline)]
                pub use super::super::{$($function),*};
            }
        }
    };
}
pub(crate) use table;

/// Lists the files whose [`operations!`] belong to a module.
macro_rules! collect {
    ($($(#[$attr:meta])* $file:ident,)+) => {
        pub(crate) const OPS: $crate::operations::Operations =
            $crate::operations::Operations::Of(&[$($(#[$attr])* $file::OPS,)+]);

        #[allow(unused_imports, unreachable_pub, reason = "these lints lose track of nested globs")]
        pub(crate) mod exports {
            $(
                $(#[$attr])*
                pub use super::$file::exports::*;
            )+
        }
    };
}
pub(crate) use collect;
