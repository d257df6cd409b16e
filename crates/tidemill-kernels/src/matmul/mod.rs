//! Matrix products.

mod micro;
mod packed;
mod plan;
mod small;
mod tiles;
mod vector;

use tidemill_value::{Element, Memory, Shape, Value, match_dtype};

use crate::float::Float;
use crate::number::Number;
use crate::output::build;
use crate::pool::{for_each_chunk_mut, try_for_each_chunk_mut_with};
use crate::{Broadcast, NumericError};
use micro::Block;
pub use plan::{MatMul, Orientation};

impl MatMul {
    /// The number of elements that [`MatMul::run`] needs to compute with.
    pub fn spare<T: Multiply>(&self) -> usize {
        T::spare(self)
    }

    /// Computes the product. With an inner dimension of 0, it is 0. Overwrites `spare`, which has
    /// [`MatMul::spare`] elements.
    ///
    /// # Errors
    /// [`NumericError::Length`] if a buffer does not have the shape planned for.
    pub fn run<T: Multiply>(
        &self,
        left: &[T],
        right: &[T],
        out: &mut [T],
        spare: &mut [T],
    ) -> Result<(), NumericError> {
        T::multiply(self, left, right, out, spare)
    }

    /// Whether one of the operands is a vector.
    fn is_of_vector(&self) -> bool {
        self.rows == 1 || self.columns == 1
    }

    /// The operands as vector and matrix, if one is a vector, and the function that multiplies
    /// them.
    fn as_vector<'a, T: Float>(
        &self,
        left: &'a [T],
        right: &'a [T],
    ) -> Option<(&'a [T], &'a [T], VectorProduct<T>)> {
        match (self.rows, self.columns, self.left, self.right) {
            (1, _, _, Orientation::Normal) => Some((left, right, vector::combine_rows)),
            (1, _, _, Orientation::Transposed) => Some((left, right, vector::dot_rows)),
            (_, 1, Orientation::Normal, _) => Some((right, left, vector::dot_rows)),
            (_, 1, Orientation::Transposed, _) => Some((right, left, vector::combine_rows)),
            _ => None,
        }
    }
}

/// Multiplies a vector and a matrix.
type VectorProduct<T> = fn(&[T], &[T], &mut [T]);

/// The product of two matrices; integers wrap. TensorFlow's `MatMul`.
///
/// # Errors
/// [`NumericError::Rank`] if a value is not a matrix, and as for [`batch_matmul`].
pub fn matmul(
    memory: &Memory,
    left: (&Value, Orientation),
    right: (&Value, Orientation),
) -> Result<Value, NumericError> {
    for value in [left.0, right.0] {
        let actual = value.shape().rank();
        if actual != 2 {
            return Err(NumericError::Rank { expected: 2, actual });
        }
    }
    batch_matmul(memory, left, right)
}

