use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::functions::{double, single};
use crate::number::Number;

/// The operations that the generic parts of this crate need of `f32` and `f64`.
pub(crate) trait Float:
    Number
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    const TWO: Self;
    /// The logarithm of the distance from 1 to the next number.
    const LN_EPSILON: Self;
    const NEG_INFINITY: Self;
    /// The slope above 0 with which `Selu` keeps the mean and the variance of its inputs.
    const SELU_SCALE: Self;
    /// The limit of `Selu` far below 0, without its sign.
    const SELU_SCALE_ALPHA: Self;

    fn from_f64(x: f64) -> Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    /// `self · factor + term`, rounded once.
    fn times_plus(self, factor: Self, term: Self) -> Self;
    fn exp(self) -> Self;
    fn exp_m1(self) -> Self;
    fn tanh(self) -> Self;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn powf(self, exponent: Self) -> Self;
    fn is_finite(self) -> bool;
    fn is_nan(self) -> bool;
}

const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_SCALE_ALPHA: f64 = 1.758_099_340_847_376_8;

macro_rules! float {
    ($($rust:ident $ln_epsilon:literal $functions:ident),*) => {$(
        impl Float for $rust {
            const TWO: Self = 2.0;
            const LN_EPSILON: Self = $ln_epsilon;
            const NEG_INFINITY: Self = $rust::NEG_INFINITY;
            const SELU_SCALE: Self = SELU_SCALE as $rust;
            const SELU_SCALE_ALPHA: Self = SELU_SCALE_ALPHA as $rust;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $rust
            }

            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }

            #[inline(always)]
            fn times_plus(self, factor: Self, term: Self) -> Self {
                self.mul_add(factor, term)
            }

            #[inline(always)]
            fn exp(self) -> Self {
                $functions::exp(self)
            }

            #[inline(always)]
            fn exp_m1(self) -> Self {
                $functions::exp_m1(self)
            }

            #[inline(always)]
            fn tanh(self) -> Self {
                $functions::tanh(self)
            }

            #[inline(always)]
            fn ln(self) -> Self {
                $functions::ln(self)
            }

            #[inline(always)]
            fn ln_1p(self) -> Self {
                $functions::ln_1p(self)
            }

            #[inline(always)]
            fn powf(self, exponent: Self) -> Self {
                self.powf(exponent)
            }

            #[inline(always)]
            fn is_finite(self) -> bool {
                self.is_finite()
            }

            #[inline(always)]
            fn is_nan(self) -> bool {
                self.is_nan()
            }
        }
    )*};
}

float!(f32 -15.942385 single, f64 -36.043_653_389_117_15 double);
