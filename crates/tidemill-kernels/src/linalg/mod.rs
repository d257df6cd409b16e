//! Factorisations of square matrices and their uses: solutions, inverses, determinants.
//!
//! The matrices are in the last two axes of a value; all axes before them count matrices.

mod cholesky;
mod cross;
mod lu;
mod square;
mod triangular;

use tidemill_value::{Memory, Shape, Value, match_dtype};

use crate::NumericError;
use crate::output::build;
use lu::Lu;
use square::{square, unsupported};

pub use cholesky::cholesky;
pub use cross::cross;
pub use triangular::triangular_solve;

/// The inverses, or their transposes, of square matrices of floats. TensorFlow's
/// `MatrixInverse`.
///
/// # Errors
/// [`NumericError::Singular`] if there is none, [`NumericError::Rank`] and
/// [`NumericError::NotSquare`] if the shape is wrong, [`NumericError::UnsupportedDType`] if the
/// elements are not floats.
pub fn inverse(memory: &Memory, matrices: &Value, transposed: bool) -> Result<Value, NumericError> {
    let (rows, _) = square(matrices)?;
    match_dtype!(matrices.dtype(), floats, T => {
        let elements = matrices.as_slice::<T>()?;
        build(memory, matrices.shape().clone(), |out: &mut [T]| {
            if rows == 0 {
                return Ok(());
            }
            let mut identity = vec![0.0; rows * rows];
            identity.iter_mut().step_by(rows + 1).for_each(|x| *x = 1.0);
            let pairs = elements.chunks_exact(rows * rows).zip(out.chunks_exact_mut(rows * rows));
            for (index, (matrix, out)) in pairs.enumerate() {
                let lu = Lu::new(matrix, rows).invertible(index)?;
                lu.solve(&identity, rows, transposed, out);
            }
            Ok(())
        })
    }, else unsupported(matrices))
}

/// The matrices that give `right` when multiplied from the left by `matrices`, or by their
/// transposes. TensorFlow's `MatrixSolve`.
///
/// # Errors
/// As for [`inverse`], [`NumericError::Shape`] if `right` does not have as many matrices of as many
/// rows, [`NumericError::Value`] if the types differ.
pub fn solve(
    memory: &Memory,
    matrices: &Value,
    right: &Value,
    transposed: bool,
) -> Result<Value, NumericError> {
    let (rows, batch) = square(matrices)?;
    let columns = right.shape().last().copied().unwrap_or(0);
    let expected: Shape = batch.iter().copied().chain([rows, columns]).collect();
    if right.shape() != &expected {
        return Err(NumericError::Shape { expected, actual: right.shape().clone() });
    }
    match_dtype!(matrices.dtype(), floats, T => {
        let (elements, right) = (matrices.as_slice::<T>()?, right.as_slice::<T>()?);
        build(memory, expected, |out: &mut [T]| {
            if rows == 0 {
                return Ok(());
            }
            let size = rows * columns;
            for (index, matrix) in elements.chunks_exact(rows * rows).enumerate() {
                let lu = Lu::new(matrix, rows).invertible(index)?;
                let part = index * size..(index + 1) * size;
                lu.solve(&right[part.clone()], columns, transposed, &mut out[part]);
            }
            Ok(())
        })
    }, else unsupported(matrices))
}

/// The determinants of square matrices of floats; that of a matrix without rows is 1.
/// TensorFlow's `MatrixDeterminant`.
///
/// # Errors
/// As for [`inverse`], but every square matrix has a determinant.
pub fn determinant(memory: &Memory, matrices: &Value) -> Result<Value, NumericError> {
    let (rows, batch) = square(matrices)?;
    match_dtype!(matrices.dtype(), floats, T => {
        let elements = matrices.as_slice::<T>()?;
        build(memory, batch, |out: &mut [T]| {
            out.fill(1.0);
            if rows > 0 {
                for (matrix, o) in elements.chunks_exact(rows * rows).zip(out) {
                    *o = Lu::new(matrix, rows).determinant();
                }
            }
            Ok(())
        })
    }, else unsupported(matrices))
}

/// The signs of the determinants, and the logarithms of their absolute values, which do not
/// overflow where those would. TensorFlow's `LogMatrixDeterminant`.
///
/// # Errors
/// As for [`determinant`].
pub fn log_determinant(memory: &Memory, matrices: &Value) -> Result<(Value, Value), NumericError> {
    let (rows, batch) = square(matrices)?;
    match_dtype!(matrices.dtype(), floats, T => {
        let elements = matrices.as_slice::<T>()?;
        let mut logarithms = memory.zeros(matrices.dtype(), batch)?;
        let signs = build(memory, batch, |signs: &mut [T]| {
            signs.fill(1.0);
            if rows > 0 {
                let out = signs.iter_mut().zip(logarithms.as_mut_slice::<T>()?);
                for (matrix, (sign, logarithm)) in elements.chunks_exact(rows * rows).zip(out) {
                    (*sign, *logarithm) = Lu::new(matrix, rows).log_determinant();
                }
            }
            Ok(())
        })?;
        Ok((signs, logarithms))
    }, else unsupported(matrices))
}
