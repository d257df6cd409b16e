//! Operations on whole images, composed of moves of their pixels.

use super::array::{reverse, transpose};
use crate::operand::composite;
use crate::operations::operations;
use crate::{Operand, Tensor};

operations! {
    exports: rot90;
}

/// Images rotated counterclockwise by `k` quarter turns: one of shape `[height, width, channels]`,
/// or a batch of them with one more axis. If `k` is odd, height and width are swapped.
///
/// # Errors
/// A tensor whose rank is known and neither 3 nor 4.
///
/// ```
/// use tidemill_ops::{placeholder, rot90};
/// assert_eq!(rot90(placeholder::<f32>([28, 20, 3]), 1).shape().to_string(), "[20, 28, 3]");
/// ```
#[track_caller]
pub fn rot90(images: impl Into<Operand>, k: i32) -> Tensor {
    let images = images.into().to_tensor();
    let height = if images.shape().rank() == Some(4) { 1 } else { 0 };
    let swapped: &[i32] = if height == 1 { &[0, 2, 1, 3] } else { &[1, 0, 2] };
    composite(images.graph(), "rot90", |_| match k.rem_euclid(4) {
        1 => reverse(transpose(images, swapped), [height]),
        2 => reverse(images, [height, height + 1]),
        3 => transpose(reverse(images, [height]), swapped),
        _ => images,
    })
}
