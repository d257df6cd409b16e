use proptest::prelude::*;
use tidemill_kernels::elementwise::*;
use tidemill_value::{Memory, Value};

use crate::support::*;

const EULER: f64 = 0.577_215_664_901_532_9;
const ZETA_3: f64 = 1.202_056_903_159_594_2;
const PI: f64 = std::f64::consts::PI;

fn polygamma_of(order: f64, x: f64) -> f64 {
    binary(polygamma, order, x).to_scalar().unwrap()
}

fn digamma_of(x: f64) -> f64 {
    unary(digamma, x).to_scalar().unwrap()
}

#[track_caller]
fn check(actual: f64, expected: f64) {
    let close = (actual - expected).abs() <= 1e-13 * expected.abs().max(1.0);
    assert!(close, "{actual} instead of {expected}");
}

#[test]
fn digamma_has_the_known_values() {
    check(digamma_of(1.0), -EULER);
    check(digamma_of(0.5), -EULER - 2.0 * 2.0_f64.ln());
    check(digamma_of(0.25), -EULER - PI / 2.0 - 3.0 * 2.0_f64.ln());
    check(digamma_of(3.0), 1.5 - EULER);
    check(digamma_of(-0.5), 2.0 - EULER - 2.0 * 2.0_f64.ln());
    check(digamma_of(1e10), 1e10_f64.ln() - 0.5e-10);
    assert!(digamma_of(0.0).is_nan() && digamma_of(-3.0).is_nan());
    assert!(digamma_of(f64::NEG_INFINITY).is_nan() && digamma_of(f64::NAN).is_nan());
    assert_eq!(digamma_of(f64::INFINITY), f64::INFINITY);
}

#[test]
fn polygamma_has_the_known_values() {
    check(polygamma_of(1.0, 1.0), PI * PI / 6.0);
    check(polygamma_of(1.0, 0.5), PI * PI / 2.0);
    check(polygamma_of(1.0, -0.5), PI * PI / 2.0 + 4.0);
    check(polygamma_of(2.0, 1.0), -2.0 * ZETA_3);
    check(polygamma_of(2.0, 0.5), -14.0 * ZETA_3);
    check(polygamma_of(3.0, 1.0), PI.powi(4) / 15.0);
    check(polygamma_of(0.0, 1.0), -EULER);
    assert!(polygamma_of(0.5, 1.0).is_nan() && polygamma_of(-1.0, 1.0).is_nan());
    assert_eq!(polygamma_of(1.0, 0.0), f64::INFINITY);
    assert!(polygamma_of(f64::INFINITY, f64::NEG_INFINITY).is_nan());
}

#[test]
fn polygamma_is_as_fast_and_right_far_below_zero() {
    // Half way between poles, the trigamma function approaches the square of pi.
    check(polygamma_of(1.0, -1e12 - 0.5), PI * PI - 1e-12);
}

proptest! {
    #[test]
    fn polygamma_satisfies_its_recurrence(order in 0..6_u32, x in -8.0..20.0_f64) {
        prop_assume!((x - x.round()).abs() > 0.05);
        let n = f64::from(order);
        let sign = if order % 2 == 0 { 1.0 } else { -1.0 };
        let step = sign * factorial(order) * x.powi(-(order as i32) - 1);
        let (below, above) = (polygamma_of(n, x), polygamma_of(n, x + 1.0));
        let scale = below.abs().max(above.abs()).max(1.0);
        prop_assert!((above - below - step).abs() <= 1e-11 * scale, "{below} {above} {step}");
    }

    #[test]
    fn erf_and_erfc_add_up_to_one(x in -6.0..6.0_f64) {
        let [erf, erfc] = [erf, erfc].map(|f| unary(f, x).to_scalar::<f64>().unwrap());
        prop_assert!((erf + erfc - 1.0).abs() < 1e-15);
    }

    #[test]
    fn lgamma_satisfies_its_recurrence(x in 0.01..50.0_f64) {
        let [below, above] = [x, x + 1.0].map(|x| unary(lgamma, x).to_scalar::<f64>().unwrap());
        prop_assert!((above - below - x.ln()).abs() <= 1e-13 * above.abs().max(1.0));
    }

    #[test]
    fn float32_is_float64_rounded(x in 0.1..20.0_f32) {
        for f in [erf, erfc, lgamma, digamma] {
            let single: f32 = unary(f, x).to_scalar().unwrap();
            let double: f64 = unary(f, f64::from(x)).to_scalar().unwrap();
            prop_assert!((f64::from(single) - double).abs() <= 2e-6 * double.abs().max(1e-3));
        }
    }

    #[test]
    fn shifts_are_limited_to_the_bits_there_are(x: i32, by in -40..40_i32) {
        let limited = by.clamp(0, 31) as u32;
        prop_assert_eq!(binary(left_shift, x, by), Value::from(x.wrapping_shl(limited)));
        prop_assert_eq!(binary(right_shift, x, by), Value::from(x >> limited));
    }
}

fn factorial(n: u32) -> f64 {
    (1..=n).map(f64::from).product()
}

#[test]
fn bits_are_combined() {
    assert_eq!(binary(bitwise_and, 0b1100_u64, 0b1010_u64), Value::from(0b1000_u64));
    assert_eq!(binary(bitwise_or, 0b1100_u64, 0b1010_u64), Value::from(0b1110_u64));
    assert_eq!(binary(bitwise_xor, 0b1100_u64, 0b1010_u64), Value::from(0b0110_u64));
    assert_eq!(unary(invert, 0b1100_u64), Value::from(u64::MAX - 0b1100));
    assert_eq!(binary(left_shift, i64::MIN, 200_i64), Value::from(0_i64));
    assert_eq!(binary(right_shift, i64::MIN, 200_i64), Value::from(-1_i64));
}

#[test]
fn bounds_keep_nan_and_the_lower_one_wins() {
    let clipped = |x: f32, low: f32, high: f32| -> f32 {
        clip(&Memory::new(), &x.into(), &low.into(), &high.into()).unwrap().to_scalar().unwrap()
    };
    assert!(clipped(NAN, 0.0, 1.0).is_nan());
    assert_eq!(clipped(INF, 0.0, 1.0), 1.0);
    assert_eq!(clipped(0.5, 2.0, 1.0), 2.0);
    let error = clip(&Memory::new(), &value([1, 2, 3]), &value([0, 0]), &value(5));
    assert!(error.is_err());
}

#[test]
fn a_leaky_rectifier_keeps_nan() {
    let y = leaky_relu(value([NAN, -INF, INF, -2.0]), 0.5).unwrap().into_vec::<f32>().unwrap();
    assert!(y[0].is_nan());
    assert_eq!(y[1..], [-INF, INF, -1.0]);
    assert!(leaky_relu_grad(value([1.0_f32]), &value([1.0_f32, 2.0]), 0.1).is_err());
    assert!(leaky_relu(value(1), 0.1).is_err());
}
