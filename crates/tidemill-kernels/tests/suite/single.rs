//! Functions of `float32` beside those of `f64`.

use tidemill_kernels::elementwise::*;
use tidemill_value::DType;

/// The distance between two numbers, counted in numbers between them.
fn distance(left: f32, right: f32) -> u32 {
    let ordered = |x: f32| {
        let bits = x.to_bits() as i32;
        if bits < 0 { i32::MIN - bits } else { bits }
    };
    ordered(left).abs_diff(ordered(right))
}

fn one(function: fn(DType) -> Option<AnyUnary>) -> fn(f32) -> f32 {
    match function(DType::F32) {
        Some(AnyUnary::F32(function)) => function.one,
        found => panic!("{found:?} is no function of float32"),
    }
}

/// Compares with the `f64` of the standard library, rounded, over numbers of every kind.
fn stays_within(most: u32, own: fn(DType) -> Option<AnyUnary>, reference: fn(f64) -> f64) {
    let own = one(own);
    let corners = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        f32::from_bits(1),
        -f32::from_bits(1),
        f32::EPSILON,
        1.0 - f32::EPSILON / 2.0,
        1.0 + f32::EPSILON,
        88.722_84,
        88.722_85,
        -87.336_55,
        -103.97,
        -103.98,
    ];
    let sweep = (0..=u32::MAX).step_by(4099).map(f32::from_bits);
    for x in corners.into_iter().chain(sweep) {
        let (found, expected) = (own(x), reference(x.into()) as f32);
        if expected.is_nan() {
            assert!(found.is_nan(), "{x} gives {found}");
        } else {
            assert!(distance(found, expected) <= most, "{x} gives {found}, not {expected}");
            let signs = [found.is_sign_negative(), expected.is_sign_negative()];
            assert!(signs[0] == signs[1], "{x} gives {found}, not {expected}");
        }
    }
}

#[test]
fn exponentials_are_off_by_one_at_most() {
    stays_within(1, exp, f64::exp);
    stays_within(1, expm1, f64::exp_m1);
    assert_eq!([0.0, -0.0].map(one(exp)), [1.0, 1.0]);
}

#[test]
fn hyperbolic_tangents_are_off_by_two_at_most() {
    stays_within(2, tanh, f64::tanh);
}

#[test]
fn error_functions_are_off_by_one_at_most() {
    stays_within(1, erf, libm::erf);
}

#[test]
fn logarithms_are_off_by_one_at_most() {
    stays_within(1, log, f64::ln);
    assert_eq!(one(log)(1.0).to_bits(), 0);
}
