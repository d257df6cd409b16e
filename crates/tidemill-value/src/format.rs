//! Numbers as they print.

use half::{bf16, f16};

/// A `float32` as it prints: the fewest digits that read back as the same number, with a
/// decimal point or an exponent, so that it cannot be mistaken for an integer.
pub fn format_float32(x: f32) -> String {
    lower_case_special(format!("{x:?}"))
}

/// A `float64` as it prints (see [`format_float32`]).
pub fn format_float64(x: f64) -> String {
    lower_case_special(format!("{x:?}"))
}

/// A `float16` as it prints (see [`format_float32`]).
pub fn format_float16(x: f16) -> String {
    format_float32(fewest_digits(x.to_f32(), |read| f16::from_f32(read).to_bits() == x.to_bits()))
}

/// A `bfloat16` as it prints (see [`format_float32`]).
pub fn format_bfloat16(x: bf16) -> String {
    format_float32(fewest_digits(x.to_f32(), |read| bf16::from_f32(read).to_bits() == x.to_bits()))
}

/// The number with the fewest digits that reads back, or else `x`.
fn fewest_digits(x: f32, reads_back: impl Fn(f32) -> bool) -> f32 {
    let rounded = |digits: usize| format!("{x:.digits$e}").parse().ok();
    (0..f32::DIGITS as usize).filter_map(rounded).find(|&read| reads_back(read)).unwrap_or(x)
}

fn lower_case_special(text: String) -> String {
    if text == "NaN" { "nan".to_owned() } else { text }
}
