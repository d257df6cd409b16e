//! Normalization of each channel by those around it, and its gradient.

use tidemill_value::{Memory, Shape, Value, match_dtype};

use crate::NumericError;
use crate::float::Float;
use crate::number::Number;
use crate::output::{build, build_zeroed, expect_shape};

/// The normalization of a channel `x` to `x / (bias + alpha * s)^beta`, where `s` is the sum of the
/// squares of `x` and of the channels up to `radius` before and after it.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct LocalResponse {
    pub radius: usize,
    pub bias: f32,
    pub alpha: f32,
    pub beta: f32,
}

impl LocalResponse {
    /// The channels of `x`, its last axis, normalized. TensorFlow's `LRN`.
    ///
    /// # Errors
    /// [`NumericError::UnsupportedDType`] if the elements are not floats.
    pub fn normalize(&self, memory: &Memory, x: &Value) -> Result<Value, NumericError> {
        match_dtype!(x.dtype(), floats, T => {
            let elements = x.as_slice::<T>()?;
            build(memory, x.shape().clone(), |out: &mut [T]| {
                let depth = depth(x.shape());
                for (out, x) in out.chunks_exact_mut(depth).zip(elements.chunks_exact(depth)) {
                    for (i, out) in out.iter_mut().enumerate() {
                        *out = x[i] * self.factor(self.norm(x, i));
                    }
                }
                Ok(())
            })
        }, else Err(NumericError::UnsupportedDType { dtype: x.dtype() }))
    }

    /// The gradient of [`normalize`](LocalResponse::normalize) with respect to `x`, whose result is
    /// `y`. TensorFlow's `LRNGrad`.
    ///
    /// # Errors
    /// As for [`normalize`](LocalResponse::normalize); [`NumericError::Shape`] if the shapes
    /// differ.
    pub fn gradient(
        &self,
        memory: &Memory,
        grad: &Value,
        x: &Value,
        y: &Value,
    ) -> Result<Value, NumericError> {
        expect_shape(x, grad.shape())?;
        expect_shape(y, grad.shape())?;
        match_dtype!(x.dtype(), floats, T => {
            let (grads, xs, ys) = (grad.as_slice::<T>()?, x.as_slice::<T>()?, y.as_slice::<T>()?);
            let slope = T::from_f64((-2.0 * self.alpha * self.beta).into());
            build_zeroed(memory, x.shape().clone(), |out: &mut [T]| {
                let depth = depth(x.shape());
                let rows = grads.chunks_exact(depth).zip(xs.chunks_exact(depth));
                let rows = rows.zip(ys.chunks_exact(depth)).zip(out.chunks_exact_mut(depth));
                for (((grad, x), y), out) in rows {
                    // A zero gradient stays zero, even if a norm is 0.
                    for i in (0..depth).filter(|&i| grad[i] != T::ZERO) {
                        let norm = self.norm(x, i);
                        let scale = slope * y[i];
                        for j in self.around(i, depth) {
                            out[j] += x[j] * scale / norm * grad[i];
                        }
                        out[i] += self.factor(norm) * grad[i];
                    }
                }
                Ok(())
            })
        }, else Err(NumericError::UnsupportedDType { dtype: x.dtype() }))
    }

    fn around(&self, i: usize, depth: usize) -> std::ops::Range<usize> {
        i.saturating_sub(self.radius)..i.saturating_add(self.radius).saturating_add(1).min(depth)
    }

    fn norm<T: Float>(&self, x: &[T], i: usize) -> T {
        let squares = x[self.around(i, x.len())].iter().map(|&x| x * x);
        let sum = squares.fold(T::ZERO, |sum, square| sum + square);
        T::from_f64(self.alpha.into()) * sum + T::from_f64(self.bias.into())
    }

    /// `norm` to the power of `-beta`.
    fn factor<T: Float>(&self, norm: T) -> T {
        match self.beta {
            1.0 => T::ONE / norm,
            0.5 => T::ONE / norm.sqrt(),
            beta => (norm.ln() * T::from_f64((-beta).into())).exp(),
        }
    }
}

/// The number of channels; 1 where there are none, since there are no elements then.
fn depth(shape: &Shape) -> usize {
    shape.last().copied().unwrap_or(1).max(1)
}
