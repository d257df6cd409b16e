//! Softmax and its cross entropies, over the last axis.
//!
//! The largest logit of a row is subtracted first, so that no exponential overflows.

use tidemill_value::{Element, Memory, Shape, Value, broadcast, match_dtype};

use crate::NumericError;
use crate::float::Float;
use crate::layout::{Indices, broadcast_to};
use crate::output::{build, build_zeroed};
use crate::pool::{TILE, for_each_chunk_pair_mut, try_for_each_chunk_mut_with};
use crate::reduce::{Max, Sum, fold_row};
use crate::vector::is_single;

/// `exp x / Σ exp x` over the last axis. TensorFlow's `Softmax`.
///
/// The value is overwritten if its buffer is not shared.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if the elements are not floats, [`NumericError::Rank`] if
/// there is no axis.
pub fn softmax(memory: &Memory, logits: Value) -> Result<Value, NumericError> {
    match_dtype!(logits.dtype(), floats, T => over_rows(memory, logits, normalize::<T>),
        else unsupported(&logits))
}

/// `x - ln Σ exp x` over the last axis: the logarithm of [`softmax`]. TensorFlow's `LogSoftmax`.
///
/// The value is overwritten if its buffer is not shared.
///
/// # Errors
/// As for [`softmax`].
pub fn log_softmax(memory: &Memory, logits: Value) -> Result<Value, NumericError> {
    match_dtype!(logits.dtype(), floats, T => over_rows(memory, logits, log_normalize::<T>),
        else unsupported(&logits))
}

/// The result of a cross entropy: the loss of each row, and its gradient with respect to the
/// logits.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropy {
    /// The loss, with the shape of the logits without their last axis.
    pub loss: Value,
    /// The gradient of the sum of the losses, with the shape of the logits.
    pub backprop: Value,
}

/// The cross entropy `-Σ label · ln softmax(logits)` over the last axis, and its gradient
/// `softmax(logits) - label`. TensorFlow's `SoftmaxCrossEntropyWithLogits`.
///
/// `logits` and `labels` are of one type, and broadcast.
///
/// # Errors
/// [`NumericError::UnsupportedDType`] if the logits are not floats, [`NumericError::Rank`] if they
/// have no axis, [`NumericError::Broadcast`] and [`NumericError::Value`] if the labels are of a
/// shape that does not fit, or of another type.
pub fn softmax_cross_entropy(
    memory: &Memory,
    logits: Value,
    labels: &Value,
) -> Result<CrossEntropy, NumericError> {
    if labels.shape() != logits.shape() {
        let both = broadcast(logits.shape(), labels.shape())?;
        let labels = broadcast_to(memory, labels, &both)?;
        return softmax_cross_entropy(memory, broadcast_to(memory, &logits, &both)?, &labels);
    }
    match_dtype!(logits.dtype(), floats, T => {
        let labels = labels.as_slice::<T>()?;
        cross_entropy(memory, logits, |i, row: &mut [T], scratch: &mut Vec<T>| {
            let labels = &labels[i * row.len()..(i + 1) * row.len()];
            scratch.resize(row.len(), T::default());
            dense_cross_entropy(row, labels, scratch)
        })
    }, else unsupported(&logits))
}

/// The cross entropy `-ln softmax(logits)[label]` over the last axis, and its gradient: softmax,
/// less 1 at the label. TensorFlow's `SparseSoftmaxCrossEntropyWithLogits`.
///
/// `labels` are of type `int32` or `int64` and of the shape of the logits without their last
/// axis.
///
/// # Errors
/// [`NumericError::IndexOutOfRange`] if a label is not in `[0, classes)`,
/// [`NumericError::UnsupportedDType`] if the logits are not floats or the labels of another type,
/// [`NumericError::Rank`] if the logits have no axis, [`NumericError::Shape`] if the labels are of
/// another shape.
pub fn sparse_softmax_cross_entropy(
    memory: &Memory,
    logits: Value,
    labels: &Value,
) -> Result<CrossEntropy, NumericError> {
    let (rows, classes) = split_last(logits.shape())?;
    if *labels.shape() != rows {
        return Err(NumericError::Shape { expected: rows, actual: labels.shape().clone() });
    }
    let labels = Indices::below(labels, classes)?;
    match_dtype!(logits.dtype(), floats, T => {
        cross_entropy(memory, logits, |i, row: &mut [T], _| sparse_cross_entropy(row, labels.get(i)))
    }, else unsupported(&logits))
}

fn unsupported<T>(logits: &Value) -> Result<T, NumericError> {
    Err(NumericError::UnsupportedDType { dtype: logits.dtype() })
}

/// The shape without its last axis, and the extent of that axis.
fn split_last(shape: &Shape) -> Result<(Shape, usize), NumericError> {
    let (&classes, rows) =
        shape.split_last().ok_or(NumericError::Rank { expected: 1, actual: 0 })?;
    Ok((rows.into(), classes))
}

/// The number of rows of a tile. An exponential is worth several light operations.
fn rows_of_tile(classes: usize) -> usize {
    (TILE / 4).div_ceil(classes)
}

