//! The error function, the gamma function's relatives, and what they are built from.

use std::f64::consts::PI;

use crate::functions::{double, single};

/// The special functions of `f32` and `f64`.
pub(super) trait Special: Copy {
    fn error_function(self) -> Self;
    fn complementary_error_function(self) -> Self;
    fn log_gamma(self) -> Self;
    fn digamma(self) -> Self;
    fn polygamma(order: Self, x: Self) -> Self;
}

macro_rules! special {
    ($($rust:ty: $erf:path, $erfc:path, $lgamma:path;)*) => {$(
        impl Special for $rust {
            #[inline(always)]
            fn error_function(self) -> Self {
                $erf(self)
            }

            #[inline(always)]
            fn complementary_error_function(self) -> Self {
                $erfc(self)
            }

            fn log_gamma(self) -> Self {
                $lgamma(self)
            }

            fn digamma(self) -> Self {
                digamma(self.into()) as $rust
            }

            fn polygamma(order: Self, x: Self) -> Self {
                polygamma(order.into(), x.into()) as $rust
            }
        }
    )*};
}

special! {
    f32: single::erf, single::erfc, libm::lgammaf;
    f64: double::erf, libm::erfc, libm::lgamma;
}

/// The series below are as exact as `f64` from here on.
const LARGE: f64 = 10.0;

/// `B(2k) / 2k` for `k` from 1 on, where `B` are Bernoulli's numbers.
const DIGAMMA_SERIES: [f64; 7] = [
    1.0 / 12.0,
    -1.0 / 120.0,
    1.0 / 252.0,
    -1.0 / 240.0,
    1.0 / 132.0,
    -691.0 / 32760.0,
    1.0 / 12.0,
];

/// The derivative of the logarithm of the gamma function; NaN at its poles.
fn digamma(x: f64) -> f64 {
    if x > 0.0 {
        return digamma_of_positive(x);
    }
    let beyond_floor = x - x.floor();
    if beyond_floor == 0.0 || !x.is_finite() {
        return f64::NAN;
    }
    // The cotangent has a period of 1, so the whole part, which would cost digits, is left out.
    digamma_of_positive(1.0 - x) - PI / (PI * beyond_floor).tan()
}

fn digamma_of_positive(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < LARGE {
        shift += 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = DIGAMMA_SERIES.iter().rev().fold(0.0, |sum, term| (sum + term) * square);
    x.ln() - 0.5 / x - series - shift
}

/// The derivative of order `order` of [`digamma`]; NaN if `order` is not a natural number.
fn polygamma(order: f64, x: f64) -> f64 {
    if order < 0.0 || order.floor() != order {
        return f64::NAN;
    }
    if order == 0.0 {
        return digamma(x);
    }
    let s = order + 1.0;
    sign_of_power(s) * libm::tgamma(s) * hurwitz_zeta(s, x)
}

/// -1 to the power of a whole number.
fn sign_of_power(exponent: f64) -> f64 {
    if exponent % 2.0 == 0.0 { 1.0 } else { -1.0 }
}

/// The sum of `(q + k)^-s` over natural numbers `k`, for a whole `s` above 1.
fn hurwitz_zeta(s: f64, q: f64) -> f64 {
    if q > 0.0 {
        return zeta_of_positive(s, q);
    }
    let beyond_floor = q - q.floor();
    if beyond_floor == 0.0 {
        return if s % 2.0 == 0.0 { f64::INFINITY } else { f64::NAN };
    }
    // The terms of negative bases are, up to sign, those from `1 - beyond_floor` up to `-q`,
    // however many they are.
    let below = zeta_of_positive(s, 1.0 - beyond_floor) - zeta_of_positive(s, 1.0 - q);
    sign_of_power(s) * below + zeta_of_positive(s, beyond_floor)
}

/// `(2k)! / B(2k)` for `k` from 1 on.
const ZETA_SERIES: [f64; 12] = [
    12.0,
    -720.0,
    30240.0,
    -1209600.0,
    47900160.0,
    -1.892_437_580_318_379e9,
    7.47242496e10,
    -2.950_130_727_918_164e12,
    1.164_678_281_435_006_7e14,
    -4.597_978_722_407_473e15,
    1.815_210_540_194_354_7e17,
    -7.166_165_256_175_667e18,
];

/// The sum by the Euler–Maclaurin formula: the first terms one by one, an integral for the others,
/// and corrections.
fn zeta_of_positive(s: f64, q: f64) -> f64 {
    let mut sum = 0.0;
    for k in 0..LARGE as u32 {
        sum += (q + f64::from(k)).powf(-s);
    }
    let start = q + LARGE;
    let power = start.powf(-s);
    if power == 0.0 {
        return sum;
    }
    sum += start * power / (s - 1.0) + 0.5 * power;
    let (mut factor, mut next) = (s * power / start, s + 1.0);
    for divisor in ZETA_SERIES {
        let term = factor / divisor;
        sum += term;
        if term.abs() < f64::EPSILON * 0.5 * sum.abs() {
            break;
        }
        factor *= next * (next + 1.0) / (start * start);
        next += 2.0;
    }
    sum
}
