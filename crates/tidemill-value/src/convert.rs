use std::str::FromStr;

use bstr::BString as ByteString;
use half::{bf16, f16};
use ndarray::{ArrayBase, ArrayD, Data, Dimension};

use crate::dtype::DType;
use crate::error::ValueError;
use crate::model::{Element, TensorList, Value};
use crate::nested::{Nested, from_array};

/// Conversion to a [`Value`], from numbers, strings, nested arrays, slices and vectors of them, and
/// `ndarray` arrays.
///
/// A vector and an owned `ndarray` array in row-major order are moved, and a [`Value`] is shared:
/// their elements are not copied. [`copied_bytes`](crate::copied_bytes) counts the copies.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot become a value",
    label = "not a value",
    note = "values are made of numbers, strings, arrays and vectors of them, and `ndarray` arrays; \
            convert a `usize` with `n as i64`",
    note = "a tensor has no value before a run: feed what `session.run(..)` returned"
)]
pub trait IntoValue {
    /// Converts to a value.
    ///
    /// # Errors
    /// [`ValueError::Ragged`] if nested lists differ in length.
    fn into_value(self) -> Result<Value, ValueError>;
}

impl FromStr for DType {
    type Err = ValueError;

    fn from_str(name: &str) -> Result<Self, ValueError> {
        DType::ANY
            .iter()
            .copied()
            .find(|dtype| dtype.name() == name)
            .ok_or_else(|| ValueError::UnknownDType { name: name.to_owned() })
    }
}

impl IntoValue for Value {
    fn into_value(self) -> Result<Value, ValueError> {
        Ok(self)
    }
}

impl IntoValue for TensorList {
    fn into_value(self) -> Result<Value, ValueError> {
        Ok(self.into())
    }
}

impl IntoValue for &Value {
    fn into_value(self) -> Result<Value, ValueError> {
        Ok(self.clone())
    }
}

#[diagnostic::do_not_recommend]
impl<N: Nested> IntoValue for N {
    fn into_value(self) -> Result<Value, ValueError> {
        Nested::into_value(self)
    }
}

impl<S, D> IntoValue for ArrayBase<S, D>
where
    S: Data<Elem: Element>,
    D: Dimension,
{
    fn into_value(self) -> Result<Value, ValueError> {
        Ok(self.into())
    }
}

impl<S, D> IntoValue for &ArrayBase<S, D>
where
    S: Data<Elem: Element>,
    D: Dimension,
{
    fn into_value(self) -> Result<Value, ValueError> {
        self.view().into_value()
    }
}

impl<S, D> From<ArrayBase<S, D>> for Value
where
    S: Data<Elem: Element>,
    D: Dimension,
{
    /// The array in row-major order. An owned one that is already in this order is not copied.
    fn from(array: ArrayBase<S, D>) -> Self {
        let (shape, elements) = from_array(array);
        Value::from_parts(shape, elements)
    }
}

macro_rules! from_scalar {
    ($($rust:ty),*) => {$(
        impl From<$rust> for Value {
            fn from(element: $rust) -> Self {
                Value::scalar(element)
            }
        }

        impl TryFrom<Value> for $rust {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<Self, ValueError> {
                value.to_scalar()
            }
        }
    )*};
}

from_scalar!(f32, f64, f16, bf16, i8, i16, i32, i64, u8, u16, u32, u64, bool);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::scalar(ByteString::from(text))
    }
}

impl<T: Element> From<Vec<T>> for Value {
    fn from(elements: Vec<T>) -> Self {
        Value::list(elements)
    }
}

impl<T: Element, const LEN: usize> From<[T; LEN]> for Value {
    fn from(elements: [T; LEN]) -> Self {
        Value::list(elements.into())
    }
}

impl<T: Element> TryFrom<Value> for Vec<T> {
    type Error = ValueError;

    fn try_from(value: Value) -> Result<Self, ValueError> {
        value.into_vec()
    }
}

impl<T: Element> TryFrom<Value> for ArrayD<T> {
    type Error = ValueError;

    fn try_from(value: Value) -> Result<Self, ValueError> {
        value.into_array()
    }
}

/// Turns fetched values into Rust numbers, all at once.
///
/// ```
/// use tidemill_value::{IntoScalars, Value};
/// let fetched = (Value::from(0.5_f32), Value::from(7_i64));
/// let (slope, step): (f32, i64) = fetched.into_scalars()?;
/// assert_eq!((slope, step), (0.5, 7));
/// # Ok::<(), tidemill_value::ValueError>(())
/// ```
pub trait IntoScalars<T> {
    /// The only element of each value.
    ///
    /// # Errors
    /// [`ValueError::DType`] if an element is of another type, [`ValueError::NotScalar`] if a value
    /// does not hold exactly one, [`ValueError::Count`] if an array asks for another number of
    /// values.
    fn into_scalars(self) -> Result<T, ValueError>;
}

impl<T: Element> IntoScalars<T> for Value {
    fn into_scalars(self) -> Result<T, ValueError> {
        self.to_scalar()
    }
}

impl<T: Element> IntoScalars<Vec<T>> for Vec<Value> {
    fn into_scalars(self) -> Result<Vec<T>, ValueError> {
        self.iter().map(Value::to_scalar).collect()
    }
}

impl<T: Element, const N: usize> IntoScalars<[T; N]> for [Value; N] {
    fn into_scalars(self) -> Result<[T; N], ValueError> {
        let elements: Vec<T> = self.iter().map(Value::to_scalar).collect::<Result<_, _>>()?;
        let actual = elements.len();
        elements.try_into().map_err(|_| ValueError::Count { expected: N, actual })
    }
}

macro_rules! into_scalars_of_tuple {
    ($($from:ident $to:ident $i:tt),*) => {
        impl<$($from: IntoScalars<$to>, $to),*> IntoScalars<($($to,)*)> for ($($from,)*) {
            fn into_scalars(self) -> Result<($($to,)*), ValueError> {
                Ok(($(self.$i.into_scalars()?,)*))
            }
        }
    };
}

into_scalars_of_tuple!(A1 B1 0);
into_scalars_of_tuple!(A1 B1 0, A2 B2 1);
into_scalars_of_tuple!(A1 B1 0, A2 B2 1, A3 B3 2);
into_scalars_of_tuple!(A1 B1 0, A2 B2 1, A3 B3 2, A4 B4 3);
into_scalars_of_tuple!(A1 B1 0, A2 B2 1, A3 B3 2, A4 B4 3, A5 B5 4);
into_scalars_of_tuple!(A1 B1 0, A2 B2 1, A3 B3 2, A4 B4 3, A5 B5 4, A6 B6 5);
