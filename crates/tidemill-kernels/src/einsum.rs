//! Sums of products over labelled axes, Einstein's notation.

use tidemill_value::{Dim, Memory, Shape, Value, ValueError, match_dtype};

use crate::matmul::{Orientation, batch_matmul};
use crate::output::{build, build_zeroed};
use crate::strided::{Axis, Odometer, coalesce};
use crate::{NumericError, layout, reduce};

/// The name of an axis. Axes of the same name are iterated together.
pub type Label = usize;

/// The products of the elements of one or two values, summed over all labels that are not among
/// those of the output. TensorFlow's `Einsum`.
///
/// A label that an operand has twice takes its diagonal; one that the output has twice makes a
/// diagonal. Axes of one label are of one extent; of two operands, one may have an extent of 1.
///
/// # Errors
/// [`NumericError::NoOperands`] if there is not one operand or two, [`NumericError::Rank`] if an
/// operand does not have an axis for each label, or the output a label that no operand has,
/// [`NumericError::Broadcast`] and [`NumericError::Value`] if extents or types differ,
/// [`NumericError::UnsupportedDType`] if the elements are not numbers.
pub fn einsum(
    memory: &Memory,
    operands: &[(&Value, &[Label])],
    output: &[Label],
) -> Result<Value, NumericError> {
    let distinct = distinct(output);
    let product = match operands {
        [operand] => {
            Labelled::new(memory, operand)?.summed_but(memory, |label| distinct.contains(&label))?
        }
        [left, right] => multiplied(
            memory,
            Labelled::new(memory, left)?,
            Labelled::new(memory, right)?,
            &distinct,
        )?,
        _ => return Err(NumericError::NoOperands),
    };
    let product = product.transposed_to(memory, &distinct)?;
    if distinct.len() == output.len() {
        Ok(product.value)
    } else {
        product.on_diagonal(memory, output)
    }
}

fn distinct(labels: &[Label]) -> Vec<Label> {
    let mut distinct = Vec::with_capacity(labels.len());
    for label in labels {
        if !distinct.contains(label) {
            distinct.push(*label);
        }
    }
    distinct
}

/// A value, and a label for each of its axes.
struct Labelled {
    value: Value,
    labels: Vec<Label>,
}

impl Labelled {
    /// An operand with each label once: of repeated ones, the diagonal.
    fn new(memory: &Memory, (value, labels): &(&Value, &[Label])) -> Result<Self, NumericError> {
        let (expected, actual) = (value.shape().rank(), labels.len());
        if expected != actual {
            return Err(NumericError::Rank { expected, actual });
        }
        let once = distinct(labels);
        let value = if once.len() == labels.len() {
            (*value).clone()
        } else {
            diagonal(memory, value, labels, &once)?
        };
        Ok(Labelled { value, labels: once })
    }

    fn extent(&self, label: Label) -> Option<usize> {
        let axis = self.labels.iter().position(|&own| own == label)?;
        self.value.shape().get(axis).copied()
    }

    /// The extents of some of its labels.
    fn extents(&self, labels: &[Label]) -> Shape {
        labels.iter().filter_map(|&label| self.extent(label)).collect()
    }

    /// The sum over all labels but those to keep.
    fn summed_but(
        self,
        memory: &Memory,
        keep: impl Fn(Label) -> bool,
    ) -> Result<Self, NumericError> {
        let (kept, summed): (Vec<usize>, Vec<usize>) =
            (0..self.labels.len()).partition(|&axis| keep(self.labels[axis]));
        if summed.is_empty() {
            return Ok(self);
        }
        let labels = kept.into_iter().map(|axis| self.labels[axis]).collect();
        Ok(Labelled { value: reduce::sum(memory, &self.value, &summed)?, labels })
    }

    fn transposed_to(self, memory: &Memory, labels: &[Label]) -> Result<Self, NumericError> {
        if self.labels == labels {
            return Ok(self);
        }
        let axis = |label: &Label| self.labels.iter().position(|own| own == label);
        let order: Option<Vec<usize>> = labels.iter().map(axis).collect();
        let (expected, actual) = (labels.len(), self.labels.len());
        let order = order.filter(|order| order.len() == actual);
        let order = order.ok_or(NumericError::Rank { expected, actual })?;
        Ok(Labelled {
            value: layout::transpose(memory, &self.value, &order)?,
            labels: labels.to_vec(),
        })
    }

    /// Matrices whose rows and columns are the elements of several axes; they are copied only if
    /// they lie in neither orientation.
    fn matrices(
        self,
        memory: &Memory,
        batch: &[Label],
        rows: &[Label],
        columns: &[Label],
    ) -> Result<(Value, Orientation), NumericError> {
        let [normal, transposed] = [[batch, rows, columns], [batch, columns, rows]];
        let shape = |parts: [&[Label]; 3]| -> Result<Shape, NumericError> {
            let mut shape = self.extents(parts[0]);
            for part in [parts[1], parts[2]] {
                let extents = self.extents(part);
                shape.push(extents.elements().ok_or(ValueError::TooLarge { shape: extents })?);
            }
            Ok(shape)
        };
        if self.labels == transposed.concat() && self.labels != normal.concat() {
            let shape = shape(transposed)?;
            return Ok((self.value.reshape(shape)?, Orientation::Transposed));
        }
        let shape = shape(normal)?;
        let value = self.transposed_to(memory, &normal.concat())?.value;
        Ok((value.reshape(shape)?, Orientation::Normal))
    }

