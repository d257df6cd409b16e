//! Functions of `f32`. The constants are described where [`functions!`] is declared.

use super::double;

const EXPONENTIAL: [f32; 5] = [0.5, 0.16666518, 0.041666206, 0.008368908, 0.0013950524];
const LOGARITHM: [f32; 3] = [0.66666776, 0.39977536, 0.29871863];
const TANH: [f32; 5] = [-0.3333328, 0.13331442, -0.053739715, 0.020639088, -0.0057049873];
const NEAR_TANH: f32 = 0.625;
const ERF: [f32; 6] =
    [0.12837915, -0.37612468, 0.11281552, -0.026757035, 0.0049791303, -0.0005919419];
const NEAR_ERF: f32 = 0.9375;
const ERF_COMPLEMENT: [f32; 7] =
    [0.00020733934, 1.1276275, 0.63726306, 0.103860795, -0.02219285, 0.0030346839, -0.00019506854];
const END_ERF: f32 = 4.0;
/// `ln(erfc x · exp x² / t)` by `t = 2 / (2 + x)`, for `x` up to 10.1, where the result is 0.
const ERFC: [f64; 13] = [
    -1.2655060344645404,
    0.9997786678734368,
    0.37856858697535245,
    0.0495705465491384,
    0.12288220219719027,
    -1.0327950674414583,
    2.574042493870199,
    -5.610186544092652,
    8.376015596012794,
    -7.753670689933557,
    4.3320117629334005,
    -1.3539603500079749,
    0.18324882968423228,
];
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
const ENDS: [f32; 2] = [-105.0, 89.0];

functions!(f32 u32);

/// 1 minus the error function, after Chebyshev's fit in "Numerical Recipes". It is computed in `f64`,
/// since an error of the exponent is one of all digits of the result.
#[inline(always)]
pub(crate) fn erfc(x: f32) -> f32 {
    let size = f64::from(x).abs();
    let t = 2.0 / (2.0 + size);
    let fit = ERFC.into_iter().rev().fold(0.0, |value, coefficient| value * t + coefficient);
    let above = t * double::exp(fit - size * size);
    (if x < 0.0 { 2.0 - above } else { above }) as f32
}
