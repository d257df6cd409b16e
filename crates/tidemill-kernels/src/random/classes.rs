use tidemill_value::{DType, Memory, Value, match_dtype};

use super::{RandomKey, uniform};
use crate::NumericError;
use crate::number::Number;
use crate::output::build;

/// Classes drawn for each row of `logits`, which holds an unnormalized log-probability for each
/// class. TensorFlow's `Multinomial`.
///
/// Classes with infinite or NaN log-probabilities are never drawn. A row of nothing else gives its
/// last class.
///
/// # Errors
/// [`NumericError::Rank`] if `logits` is not a matrix, [`NumericError::EmptyAxis`] if its rows have
/// no classes, [`NumericError::UnsupportedDType`] if it holds no numbers or `indices` is not an
/// index type, [`NumericError::Value`] if memory cannot hold the result.
pub fn classes(
    memory: &Memory,
    key: RandomKey,
    logits: &Value,
    count: usize,
    indices: DType,
) -> Result<Value, NumericError> {
    let shape = logits.shape();
    let &[rows, extent] = &shape[..] else {
        return Err(NumericError::Rank { expected: 2, actual: shape.rank() });
    };
    if extent == 0 && rows > 0 && count > 0 {
        return Err(NumericError::EmptyAxis { axis: 1, shape: shape.clone() });
    }
    let dtype = logits.dtype();
    match_dtype!(dtype, wide, T => {
        let logits = logits.as_slice::<T>()?;
        draw(memory, key, [rows, count], indices, &|row| {
            cumulated(logits[row * extent..][..extent].iter().map(|x| x.to_f64()))
        })
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

/// Draws classes for each row, given the cumulative probabilities of its classes.
fn draw(
    memory: &Memory,
    key: RandomKey,
    [rows, count]: [usize; 2],
    indices: DType,
    sums_of: &dyn Fn(usize) -> Vec<f64>,
) -> Result<Value, NumericError> {
    match_dtype!(indices, indices, I => build(memory, [rows, count], |out: &mut [I]| {
        let mut samples = memory.workspace::<f64>(out.len())?;
        uniform(key, &mut samples);
        if count > 0 {
            let drawn = out.chunks_exact_mut(count).zip(samples.chunks_exact(count));
            for (row, (out, samples)) in drawn.enumerate() {
                let sums = sums_of(row);
                for (o, sample) in out.iter_mut().zip(samples) {
                    *o = class_of(&sums, *sample) as I;
                }
            }
        }
        Ok(())
    }), else Err(NumericError::UnsupportedDType { dtype: indices }))
}

/// The cumulative probabilities of the classes, up to a common factor.
fn cumulated(logits: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let finite = |x: &f64| x.is_finite();
    let largest = logits.clone().filter(finite).fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    let mut sums = Vec::new();
    for x in logits {
        if x.is_finite() {
            sum += (x - largest).exp();
        }
        sums.push(sum);
    }
    sums
}

/// The first class whose sum is above `sample` times the last one.
fn class_of(sums: &[f64], sample: f64) -> usize {
    let total = sums.last().copied().unwrap_or(0.0);
    let class = sums.partition_point(|sum| *sum <= sample * total);
    class.min(sums.len().saturating_sub(1))
}
