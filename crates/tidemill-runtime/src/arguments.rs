use smallvec::SmallVec;
use tidemill_value::{IntoValue, Value, ValueError};

/// The values of a [`Callable`](crate::Callable)'s feeds: a tuple, an array or a vector of what
/// becomes values.
pub trait Arguments {
    /// The values, in order.
    #[doc(hidden)]
    fn into_values(self) -> SmallVec<[Result<Value, ValueError>; 4]>;
}

impl Arguments for () {
    fn into_values(self) -> SmallVec<[Result<Value, ValueError>; 4]> {
        SmallVec::new()
    }
}

impl<V: IntoValue> Arguments for Vec<V> {
    fn into_values(self) -> SmallVec<[Result<Value, ValueError>; 4]> {
        self.into_iter().map(V::into_value).collect()
    }
}

impl<V: IntoValue, const N: usize> Arguments for [V; N] {
    fn into_values(self) -> SmallVec<[Result<Value, ValueError>; 4]> {
        self.into_iter().map(V::into_value).collect()
    }
}

macro_rules! arguments_tuple {
    ($($type:ident $i:tt),*) => {
        impl<$($type: IntoValue),*> Arguments for ($($type,)*) {
            #[inline]
            fn into_values(self) -> SmallVec<[Result<Value, ValueError>; 4]> {
                let mut values = SmallVec::new();
                $(values.push(self.$i.into_value());)*
                values
            }
        }
    };
}

arguments_tuple!(A 0);
arguments_tuple!(A 0, B 1);
arguments_tuple!(A 0, B 1, C 2);
arguments_tuple!(A 0, B 1, C 2, D 3);
arguments_tuple!(A 0, B 1, C 2, D 3, E 4);
arguments_tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
arguments_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
arguments_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
