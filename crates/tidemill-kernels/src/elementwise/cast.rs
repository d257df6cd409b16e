use tidemill_value::{DType, Element, Value, bf16, f16, match_dtype};

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
pub fn cast(value: &Value, to: DType) -> Result<Value, NumericError> {
    let from = value.dtype();
    if from == to {
        return Ok(value.clone());
    }
    if let Some(between) = between(from, to) {
        return cast(&cast(value, between)?, to);
    }
    match from {
        DType::F32 => match_dtype!(@ to, O, convert::<f32, O>(value), unsupported(to), F64 f64,
            F16 f16, BF16 bf16, I32 i32, I64 i64, U64 u64, Bool bool),
        DType::F64 => match_dtype!(@ to, O, convert::<f64, O>(value), unsupported(to), F32 f32,
            I32 i32, I64 i64, U64 u64, Bool bool),
        DType::I32 => match_dtype!(@ to, O, convert::<i32, O>(value), unsupported(to), F32 f32,
            F64 f64, I8 i8, I16 i16, I64 i64),
        DType::I64 => match_dtype!(@ to, O, convert::<i64, O>(value), unsupported(to), F32 f32,
            F64 f64, I8 i8, I16 i16, I32 i32, U8 u8, U16 u16, U32 u32, U64 u64, Bool bool),
        DType::U64 => match_dtype!(@ to, O, convert::<u64, O>(value), unsupported(to), F32 f32,
            F64 f64, I64 i64),
        DType::F16 => convert::<f16, f32>(value),
        DType::BF16 => convert::<bf16, f32>(value),
        _ => match_dtype!(@ from, A, match to {
            DType::F32 => convert::<A, f32>(value),
            _ => convert::<A, i64>(value),
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

fn convert<A, O>(value: &Value) -> Result<Value, NumericError>
where
    A: Element + Copy + CastTo<O>,
    O: Element,
{
    let input = value.as_slice::<A>()?;
    build(value.shape().clone(), |out: &mut [O]| {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn to<O: Element>(value: impl Into<Value>) -> Vec<O> {
        cast(&value.into(), O::DTYPE).unwrap().into_vec().unwrap()
    }

    #[test]
    fn floats_lose_their_fraction_toward_zero() {
        assert_eq!(to::<i32>([2.9_f32, -2.9, 0.5, -0.0]), [2, -2, 0, 0]);
        assert_eq!(to::<i8>([-100.4_f64, 3.99]), [-100, 3]);
    }

    #[test]
    fn floats_out_of_range_become_the_lowest_number_and_wrap_when_narrowed() {
        assert_eq!(to::<i32>([1e10_f32, -1e10, f32::NAN]), [i32::MIN; 3]);
        assert_eq!(to::<i64>([1e19_f64, -1e19, f64::INFINITY]), [i64::MIN; 3]);
        assert_eq!(to::<u8>([300.0_f64, -1.0, f64::INFINITY, 70_000.0]), [44, 255, 0, 112]);
        assert_eq!(to::<i16>([32_768.0_f32, -32_769.0, 3e9]), [i16::MIN, i16::MAX, 0]);
        assert_eq!(to::<u32>([3e9_f32, -1.0, 5e9]), [3_000_000_000, u32::MAX, 705_032_704]);
        let high = [9.3e18_f64, -1.0, 2e19, f64::NAN];
        assert_eq!(to::<u64>(high), [9_300_000_000_000_000_000, u64::MAX, 1 << 63, 1 << 63]);
    }

    #[test]
    fn integers_wrap_when_narrowed() {
        assert_eq!(to::<i8>([300_i32, -300, 128, -129, 65536]), [44, -44, -128, 127, 0]);
        assert_eq!(to::<u8>([300_i32, -300, 128, -129, 65536]), [44, 212, 128, 127, 0]);
        assert_eq!(to::<i64>([u64::MAX]), [-1]);
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_float() {
        let large = [16_777_217_i64, -16_777_219, 9_007_199_254_740_993];
        assert_eq!(to::<f32>(large), [16_777_216.0, -16_777_220.0, 9_007_199_254_740_992.0]);
        assert_eq!(to::<f32>([0.1_f64, 1e300]), [0.1, f32::INFINITY]);
    }

    #[test]
    fn halves_are_rounded_to_even() {
        let halves = to::<f16>([2049.0_f32, 2051.0, 65519.0, 65520.0, 1e-8, -0.1]);
        let expected = [2048.0, 2052.0, 65504.0, f32::INFINITY, 0.0, -0.099975586];
        assert_eq!(to::<f32>(halves), expected);
        let halves = to::<bf16>([257_i32, 259, 1 << 20]);
        assert_eq!(to::<i64>(halves), [256, 260, 1 << 20]);
        assert_eq!(to::<u8>([f16::NAN, f16::INFINITY, f16::from_f32(-1.5)]), [0, 0, 255]);
        assert_eq!(to::<bool>([f16::NEG_ZERO, f16::NAN]), [false, true]);
        assert_eq!(to::<bf16>([f16::from_f32(1.5)]), [bf16::from_f32(1.5)]);
    }

    #[test]
    fn every_number_but_zero_is_true() {
        let numbers = [f32::NAN, f32::INFINITY, 0.0, -0.0, 1e-30];
        assert_eq!(to::<bool>(numbers), [true, true, false, false, true]);
        assert_eq!(to::<f64>([true, false]), [1.0, 0.0]);
    }

    #[test]
    fn plain_types_all_convert_to_each_other() {
        for &from in DType::PLAIN {
            let one = cast(&Value::from([0.0_f32, 1.0]), from).unwrap();
            for &to in DType::PLAIN {
                let same = cast(&cast(&one, to).unwrap(), DType::F32);
                assert_eq!(same, Ok(Value::from([0.0_f32, 1.0])), "{from} to {to}");
            }
        }
    }

    #[test]
    fn a_value_of_the_right_type_is_shared() {
        let value = Value::list(vec![1_u16, 2]);
        assert!(cast(&value, DType::U16).unwrap().shares_buffer(&value));
        let strings = Value::from("a");
        assert_eq!(cast(&strings, DType::String), Ok(strings));
    }

    #[test]
    fn strings_do_not_become_numbers() {
        let error = NumericError::UnsupportedDType { dtype: DType::String };
        assert_eq!(cast(&Value::from("1"), DType::F32), Err(error.clone()));
        assert_eq!(cast(&Value::from(1.0_f32), DType::String), Err(error));
    }

    #[test]
    fn shapes_are_kept() {
        let empty = Value::zeros(DType::F32, [0, 3]).unwrap();
        assert_eq!(&cast(&empty, DType::I64).unwrap().shape()[..], [0, 3]);
        assert_eq!(cast(&Value::from(2.5_f32), DType::I64), Ok(Value::from(2_i64)));
    }
}
