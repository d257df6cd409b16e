//! Matrix products.

mod micro;
mod pack;
mod packed;
mod plan;
mod small;
mod tiles;
mod vector;

use tidemill_value::{DType, Element, Memory, Shape, Value, match_dtype};

use crate::epilogue::{Epilogue, Finish, Then};
use crate::number::Number;
use crate::output::build;
use crate::pool::{for_each_chunk_mut, is_cancelled, try_for_each_chunk_mut_with};
use crate::vector::level;
use crate::{Broadcast, NumericError};
use micro::{Micro, Vectors};
pub(crate) use plan::TERMS;
pub use plan::{MatMul, Orientation, Right};
pub(crate) use tiles::Shared;

impl MatMul {
    /// The number of elements that [`MatMul::run`] needs to compute with.
    #[inline(never)]
    pub fn spare<T: Multiply>(&self) -> usize {
        T::spare(self, false)
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
        T::multiply(self, left, Right::Plain(right), out, spare, None)
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
    matmul_then(memory, left, right, &[])
}

/// As [`matmul`], and applies functions to the elements of the product.
///
/// # Errors
/// As for [`matmul`], [`NumericError::Length`] if an operand of the epilogue does not fit the product,
/// and [`NumericError::UnsupportedDType`] if a function is of another data type.
pub fn matmul_then(
    memory: &Memory,
    left: (&Value, Orientation),
    right: (&Value, Orientation),
    epilogue: Epilogue<'_>,
) -> Result<Value, NumericError> {
    for value in [left.0, right.0] {
        let actual = value.shape().rank();
        if actual != 2 {
            return Err(NumericError::Rank { expected: 2, actual });
        }
    }
    batch_matmul_then(memory, left, right, epilogue)
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
    batch_matmul_then(memory, left, right, &[])
}

/// As [`batch_matmul`], and applies functions to the elements of the products.
///
/// # Errors
/// As for [`batch_matmul`] and [`matmul_then`].
pub fn batch_matmul_then(
    memory: &Memory,
    left: (&Value, Orientation),
    right: (&Value, Orientation),
    epilogue: Epilogue<'_>,
) -> Result<Value, NumericError> {
    let ((left_batch, left_matrix), (right_batch, right_matrix)) =
        (split_batch(left.0)?, split_batch(right.0)?);
    let mut plan = MatMul::new((left_matrix, left.1), (right_matrix, right.1))?;
    let mut batch = Broadcast::new([left_batch, right_batch])?;
    let shape: Shape = batch.shape().iter().copied().chain(plan.output()).collect();
    if left.1 == Orientation::Normal && right_batch.iter().all(|&extent| extent == 1) {
        // All rows are multiplied by one matrix.
        plan.rows *= left_batch.iter().product::<usize>();
        batch = Broadcast::new([&[], &[]])?;
    }
    let dtype = left.0.dtype();
    match_dtype!(dtype, wide, T => {
        let (left, right) = (left.0.as_slice::<T>()?, right.0.as_slice::<T>()?);
        build(memory, shape, |out| run_batch(memory, &plan, &batch, [left, right], out, epilogue))
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

/// The number of elements of a packed right operand of these extents, if products of its data type take
/// such on this machine.
pub fn packed_len(dtype: DType, [inner, columns]: [usize; 2]) -> Option<usize> {
    match_dtype!(dtype, wide, T => T::packed(inner, columns), else None)
}

/// Whether a product of so many rows, terms and columns profits from a packed right operand.
pub fn prefers_packed(dtype: DType, [rows, inner, columns]: [usize; 3]) -> bool {
    let [left, right] = [Orientation::Normal; 2];
    let plan = MatMul { rows, inner, columns, left, right };
    rows > 1
        && columns > 1
        && !small::is_small(&plan)
        && packed_len(dtype, [inner, columns]).is_some()
}

/// Packs the right operand of products by [`packed_matmul`], as a vector.
///
/// # Errors
/// [`NumericError::Rank`] if it is not a matrix, and [`NumericError::UnsupportedDType`] if products of
/// its data type take no packed operands on this machine.
pub fn pack(
    memory: &Memory,
    (right, orientation): (&Value, Orientation),
) -> Result<Value, NumericError> {
    let &[rows, columns] = &right.shape()[..] else {
        return Err(NumericError::Rank { expected: 2, actual: right.shape().rank() });
    };
    let [inner, columns] = plan::oriented(([rows, columns], orientation));
    let left = Orientation::Normal;
    let plan = MatMul { rows: 1, inner, columns, left, right: orientation };
    let dtype = right.dtype();
    let len =
        packed_len(dtype, [inner, columns]).ok_or(NumericError::UnsupportedDType { dtype })?;
    match_dtype!(dtype, floats, T => {
        let right = right.as_slice::<T>()?;
        build(memory, [len], |out| { T::pack(&plan, right, out); Ok(()) })
    }, else Err(NumericError::UnsupportedDType { dtype }))
}

/// The product of a matrix and one of these extents that [`pack`] has packed, to the bits of
/// [`matmul_then`].
///
/// # Errors
/// As for [`matmul_then`], and [`NumericError::Length`] if the packed matrix is not of these extents.
pub fn packed_matmul(
    memory: &Memory,
    (left, orientation): (&Value, Orientation),
    (packed, right): (&Value, [usize; 2]),
    epilogue: Epilogue<'_>,
) -> Result<Value, NumericError> {
    let &[rows, columns] = &left.shape()[..] else {
        return Err(NumericError::Rank { expected: 2, actual: left.shape().rank() });
    };
    let plan = MatMul::new(([rows, columns], orientation), (right, Orientation::Normal))?;
    let dtype = left.dtype();
    match_dtype!(dtype, floats, T => {
        let (left, packed) = (left.as_slice::<T>()?, packed.as_slice::<T>()?);
        build(memory, plan.output(), |out| {
            let finish = T::finish(epilogue, out.len(), plan.columns)?;
            let then = finish.as_ref().map(|finish| (finish, 0));
            let mut spare = memory.workspace(T::spare(&plan, true))?;
            T::multiply(&plan, left, Right::Packed(packed), out, &mut spare, then)
        })
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
    [left, right]: [&[T]; 2],
    out: &mut [T],
    epilogue: Epilogue<'_>,
) -> Result<(), NumericError> {
    if out.is_empty() {
        return Ok(());
    }
    let finish = T::finish(epilogue, out.len(), plan.columns)?;
    let (left_size, right_size) = (plan.rows * plan.inner, plan.inner * plan.columns);
    let size = plan.rows * plan.columns;
    let run_some = |first: usize, out: &mut [T], spare: &mut [T]| {
        let positions = batch.positions_from(first).zip(first..);
        for (out, ([l, r], i)) in out.chunks_exact_mut(size).zip(positions) {
            let left = &left[l * left_size..(l + 1) * left_size];
            let right = Right::Plain(&right[r * right_size..(r + 1) * right_size]);
            let then = finish.as_ref().map(|finish| (finish, i * size));
            T::multiply(plan, left, right, out, spare, then)?;
        }
        Ok(())
    };
    if plan.work() >= tiles::MOST_WORK {
        return run_some(0, out, &mut memory.workspace(plan.spare::<T>())?);
    }
    let matrices = tiles::LEAST_WORK.div_ceil(plan.work().max(1));
    try_for_each_chunk_mut_with(memory, plan.spare::<T>(), out, matrices * size, |i, out, spare| {
        run_some(i * matrices, out, spare)
    })
}

/// An element type of matrices that can be multiplied.
pub trait Multiply: Element {
    /// The number of elements that a product needs to compute with; its right operand may be packed.
    #[doc(hidden)]
    fn spare(plan: &MatMul, is_packed: bool) -> usize;

    /// The number of elements of a packed right operand, if there are such for this type.
    #[doc(hidden)]
    fn packed(inner: usize, columns: usize) -> Option<usize>;

    #[doc(hidden)]
    fn pack(plan: &MatMul, right: &[Self], out: &mut [Self]);

    /// An epilogue for a result of so many elements and columns, if there are functions in it.
    #[doc(hidden)]
    fn finish<'a>(
        epilogue: Epilogue<'a>,
        elements: usize,
        columns: usize,
    ) -> Result<Option<Finish<'a, Self>>, NumericError>;

    #[doc(hidden)]
    fn multiply(
        plan: &MatMul,
        left: &[Self],
        right: Right<'_, Self>,
        out: &mut [Self],
        spare: &mut [Self],
        then: Then<'_, Self>,
    ) -> Result<(), NumericError>;
}

macro_rules! floats {
    ($($rust:ty),*) => {$(
        impl Multiply for $rust {
            fn spare(plan: &MatMul, is_packed: bool) -> usize {
                if is_packed {
                    let micro = <$rust>::micro(level());
                    return micro.map_or(0, |micro| packed::spare(plan, &micro));
                }
                let plan = &plan.with_vector_first();
                match Method::<$rust>::of(plan) {
                    Method::Small => plan.turned(),
                    Method::Packed(micro) => packed::spare(plan, &micro),
                    Method::Combined | Method::Portable => 0,
                }
            }

            fn packed(inner: usize, columns: usize) -> Option<usize> {
                let micro = <$rust>::micro(level())?;
                pack::padded(&micro, columns).checked_mul(inner)
            }

            fn pack(plan: &MatMul, right: &[Self], out: &mut [Self]) {
                if let Some(micro) = <$rust>::micro(level()) {
                    pack::pack_right(plan, micro, right, out);
                }
            }

            fn finish<'a>(
                epilogue: Epilogue<'a>,
                elements: usize,
                columns: usize,
            ) -> Result<Option<Finish<'a, Self>>, NumericError> {
                let has_functions = !epilogue.is_empty();
                has_functions.then(|| Finish::new(epilogue, elements, columns)).transpose()
            }

            fn multiply(
                plan: &MatMul,
                left: &[Self],
                right: Right<'_, Self>,
                out: &mut [Self],
                spare: &mut [Self],
                then: Then<'_, Self>,
            ) -> Result<(), NumericError> {
                check(plan, left, right, out)?;
                let turned = plan.with_vector_first();
                match right {
                    _ if plan.inner == 0 || out.is_empty() => out.fill(0.0),
                    Right::Plain(right) => {
                        let (left, right) =
                            if turned == *plan { (left, right) } else { (right, left) };
                        match Method::of(&turned) {
                            Method::Combined => vector::combine_rows(left, right, out),
                            Method::Small => small::multiply(&turned, left, right, out, spare)?,
                            Method::Packed(micro) => {
                                let right = Right::Plain(right);
                                let product = packed::Product { plan: &turned, micro, left, right, then };
                                return product.compute(out, spare);
                            }
                            Method::Portable => tiles::multiply(&turned, left, right, out),
                        }
                    }
                    Right::Packed(_) => {
                        let micro = <$rust>::micro(level());
                        let dtype = <$rust as Element>::DTYPE;
                        let micro = micro.ok_or(NumericError::UnsupportedDType { dtype })?;
                        let product = packed::Product { plan, micro, left, right, then };
                        return product.compute(out, spare);
                    }
                }
                then.map_or(Ok(()), |(finish, before)| finish.rows(before, out))
            }
        }
    )*};
}

/// Checks the lengths of the operands and the result of a product.
fn check<T: Multiply>(
    plan: &MatMul,
    left: &[T],
    right: Right<'_, T>,
    out: &[T],
) -> Result<(), NumericError> {
    let right = match right {
        Right::Plain(right) => right.len(),
        Right::Packed(right) if Some(right.len()) == T::packed(plan.inner, plan.columns) => {
            plan.inner * plan.columns
        }
        Right::Packed(right) => {
            let expected = T::packed(plan.inner, plan.columns).unwrap_or(0);
            return Err(NumericError::Length { expected, actual: right.len() });
        }
    };
    plan.check(left.len(), right, out.len())
}

macro_rules! integers {
    ($($rust:ty),*) => {$(
        impl Multiply for $rust {
            fn spare(plan: &MatMul, _: bool) -> usize {
                plan.turned()
            }

            fn packed(_: usize, _: usize) -> Option<usize> {
                None
            }

            fn pack(_: &MatMul, _: &[Self], _: &mut [Self]) {}

            fn finish<'a>(
                epilogue: Epilogue<'a>,
                _: usize,
                _: usize,
            ) -> Result<Option<Finish<'a, Self>>, NumericError> {
                let dtype = <$rust as Element>::DTYPE;
                let has_functions = !epilogue.is_empty();
                if has_functions { Err(NumericError::UnsupportedDType { dtype }) } else { Ok(None) }
            }

            fn multiply(
                plan: &MatMul,
                left: &[Self],
                right: Right<'_, Self>,
                out: &mut [Self],
                spare: &mut [Self],
                _: Then<'_, Self>,
            ) -> Result<(), NumericError> {
                check(plan, left, right, out)?;
                out.fill(0);
                if let Right::Plain(right) = right
                    && plan.inner > 0
                    && !out.is_empty()
                {
                    let add = |left: &[Self], right: &[Self]| accumulate(plan, left, right, out);
                    plan.by_rows(left, right, spare, add)?;
                }
                Ok(())
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
                    let right = Right::Plain(&right);
                    let product =
                        packed::Product { plan: &plan, micro, left: &left, right, then: None };
                    product.compute(&mut out, &mut spare).unwrap();
                    assert!(out == expected, "{plan:?} {}", micro.lanes);
                }
            }
        }
    }
}
