use tidemill_value::{DType, Element, Memory, Value, bf16, f16, match_dtype};

use crate::NumericError;
use crate::output::build;
use crate::pool::{TILE, for_each_chunk_mut};

/// Converts the elements of a value. TensorFlow's `Cast`.
///
/// A float loses its fraction on the way to an integer type; NaN, and numbers too large for `int32`
/// or `int64`, become the lowest integer. Smaller integers go through those, and an integer that is
/// too large for its new type wraps. TensorFlow leaves this undefined; its kernels do this on x86.
/// A float is rounded to the nearest. Any number but 0 is true, even NaN; `true` is 1.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if strings are to become another type, or the reverse.
pub fn cast(memory: &Memory, value: &Value, to: DType) -> Result<Value, NumericError> {
    let from = value.dtype();
    if from == to {
        return Ok(value.clone());
    }
    if let Some(between) = between(from, to) {
        return cast(memory, &cast(memory, value, between)?, to);
    }
    match from {
        DType::F32 => {
            match_dtype!(@ to, O, convert::<f32, O>(memory, value), unsupported(to), F64 f64,
            F16 f16, BF16 bf16, I32 i32, I64 i64, U64 u64, Bool bool)
        }
        DType::F64 => {
            match_dtype!(@ to, O, convert::<f64, O>(memory, value), unsupported(to), F32 f32,
            I32 i32, I64 i64, U64 u64, Bool bool)
        }
        DType::I32 => {
            match_dtype!(@ to, O, convert::<i32, O>(memory, value), unsupported(to), F32 f32,
            F64 f64, I8 i8, I16 i16, I64 i64)
        }
        DType::I64 => {
            match_dtype!(@ to, O, convert::<i64, O>(memory, value), unsupported(to), F32 f32,
            F64 f64, I8 i8, I16 i16, I32 i32, U8 u8, U16 u16, U32 u32, U64 u64, Bool bool)
        }
        DType::U64 => {
            match_dtype!(@ to, O, convert::<u64, O>(memory, value), unsupported(to), F32 f32,
            F64 f64, I64 i64)
        }
        DType::F16 => convert::<f16, f32>(memory, value),
        DType::BF16 => convert::<bf16, f32>(memory, value),
        _ => match_dtype!(@ from, A, match to {
            DType::F32 => convert::<A, f32>(memory, value),
            _ => convert::<A, i64>(memory, value),
        }, unsupported(from), I8 i8, I16 i16, U8 u8, U16 u16, U32 u32, Bool bool),
    }
}

/// The intermediate type of a conversion that has no loop of its own: 156 pairs of types would need
/// too many. Halves go through `f32`. Integers shorter than `i64` go through `i64`, which holds them
/// all. Floats become short integers through `i32` or `i64`, which defines the result of overflow.
fn between(from: DType, to: DType) -> Option<DType> {
    use DType::{BF16, Bool, F16, F32, F64, I8, I16, I32, I64, String, U8, U16, U32, U64, Variant};
    match (from, to) {
        (String | Variant, _) | (_, String | Variant) => None,
        (F16 | BF16, F32) | (F32, F16 | BF16) => None,
        (F16 | BF16, _) | (_, F16 | BF16) => Some(F32),
        (F32 | F64, I8 | I16 | U8 | U16) => Some(I32),
        (F32 | F64, U32) => Some(I64),
        (F32 | F64 | I64, _) => None,
        (I32, F32 | F64 | I8 | I16 | I64) => None,
        (U64, F32 | F64 | I64) => None,
        (I8 | I16 | U8 | U16 | U32 | Bool, F32 | I64) => None,
        (I8 | I16 | I32 | U8 | U16 | U32 | U64 | Bool, _) => Some(I64),
    }
}

fn unsupported(dtype: DType) -> Result<Value, NumericError> {
    Err(NumericError::UnsupportedDType { dtype })
}

fn convert<A, O>(memory: &Memory, value: &Value) -> Result<Value, NumericError>
where
    A: Element + Copy + CastTo<O>,
    O: Element,
{
    let input = value.as_slice::<A>()?;
    build(memory, value.shape().clone(), |out: &mut [O]| {
        for_each_chunk_mut(out, TILE, |i, out| {
            for (x, o) in input[i * TILE..].iter().zip(out) {
                *o = x.cast_to();
            }
        });
        Ok(())
    })
}

trait CastTo<O> {
    fn cast_to(self) -> O;
}

macro_rules! casts {
    ($($from:ty => $($to:ty)*;)*) => {$($(
        impl CastTo<$to> for $from {
            #[inline(always)]
            fn cast_to(self) -> $to {
                self as $to
            }
        }
    )*)*};
}

casts! {
    i8 => f32 i64;
    i16 => f32 i64;
    i32 => f32 f64 i8 i16 i64;
    i64 => f32 f64 i8 i16 i32 u8 u16 u32 u64;
    u8 => f32 i64;
    u16 => f32 i64;
    u32 => f32 i64;
    u64 => f32 f64 i64;
    f32 => f64;
    f64 => f32;
}

macro_rules! truths {
    ($($number:ty)*) => {$(
        impl CastTo<bool> for $number {
            #[inline(always)]
            fn cast_to(self) -> bool {
                self != 0 as $number
            }
        }
    )*};
    (@ $($number:ty)*) => {$(
        impl CastTo<$number> for bool {
            #[inline(always)]
            fn cast_to(self) -> $number {
                u8::from(self).into()
            }
        }
    )*};
}

truths!(f32 f64 i64);
truths!(@ f32 i64);

macro_rules! floats {
    ($($from:ty)*) => {$(
        impl CastTo<i32> for $from {
            #[inline(always)]
            fn cast_to(self) -> i32 {
                // The ends are powers of 2, hence exact; anything below the lower one saturates to
                // it anyway.
                if self < -(i32::MIN as $from) { self as i32 } else { i32::MIN }
            }
        }

        impl CastTo<i64> for $from {
            #[inline(always)]
            fn cast_to(self) -> i64 {
                if self < -(i64::MIN as $from) { self as i64 } else { i64::MIN }
            }
        }

        impl CastTo<u64> for $from {
            #[inline(always)]
            fn cast_to(self) -> u64 {
                let is_high = self >= -(i64::MIN as $from) && self < -2.0 * (i64::MIN as $from);
                if is_high { self as u64 } else { CastTo::<i64>::cast_to(self) as u64 }
            }
        }
    )*};
}

floats!(f32 f64);

macro_rules! halves {
    ($($half:ident)*) => {$(
        impl CastTo<$half> for f32 {
            #[inline(always)]
            fn cast_to(self) -> $half {
                $half::from_f32(self)
            }
        }

        impl CastTo<f32> for $half {
            #[inline(always)]
            fn cast_to(self) -> f32 {
                self.to_f32()
            }
        }
    )*};
}

halves!(f16 bf16);
