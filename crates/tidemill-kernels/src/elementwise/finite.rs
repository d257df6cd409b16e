use tidemill_value::{Value, match_dtype};

use crate::float::Float;

/// The kinds of elements of a value that are not finite numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NonFinite {
    /// True if there is a NaN.
    pub nan: bool,
    /// True if there is a positive infinity.
    pub positive_infinity: bool,
    /// True if there is a negative infinity.
    pub negative_infinity: bool,
    /// The first such element, counted in row-major order.
    pub first: usize,
}

/// Finds NaN and infinities, as TensorFlow's `CheckNumerics` and `CheckNumericsV2` do.
///
/// `None` where all elements are finite; those of a type other than float always are.
pub fn find_non_finite(value: &Value) -> Option<NonFinite> {
    match_dtype!(value.dtype(), floats, T => {
        let elements = value.as_slice::<T>().unwrap_or_default();
        // Without an early exit, the inner loop is vectorised.
        let blocks = elements.chunks(BLOCK);
        let clean = blocks.take_while(|block| block.iter().fold(true, |all, x| all & x.is_finite()));
        let start = clean.count() * BLOCK;
        (start < elements.len()).then(|| describe(&elements[start..], start))
    }, else None)
}

const BLOCK: usize = 1024;

/// Describes elements that are not all finite. They start at `start`.
fn describe<T: Float>(elements: &[T], start: usize) -> NonFinite {
    let any = |test: fn(T) -> bool| elements.iter().any(|x| test(*x));
    NonFinite {
        nan: any(T::is_nan),
        positive_infinity: any(|x| x == -T::NEG_INFINITY),
        negative_infinity: any(|x| x == T::NEG_INFINITY),
        first: start + elements.iter().position(|x| !x.is_finite()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
