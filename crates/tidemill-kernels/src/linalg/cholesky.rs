use tidemill_value::{Memory, Value, match_dtype};

use super::{square, unsupported};
use crate::NumericError;
use crate::float::Float;
use crate::output::build_zeroed;

/// The lower triangular matrices that give positive definite ones when multiplied by their own
/// transposes. Only the lower triangles of the input are read. TensorFlow's `Cholesky`.
///
/// # Errors
/// [`NumericError::NotPositiveDefinite`] if there is none, [`NumericError::Rank`] and
/// [`NumericError::NotSquare`] if the shape is wrong, [`NumericError::UnsupportedDType`] if the
/// elements are not floats.
pub fn cholesky(memory: &Memory, matrices: &Value) -> Result<Value, NumericError> {
    let (rows, _) = square(matrices)?;
    match_dtype!(matrices.dtype(), floats, T => {
        let elements = matrices.as_slice::<T>()?;
        build_zeroed(memory, matrices.shape().clone(), |out: &mut [T]| {
            if rows == 0 {
                return Ok(());
            }
            let pairs = elements.chunks_exact(rows * rows).zip(out.chunks_exact_mut(rows * rows));
            for (index, (matrix, out)) in pairs.enumerate() {
                factor(matrix, rows, out).ok_or(NumericError::NotPositiveDefinite { index })?;
            }
            Ok(())
        })
    }, else unsupported(matrices))
}

/// Writes the factor row by row; `None` where a square root has no positive number.
fn factor<T: Float>(matrix: &[T], rows: usize, out: &mut [T]) -> Option<()> {
    for i in 0..rows {
        let (above, row) = out.split_at_mut(i * rows);
        for j in 0..i {
            let other = &above[j * rows..(j + 1) * rows];
            let rest = matrix[i * rows + j] - dot(&row[..j], &other[..j]);
            row[j] = rest / other[j];
        }
        let rest = matrix[i * rows + i] - dot(&row[..i], &row[..i]);
        // NaN propagates, as everywhere.
        if rest <= T::ZERO {
            return None;
        }
        row[i] = rest.sqrt();
    }
    Some(())
}

fn dot<T: Float>(left: &[T], right: &[T]) -> T {
    left.iter().zip(right).fold(T::ZERO, |sum, (x, y)| sum + *x * *y)
}
