//! Lengths of vectors, composed of reductions.

use super::arithmetic::{maximum, pow};
use super::math::{abs, rsqrt, square};
use super::reduce::{Axes, reduce_euclidean_norm, reduce_max, reduce_sum};
use crate::operand::composite;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    exports: Norm, l2_normalize, norm;
}

/// The measure of [`norm`].
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Norm {
    /// The square root of the sum of squares; over two axes, the Frobenius norm of matrices.
    #[default]
    Euclidean,
    /// The sum of absolute values.
    L1,
    /// The largest absolute value.
    Infinity,
    /// The root of this degree of the sum of these powers of absolute values.
    P(f64),
}

/// The length of `x` along `axes` (see [`reduce_sum`]), of the type of `x`, without those axes.
///
/// # Errors
/// `x` is not float; an axis does not exist, or is named twice.
///
/// ```
/// use tidemill_ops::{Norm, constant, norm};
/// let lengths = norm(constant([[3.0_f32, 4.0], [6.0, 8.0]]), Norm::Euclidean, 1);
/// assert_eq!(lengths.shape().to_string(), "[2]");
/// ```
#[track_caller]
pub fn norm(x: impl Into<Operand>, norm: Norm, axes: impl Into<Axes>) -> Tensor {
    let (x, axes) = (x.into().to_tensor(), axes.into());
    composite(x.graph(), "norm", |_| match norm {
        Norm::Euclidean => reduce_euclidean_norm(x, axes),
        Norm::L1 => reduce_sum(abs(x), axes),
        Norm::Infinity => reduce_max(abs(x), axes),
        Norm::P(degree) => pow(reduce_sum(pow(abs(x), degree), axes), 1.0 / degree),
    })
}

/// `x` divided by its Euclidean length along `axes`, or by the square root of `epsilon` if that is
/// larger. The result has the shape of `x`. TensorFlow's default `epsilon` is 1e-12.
///
/// # Errors
/// `x` is not float; an axis does not exist, or is named twice.
///
/// ```
/// use tidemill_ops::{constant, l2_normalize};
/// let directions = l2_normalize(constant([[3.0_f32, 4.0], [6.0, 8.0]]), 1, 1e-12);
/// assert_eq!(directions.shape().to_string(), "[2, 2]");
/// ```
#[track_caller]
pub fn l2_normalize(
    x: impl Into<Operand>,
    axes: impl Into<Axes>,
    epsilon: impl Into<Operand>,
) -> Tensor {
    let (x, axes, epsilon) = (x.into().to_tensor(), axes.into(), epsilon.into());
    composite(x.graph(), "l2_normalize", |_| {
        let squares = reduce_sum(square(x), axes.keep_dims());
        x * rsqrt(maximum(squares, epsilon))
    })
}
