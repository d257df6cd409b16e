use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use smallvec::SmallVec;
use tidemill_graph::Operand;
use tidemill_ops::{Operation, Tensor, Variable};
use tidemill_value::Value;

/// Anything that a run can fetch: a tensor, a variable, an operation, the name of a tensor, and
/// tuples, arrays, vectors, slices, options and maps of these, nested freely.
///
/// The result of the run has the same form, with a [`Value`] for each tensor, variable and name,
/// and `()` for each operation.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be fetched",
    label = "a run cannot fetch this",
    note = "a run fetches tensors, variables, operations, names of tensors, and tuples, arrays, \
            vectors, options and maps of them"
)]
pub trait Fetch {
    /// The type of its result.
    type Output;

    /// Lists the fetches, in order.
    #[doc(hidden)]
    fn list(&self, fetches: &mut FetchList);

    /// Assembles the values, in the same order.
    #[doc(hidden)]
    fn assemble(&self, values: &mut Fetched<'_>) -> Option<Self::Output>;
}

/// The fetches of a run, flattened.
#[doc(hidden)]
#[derive(Default, Debug)]
pub struct FetchList(pub(crate) SmallVec<[FetchItem; 4]>);

#[doc(hidden)]
#[derive(Clone, Debug)]
pub enum FetchItem {
    Tensor(Tensor),
    Variable(Variable),
    Operation(Operation),
    Name(String),
}

/// The results of a run, flattened.
#[doc(hidden)]
pub struct Fetched<'a> {
    pub(crate) places: std::slice::Iter<'a, Operand>,
    pub(crate) slots: &'a [Option<Value>],
    pub(crate) constants: &'a [Value],
}

impl Fetched<'_> {
    #[inline]
    fn next(&mut self) -> Option<Value> {
        let operand = *self.places.next()?;
        match operand.is_constant() {
            true => self.constants.get(operand.index()).cloned(),
            false => self.slots.get(operand.index())?.clone(),
        }
    }
}

impl Fetch for Tensor {
    type Output = Value;

    fn list(&self, fetches: &mut FetchList) {
        fetches.0.push(FetchItem::Tensor(*self));
    }

    fn assemble(&self, values: &mut Fetched<'_>) -> Option<Value> {
        values.next()
    }
}

impl Fetch for Variable {
    type Output = Value;

    fn list(&self, fetches: &mut FetchList) {
        fetches.0.push(FetchItem::Variable(*self));
    }

    fn assemble(&self, values: &mut Fetched<'_>) -> Option<Value> {
        values.next()
    }
}

impl Fetch for Operation {
    type Output = ();

    fn list(&self, fetches: &mut FetchList) {
        fetches.0.push(FetchItem::Operation(*self));
    }

    fn assemble(&self, _: &mut Fetched) -> Option<()> {
        Some(())
    }
}

impl Fetch for str {
    type Output = Value;

    fn list(&self, fetches: &mut FetchList) {
        fetches.0.push(FetchItem::Name(self.to_owned()));
    }

    fn assemble(&self, values: &mut Fetched<'_>) -> Option<Value> {
        values.next()
    }
}

impl Fetch for String {
    type Output = Value;

    fn list(&self, fetches: &mut FetchList) {
        self.as_str().list(fetches);
    }

    fn assemble(&self, values: &mut Fetched<'_>) -> Option<Value> {
        values.next()
    }
}

impl Fetch for () {
    type Output = ();

    fn list(&self, _: &mut FetchList) {}

    fn assemble(&self, _: &mut Fetched) -> Option<()> {
        Some(())
    }
}

impl<F: Fetch + ?Sized> Fetch for &F {
    type Output = F::Output;

    fn list(&self, fetches: &mut FetchList) {
        (**self).list(fetches);
    }

    fn assemble(&self, values: &mut Fetched<'_>) -> Option<F::Output> {
        (**self).assemble(values)
    }
}

impl<F: Fetch> Fetch for [F] {
    type Output = Vec<F::Output>;

    fn list(&self, fetches: &mut FetchList) {
        self.iter().for_each(|fetch| fetch.list(fetches));
    }

    fn assemble(&self, values: &mut Fetched<'_>) -> Option<Vec<F::Output>> {
        self.iter().map(|fetch| fetch.assemble(values)).collect()
    }
}

impl<F: Fetch> Fetch for Vec<F> {
    type Output = Vec<F::Output>;

    fn list(&self, fetches: &mut FetchList) {
        self.as_slice().list(fetches);
    }

    fn assemble(&self, values: &mut Fetched<'_>) -> Option<Vec<F::Output>> {
        self.as_slice().assemble(values)
    }
}

impl<F: Fetch, const N: usize> Fetch for [F; N] {
    type Output = [F::Output; N];

    fn list(&self, fetches: &mut FetchList) {
        self.as_slice().list(fetches);
    }

    fn assemble(&self, values: &mut Fetched<'_>) -> Option<[F::Output; N]> {
        self.as_slice().assemble(values)?.try_into().ok()
    }
}

impl<F: Fetch> Fetch for Option<F> {
    type Output = Option<F::Output>;

    fn list(&self, fetches: &mut FetchList) {
        if let Some(fetch) = self {
            fetch.list(fetches);
        }
    }

    fn assemble(&self, values: &mut Fetched<'_>) -> Option<Option<F::Output>> {
        match self {
            Some(fetch) => fetch.assemble(values).map(Some),
            None => Some(None),
        }
    }
}

macro_rules! fetch_map {
    ($map:ident, $($bound:ident),*) => {
        impl<K: Clone $(+ $bound)*, F: Fetch> Fetch for $map<K, F> {
            type Output = $map<K, F::Output>;

            fn list(&self, fetches: &mut FetchList) {
                self.values().for_each(|fetch| fetch.list(fetches));
            }

            fn assemble(&self, values: &mut Fetched<'_>) -> Option<Self::Output> {
                let entry = |(key, fetch): (&K, &F)| Some((key.clone(), fetch.assemble(values)?));
                self.iter().map(entry).collect()
            }
        }
    };
}

fetch_map!(BTreeMap, Ord);
fetch_map!(HashMap, Eq, Hash);

macro_rules! fetch_tuple {
    ($($type:ident $i:tt),*) => {
        impl<$($type: Fetch),*> Fetch for ($($type,)*) {
            type Output = ($($type::Output,)*);

            fn list(&self, fetches: &mut FetchList) {
                $(self.$i.list(fetches);)*
            }

            fn assemble(&self, values: &mut Fetched<'_>) -> Option<Self::Output> {
                Some(($(self.$i.assemble(values)?,)*))
            }
        }
    };
}

fetch_tuple!(A 0);
fetch_tuple!(A 0, B 1);
fetch_tuple!(A 0, B 1, C 2);
fetch_tuple!(A 0, B 1, C 2, D 3);
fetch_tuple!(A 0, B 1, C 2, D 3, E 4);
fetch_tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
fetch_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
fetch_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
