//! Element types for moving data without computing. Numbers of the same length share the code.

use tidemill_value::{ByteString, DType, Element, Memory, Shape, TensorList, Value, ValueError};

use crate::NumericError;

/// A type that represents elements while they are moved.
pub(crate) trait Moved: Element {
    /// The elements of a value whose data type is moved as this type.
    fn read(value: &Value) -> Result<&[Self], ValueError>;

    /// The same, mutable.
    fn write(value: &mut Value) -> Result<&mut [Self], ValueError>;
}

macro_rules! moved {
    ($read:ident $write:ident: $($rust:ty)*) => {$(
        impl Moved for $rust {
            fn read(value: &Value) -> Result<&[Self], ValueError> {
                value.$read()
            }

            fn write(value: &mut Value) -> Result<&mut [Self], ValueError> {
                value.$write()
            }
        }
    )*};
}

moved!(as_words as_mut_words: u8 u16 u32 u64);
moved!(as_slice as_mut_slice: bool ByteString TensorList);

/// Evaluates an expression with a type name bound to the type that represents elements of a
/// [`DType`] while they are moved.
macro_rules! match_moved {
    ($dtype:expr, $T:ident => $body:expr) => {
        match_moved!(@ $dtype, $T, $body,
            I8 | U8: u8, I16 | U16 | F16 | BF16: u16, I32 | U32 | F32: u32, I64 | U64 | F64: u64,
            Bool: bool, String: tidemill_value::ByteString, Variant: tidemill_value::TensorList)
    };
    (@ $dtype:expr, $T:ident, $body:expr, $($($variant:ident)|+: $rust:ty),*) => {
        match $dtype {
            $($(tidemill_value::DType::$variant)|+ => {
                type $T = $rust;
                $body
            })*
        }
    };
}

/// The elements of a value, which must be of type `dtype`.
pub(crate) fn read<T: Moved>(value: &Value, dtype: DType) -> Result<&[T], ValueError> {
    match value.dtype() {
        actual if actual != dtype => Err(ValueError::DType { expected: dtype, actual }),
        _ => T::read(value),
    }
}

/// The one element of a value of type `dtype`.
pub(crate) fn read_one<T: Moved>(value: &Value, dtype: DType) -> Result<T, ValueError> {
    match read::<T>(value, dtype)? {
        [element] => Ok(element.clone()),
        _ => Err(ValueError::NotScalar { shape: value.shape().clone() }),
    }
}

/// Sets all elements to `element`.
pub(crate) fn fill<T: Moved>(out: &mut [T], element: &T) {
    out.fill(element.clone());
}

/// Makes a value of `shape`; `fill` writes all of its elements.
pub(crate) fn build<T: Moved>(
    memory: &Memory,
    dtype: DType,
    shape: impl Into<Shape>,
    mut fill: impl FnMut(&mut [T]),
) -> Result<Value, NumericError> {
    fill_by(memory.scratch(dtype, shape)?, &mut fill)
}

/// Makes a value of `shape`; `fill` writes its elements, which start out zero or empty.
pub(crate) fn build_zeroed<T: Moved>(
    memory: &Memory,
    dtype: DType,
    shape: impl Into<Shape>,
    mut fill: impl FnMut(&mut [T]),
) -> Result<Value, NumericError> {
    fill_by(memory.zeros(dtype, shape)?, &mut fill)
}

#[inline(never)]
fn fill_by<T: Moved>(
    mut value: Value,
    fill: &mut dyn FnMut(&mut [T]),
) -> Result<Value, NumericError> {
    fill(T::write(&mut value)?);
    Ok(value)
}