/// Overwrites each row, or a copy of it if the value is shared, by a function that gets a scratch row.
fn over_rows<T: Element + Copy>(
    memory: &Memory,
    mut value: Value,
    f: fn(&mut [T], &mut [T]),
) -> Result<Value, NumericError> {
    let (_, classes) = split_last(value.shape())?;
    let shape = value.shape().clone();
    if shape.elements() == Some(0) {
        return Ok(value);
    }
    let tile = rows_of_tile(classes) * classes;
    if value.is_unique() {
        let elements = value.as_mut_slice::<T>()?;
        try_for_each_chunk_mut_with(memory, classes, elements, tile, |_, rows, scratch| {
            rows.chunks_exact_mut(classes).for_each(|row| f(row, scratch));
            Ok::<_, NumericError>(())
        })?;
        return Ok(value);
    }
    let elements = value.as_slice::<T>()?;
    build(memory, shape, |out| {
        try_for_each_chunk_mut_with(memory, classes, out, tile, |i, rows, scratch| {
            let from = elements[i * tile..].chunks_exact(classes);
            for (row, from) in rows.chunks_exact_mut(classes).zip(from) {
                row.copy_from_slice(from);
                f(row, scratch);
            }
            Ok(())
        })
    })
}

/// Overwrites each row of logits with its gradient and stores its loss, by a function that gets the
/// number of the row and a scratch vector. Without classes, there is no loss.
fn cross_entropy<T: Element>(
    memory: &Memory,
    mut logits: Value,
    row_loss: impl Fn(usize, &mut [T], &mut Vec<T>) -> T + Sync,
) -> Result<CrossEntropy, NumericError> {
    let (rows, classes) = split_last(logits.shape())?;
    let elements = logits.as_mut_slice::<T>()?;
    let loss = build_zeroed(memory, rows, |losses| {
        if !elements.is_empty() {
            let rows = rows_of_tile(classes);
            let tiles = ((&mut *elements, rows * classes), (losses, rows));
            for_each_chunk_pair_mut(tiles.0, tiles.1, |tile, elements, losses| {
                let mut scratch = Vec::new();
                let each = elements.chunks_exact_mut(classes).zip(losses);
                for (i, (row, loss)) in each.enumerate() {
                    *loss = row_loss(tile * rows + i, row, &mut scratch);
                }
            });
        }
        Ok(())
    })?;
    Ok(CrossEntropy { loss, backprop: logits })
}

fn normalize<T: Float>(row: &mut [T], _: &mut [T]) {
    let Exponentials { total, .. } = exponentials(row);
    scale(row, T::ONE / total);
}

vectorized! {
    if is_single(T::DTYPE);
    fn scale<T>(row: &mut [T], factor: T)
    where [T: Float]
    {
        row.iter_mut().for_each(|x| *x = *x * factor);
    }
}

fn log_normalize<T: Float>(row: &mut [T], scratch: &mut [T]) {
    scratch.copy_from_slice(row);
    let Exponentials { largest, total } = exponentials(scratch);
    lower(row, largest, total.ln());
}

vectorized! {
    if is_single(T::DTYPE);
    fn lower<T>(row: &mut [T], first: T, second: T)
    where [T: Float]
    {
        row.iter_mut().for_each(|x| *x = (*x - first) - second);
    }
}

fn dense_cross_entropy<T: Float>(row: &mut [T], labels: &[T], scratch: &mut [T]) -> T {
    scratch.copy_from_slice(row);
    let of_row = exponentials(scratch);
    losses_and_gradients(row, labels, scratch, of_row)
}

vectorized! {
    if is_single(T::DTYPE);
    fn losses_and_gradients<T>(
        row: &mut [T],
        labels: &[T],
        exponentials: &[T],
        of_row: Exponentials<T>,
    ) -> T
    where [T: Float]
    {
        let Exponentials { largest, total } = of_row;
        let log_total = total.ln();
        for (x, label) in row.iter_mut().zip(labels) {
            *x = *label * (log_total - (*x - largest));
        }
        let loss = fold_row::<Sum<T>>(row);
        for ((x, exponential), label) in row.iter_mut().zip(exponentials).zip(labels) {
            *x = *exponential / total - *label;
        }
        loss
    }
}

fn sparse_cross_entropy<T: Float>(row: &mut [T], label: usize) -> T {
    let logit = row[label];
    let Exponentials { largest, total } = exponentials(row);
    divide(row, total);
    row[label] = row[label] - T::ONE;
    total.ln() - (logit - largest)
}

vectorized! {
    if is_single(T::DTYPE);
    fn divide<T>(row: &mut [T], divisor: T)
    where [T: Float]
    {
        row.iter_mut().for_each(|x| *x = *x / divisor);
    }
}

/// The largest element of a row, and the sum of the exponentials of the shifted row.
struct Exponentials<T> {
    largest: T,
    total: T,
}

/// Subtracts the largest element of a row from all of them, and returns it.
#[inline(always)]
fn shift<T: Float>(row: &mut [T]) -> T {
    let largest = fold_row::<Max<T>>(row);
    row.iter_mut().for_each(|x| *x = *x - largest);
    largest
}

vectorized! {
    if is_single(T::DTYPE);
    /// Shifts a row, puts its exponentials in its place, and adds them up.
    fn exponentials<T>(row: &mut [T]) -> Exponentials<T>
    where [T: Float]
    {
        let largest = shift(row);
        row.iter_mut().for_each(|x| *x = Float::exp(*x));
        Exponentials { largest, total: fold_row::<Sum<T>>(row) }
    }
}
