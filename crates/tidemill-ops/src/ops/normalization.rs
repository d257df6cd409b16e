//! Normalization composed of other operations.

use super::math::rsqrt;
use super::reduce::Axes;
use super::statistics::moments;
use crate::operand::composite;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    exports: batch_normalization, layer_normalization;
}

/// `(x - mean) / sqrt(variance + epsilon)`, times `scale` and plus `offset` if they are given.
/// Shapes broadcast.
///
/// # Errors
/// Tensors that differ in type or do not broadcast.
///
/// ```
/// use tidemill_ops::{batch_normalization, moments, placeholder};
/// let x = placeholder::<f32>([8, 3]);
/// let (mean, variance) = moments(x, 0);
/// let y = batch_normalization(x, mean, variance, None, None, 1e-3);
/// assert_eq!(y.shape().to_string(), "[8, 3]");
/// ```
#[track_caller]
pub fn batch_normalization(
    x: impl Into<Operand>,
    mean: impl Into<Operand>,
    variance: impl Into<Operand>,
    offset: Option<Tensor>,
    scale: Option<Tensor>,
    epsilon: f32,
) -> Tensor {
    let x = x.into().to_tensor();
    let mean = mean.into().to_tensor_like(x, "mean");
    let variance = variance.into().to_tensor_like(x, "variance");
    composite(x.graph(), "batchnorm", |_| {
        let inverse = rsqrt(variance + epsilon);
        let factor = scale.map_or(inverse, |scale| inverse * scale);
        let shift = mean * factor;
        x * factor + offset.map_or_else(|| -shift, |offset| offset - shift)
    })
}

/// `x` scaled to mean 0 and variance 1 along `axes`, times `scale` and plus `offset`, which
/// broadcast, if they are given.
///
/// # Errors
/// An axis that does not exist, or that is named twice; tensors that differ in type or do not
/// broadcast.
///
/// ```
/// use tidemill_ops::{layer_normalization, placeholder};
/// let x = placeholder::<f32>([8, 16]);
/// assert_eq!(layer_normalization(x, -1, None, None, 1e-5).shape(), x.shape());
/// ```
#[track_caller]
pub fn layer_normalization(
    x: impl Into<Operand>,
    axes: impl Into<Axes>,
    offset: Option<Tensor>,
    scale: Option<Tensor>,
    epsilon: f32,
) -> Tensor {
    let (x, axes) = (x.into().to_tensor(), axes.into().keep_dims());
    composite(x.graph(), "LayerNorm", |_| {
        let (mean, variance) = moments(x, axes);
        batch_normalization(x, mean, variance, offset, scale, epsilon)
    })
}
