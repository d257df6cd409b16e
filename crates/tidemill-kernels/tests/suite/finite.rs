use tidemill_kernels::elementwise::{NonFinite, find_non_finite};
use tidemill_value::Value;

#[test]
fn finite_numbers_and_integers_are_clean() {
    assert_eq!(find_non_finite(&Value::list(vec![0.0_f32; 3000])), None);
    assert_eq!(find_non_finite(&Value::list(vec![i32::MAX])), None);
    assert_eq!(find_non_finite(&Value::list(Vec::<f64>::new())), None);
}

#[test]
fn each_kind_is_told_apart_and_the_first_is_named() {
    let mut elements = vec![1.0_f64; 5000];
    elements[4000] = f64::NAN;
    elements[3001] = f64::NEG_INFINITY;
    let found = find_non_finite(&Value::list(elements)).unwrap();
    let expected =
        NonFinite { nan: true, positive_infinity: false, negative_infinity: true, first: 3001 };
    assert_eq!(found, expected);
}

#[test]
fn a_scalar_is_checked_too() {
    let found = find_non_finite(&Value::scalar(f32::INFINITY)).unwrap();
    assert!(found.positive_infinity && !found.nan && found.first == 0);
}
