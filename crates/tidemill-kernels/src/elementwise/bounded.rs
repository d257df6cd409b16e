//! Functions with a slope or bounds besides their operands.

use tidemill_value::{Element, Memory, Value, match_dtype};

use crate::NumericError;
use crate::number::Number;
use crate::output::build;

/// `x` where it is above 0, and `slope · x` elsewhere. TensorFlow's `LeakyRelu`.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if the elements are not floats.
pub fn leaky_relu(mut features: Value, slope: f32) -> Result<Value, NumericError> {
    let dtype = features.dtype();
    match_dtype!(dtype, floats, T => {
        let slope = T::from(slope);
        for x in features.as_mut_slice::<T>()? {
            *x = if *x > 0.0 { *x } else { *x * slope };
        }
        Ok(features)
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

/// `dy` where `x` is above 0, and `slope · dy` elsewhere. TensorFlow's `LeakyReluGrad`.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if the elements are not floats, [`NumericError::Length`] if
/// there are not as many `features`.
pub fn leaky_relu_grad(
    mut gradients: Value,
    features: &Value,
    slope: f32,
) -> Result<Value, NumericError> {
    let dtype = gradients.dtype();
    check_length(gradients.elements(), features.elements())?;
    match_dtype!(dtype, floats, T => {
        let (slope, features) = (T::from(slope), features.as_slice::<T>()?);
        for (dy, x) in gradients.as_mut_slice::<T>()?.iter_mut().zip(features) {
            *dy = if *x > 0.0 { *dy } else { *dy * slope };
        }
        Ok(gradients)
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

/// `x` limited from above by `high`, and then from below by `low`; NaN stays NaN. Each bound is
/// one number, or has one for each `x`. TensorFlow's `ClipByValue`.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if the elements are not numbers, [`NumericError::Length`] if
/// a bound has another number of elements.
pub fn clip(memory: &Memory, x: &Value, low: &Value, high: &Value) -> Result<Value, NumericError> {
    let dtype = x.dtype();
    match_dtype!(dtype, wide, T => {
        let bounds = [low.as_slice::<T>()?, high.as_slice::<T>()?];
        build(memory, x.shape().clone(), |out| clip_all(x.as_slice()?, bounds, out))
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

fn clip_all<T: Number + PartialOrd>(
    x: &[T],
    bounds: [&[T]; 2],
    out: &mut [T],
) -> Result<(), NumericError> {
    if let [&[low], &[high]] = bounds {
        for (x, o) in x.iter().zip(out) {
            *o = between(*x, low, high);
        }
        return Ok(());
    }
    let [low, high] = bounds.map(|bound| repeated(bound, x.len()));
    for (((x, low), high), o) in x.iter().zip(low?).zip(high?).zip(out) {
        *o = between(*x, *low, *high);
    }
    Ok(())
}

#[inline(always)]
fn between<T: PartialOrd>(x: T, low: T, high: T) -> T {
    let below = if x > high { high } else { x };
    if below < low { low } else { below }
}

/// A bound for each of `count` elements.
fn repeated<T: Element>(
    bound: &[T],
    count: usize,
) -> Result<impl Iterator<Item = &T>, NumericError> {
    if bound.len() != 1 {
        check_length(count, bound.len())?;
    }
    Ok(bound.iter().cycle().take(count))
}

fn check_length(expected: usize, actual: usize) -> Result<(), NumericError> {
    if expected == actual { Ok(()) } else { Err(NumericError::Length { expected, actual }) }
}
