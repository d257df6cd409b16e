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
