use tidemill_value::{
    ByteString, DType, Element, Shape, Value, ValueError, bf16, f16, match_dtype,
};

use crate::bytes::{bytes_of, decode_strings};
use crate::proto::{DataType, DataTypeError, TensorProto, TensorShapeProto};
use crate::{BytesError, ShapeError, value_from_bytes};

/// The error of reading a tensor from a message.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// Values have no such data type.
    #[error(transparent)]
    DType(#[from] DataTypeError),
    /// No tensor can have the shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The bytes of the elements do not fill the shape.
    #[error(transparent)]
    Bytes(#[from] BytesError),
    /// The bytes of the strings do not fill the shape.
    #[error("the bytes of a string tensor do not decode to {count} strings")]
    Strings {
        /// The number of strings there must be.
        count: usize,
    },
    /// Too many elements are left out as repetitions of the last one.
    #[error(
        "a tensor of type {dtype} and shape {shape} has only {given} elements, and filling in the \
         rest would take more than the {left} bytes allowed"
    )]
    Splat {
        /// The data type.
        dtype: DType,
        /// The shape.
        shape: Shape,
        /// The number of elements given.
        given: usize,
        /// The bytes that may still be left out.
        left: usize,
    },
    /// Memory cannot hold the elements.
    #[error(transparent)]
    Value(#[from] ValueError),
}

tidemill_value::debug_as_report!(TensorError);

/// The total number of bytes that messages may leave to be filled in by repeating a tensor's last
/// element. The limit keeps a short message from filling the memory.
#[derive(Clone, Debug, PartialEq)]
pub struct SplatBudget {
    left: usize,
}

impl SplatBudget {
    /// This many bytes.
    pub const fn new(bytes: usize) -> Self {
        SplatBudget { left: bytes }
    }

    /// Spends the bytes of the missing elements.
    fn spend(&mut self, dtype: DType, shape: &Shape, given: usize) -> Result<usize, TensorError> {
        let count = shape.elements().ok_or(ShapeError::TooLarge)?;
        let missing = count.saturating_sub(given).saturating_mul(dtype.size());
        match self.left.checked_sub(missing) {
            Some(left) => {
                self.left = left;
                Ok(count)
            }
            None => Err(TensorError::Splat { dtype, shape: shape.clone(), given, left: self.left }),
        }
    }
}

impl Default for SplatBudget {
    /// A gibibyte.
    fn default() -> Self {
        SplatBudget::new(1 << 30)
    }
}

impl TensorProto {
    /// The value.
    ///
    /// If there are fewer elements than the shape has, the last one fills the rest; if there are
    /// none, all are zero. `budget` limits the number left out.
    ///
    /// # Errors
    /// [`TensorError`]. The sizes are checked before anything is allocated.
    pub fn value(&self, budget: &mut SplatBudget) -> Result<Value, TensorError> {
        let dtype = DataType::dtype(self.dtype)?;
        let unset = TensorShapeProto::default();
        let shape = self.tensor_shape.as_ref().unwrap_or(&unset).shape()?;
        if self.tensor_content.is_empty() {
            return match_dtype!(dtype, all,
                T => fill::<T>(self, shape, budget),
                else Err(DataTypeError::Unsupported { name: dtype.proto_name() }.into()));
        }
        if dtype != DType::String {
            return Ok(value_from_bytes(dtype, shape, &self.tensor_content)?);
        }
        let count = shape.elements().ok_or(ShapeError::TooLarge)?;
        let strings = decode_strings(&self.tensor_content, count);
        Ok(Value::from_vec(shape, strings.ok_or(TensorError::Strings { count })?)?)
    }
}

/// The value of the listed elements.
fn fill<T: Listed>(
    tensor: &TensorProto,
    shape: Shape,
    budget: &mut SplatBudget,
) -> Result<Value, TensorError> {
    let listed = T::list(tensor);
    let count = budget.spend(T::DTYPE, &shape, listed.len())?;
    let mut elements: Vec<T> = listed.iter().take(count).map(T::read).collect();
    let last = elements.last().cloned().unwrap_or_default();
    let missing = count - elements.len();
    elements
        .try_reserve_exact(missing)
        .map_err(|_| ValueError::TooLarge { shape: shape.clone() })?;
    elements.resize(count, last);
    Ok(Value::from_vec(shape, elements)?)
}

