use tidemill_value::Element;

use super::RandomKey;
use crate::NumericError;

/// Draws numbers from `[0, 1)`: multiples of 2⁻²³ for `f32`, of 2⁻⁵² for `f64`.
/// TensorFlow's `RandomUniform`.
pub fn uniform<T: RandomFloat>(key: RandomKey, out: &mut [T]) {
    T::uniform(key, out);
}

/// Draws numbers from the normal distribution of mean 0 and standard deviation 1, by the method
/// of Box and Muller. TensorFlow's `RandomStandardNormal`.
pub fn standard_normal<T: RandomFloat>(key: RandomKey, out: &mut [T]) {
    T::standard_normal(key, out);
}

/// Draws numbers from the normal distribution of mean 0 and standard deviation 1, redrawing those
/// outside -2 to 2. TensorFlow's `TruncatedNormal`.
pub fn truncated_normal<T: RandomFloat>(key: RandomKey, out: &mut [T]) {
    T::truncated_normal(key, out);
}

/// Draws integers from `[low, high)`. TensorFlow's `RandomUniformInt`.
///
/// Unless the number of integers is a power of two, the lower ones are a little more likely, as in
/// TensorFlow.
///
/// # Errors
/// [`NumericError::EmptyInterval`] if `low` is not below `high`.
pub fn uniform_integer<T: RandomInteger>(
    key: RandomKey,
    low: T,
    high: T,
    out: &mut [T],
) -> Result<(), NumericError> {
    if low >= high {
        return Err(NumericError::EmptyInterval { low: low.into(), high: high.into() });
    }
    T::uniform(key, low, high, out);
    Ok(())
}

/// The float types of random numbers: `f32` and `f64`.
pub trait RandomFloat: Element + Copy {
    #[doc(hidden)]
    fn uniform(key: RandomKey, out: &mut [Self]);

    #[doc(hidden)]
    fn standard_normal(key: RandomKey, out: &mut [Self]);

    #[doc(hidden)]
    fn truncated_normal(key: RandomKey, out: &mut [Self]);
}

/// The integer types of random numbers: `i32` and `i64`.
pub trait RandomInteger: Element + Copy + PartialOrd + Into<i64> {
    #[doc(hidden)]
    fn uniform(key: RandomKey, low: Self, high: Self, out: &mut [Self]);
}

impl RandomFloat for f32 {
    fn uniform(key: RandomKey, out: &mut [f32]) {
        fill_groups(key, out, |bits| bits.map(unit_f32));
    }

    fn standard_normal(key: RandomKey, out: &mut [f32]) {
        fill_groups(key, out, |[a, b, c, d]| {
            let ([w, x], [y, z]) = (box_muller_f32([a, b]), box_muller_f32([c, d]));
            [w, x, y, z]
        });
    }

    fn truncated_normal(key: RandomKey, out: &mut [f32]) {
        fill_accepted::<f32, 4>(key, out, |[a, b, c, d]| {
            let ([w, x], [y, z]) = (box_muller_f32([a, b]), box_muller_f32([c, d]));
            [w, x, y, z].map(|x| (x.abs() < 2.0).then_some(x))
        });
    }
}

impl RandomFloat for f64 {
    fn uniform(key: RandomKey, out: &mut [f64]) {
        fill_groups(key, out, |[a, b, c, d]| [unit_f64([a, b]), unit_f64([c, d])]);
    }

    fn standard_normal(key: RandomKey, out: &mut [f64]) {
        fill_groups(key, out, box_muller_f64);
    }

    fn truncated_normal(key: RandomKey, out: &mut [f64]) {
        fill_accepted::<f64, 2>(key, out, |bits| {
            box_muller_f64(bits).map(|x| (x.abs() < 2.0).then_some(x))
        });
    }
}

impl RandomInteger for i32 {
    fn uniform(key: RandomKey, low: i32, high: i32, out: &mut [i32]) {
        let width = high.wrapping_sub(low) as u32;
        fill_groups(key, out, |bits| bits.map(|bits| low.wrapping_add((bits % width) as i32)));
    }
}

impl RandomInteger for i64 {
    fn uniform(key: RandomKey, low: i64, high: i64, out: &mut [i64]) {
        let width = high.wrapping_sub(low) as u64;
        fill_groups(key, out, |[a, b, c, d]| {
            [join(a, b), join(c, d)].map(|bits| low.wrapping_add((bits % width) as i64))
        });
    }
}

fn join(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Fills `out` with the numbers that `distribute` makes of each group.
fn fill_groups<T: Copy, const N: usize>(
    key: RandomKey,
    out: &mut [T],
    distribute: impl Fn([u32; 4]) -> [T; N],
) {
    for (group, part) in (0..).zip(out.chunks_mut(N)) {
        part.copy_from_slice(&distribute(key.group(group))[..part.len()]);
    }
}

/// The number of groups that TensorFlow reserves for each number of a distribution that rejects
/// some: 256 samples, at 4 per group.
const RESERVED: u64 = 256 / 4;

/// Fills `out` with the numbers of each group that `distribute` accepts. Every `N` of them have
/// groups of their own, so they do not depend on what others rejected.
fn fill_accepted<T: Copy, const N: usize>(
    key: RandomKey,
    out: &mut [T],
    distribute: impl Fn([u32; 4]) -> [Option<T>; N],
) {
    for (i, part) in (0..).zip(out.chunks_mut(N)) {
        let groups = i * N as u64 * RESERVED..;
        let accepted = groups.flat_map(|group| distribute(key.group(group))).flatten();
        for (o, x) in part.iter_mut().zip(accepted) {
            *o = x;
        }
    }
}

/// A number from `[0, 1)` of the lower 23 bits.
fn unit_f32(bits: u32) -> f32 {
    f32::from_bits(127 << 23 | bits & 0x007F_FFFF) - 1.0
}

/// A number from `[0, 1)` of the lower 20 bits of the first and all bits of the second word.
fn unit_f64([high, low]: [u32; 2]) -> f64 {
    let mantissa = join(low, high & 0x000F_FFFF);
    f64::from_bits(1023 << 52 | mantissa) - 1.0
}

/// Below this, the logarithm would leave the range that TensorFlow allows.
const SMALLEST: f64 = 1.0e-7;

fn box_muller_f32([a, b]: [u32; 2]) -> [f32; 2] {
    let angle = (std::f64::consts::TAU * f64::from(unit_f32(b))) as f32;
    let radius = (-2.0 * unit_f32(a).max(SMALLEST as f32).ln()).sqrt();
    [angle.sin() * radius, angle.cos() * radius]
}

fn box_muller_f64([a, b, c, d]: [u32; 4]) -> [f64; 2] {
    let angle = std::f64::consts::TAU * unit_f64([c, d]);
    let radius = (-2.0 * unit_f64([a, b]).max(SMALLEST).ln()).sqrt();
    [angle.sin() * radius, angle.cos() * radius]
}
