//! Functions of `f32`, computed in `f64`.
//!
//! The extra digits of `f64` absorb the error of short polynomials, so that all but one result in
//! some hundreds is the nearest number, subnormal ones too. There are no branches, so loops over
//! them are vectorised; and each step is one IEEE operation, so the bits are the same with any
//! instruction set.
//!
//! The coefficients interpolate at Chebyshev nodes; the relative error is below 2⁻³¹.

use std::f64::consts::{LN_2, LOG2_E, SQRT_2};

/// `(exp r - 1) / r` for `|r|` up to half of `ln 2`.
const EXPONENTIAL: [f64; 7] = [
    1.0,
    0.5000000047221047,
    0.16666666719112208,
    0.04166635243824799,
    0.008333298432837545,
    0.001394114659780266,
    0.00019899316337192174,
];

/// `ln(1 + r) / r` for `1 + r` between `√½` and `√2`.
const LOGARITHM: [f64; 13] = [
    0.9999999999874066,
    -0.5000000003603235,
    0.3333333425286636,
    -0.24999992718377215,
    0.19999887777195688,
    -0.1666702462249285,
    0.14290824136350208,
    -0.12495450318373665,
    0.11005872480712475,
    -0.0994563358364516,
    0.10047834506270135,
    -0.09806734785797173,
    0.05237503220530907,
];

/// `erf √t / √t` for `t` between 0 and 16, by `t / 8 - 1`: the lower ten powers.
const ERROR_FUNCTION: [f64; 10] = [
    0.35353099561954215,
    -0.1765762332932892,
    0.13167512166462025,
    -0.10771044414410302,
    0.09020883714494014,
    -0.07472781257074841,
    0.059888903555390775,
    -0.04576578772582612,
    0.03304775025622779,
    -0.02246919993772733,
];

/// The higher ten powers.
const ERROR_FUNCTION_HIGH: [f64; 10] = [
    0.014397091965097183,
    -0.008622341358686591,
    0.0047476391993702015,
    -0.0025422212206154073,
    0.0014372159312613072,
    -0.0006622194966461363,
    0.0001587696196752785,
    -7.775892249416875e-05,
    9.725663769924159e-05,
    -3.5566795785810666e-05,
];

/// Adding this to a number and subtracting it again leaves the nearest whole number. In between,
/// the lowest bits hold that as an integer.
const ROUND: f64 = 6_755_399_441_055_744.0;

const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;
/// The bits of the exponent of 1.
const BIAS: u64 = 1.0_f64.to_bits();
const SQRT_HALF: u64 = (SQRT_2 / 2.0).to_bits();

#[inline(always)]
fn polynomial<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut value = 0.0;
    for coefficient in coefficients.into_iter().rev() {
        value = value * x + coefficient;
    }
    value
}

/// Powers `p` of 2 and small `m`, so that `exp x = p + p · m`. `x` must be small enough for `p` to
/// be a normal number.
#[inline(always)]
fn exponential(x: f64) -> (f64, f64) {
    let rounded = x * LOG2_E + ROUND;
    let rest = x - (rounded - ROUND) * LN_2;
    let power = f64::from_bits((rounded.to_bits() << MANTISSA_BITS).wrapping_add(BIAS));
    (power, rest * polynomial(rest, EXPONENTIAL))
}

/// `x` between two numbers; NaN stays NaN.
#[inline(always)]
fn between(low: f64, high: f64, x: f64) -> f64 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// `e` to the power of `x`.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // At the ends, the result is 0 or infinite.
    let (power, more) = exponential(between(-110.0, 90.0, x.into()));
    (power + power * more) as f32
}

/// `exp x - 1`.
#[inline(always)]
pub(crate) fn exp_m1(x: f32) -> f32 {
    let (power, more) = exponential(between(-110.0, 90.0, x.into()));
    let less_one = ((power - 1.0) + power * more) as f32;
    // A zero keeps its sign.
    if x == 0.0 { x } else { less_one }
}

/// The hyperbolic tangent of `x`: `(exp 2x - 1) / (exp 2x + 1)`.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    // At the end, the result is 1.
    let (power, more) = exponential(between(0.0, 40.0, 2.0 * f64::from(x.abs())));
    let less_one = (power - 1.0) + power * more;
    (less_one as f32 / (less_one + 2.0) as f32).copysign(x)
}

/// The natural logarithm of `x`.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // A subnormal `f32` is a normal `f64`.
    let bits = f64::from(x).to_bits().wrapping_sub(SQRT_HALF).wrapping_add(BIAS);
    let mantissa = f64::from_bits((bits & MANTISSA) + SQRT_HALF);
    let biased = f64::from_bits((bits >> MANTISSA_BITS) + ROUND.to_bits()) - ROUND;
    let exponent = biased - (BIAS >> MANTISSA_BITS) as f64;
    let rest = mantissa - 1.0;
    let logarithm = (exponent * LN_2 + rest * polynomial(rest, LOGARITHM)) as f32;
    let of_rest = if x < 0.0 { f32::NAN } else { x };
    let of_others = if x == 0.0 { f32::NEG_INFINITY } else { of_rest };
    if x > 0.0 && x < f32::INFINITY { logarithm } else { of_others }
}

/// The error function.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    // At the ends, the result is 1.
    let x = between(-4.0, 4.0, x.into());
    let r = x * x * 0.125 - 1.0;
    let (low, high) = (polynomial(r, ERROR_FUNCTION), polynomial(r, ERROR_FUNCTION_HIGH));
    let square = r * r;
    let fourth = square * square;
    (x * (low + high * (fourth * fourth * square))) as f32
}
