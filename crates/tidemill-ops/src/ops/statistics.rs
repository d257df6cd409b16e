//! Statistics of tensors, composed of reductions.

use super::arithmetic::squared_difference;
use super::array::{reshape, shape, zeros_like};
use super::clip::root_or_zero;
use super::compare::is_finite;
use super::identity::stop_gradient;
use super::math::{exp, log, square};
use super::reduce::{Axes, reduce_max, reduce_mean, reduce_sum};
use super::select::select;
use crate::operand::composite;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    exports: moments, reduce_logsumexp, reduce_std, reduce_variance;
}

/// The logarithm of the sum of the exponentials of `x` along `axes` (see
/// [`reduce_sum`]), which overflows only if its result does.
///
/// # Errors
/// An axis that does not exist, or that is named twice.
///
/// ```
/// use tidemill_ops::{constant, reduce_logsumexp};
/// let sum = reduce_logsumexp(constant([1000.0_f32, 1000.0]), ..);
/// assert_eq!(sum.shape().to_string(), "[]");
/// ```
#[track_caller]
pub fn reduce_logsumexp(x: impl Into<Operand>, axes: impl Into<Axes>) -> Tensor {
    let (x, axes) = (x.into().to_tensor(), axes.into());
    composite(x.graph(), "ReduceLogSumExp", |_| {
        let largest = reduce_max(x, axes.clone().keep_dims());
        // Subtracting an infinite shift would give NaN.
        let shift = select(is_finite(largest), largest, zeros_like(largest));
        let shift = stop_gradient(shift);
        let logarithm = log(reduce_sum(exp(x - shift), axes));
        logarithm + reshape(shift, shape(logarithm))
    })
}

/// The mean square of the distances of `x` from its mean along `axes` (see [`reduce_sum`]).
///
/// # Errors
/// An axis that does not exist, or that is named twice.
///
/// ```
/// use tidemill_ops::{placeholder, reduce_variance};
/// assert_eq!(reduce_variance(placeholder::<f32>([8, 3]), 0).shape().to_string(), "[3]");
/// ```
#[track_caller]
pub fn reduce_variance(x: impl Into<Operand>, axes: impl Into<Axes>) -> Tensor {
    let (x, axes) = (x.into().to_tensor(), axes.into());
    composite(x.graph(), "reduce_variance", |_| {
        let mean = reduce_mean(x, axes.clone().keep_dims());
        reduce_mean(square(x - mean), axes)
    })
}

/// The square root of [`reduce_variance`], the standard deviation. Where the standard
/// deviation is 0, so is its gradient.
///
/// # Errors
/// An axis that does not exist, or that is named twice.
///
/// ```
/// use tidemill_ops::{placeholder, reduce_std};
/// assert_eq!(reduce_std(placeholder::<f32>([8, 3]), 0).shape().to_string(), "[3]");
/// ```
#[doc(alias = "reduce_stddev")]
#[track_caller]
pub fn reduce_std(x: impl Into<Operand>, axes: impl Into<Axes>) -> Tensor {
    let (x, axes) = (x.into().to_tensor(), axes.into());
    composite(x.graph(), "reduce_std", |_| root_or_zero(reduce_variance(x, axes)))
}

/// The mean and the variance of `x` along `axes` (see [`reduce_sum`]).
///
/// # Errors
/// An axis that does not exist, or that is named twice.
///
/// ```
/// use tidemill_ops::{moments, placeholder};
/// let (mean, variance) = moments(placeholder::<f32>([7, 3]), 0);
/// assert_eq!((mean.shape(), variance.shape()), ([3].into(), [3].into()));
/// ```
#[track_caller]
pub fn moments(x: impl Into<Operand>, axes: impl Into<Axes>) -> (Tensor, Tensor) {
    let (x, axes) = (x.into().to_tensor(), axes.into());
    composite(x.graph(), "moments", |_| {
        let center = reduce_mean(x, axes.clone().keep_dims());
        let variance = reduce_mean(squared_difference(x, center), axes);
        (reshape(center, shape(variance)), variance)
    })
}
