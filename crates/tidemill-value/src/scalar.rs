use std::fmt;

use half::{bf16, f16};

use crate::dtype::DType;
use crate::error::ValueError;
use crate::format::{format_bfloat16, format_float16, format_float32, format_float64};

/// One element of a plain data type, stored without a heap allocation.
///
/// A Rust number becomes a `Scalar` when it meets a tensor, and takes the tensor's type by
/// [`Scalar::adopt`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Scalar {
    F32(f32),
    F64(f64),
    F16(f16),
    BF16(bf16),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    Bool(bool),
}

/// A number on its way from one type to another.
enum Number {
    Integer(i128),
    Float(f64),
    Truth(bool),
}

impl Scalar {
    /// The data type of the element.
    pub const fn dtype(self) -> DType {
        match self {
            Scalar::F32(_) => DType::F32,
            Scalar::F64(_) => DType::F64,
            Scalar::F16(_) => DType::F16,
            Scalar::BF16(_) => DType::BF16,
            Scalar::I8(_) => DType::I8,
            Scalar::I16(_) => DType::I16,
            Scalar::I32(_) => DType::I32,
            Scalar::I64(_) => DType::I64,
            Scalar::U8(_) => DType::U8,
            Scalar::U16(_) => DType::U16,
            Scalar::U32(_) => DType::U32,
            Scalar::U64(_) => DType::U64,
            Scalar::Bool(_) => DType::Bool,
        }
    }

    fn number(self) -> Number {
        match self {
            Scalar::F32(x) => Number::Float(x.into()),
            Scalar::F64(x) => Number::Float(x),
            Scalar::F16(x) => Number::Float(x.into()),
            Scalar::BF16(x) => Number::Float(x.into()),
            Scalar::I8(x) => Number::Integer(x.into()),
            Scalar::I16(x) => Number::Integer(x.into()),
            Scalar::I32(x) => Number::Integer(x.into()),
            Scalar::I64(x) => Number::Integer(x.into()),
            Scalar::U8(x) => Number::Integer(x.into()),
            Scalar::U16(x) => Number::Integer(x.into()),
            Scalar::U32(x) => Number::Integer(x.into()),
            Scalar::U64(x) => Number::Integer(x.into()),
            Scalar::Bool(x) => Number::Truth(x),
        }
    }

    /// The same number as an element of `dtype`.
    ///
    /// A float type takes any number, rounded to the nearest it can hold. An integer type takes
    /// integers in its range. `bool` takes only truth values.
    ///
    /// # Errors
    /// [`ValueError::Unrepresentable`] if `dtype` cannot hold the number: a float or a number out
    /// of range for an integer type, a finite number that a float type would round to infinity, a
    /// truth value for a number and the reverse.
    pub fn adopt(self, dtype: DType) -> Result<Scalar, ValueError> {
        let converted = match self.number() {
            Number::Float(x) => float_as(x, dtype),
            Number::Integer(x) => integer_as(x, dtype),
            Number::Truth(x) if dtype == DType::Bool => Some(Scalar::Bool(x)),
            Number::Truth(_) => None,
        };
        converted.ok_or_else(|| ValueError::Unrepresentable { number: self.to_string(), dtype })
    }
}

macro_rules! scalar_from {
    ($($variant:ident $rust:ty),*) => {$(
        impl From<$rust> for Scalar {
            fn from(element: $rust) -> Self {
                Scalar::$variant(element)
            }
        }
    )*};
}

scalar_from! {
    F32 f32, F64 f64, F16 f16, BF16 bf16, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16,
    U32 u32, U64 u64, Bool bool
}

/// The float nearest to `x`, unless that is infinite and `x` is not.
fn float_as(x: f64, dtype: DType) -> Option<Scalar> {
    let (rounded, is_finite) = match dtype {
        DType::F64 => (Scalar::F64(x), x.is_finite()),
        DType::F32 => (Scalar::F32(x as f32), (x as f32).is_finite()),
        DType::F16 => (Scalar::F16(f16::from_f64(x)), f16::from_f64(x).is_finite()),
        DType::BF16 => (Scalar::BF16(bf16::from_f64(x)), bf16::from_f64(x).is_finite()),
        _ => return None,
    };
    (is_finite || !x.is_finite()).then_some(rounded)
}

fn integer_as(x: i128, dtype: DType) -> Option<Scalar> {
    Some(match dtype {
        DType::F32 => Scalar::F32(x as f32),
        DType::F64 => Scalar::F64(x as f64),
        DType::F16 | DType::BF16 => return float_as(x as f64, dtype),
        DType::I8 => Scalar::I8(x.try_into().ok()?),
        DType::I16 => Scalar::I16(x.try_into().ok()?),
        DType::I32 => Scalar::I32(x.try_into().ok()?),
        DType::I64 => Scalar::I64(x.try_into().ok()?),
        DType::U8 => Scalar::U8(x.try_into().ok()?),
        DType::U16 => Scalar::U16(x.try_into().ok()?),
        DType::U32 => Scalar::U32(x.try_into().ok()?),
        DType::U64 => Scalar::U64(x.try_into().ok()?),
        DType::Bool | DType::String | DType::Variant => return None,
    })
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::F32(x) => f.write_str(&format_float32(*x)),
            Scalar::F64(x) => f.write_str(&format_float64(*x)),
            Scalar::F16(x) => f.write_str(&format_float16(*x)),
            Scalar::BF16(x) => f.write_str(&format_bfloat16(*x)),
            Scalar::I8(x) => x.fmt(f),
            Scalar::I16(x) => x.fmt(f),
            Scalar::I32(x) => x.fmt(f),
            Scalar::I64(x) => x.fmt(f),
            Scalar::U8(x) => x.fmt(f),
            Scalar::U16(x) => x.fmt(f),
            Scalar::U32(x) => x.fmt(f),
            Scalar::U64(x) => x.fmt(f),
            Scalar::Bool(x) => x.fmt(f),
        }
    }
}