    /// The elements where the output's positions of equal labels are equal, zeros elsewhere.
    fn on_diagonal(&self, memory: &Memory, output: &[Label]) -> Result<Value, NumericError> {
        let shape = self.extents(output);
        let from = self.value.shape().strides();
        let to = shape.strides();
        let axes = self.labels.iter().zip(&from).map(|(&label, &step)| {
            let extent = self.extent(label).unwrap_or(0);
            Axis { extent, steps: [step as isize, steps_of(label, output, &to)] }
        });
        let axes = coalesce(axes);
        let value = &self.value;
        match_dtype!(value.dtype(), wide, T => {
            let elements = value.as_slice::<T>()?;
            build_zeroed(memory, shape, |out: &mut [T]| {
                if !elements.is_empty() {
                    for [from, to] in Odometer::new(&axes, [0, 0]) {
                        out[to] = elements[from];
                    }
                }
                Ok(())
            })
        }, else Err(NumericError::UnsupportedDType { dtype: value.dtype() }))
    }
}

/// The distance between neighbors that differ in the position of a label, in a buffer whose
/// axes have it once or more.
fn steps_of(label: Label, labels: &[Label], strides: &[usize]) -> isize {
    let own = labels.iter().zip(strides).filter(|(own, _)| **own == label);
    own.map(|(_, &step)| step as isize).sum()
}

/// The elements whose positions along axes of one label are equal.
fn diagonal(
    memory: &Memory,
    value: &Value,
    labels: &[Label],
    once: &[Label],
) -> Result<Value, NumericError> {
    let (shape, strides) = (value.shape(), value.shape().strides());
    let mut axes = Vec::new();
    for &label in once {
        let mut extents = labels.iter().zip(shape.iter()).filter(|(own, _)| **own == label);
        let extent = extents.next().map_or(0, |(_, &extent)| extent);
        if let Some((_, &other)) = extents.find(|(_, other)| **other != extent) {
            let (left, right) = (Dim::from(extent), Dim::from(other));
            return Err(ValueError::IncompatibleDims { left, right }.into());
        }
        axes.push(Axis { extent, steps: [steps_of(label, labels, &strides)] });
    }
    let output: Shape = axes.iter().map(|axis| axis.extent).collect();
    let axes = coalesce(axes);
    match_dtype!(value.dtype(), wide, T => {
        let elements = value.as_slice::<T>()?;
        build(memory, output, |out: &mut [T]| {
            if !elements.is_empty() {
                for (o, [from]) in out.iter_mut().zip(Odometer::new(&axes, [0])) {
                    *o = elements[from];
                }
            }
            Ok(())
        })
    }, else Err(NumericError::UnsupportedDType { dtype: value.dtype() }))
}

/// The product of two operands with the labels of the output, in some order.
fn multiplied(
    memory: &Memory,
    left: Labelled,
    right: Labelled,
    output: &[Label],
) -> Result<Labelled, NumericError> {
    let is_in_output = |label: Label| output.contains(&label);
    // Sum a label that only one operand runs along before multiplying by the other.
    let runs_together = |label: Label| match (left.extent(label), right.extent(label)) {
        (Some(left), Some(right)) => left == right || (left != 1 && right != 1),
        _ => false,
    };
    let shared: Vec<Label> =
        left.labels.iter().copied().filter(|&label| runs_together(label)).collect();
    let keep = |label: Label| is_in_output(label) || shared.contains(&label);
    let (left, right) = (left.summed_but(memory, keep)?, right.summed_but(memory, keep)?);
    let has = |operand: &Labelled, label: Label| operand.labels.contains(&label);
    let of_output = |kind: [bool; 2]| -> Vec<Label> {
        let is_kind = |&label: &Label| [has(&left, label), has(&right, label)] == kind;
        output.iter().copied().filter(is_kind).collect()
    };
    let (batch, rows, columns) =
        (of_output([true, true]), of_output([true, false]), of_output([false, true]));
    let inner: Vec<Label> =
        left.labels.iter().copied().filter(|&label| !is_in_output(label)).collect();
    let (of_left, of_right) = (left.extents(&inner), right.extents(&inner));
    if of_left != of_right {
        return Err(NumericError::Shape { expected: of_left, actual: of_right });
    }
    let (row_extents, column_extents) = (left.extents(&rows), right.extents(&columns));
    let (left, left_orientation) = left.matrices(memory, &batch, &rows, &inner)?;
    let (right, right_orientation) = right.matrices(memory, &batch, &inner, &columns)?;
    let product = batch_matmul(memory, (&left, left_orientation), (&right, right_orientation))?;
    let batch_extents = product.shape()[..batch.len()].iter();
    let shape: Shape =
        batch_extents.chain(row_extents.iter()).chain(column_extents.iter()).copied().collect();
    Ok(Labelled { value: product.reshape(shape)?, labels: [batch, rows, columns].concat() })
}
