//! Exponentials, logarithms and their relatives beside those of the standard library.

use tidemill_kernels::elementwise::*;
use tidemill_value::DType;

/// A sweep over the numbers of every kind.
const SINGLE_STEP: usize = 4099;
const DOUBLE_STEP: usize = 17_592_186_044_423;

macro_rules! beside {
    ($beside:ident, $one:ident, $distance:ident, $rust:ident, $signed:ident, $variant:ident) => {
        /// The distance between two numbers, counted in numbers between them.
        fn $distance(left: $rust, right: $rust) -> u64 {
            let ordered = |x: $rust| {
                let bits = x.to_bits() as $signed;
                if bits < 0 { $signed::MIN - bits } else { bits }
            };
            ordered(left).abs_diff(ordered(right)).into()
        }

        fn $one(function: fn(DType) -> Option<AnyUnary>) -> fn($rust) -> $rust {
            match function(DType::$variant) {
                Some(AnyUnary::$variant(function)) => function.one,
                found => panic!("{found:?} is no function of this type"),
            }
        }

        /// Compares with a reference, over the numbers given and those at the ends of ranges.
        #[track_caller]
        fn $beside(
            most: u64,
            own: fn(DType) -> Option<AnyUnary>,
            reference: impl Fn($rust) -> $rust,
            sweep: impl Iterator<Item = $rust>,
        ) {
            let own = $one(own);
            let corners = [
                0.0,
                1.0,
                $rust::INFINITY,
                $rust::NAN,
                $rust::MAX,
                $rust::MIN_POSITIVE,
                $rust::from_bits(1),
                $rust::EPSILON,
                1.0 - $rust::EPSILON / 2.0,
                1.0 + $rust::EPSILON,
                $rust::MAX.ln(),
                $rust::MAX.ln() * (1.0 + $rust::EPSILON),
                $rust::MIN_POSITIVE.ln(),
                $rust::from_bits(1).ln(),
                $rust::from_bits(1).ln() * 1.01,
                0.625,
                0.937_5,
                std::$rust::consts::LN_2 / 2.0,
                std::$rust::consts::FRAC_1_SQRT_2,
                std::$rust::consts::SQRT_2,
            ];
            let corners = corners.into_iter().flat_map(|x| [x, -x]);
            for x in corners.chain(sweep) {
                let (found, expected) = (own(x), reference(x));
                if expected.is_nan() {
                    assert!(found.is_nan(), "{x:e} gives {found:e}");
                } else {
                    let is_near = $distance(found, expected) <= most;
                    assert!(is_near, "{x:e} gives {found:e}, not {expected:e}");
                    let signs = [found.is_sign_negative(), expected.is_sign_negative()];
                    assert!(signs[0] == signs[1], "{x:e} gives {found:e}, not {expected:e}");
                }
            }
        }
    };
}

beside!(beside_single, single, single_distance, f32, i32, F32);
beside!(beside_double, double, double_distance, f64, i64, F64);

/// With the `f64` of a reference, rounded.
#[track_caller]
fn single_stays_within(most: u64, own: fn(DType) -> Option<AnyUnary>, reference: fn(f64) -> f64) {
    let sweep = (0..=u32::MAX).step_by(SINGLE_STEP).map(f32::from_bits);
    beside_single(most, own, |x| reference(x.into()) as f32, sweep);
}

/// With a reference that may be off by one itself. Most numbers are so large or so small that
/// functions are trivial, so others are added.
#[track_caller]
fn double_stays_within(most: u64, own: fn(DType) -> Option<AnyUnary>, reference: fn(f64) -> f64) {
    let all = (0..=u64::MAX).step_by(DOUBLE_STEP).map(f64::from_bits);
    let usual = (0..300_000).map(|i| f64::from(i - 150_000) * 0.000_271_828);
    let positive = (0..100_000).map(|i| (f64::from(i - 50_000) * 0.014).exp());
    beside_double(most, own, reference, all.chain(usual).chain(positive));
}

fn logistic(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

#[test]
fn exponentials_are_off_by_one_at_most() {
    single_stays_within(1, exp, f64::exp);
    single_stays_within(1, expm1, f64::exp_m1);
    assert_eq!([0.0, -0.0].map(single(exp)), [1.0, 1.0]);
    double_stays_within(2, exp, f64::exp);
    double_stays_within(2, expm1, f64::exp_m1);
    assert_eq!([0.0, -0.0].map(double(exp)), [1.0, 1.0]);
}

#[test]
fn hyperbolic_tangents_are_off_by_one_at_most() {
    single_stays_within(1, tanh, f64::tanh);
    double_stays_within(2, tanh, f64::tanh);
}

#[test]
fn logistic_functions_are_off_by_two_at_most() {
    single_stays_within(2, sigmoid, logistic);
    double_stays_within(3, sigmoid, logistic);
}

#[test]
fn error_functions_are_off_by_one_at_most() {
    single_stays_within(1, erf, libm::erf);
    double_stays_within(2, erf, libm::erf);
    single_stays_within(1, erfc, libm::erfc);
}

#[test]
fn logarithms_are_off_by_one_at_most() {
    single_stays_within(1, log, f64::ln);
    single_stays_within(1, log1p, f64::ln_1p);
    assert_eq!(single(log)(1.0).to_bits(), 0);
    double_stays_within(2, log, f64::ln);
    double_stays_within(2, log1p, f64::ln_1p);
    assert_eq!(double(log)(1.0).to_bits(), 0);
}

#[test]
fn softplus_is_off_by_two_at_most() {
    single_stays_within(2, softplus, |x| if x > 40.0 { x } else { x.exp().ln_1p() });
}