/// The products of the matrices in the last two axes of two values, whose other axes broadcast;
/// integers wrap. TensorFlow's `BatchMatMulV2`.
///
/// # Errors
/// [`NumericError::Rank`] if a value has fewer than two axes, [`NumericError::InnerDimensions`] and
/// [`NumericError::Broadcast`] if the shapes do not fit, [`NumericError::Value`] if the types
/// differ or memory cannot hold the result, [`NumericError::UnsupportedDType`] if the elements are
/// not numbers.
pub fn batch_matmul(
    memory: &Memory,
    left: (&Value, Orientation),
    right: (&Value, Orientation),
) -> Result<Value, NumericError> {
    let ((left_batch, left_matrix), (right_batch, right_matrix)) =
        (split_batch(left.0)?, split_batch(right.0)?);
    let plan = MatMul::new((left_matrix, left.1), (right_matrix, right.1))?;
    let batch = Broadcast::new([left_batch, right_batch])?;
    let shape: Shape = batch.shape().iter().copied().chain(plan.output()).collect();
    let dtype = left.0.dtype();
    match_dtype!(dtype, wide, T => {
        let (left, right) = (left.0.as_slice::<T>()?, right.0.as_slice::<T>()?);
        build(memory, shape, |out| run_batch(memory, &plan, &batch, left, right, out))
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

fn split_batch(value: &Value) -> Result<(&[usize], [usize; 2]), NumericError> {
    let actual = value.shape().rank();
    let (batch, matrix) =
        value.shape().split_last_chunk().ok_or(NumericError::Rank { expected: 2, actual })?;
    Ok((batch, *matrix))
}

fn run_batch<T: Multiply>(
    memory: &Memory,
    plan: &MatMul,
    batch: &Broadcast<2>,
    left: &[T],
    right: &[T],
    out: &mut [T],
) -> Result<(), NumericError> {
    if out.is_empty() {
        return Ok(());
    }
    let (left_size, right_size) = (plan.rows * plan.inner, plan.inner * plan.columns);
    let run_some = |first: usize, out: &mut [T], spare: &mut [T]| {
        let positions = batch.positions_from(first);
        for (out, [l, r]) in out.chunks_exact_mut(plan.rows * plan.columns).zip(positions) {
            let left = &left[l * left_size..(l + 1) * left_size];
            let right = &right[r * right_size..(r + 1) * right_size];
            plan.run(left, right, out, spare)?;
        }
        Ok(())
    };
    if plan.work() >= tiles::MOST_WORK {
        return run_some(0, out, &mut memory.workspace(plan.spare::<T>())?);
    }
    let matrices = tiles::LEAST_WORK.div_ceil(plan.work().max(1));
    let chunk = matrices * plan.rows * plan.columns;
    try_for_each_chunk_mut_with(memory, plan.spare::<T>(), out, chunk, |i, out, spare| {
        run_some(i * matrices, out, spare)
    })
}

/// An element type of matrices that can be multiplied.
pub trait Multiply: Element {
    #[doc(hidden)]
    fn spare(plan: &MatMul) -> usize;

    #[doc(hidden)]
    fn multiply(
        plan: &MatMul,
        left: &[Self],
        right: &[Self],
        out: &mut [Self],
        spare: &mut [Self],
    ) -> Result<(), NumericError>;
}

macro_rules! floats {
    ($($rust:ty),*) => {$(
        impl Multiply for $rust {
            fn spare(plan: &MatMul) -> usize {
                match (small::is_small(plan), plan.is_of_vector(), <$rust>::micro()) {
                    (true, ..) => plan.turned(),
                    (false, false, Some(micro)) => packed::spare(plan, &micro),
                    _ => 0,
                }
            }

            fn multiply(
                plan: &MatMul,
                left: &[Self],
                right: &[Self],
                out: &mut [Self],
                spare: &mut [Self],
            ) -> Result<(), NumericError> {
                plan.check(left.len(), right.len(), out.len())?;
                if plan.inner == 0 || out.is_empty() {
                    out.fill(0.0);
                    return Ok(());
                }
                if let Some((vector, matrix, by)) = plan.as_vector(left, right) {
                    by(vector, matrix, out);
                    return Ok(());
                }
                if small::is_small(plan) {
                    return small::multiply(plan, left, right, out, spare);
                }
                match <$rust>::micro() {
                    Some(micro) => packed::multiply(plan, micro, left, right, out, spare),
                    None => {
                        tiles::multiply(plan, left, right, out);
                        Ok(())
                    }
                }
            }
        }
    )*};
}

macro_rules! integers {
    ($($rust:ty),*) => {$(
        impl Multiply for $rust {
            fn spare(plan: &MatMul) -> usize {
                plan.turned()
            }

            fn multiply(
                plan: &MatMul,
                left: &[Self],
                right: &[Self],
                out: &mut [Self],
                spare: &mut [Self],
            ) -> Result<(), NumericError> {
                plan.check(left.len(), right.len(), out.len())?;
                out.fill(0);
                if plan.inner == 0 || out.is_empty() {
                    return Ok(());
                }
                let add = |left: &[Self], right: &[Self]| accumulate(plan, left, right, out);
                plan.by_rows(left, right, spare, add)
            }
        }
    )*};
}

floats!(f32, f64);
integers!(i32, i64, u64);

/// Adds the product to `out` row by row, so that the inner loop runs along rows.
fn accumulate<T: Number>(plan: &MatMul, left: &[T], right: &[T], out: &mut [T]) {
    let rows = tiles::LEAST_WORK.div_ceil(plan.inner * plan.columns);
    for_each_chunk_mut(out, rows * plan.columns, |i, out| {
        let left = left[i * rows * plan.inner..].chunks_exact(plan.inner);
        for (left, out) in left.zip(out.chunks_exact_mut(plan.columns)) {
            for (&x, right) in left.iter().zip(right.chunks_exact(plan.columns)) {
                for (&y, o) in right.iter().zip(&mut *out) {
                    *o = o.plus(x.times(y));
                }
            }
        }
    });
}
