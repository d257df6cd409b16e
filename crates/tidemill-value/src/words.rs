use std::slice;

use half::{bf16, f16};

use crate::dtype::DType;
use crate::error::ValueError;
use crate::model::{Element, Value};

/// An unsigned integer that represents the bits of any number of the same length.
pub trait Word: Element + Copy {
    #[doc(hidden)]
    fn of(value: &Value) -> Option<Result<&[Self], ValueError>>;

    #[doc(hidden)]
    fn of_mut(value: &mut Value) -> Option<Result<&mut [Self], ValueError>>;
}

/// A numeric type, for which every bit pattern is valid.
pub trait Bits: Element {
    /// The word of the same length.
    type Word: Word;

    /// Views numbers as their bits.
    fn words(numbers: &[Self]) -> &[Self::Word];

    /// Views numbers as their bits, mutably.
    fn words_mut(numbers: &mut [Self]) -> &mut [Self::Word];
}

macro_rules! words {
    ($($word:ident: $($variant:ident $number:ident),*;)*) => {$(
        impl Word for $word {
            fn of(value: &Value) -> Option<Result<&[$word], ValueError>> {
                match value.dtype() {
                    $(DType::$variant => Some(value.as_slice().map($number::words)),)*
                    _ => None,
                }
            }

            fn of_mut(value: &mut Value) -> Option<Result<&mut [$word], ValueError>> {
                match value.dtype() {
                    $(DType::$variant => Some(value.as_mut_slice().map($number::words_mut)),)*
                    _ => None,
                }
            }
        }

        $(
            impl Bits for $number {
                type Word = $word;

                fn words(numbers: &[Self]) -> &[$word] {
                    const { assert!(size_of::<$number>() == size_of::<$word>()) };
                    const { assert!(align_of::<$number>() == align_of::<$word>()) };
                    // SAFETY: The types have the same length and alignment. All bits of a number are
                    // initialized, and every bit pattern is a valid word. The slice stays borrowed.
                    unsafe { slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len()) }
                }

                fn words_mut(numbers: &mut [Self]) -> &mut [$word] {
                    const { assert!(size_of::<$number>() == size_of::<$word>()) };
                    const { assert!(align_of::<$number>() == align_of::<$word>()) };
                    // SAFETY: As above, and every bit pattern is a valid number.
                    unsafe { slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), numbers.len()) }
                }
            }
        )*
    )*};
}

words! {
    u8: I8 i8, U8 u8;
    u16: I16 i16, U16 u16, F16 f16, BF16 bf16;
    u32: I32 i32, U32 u32, F32 f32;
    u64: I64 i64, U64 u64, F64 f64;
}

impl Value {
    /// The bits of numbers of any type as long as `W`. Code that only moves elements is thus
    /// compiled for four types of words instead of twelve types of numbers.
    ///
    /// # Errors
    /// [`ValueError::DType`] if the elements are not numbers, or have another length.
    pub fn as_words<W: Word>(&self) -> Result<&[W], ValueError> {
        let (expected, actual) = (W::DTYPE, self.dtype());
        W::of(self).unwrap_or(Err(ValueError::DType { expected, actual }))
    }

    /// As [`Value::as_words`], mutable. A shared buffer is copied first.
    ///
    /// # Errors
    /// As for [`Value::as_words`].
    pub fn as_mut_words<W: Word>(&mut self) -> Result<&mut [W], ValueError> {
        let (expected, actual) = (W::DTYPE, self.dtype());
        W::of_mut(self).unwrap_or(Err(ValueError::DType { expected, actual }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_bits_of_numbers_of_their_length() {
        let mut value = Value::from([1.0_f32, -0.0]);
        assert_eq!(value.as_words::<u32>(), Ok(&[0x3f80_0000, 0x8000_0000][..]));
        value.as_mut_words::<u32>().unwrap()[1] = 2.5_f32.to_bits();
        assert_eq!(value, Value::from([1.0_f32, 2.5]));
        assert_eq!(Value::from(-1_i8).as_words::<u8>(), Ok(&[255][..]));
    }

    #[test]
    fn truth_values_and_other_lengths_are_no_words() {
        let error = |actual| ValueError::DType { expected: DType::U8, actual };
        assert_eq!(Value::from([true]).as_words::<u8>(), Err(error(DType::Bool)));
        assert_eq!(Value::from([1_i16]).as_words::<u8>(), Err(error(DType::I16)));
        assert_eq!(Value::from("a").as_mut_words::<u8>(), Err(error(DType::String)));
    }
}
