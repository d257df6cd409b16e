use crate::NumericError;

/// The arithmetic of integers that can fail, or that differs between signed and unsigned ones.
pub(super) trait Integer: Copy {
    fn divide(self, divisor: Self) -> Result<Self, NumericError>;
    fn remainder(self, divisor: Self) -> Result<Self, NumericError>;
    fn floor_divide(self, divisor: Self) -> Result<Self, NumericError>;
    fn floor_remainder(self, divisor: Self) -> Result<Self, NumericError>;
    fn power(self, exponent: Self) -> Result<Self, NumericError>;
    fn shift_left(self, by: Self) -> Self;
    fn shift_right(self, by: Self) -> Self;
}

macro_rules! integer {
    ($($rust:ty),*) => {$(
        #[allow(unused_comparisons)]
        impl Integer for $rust {
            #[inline(always)]
            fn divide(self, divisor: Self) -> Result<Self, NumericError> {
                if divisor == 0 { Err(NumericError::DivisionByZero) } else { Ok(self.wrapping_div(divisor)) }
            }

            #[inline(always)]
            fn remainder(self, divisor: Self) -> Result<Self, NumericError> {
                if divisor == 0 { Err(NumericError::DivisionByZero) } else { Ok(self.wrapping_rem(divisor)) }
            }

            #[inline(always)]
            fn floor_divide(self, divisor: Self) -> Result<Self, NumericError> {
                let quotient = self.divide(divisor)?;
                let inexact = quotient.wrapping_mul(divisor) != self;
                let opposite = (self < 0) != (divisor < 0);
                Ok(if inexact && opposite { quotient - 1 } else { quotient })
            }

            #[inline(always)]
            fn floor_remainder(self, divisor: Self) -> Result<Self, NumericError> {
                let remainder = self.remainder(divisor)?;
                let opposite = (remainder < 0) != (divisor < 0);
                Ok(if remainder != 0 && opposite { remainder + divisor } else { remainder })
            }

            fn power(self, mut exponent: Self) -> Result<Self, NumericError> {
                if exponent < 0 {
                    return Err(NumericError::NegativeExponent);
                }
                let (mut base, mut power) = (self, 1);
                while exponent > 0 {
                    if exponent & 1 == 1 {
                        power = Self::wrapping_mul(power, base);
                    }
                    base = base.wrapping_mul(base);
                    exponent >>= 1;
                }
                Ok(power)
            }

            #[inline(always)]
            fn shift_left(self, by: Self) -> Self {
                self << by.clamp(0, (Self::BITS - 1) as Self)
            }

            #[inline(always)]
            fn shift_right(self, by: Self) -> Self {
                self >> by.clamp(0, (Self::BITS - 1) as Self)
            }
        }
    )*};
}

integer!(i32, i64, u64);
