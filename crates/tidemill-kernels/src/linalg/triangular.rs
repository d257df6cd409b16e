use tidemill_value::{Memory, Shape, Value, match_dtype};

use super::square::{square, unsupported};
use crate::float::Float;
use crate::output::build;
use crate::{Broadcast, NumericError};

/// The elements of a square matrix that make a triangular one.
#[derive(Clone, Copy)]
pub(super) struct Triangle {
    pub(super) rows: usize,
    /// True for those on and below the diagonal, false for those on and above it.
    pub(super) lower: bool,
    /// True if the diagonal counts as all ones, whatever it holds.
    pub(super) unit: bool,
    /// True if the triangular matrix is then transposed.
    pub(super) transposed: bool,
}

/// Solves in place: the triangular matrix times the result is `x`, which has `columns` columns.
pub(super) fn substitute<T: Float>(matrix: &[T], triangle: Triangle, columns: usize, x: &mut [T]) {
    let Triangle { rows, lower, unit, transposed } = triangle;
    let element = |i: usize, j: usize| matrix[if transposed { j * rows + i } else { i * rows + j }];
    for step in 0..rows {
        let is_downward = lower != transposed;
        let i = if is_downward { step } else { rows - 1 - step };
        let (above, rest) = x.split_at_mut(i * columns);
        let (row, below) = rest.split_at_mut(columns);
        let (solved, first) = if is_downward { (&*above, 0) } else { (&*below, i + 1) };
        for (j, other) in (first..).zip(solved.chunks_exact(columns)) {
            row_minus(row, element(i, j), other);
        }
        if !unit {
            let pivot = element(i, i);
            row.iter_mut().for_each(|x| *x = *x / pivot);
        }
    }
}

/// Subtracts `factor` times another row from a row.
#[inline(always)]
pub(super) fn row_minus<T: Float>(row: &mut [T], factor: T, other: &[T]) {
    for (x, y) in row.iter_mut().zip(other) {
        *x = *x - factor * *y;
    }
}

/// The matrices that give `right` when multiplied from the left by the lower or upper triangles
/// of `matrices`, or by their transposes; the axes before matrices broadcast. TensorFlow's
/// `MatrixTriangularSolve`.
///
/// # Errors
/// [`NumericError::Singular`] if an element of a diagonal is 0, [`NumericError::Rank`],
/// [`NumericError::NotSquare`], [`NumericError::InnerDimensions`] and [`NumericError::Broadcast`]
/// if a shape is wrong, [`NumericError::UnsupportedDType`] if the elements are not floats,
/// [`NumericError::Value`] if the types differ.
pub fn triangular_solve(
    memory: &Memory,
    matrices: &Value,
    right: &Value,
    lower: bool,
    transposed: bool,
) -> Result<Value, NumericError> {
    let (rows, batch) = square(matrices)?;
    let actual = right.shape().rank();
    let (right_batch, &[right_rows, columns]) =
        right.shape().split_last_chunk().ok_or(NumericError::Rank { expected: 2, actual })?;
    if rows != right_rows {
        return Err(NumericError::InnerDimensions { left: rows, right: right_rows });
    }
    let plan = Broadcast::new([batch, right_batch])?;
    let shape: Shape = plan.shape().iter().copied().chain([rows, columns]).collect();
    let triangle = Triangle { rows, lower, unit: false, transposed };
    match_dtype!(matrices.dtype(), floats, T => {
        let (matrices, right) = (matrices.as_slice::<T>()?, right.as_slice::<T>()?);
        build(memory, shape, |out: &mut [T]| solve_all(&plan, triangle, matrices, right, columns, out))
    }, else unsupported(matrices))
}

fn solve_all<T: Float>(
    plan: &Broadcast<2>,
    triangle: Triangle,
    matrices: &[T],
    right: &[T],
    columns: usize,
    out: &mut [T],
) -> Result<(), NumericError> {
    let rows = triangle.rows;
    if rows == 0 {
        return Ok(());
    }
    for (index, matrix) in matrices.chunks_exact(rows * rows).enumerate() {
        if matrix.iter().step_by(rows + 1).any(|pivot| *pivot == T::ZERO) {
            return Err(NumericError::Singular { index });
        }
    }
    if out.is_empty() {
        return Ok(());
    }
    let size = rows * columns;
    for (out, [m, r]) in out.chunks_exact_mut(size).zip(plan.positions_from(0)) {
        out.copy_from_slice(&right[r * size..(r + 1) * size]);
        substitute(&matrices[m * rows * rows..(m + 1) * rows * rows], triangle, columns, out);
    }
    Ok(())
}
