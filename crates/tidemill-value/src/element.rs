use std::fmt::{Debug, Display};

use crate::buffer::Buffer;
use crate::scalar::Scalar;
use crate::{ByteString, DType, TensorList, bf16, f16};

/// A Rust type that a value can hold elements of.
///
/// Implemented for `f32`, `f64`, [`f16`](struct@f16), [`bf16`](struct@bf16), the integers of 8 to 64 bits, `bool`, [`ByteString`] and
/// [`TensorList`]. The trait is sealed: data types are a closed set.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an element type",
    label = "tensors cannot hold elements of this type",
    note = "elements are floats and integers of 8 to 64 bits, `bool` and `ByteString`; instead of \
            `usize`, write `i64`"
)]
pub trait Element:
    Clone + Debug + Display + PartialEq + Default + Send + Sync + sealed::Sealed + 'static
{
    /// The data type of such elements.
    const DTYPE: DType;

    /// Stores elements as a buffer, without copying them.
    fn into_buffer(elements: Vec<Self>) -> Buffer;

    /// The elements of a buffer, if they are of this type.
    fn in_buffer(buffer: &Buffer) -> Option<&[Self]>;

    /// The elements of a buffer for writing, if they are of this type.
    fn in_buffer_mut(buffer: &mut Buffer) -> Option<&mut [Self]>;

    /// Takes the elements out of a buffer without copying them, if they are of this type.
    fn from_buffer(buffer: Buffer) -> Option<Vec<Self>>;

    /// The element as a scalar, for the types that have one.
    fn into_scalar(self) -> Option<Scalar>;

    /// The element inside a scalar, if it is of this type.
    fn in_scalar(scalar: &Scalar) -> Option<&Self>;

    /// The element inside a scalar for writing, if it is of this type.
    fn in_scalar_mut(scalar: &mut Scalar) -> Option<&mut Self>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! element {
    ($($rust:ty, $variant:ident, $scalar:pat => $into:expr, $from:pat => $found:expr;)*) => {$(
        impl sealed::Sealed for $rust {}

        impl Element for $rust {
            const DTYPE: DType = DType::$variant;

            fn into_buffer(elements: Vec<Self>) -> Buffer {
                Buffer::$variant(elements)
            }

            #[inline]
            fn in_buffer(buffer: &Buffer) -> Option<&[Self]> {
                if let Buffer::$variant(elements) = buffer { Some(elements) } else { None }
            }

            #[inline]
            fn in_buffer_mut(buffer: &mut Buffer) -> Option<&mut [Self]> {
                if let Buffer::$variant(elements) = buffer { Some(elements) } else { None }
            }

            fn from_buffer(buffer: Buffer) -> Option<Vec<Self>> {
                if let Buffer::$variant(elements) = buffer { Some(elements) } else { None }
            }

            #[inline]
            fn into_scalar(self) -> Option<Scalar> {
                let $scalar = self;
                $into
            }

            #[inline]
            fn in_scalar(scalar: &Scalar) -> Option<&Self> {
                match scalar {
                    $from => $found,
                    #[allow(unreachable_patterns)]
                    _ => None,
                }
            }

            #[inline]
            fn in_scalar_mut(scalar: &mut Scalar) -> Option<&mut Self> {
                match scalar {
                    $from => $found,
                    #[allow(unreachable_patterns)]
                    _ => None,
                }
            }
        }
    )*};
    ($($rust:ty, $variant:ident;)*) => {
        element! {$($rust, $variant, x => Some(Scalar::$variant(x)), Scalar::$variant(x) => Some(x);)*}
    };
}

element! {
    f32, F32;
    f64, F64;
    f16, F16;
    bf16, BF16;
    i8, I8;
    i16, I16;
    i32, I32;
    i64, I64;
    u8, U8;
    u16, U16;
    u32, U32;
    u64, U64;
    bool, Bool;
}

element! {
    ByteString, String, _ => None, _ => None;
    TensorList, Variant, _ => None, _ => None;
}
