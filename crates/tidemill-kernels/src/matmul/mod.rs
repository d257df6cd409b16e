//! Matrix products.

mod micro;
mod packed;
mod plan;
mod small;
mod tiles;
mod vector;

use tidemill_value::{Element, Memory, Shape, Value, match_dtype};

use crate::number::Number;
use crate::output::build;
use crate::pool::{for_each_chunk_mut, is_cancelled, try_for_each_chunk_mut_with};
use crate::vector::level;
use crate::{Broadcast, NumericError};
use micro::{Micro, Vectors};
pub use plan::{MatMul, Orientation};

impl MatMul {
    /// The number of elements that [`MatMul::run`] needs to compute with.
    #[inline(never)]
    pub fn spare<T: Multiply>(&self) -> usize {
        T::spare(self)
    }

    /// Computes the product. With an inner dimension of 0, it is 0. Overwrites `spare`, which has
    /// [`MatMul::spare`] elements.
    ///
    /// # Errors
    /// [`NumericError::Length`] if a buffer does not have the shape planned for.
    #[inline(never)]
    pub fn run<T: Multiply>(
        &self,
        left: &[T],
        right: &[T],
        out: &mut [T],
        spare: &mut [T],
    ) -> Result<(), NumericError> {
        T::multiply(self, left, right, out, spare)
    }

    /// The product, transposed if its right operand is a vector, so that the left one is. The buffer
    /// of a vector has one layout.
    fn with_vector_first(&self) -> Self {
        if self.columns == 1 && self.rows > 1 { self.swapped() } else { *self }
    }
}

/// The ways to compute a product of floats, all to the same bits.
enum Method<T: 'static> {
    /// The rows of a matrix, times the numbers of a vector, are added up.
    Combined,
    Small,
    Packed(Micro<T>),
    Portable,
}

impl<T: Vectors> Method<T> {
    fn of(plan: &MatMul) -> Self {
        match T::micro(level()) {
            _ if plan.rows == 1 && plan.right == Orientation::Normal => Method::Combined,
            _ if small::is_small(plan) => Method::Small,
            Some(micro) => Method::Packed(micro),
            None => Method::Portable,
        }
    }
}

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
                let plan = &plan.with_vector_first();
                match Method::<$rust>::of(plan) {
                    Method::Small => plan.turned(),
                    Method::Packed(micro) => packed::spare(plan, &micro),
                    Method::Combined | Method::Portable => 0,
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
                let turned = plan.with_vector_first();
                let (left, right) = if turned == *plan { (left, right) } else { (right, left) };
                match Method::of(&turned) {
                    Method::Combined => vector::combine_rows(left, right, out),
                    Method::Small => small::multiply(&turned, left, right, out, spare)?,
                    Method::Packed(micro) => {
                        packed::multiply(&turned, micro, left, right, out, spare)?;
                    }
                    Method::Portable => tiles::multiply(&turned, left, right, out),
                }
                Ok(())
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

/// Adds the product to `out` row by row, so that the inner loop runs along rows. A request to stop is
/// heeded within long rows too.
fn accumulate<T: Number>(plan: &MatMul, left: &[T], right: &[T], out: &mut [T]) {
    let rows = tiles::LEAST_WORK.div_ceil(plan.inner * plan.columns);
    let terms = tiles::LEAST_WORK.div_ceil(plan.columns);
    for_each_chunk_mut(out, rows * plan.columns, |i, out| {
        let left = left[i * rows * plan.inner..].chunks_exact(plan.inner);
        for (left, out) in left.zip(out.chunks_exact_mut(plan.columns)) {
            for (left, right) in left.chunks(terms).zip(right.chunks(terms * plan.columns)) {
                if is_cancelled() {
                    return;
                }
                add_rows(left, right, out);
            }
        }
    });
}

/// Adds the rows of the right operand, times the numbers of a row of the left one.
fn add_rows<T: Number>(left: &[T], right: &[T], out: &mut [T]) {
    for (&x, right) in left.iter().zip(right.chunks_exact(out.len())) {
        for (&y, o) in right.iter().zip(&mut *out) {
            *o = o.plus(x.times(y));
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::vector::Level;

    #[test]
    fn loops_of_all_instruction_sets_of_the_machine_give_the_same_bits() {
        let level = level();
        let levels = [Level::V3, Level::V4].into_iter().filter(|&other| other as u8 <= level as u8);
        let micros: Vec<Micro<f32>> = levels.filter_map(f32::micro).collect();
        let orientations = [Orientation::Normal, Orientation::Transposed];
        for [rows, inner, columns] in [[1, 300, 40], [5, 7, 9], [31, 513, 65], [300, 260, 100]] {
            let numbers =
                |len| (0..len).map(|i| (i * 7919 % 1013) as f32 / 97.0).collect::<Vec<_>>();
            let (left, right) = (numbers(rows * inner), numbers(inner * columns));
            for (left_lies, right_lies) in
                orientations.into_iter().flat_map(|left| orientations.map(|right| (left, right)))
            {
                let plan = MatMul { rows, inner, columns, left: left_lies, right: right_lies };
                let mut expected = vec![0.0; rows * columns];
                let mut spare = vec![0.0; plan.spare::<f32>()];
                plan.run(&left, &right, &mut expected, &mut spare).unwrap();
                for &micro in &micros {
                    let mut out = vec![0.0; rows * columns];
                    let mut spare = vec![0.0; packed::spare(&plan, &micro)];
                    packed::multiply(&plan, micro, &left, &right, &mut out, &mut spare).unwrap();
                    assert!(out == expected, "{plan:?} {}", micro.lanes);
                }
            }
        }
    }
}
