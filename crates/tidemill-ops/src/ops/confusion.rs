//! The confusion matrix.

use tidemill_value::DType;

use super::arithmetic::maximum;
use super::array::{ones_like, reshape, scatter_nd, stack};
use super::cast::cast;
use super::reduce::reduce_max;
use crate::operand::composite;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    exports: confusion_matrix;
}

/// The confusion matrix: the element in row `i` and column `j` counts the pairs, or sums their
/// `weights`, whose label is `i` and whose prediction is `j`. It has type `dtype` and shape
/// `[num_classes, num_classes]`.
///
/// `labels` and `predictions` are class numbers, integers from 0, of one shape, and so are
/// `weights` if given. If `num_classes` is `None`, it is one more than the largest class of either.
///
/// # Errors
/// Labels, predictions or weights that differ in shape. A run fails if a class is negative, or is
/// not below `num_classes`.
///
/// ```
/// use tidemill_ops::{confusion_matrix, constant};
/// use tidemill_value::DType;
/// let (labels, predictions) = (constant([1, 2, 4]), constant([2, 2, 4]));
/// let matrix = confusion_matrix(labels, predictions, 5, None, DType::I32);
/// assert_eq!(matrix.shape().to_string(), "[5, 5]");
/// ```
#[track_caller]
pub fn confusion_matrix(
    labels: impl Into<Operand>,
    predictions: impl Into<Operand>,
    num_classes: impl Into<Option<usize>>,
    weights: Option<Tensor>,
    dtype: DType,
) -> Tensor {
    let (labels, predictions) = (labels.into().to_tensor(), predictions.into());
    let num_classes = num_classes.into();
    composite(labels.graph(), "confusion_matrix", |_| {
        let predictions = predictions.to_tensor_beside(labels, "predictions");
        let flat = |x: Tensor| reshape(cast(x, DType::I64), [-1]);
        let positions = stack([flat(labels), flat(predictions)], 1);
        let counts = match weights {
            Some(weights) => cast(reshape(weights, [-1]), dtype),
            None => cast(ones_like(flat(labels)), dtype),
        };
        let extents = match num_classes {
            Some(count) => cast(Operand::from([count, count]).to_tensor(), DType::I64),
            None => {
                let largest = maximum(reduce_max(labels, ..), reduce_max(predictions, ..));
                let count = cast(largest, DType::I64) + 1;
                stack([count, count], 0)
            }
        };
        scatter_nd(positions, counts, extents)
    })
}
