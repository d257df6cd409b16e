use tidemill_value::{DType, Element, Scalar, Value, bf16, f16, match_dtype};

use crate::values::same;

/// The allowed difference of a float from the expected one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    pub(super) relative: f64,
    pub(super) absolute: f64,
}

/// Compares a value with the expected one.
///
/// # Errors
/// The difference: the first element that differs, and the number of those that do.
pub(super) fn compare(
    actual: &Value,
    expected: &Value,
    tolerance: Tolerance,
) -> Result<(), String> {
    if (actual.dtype(), actual.shape()) != (expected.dtype(), expected.shape()) {
        return Err(format!(
            "got {}{}, want {}{}",
            actual.dtype(),
            actual.shape(),
            expected.dtype(),
            expected.shape()
        ));
    }
    match actual.dtype() {
        DType::F32 => differences::<f32>(actual, expected, |l, r| within(*l, *r, tolerance)),
        DType::F64 => differences::<f64>(actual, expected, |l, r| within(*l, *r, tolerance)),
        DType::F16 => differences::<f16>(actual, expected, |l, r| within(*l, *r, tolerance)),
        DType::BF16 => differences::<bf16>(actual, expected, |l, r| within(*l, *r, tolerance)),
        other => match_dtype!(other, all,
            T => differences::<T>(actual, expected, |l, r| l == r), else Ok(())),
    }
}

/// Compares two values to the bit.
///
/// # Errors
/// A description of the difference.
pub(super) fn compare_bits(rewritten: &Value, plain: &Value) -> Result<(), String> {
    match same(rewritten, plain) {
        true => Ok(()),
        false => {
            let exact = Tolerance { relative: 0.0, absolute: 0.0 };
            let difference = compare(rewritten, plain, exact).err();
            let difference = difference.unwrap_or_else(|| "the sign of a zero".to_owned());
            Err(format!("rewriting changes bits: {difference}"))
        }
    }
}

fn within(actual: impl Into<f64>, expected: impl Into<f64>, tolerance: Tolerance) -> bool {
    let (actual, expected) = (actual.into(), expected.into());
    let Tolerance { relative, absolute } = tolerance;
    actual == expected
        || actual.is_nan() && expected.is_nan()
        || expected.is_finite() && (actual - expected).abs() <= absolute + relative * expected.abs()
}

fn differences<T: Element>(
    actual: &Value,
    expected: &Value,
    equal: impl Fn(&T, &T) -> bool,
) -> Result<(), String> {
    let (actual_elements, expected_elements) = (actual.as_slice(), expected.as_slice());
    let (Ok(left), Ok(right)) = (actual_elements, expected_elements) else {
        return Err("the elements are of another type".to_owned());
    };
    let pairs = || left.iter().zip(right).enumerate().filter(|(_, (l, r))| !equal(l, r));
    let Some((index, (got, want))) = pairs().next() else { return Ok(()) };
    Err(format!(
        "{} of {} elements differ, the first at {:?}: got {}, want {}",
        pairs().count(),
        left.len(),
        coordinates(index, expected),
        show(got),
        show(want)
    ))
}

fn show<T: Element>(element: &T) -> String {
    match element.clone().into_scalar() {
        Some(Scalar::F32(x)) => format!("{x:?}"),
        Some(Scalar::F64(x)) => format!("{x:?}"),
        _ => element.to_string(),
    }
}

/// The position of an element in the shape.
fn coordinates(mut index: usize, value: &Value) -> Vec<usize> {
    let strides = value.shape().strides();
    let place = |&stride: &usize| {
        let place = index / stride;
        index %= stride;
        place
    };
    strides.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(actual: impl Into<Value>, expected: impl Into<Value>) -> Result<(), String> {
        let tolerance = Tolerance { relative: 1e-3, absolute: 1e-6 };
        compare(&actual.into(), &expected.into(), tolerance)
    }

    #[test]
    fn floats_are_equal_within_the_tolerance_and_all_else_exactly() {
        assert_eq!(check([1000.5_f32, 0.0], [1000.0_f32, -0.0]), Ok(()));
        assert_eq!(check([f32::NAN, f32::INFINITY], [f32::NAN, f32::INFINITY]), Ok(()));
        assert!(check([1002.0_f64], [1000.0_f64]).is_err());
        assert!(check([f32::MAX], [f32::INFINITY]).is_err());
        assert!(check([f32::INFINITY], [f32::MAX]).is_err());
        assert!(check([0.0_f32], [f32::NAN]).is_err());
        assert!(check([1000_i32], [1001_i32]).is_err());
    }

    #[test]
    fn what_differs_first_is_said() {
        let value = |x: f32| Value::list(vec![1.0, 2.0, 3.0, x]).reshape([2, 2]).unwrap();
        assert_eq!(
            check(value(5.0), value(4.0)),
            Err("1 of 4 elements differ, the first at [1, 1]: got 5.0, want 4.0".to_owned())
        );
        let types = check([1_i32], [1_i64]);
        assert_eq!(types, Err("got int32[1], want int64[1]".to_owned()));
    }
}
