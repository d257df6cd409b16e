//! The types of elements.

use std::any::Any;
use std::sync::Arc;

use bstr::BString as ByteString;
use half::{bf16, f16};

use crate::copied;
use crate::dtype::DType;
use crate::model::{Data, Element, Stored, TensorList};
use crate::scalar::Scalar;
use crate::storage::Storage;

macro_rules! plain_elements {
    ($($rust:ty, $variant:ident;)*) => {$(
        impl Stored for $rust {
            fn into_data(elements: Vec<Self>) -> Data {
                Data::Plain(Arc::new(Storage::from_vec(elements)))
            }

            unsafe fn foreign_data(
                elements: &[Self],
                owner: Arc<dyn Any + Send + Sync>,
            ) -> Data {
                // SAFETY: The caller ensures it.
                Data::Plain(Arc::new(unsafe { Storage::foreign(elements, owner) }))
            }

            #[inline]
            fn in_data(data: &Data) -> Option<&[Self]> {
                match data {
                    Data::Scalar(scalar) => Self::in_scalar(scalar).map(std::slice::from_ref),
                    Data::Plain(storage) => storage.elements(),
                    Data::Strings(_) | Data::Lists(_) => None,
                }
            }

            #[inline]
            fn in_data_mut(data: &mut Data) -> Option<&mut [Self]> {
                match data {
                    Data::Scalar(scalar) => Self::in_scalar_mut(scalar).map(std::slice::from_mut),
                    Data::Plain(storage) => own(storage)?.elements_mut(),
                    Data::Strings(_) | Data::Lists(_) => None,
                }
            }

            fn from_data(data: Data) -> Option<Vec<Self>> {
                match data {
                    Data::Scalar(scalar) => Self::in_scalar(&scalar).map(|element| vec![*element]),
                    Data::Plain(storage) => match Arc::try_unwrap(storage) {
                        Ok(storage) => storage.into_vec(),
                        Err(shared) => shared.elements().map(copied::copy),
                    },
                    Data::Strings(_) | Data::Lists(_) => None,
                }
            }
        }

        impl Element for $rust {
            const DTYPE: DType = DType::$variant;

            #[inline]
            fn into_scalar(self) -> Option<Scalar> {
                Some(Scalar::$variant(self))
            }

            #[inline]
            fn in_scalar(scalar: &Scalar) -> Option<&Self> {
                if let Scalar::$variant(element) = scalar { Some(element) } else { None }
            }

            #[inline]
            fn in_scalar_mut(scalar: &mut Scalar) -> Option<&mut Self> {
                if let Scalar::$variant(element) = scalar { Some(element) } else { None }
            }
        }
    )*};
}

plain_elements! {
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

/// The only owner of the elements, which are copied if others share or own them. `None` if there is
/// no memory for the copy.
pub(crate) fn own(storage: &mut Arc<Storage>) -> Option<&mut Storage> {
    if Arc::get_mut(storage).is_none_or(|storage| !storage.is_owned()) {
        let mut copy = Storage::zeroed(storage.dtype(), storage.count())?;
        copy.copy_from(storage);
        *storage = Arc::new(copy);
    }
    // SAFETY: There is one reference to the storage, this one, which is borrowed for writing.
    // `Arc::get_mut` would find that out by two atomic operations more.
    Some(unsafe { &mut *Arc::as_ptr(storage).cast_mut() })
}

macro_rules! other_elements {
    ($($rust:ty, $variant:ident, $data:ident;)*) => {$(
        impl Stored for $rust {
            fn into_data(elements: Vec<Self>) -> Data {
                Data::$data(Arc::new(elements))
            }

            unsafe fn foreign_data(elements: &[Self], _: Arc<dyn Any + Send + Sync>) -> Data {
                Self::into_data(copied::copy(elements))
            }

            fn in_data(data: &Data) -> Option<&[Self]> {
                if let Data::$data(elements) = data { Some(elements) } else { None }
            }

            fn in_data_mut(data: &mut Data) -> Option<&mut [Self]> {
                let Data::$data(elements) = data else { return None };
                if Arc::get_mut(elements).is_none() {
                    copied::count(elements);
                }
                Some(Arc::make_mut(elements).as_mut_slice())
            }

            fn from_data(data: Data) -> Option<Vec<Self>> {
                let Data::$data(elements) = data else { return None };
                Some(Arc::try_unwrap(elements).unwrap_or_else(|shared| copied::copy(&shared)))
            }
        }

        impl Element for $rust {
            const DTYPE: DType = DType::$variant;

            fn into_scalar(self) -> Option<Scalar> {
                None
            }

            fn in_scalar(_: &Scalar) -> Option<&Self> {
                None
            }

            fn in_scalar_mut(_: &mut Scalar) -> Option<&mut Self> {
                None
            }
        }
    )*};
}

other_elements! {
    ByteString, String, Strings;
    TensorList, Variant, Lists;
}
