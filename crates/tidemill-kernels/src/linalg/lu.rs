use super::triangular::{Triangle, row_minus, substitute};
use crate::NumericError;
use crate::float::Float;

/// A square matrix with its rows in another order, as the product of a lower triangular matrix
/// with ones on its diagonal and an upper triangular one.
pub(super) struct Lu<T> {
    rows: usize,
    /// Both factors, one above the other, without the ones.
    factors: Vec<T>,
    /// The row of the matrix that stands in each place.
    order: Vec<usize>,
    /// Whether the order is an odd number of swaps away from the original.
    is_odd: bool,
}

impl<T: Float> Lu<T> {
    /// Factors a matrix by elimination; in each column, the largest element left is the pivot.
    pub(super) fn new(matrix: &[T], rows: usize) -> Self {
        let order = (0..rows).collect();
        let mut lu = Lu { rows, factors: matrix.to_vec(), order, is_odd: false };
        for column in 0..rows {
            lu.move_pivot_to(column);
            lu.eliminate(column);
        }
        lu
    }

    fn move_pivot_to(&mut self, column: usize) {
        let rows = self.rows;
        let size = |row: usize| self.factors[row * rows + column].abs();
        let larger = |best: usize, row: usize| if size(row) > size(best) { row } else { best };
        let pivot = (column..rows).fold(column, larger);
        if pivot != column {
            let (upper, lower) = self.factors.split_at_mut(pivot * rows);
            upper[column * rows..(column + 1) * rows].swap_with_slice(&mut lower[..rows]);
            self.order.swap(column, pivot);
            self.is_odd = !self.is_odd;
        }
    }

    /// Subtracts multiples of the pivot's row from those below, so that its column becomes zero.
    fn eliminate(&mut self, column: usize) {
        let rows = self.rows;
        let (upper, lower) = self.factors.split_at_mut((column + 1) * rows);
        let pivot_row = &upper[column * rows + column..];
        let (pivot, pivot_rest) = (pivot_row[0], &pivot_row[1..]);
        if pivot == T::ZERO {
            return;
        }
        for row in lower.chunks_exact_mut(rows) {
            let (factor, rest) = (row[column] / pivot, &mut row[column + 1..]);
            row_minus(rest, factor, pivot_rest);
            row[column] = factor;
        }
    }

    fn diagonal(&self) -> impl Iterator<Item = T> {
        self.factors.iter().step_by(self.rows + 1).copied()
    }

    /// The factors of matrix number `index`, if it has an inverse.
    pub(super) fn invertible(self, index: usize) -> Result<Self, NumericError> {
        if self.diagonal().any(|pivot| pivot == T::ZERO) {
            return Err(NumericError::Singular { index });
        }
        Ok(self)
    }

    pub(super) fn determinant(&self) -> T {
        let sign = if self.is_odd { -T::ONE } else { T::ONE };
        self.diagonal().fold(sign, |product, pivot| product * pivot)
    }

    pub(super) fn log_determinant(&self) -> (T, T) {
        let sign = if self.is_odd { -T::ONE } else { T::ONE };
        self.diagonal().fold((sign, T::ZERO), |(sign, logarithm), pivot| {
            let sign = match pivot.partial_cmp(&T::ZERO) {
                Some(std::cmp::Ordering::Less) => -sign,
                Some(std::cmp::Ordering::Greater) => sign,
                _ => pivot,
            };
            (sign, logarithm + pivot.abs().ln())
        })
    }

    /// Solves for `out`: the matrix, or its transpose, times `out` is `right`, which has `columns`
    /// columns.
    pub(super) fn solve(&self, right: &[T], columns: usize, transposed: bool, out: &mut [T]) {
        if columns == 0 {
            return;
        }
        let lower = Triangle { rows: self.rows, lower: true, unit: true, transposed };
        let upper = Triangle { rows: self.rows, lower: false, unit: false, transposed };
        if transposed {
            let mut solved = right.to_vec();
            substitute(&self.factors, upper, columns, &mut solved);
            substitute(&self.factors, lower, columns, &mut solved);
            for (row, &place) in solved.chunks_exact(columns).zip(&self.order) {
                out[place * columns..(place + 1) * columns].copy_from_slice(row);
            }
        } else {
            for (row, &place) in out.chunks_exact_mut(columns).zip(&self.order) {
                row.copy_from_slice(&right[place * columns..(place + 1) * columns]);
            }
            substitute(&self.factors, lower, columns, out);
            substitute(&self.factors, upper, columns, out);
        }
    }
}
