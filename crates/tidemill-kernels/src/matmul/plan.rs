//! The shape of a product, and how its operands lie.

use tidemill_value::{Bits, Shape, Value, ValueError, recycle};

use crate::NumericError;
use crate::layout::transpose_into;

/// The layout of a matrix in its buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Orientation {
    /// As it is multiplied, row by row.
    #[default]
    Normal,
    /// Column by column: the buffer holds the transposed matrix.
    Transposed,
}

/// The shape of a matrix product. The method of computation depends on it and on the data type
/// alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MatMul {
    pub(super) rows: usize,
    pub(super) inner: usize,
    pub(super) columns: usize,
    pub(super) left: Orientation,
    pub(super) right: Orientation,
}

impl MatMul {
    /// The product of matrices whose buffers are of these shapes.
    ///
    /// # Errors
    /// [`NumericError::InnerDimensions`] if the left matrix does not have as many columns as the
    /// right one has rows.
    pub fn new(
        left: ([usize; 2], Orientation),
        right: ([usize; 2], Orientation),
    ) -> Result<Self, NumericError> {
        let [rows, inner] = oriented(left);
        let [right_rows, columns] = oriented(right);
        if inner != right_rows {
            return Err(NumericError::InnerDimensions { left: inner, right: right_rows });
        }
        Ok(MatMul { rows, inner, columns, left: left.1, right: right.1 })
    }

    /// The shape of the product.
    pub fn output(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    pub(super) fn check(&self, left: usize, right: usize, out: usize) -> Result<(), NumericError> {
        let matrices = [
            ([self.rows, self.inner], left),
            ([self.inner, self.columns], right),
            ([self.rows, self.columns], out),
        ];
        for (shape, actual) in matrices {
            let shape = Shape::from(shape);
            match shape.elements() {
                Some(expected) if expected == actual => {}
                Some(expected) => return Err(NumericError::Length { expected, actual }),
                None => return Err(ValueError::TooLarge { shape }.into()),
            }
        }
        Ok(())
    }

    /// Calls `f` with the operands, both row by row.
    pub(super) fn by_rows<T: Bits>(
        &self,
        left: &[T],
        right: &[T],
        f: impl FnOnce(&[T], &[T]),
    ) -> Result<(), NumericError> {
        let turn = |matrix: &[T], orientation, columns| match orientation {
            Orientation::Normal => Ok(None),
            Orientation::Transposed => {
                let mut turned = Value::scratch(T::DTYPE, [matrix.len()])?;
                transpose_into(matrix, columns, turned.as_mut_slice()?);
                Ok::<_, NumericError>(Some(turned))
            }
        };
        let turned_left = turn(left, self.left, self.inner)?;
        let turned_right = turn(right, self.right, self.columns)?;
        let left = turned_left.as_ref().map_or(Ok(left), Value::as_slice)?;
        let right = turned_right.as_ref().map_or(Ok(right), Value::as_slice)?;
        f(left, right);
        [turned_left, turned_right].into_iter().flatten().for_each(recycle);
        Ok(())
    }

    /// The number of multiplications.
    pub(super) fn work(&self) -> usize {
        self.rows.saturating_mul(self.inner).saturating_mul(self.columns)
    }

    /// The steps from one row and one column of the left and the right matrix to the next.
    pub(super) fn steps(&self) -> [[isize; 2]; 2] {
        let steps = |orientation, rows: usize, columns: usize| match orientation {
            Orientation::Normal => [columns as isize, 1],
            Orientation::Transposed => [1, rows as isize],
        };
        [steps(self.left, self.rows, self.inner), steps(self.right, self.inner, self.columns)]
    }
}

fn oriented(([rows, columns], orientation): ([usize; 2], Orientation)) -> [usize; 2] {
    match orientation {
        Orientation::Normal => [rows, columns],
        Orientation::Transposed => [columns, rows],
    }
}
