//! The shape of a product, and how its operands lie.

use tidemill_value::{Bits, Shape, ValueError};

use crate::NumericError;
use crate::layout::transpose_into;

/// The number of terms of a product that are summed before their sum joins the total: the order of
/// sums is the same in each way to compute products.
pub(crate) const TERMS: usize = 1 << 8;

/// The layout of a matrix in its buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Orientation {
    /// As it is multiplied, row by row.
    #[default]
    Normal,
    /// Column by column: the buffer holds the transposed matrix.
    Transposed,
}

impl Orientation {
    fn flipped(self) -> Self {
        match self {
            Orientation::Normal => Orientation::Transposed,
            Orientation::Transposed => Orientation::Normal,
        }
    }
}

/// The right operand of a product.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub enum Right<'a, T> {
    Plain(&'a [T]),
    /// As [`pack`](super::pack()) packs it.
    Packed(&'a [T]),
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

    /// The transposed product: the right operand, transposed, times the left one.
    pub(super) fn swapped(&self) -> Self {
        let [left, right] = [self.right.flipped(), self.left.flipped()];
        MatMul { rows: self.columns, inner: self.inner, columns: self.rows, left, right }
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

    /// Calls `f` with the operands, both row by row. Those that lie otherwise are transposed to
    /// `spare`, which has [`MatMul::turned`] elements.
    pub(super) fn by_rows<T: Bits>(
        &self,
        left: &[T],
        right: &[T],
        spare: &mut [T],
        f: impl FnOnce(&[T], &[T]),
    ) -> Result<(), NumericError> {
        let (expected, actual) = (self.turned(), spare.len());
        let of_left = if self.left == Orientation::Transposed { left.len() } else { 0 };
        let Some((turned_left, turned_right)) = spare.split_at_mut_checked(of_left) else {
            return Err(NumericError::Length { expected, actual });
        };
        let Some(turned_right) = turned_right.get_mut(..expected - of_left) else {
            return Err(NumericError::Length { expected, actual });
        };
        let left = turn(left, self.left, self.inner, turned_left);
        f(left, turn(right, self.right, self.columns, turned_right));
        Ok(())
    }

    /// The number of elements of the operands that lie column by column.
    pub(super) fn turned(&self) -> usize {
        let turned = |orientation, rows: usize, columns: usize| match orientation {
            Orientation::Normal => 0,
            Orientation::Transposed => rows.saturating_mul(columns),
        };
        turned(self.left, self.rows, self.inner).saturating_add(turned(
            self.right,
            self.inner,
            self.columns,
        ))
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

/// A matrix row by row: itself, or its transpose, written to `turned`.
fn turn<'a, T: Bits>(
    matrix: &'a [T],
    orientation: Orientation,
    columns: usize,
    turned: &'a mut [T],
) -> &'a [T] {
    match orientation {
        Orientation::Normal => matrix,
        Orientation::Transposed => {
            transpose_into(matrix, columns, turned);
            turned
        }
    }
}

pub(super) fn oriented(([rows, columns], orientation): ([usize; 2], Orientation)) -> [usize; 2] {
    match orientation {
        Orientation::Normal => [rows, columns],
        Orientation::Transposed => [columns, rows],
    }
}
