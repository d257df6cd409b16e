use tidemill_value::{IntoValue, Value, ValueError};

/// The values for a [`Callable`](crate::Callable)'s feeds: a tuple, an array or a vector of
/// anything that converts to a value.
pub trait Arguments {
    /// Converts each argument to a value, in order.
    #[doc(hidden)]
    fn each(self, each: impl FnMut(Result<Value, ValueError>));
}

impl Arguments for () {
    fn each(self, _: impl FnMut(Result<Value, ValueError>)) {}
}

impl<V: IntoValue> Arguments for Vec<V> {
    fn each(self, each: impl FnMut(Result<Value, ValueError>)) {
        self.into_iter().map(V::into_value).for_each(each);
    }
}

impl<V: IntoValue, const N: usize> Arguments for [V; N] {
    fn each(self, each: impl FnMut(Result<Value, ValueError>)) {
        self.into_iter().map(V::into_value).for_each(each);
    }
}

macro_rules! arguments_tuple {
    ($($type:ident $i:tt),*) => {
        impl<$($type: IntoValue),*> Arguments for ($($type,)*) {
            #[inline]
            fn each(self, mut each: impl FnMut(Result<Value, ValueError>)) {
                $(each(self.$i.into_value());)*
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