impl TensorProto {
    /// The length of `tensor_content` in the message of a value. It is 0 if the elements are in a
    /// typed field such as `string_val` instead: strings, and any value whose elements are all equal
    /// to the bit.
    pub fn content_len(value: &Value) -> usize {
        match_dtype!(value.dtype(), plain, T => {
            let elements = value.as_slice::<T>().unwrap_or_default();
            if is_splat(elements) { 0 } else { size_of_val(elements) }
        }, else 0)
    }
}

/// True if all elements are the same to the bit.
fn is_splat<T: Listed>(elements: &[T]) -> bool {
    elements.windows(2).all(|pair| pair[0].same(&pair[1]))
}

impl From<&Value> for TensorProto {
    /// The message of a value. If all its elements are the same to the bit, there is only one.
    /// Lists have no form in messages, except for their type and shape.
    fn from(value: &Value) -> Self {
        let mut tensor = TensorProto {
            dtype: DataType::from(value.dtype()).into(),
            tensor_shape: Some(value.shape().into()),
            ..TensorProto::default()
        };
        match_dtype!(value.dtype(), all, T => {
            let elements = value.as_slice::<T>().unwrap_or_default();
            match elements {
                [first, ..] if is_splat(elements) => T::list_mut(&mut tensor).push(first.write()),
                _ if T::DTYPE == DType::String => {
                    T::list_mut(&mut tensor).extend(elements.iter().map(T::write));
                }
                _ => tensor.tensor_content = bytes_of(value).into_owned().into(),
            }
        }, else {});
        tensor
    }
}

/// An element type, with the field that lists elements of it.
trait Listed: Element {
    /// The elements of the field.
    type Item;

    fn list(tensor: &TensorProto) -> &[Self::Item];
    fn list_mut(tensor: &mut TensorProto) -> &mut Vec<Self::Item>;
    fn read(item: &Self::Item) -> Self;
    fn write(&self) -> Self::Item;

    /// True if both are equal to the bit.
    fn same(&self, other: &Self) -> bool;
}

macro_rules! listed {
    ($($rust:ty, $field:ident: $item:ty, $read:expr, $write:expr, $bits:expr;)*) => {$(
        impl Listed for $rust {
            type Item = $item;

            fn list(tensor: &TensorProto) -> &[$item] {
                &tensor.$field
            }

            fn list_mut(tensor: &mut TensorProto) -> &mut Vec<$item> {
                &mut tensor.$field
            }

            fn read(item: &$item) -> Self {
                $read(item)
            }

            fn write(&self) -> $item {
                $write(self)
            }

            fn same(&self, other: &Self) -> bool {
                $bits(self) == $bits(other)
            }
        }
    )*};
    // Narrow integers share a field of wider ones, whose upper bits are ignored.
    (int_val: $($rust:ty),*) => {
        listed! {$($rust, int_val: i32, |x: &i32| *x as $rust, |x: &$rust| i32::from(*x), <$rust>::clone;)*}
    };
}

listed! {
    f32, float_val: f32, f32::clone, f32::clone, |x: &f32| x.to_bits();
    f64, double_val: f64, f64::clone, f64::clone, |x: &f64| x.to_bits();
    f16, half_val: i32, |x: &i32| f16::from_bits(*x as u16), |x: &f16| x.to_bits().into(),
        |x: &f16| x.to_bits();
    bf16, half_val: i32, |x: &i32| bf16::from_bits(*x as u16), |x: &bf16| x.to_bits().into(),
        |x: &bf16| x.to_bits();
    i64, int64_val: i64, i64::clone, i64::clone, i64::clone;
    u32, uint32_val: u32, u32::clone, u32::clone, u32::clone;
    u64, uint64_val: u64, u64::clone, u64::clone, u64::clone;
    bool, bool_val: bool, bool::clone, bool::clone, bool::clone;
    ByteString, string_val: Vec<u8>, |x: &Vec<u8>| ByteString::from(x.as_slice()),
        |x: &ByteString| x.to_vec(), ByteString::clone;
}

listed!(int_val: i8, i16, i32, u8, u16);
