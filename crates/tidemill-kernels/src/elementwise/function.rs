use std::fmt;

use multiversion::multiversion;
use tidemill_value::Element;

use crate::pool::{TILE, for_each_chunk_mut, try_for_each_chunk_mut};
use crate::{Broadcast, NumericError};

/// The arithmetic of a function of one element.
pub(super) trait UnaryOp<A, O> {
    fn apply(x: &A) -> O;
}

/// The arithmetic of a function of two elements.
pub(super) trait BinaryOp<A, O> {
    fn apply(left: &A, right: &A) -> Result<O, NumericError>;
}

/// A function of one operand, from elements of type `A` to elements of type `O`.
///
/// Both forms compute the same bits.
pub struct Unary<A, O = A> {
    /// Computes as many elements as the shorter slice has.
    pub slice: fn(&[A], &mut [O]),
    /// Computes one element.
    pub one: fn(A) -> O,
}

/// A function of two operands, from elements of type `A` to elements of type `O`.
///
/// All forms compute the same bits. They fail only where integers are divided or raised to a
/// power; what a failed call leaves in its output is unspecified.
#[allow(clippy::type_complexity)]
pub struct Binary<A, O = A> {
    /// Computes element by element, as many as the shortest slice has.
    pub pairs: fn(&[A], &[A], &mut [O]) -> Result<(), NumericError>,
    /// Computes one left element with each right one.
    pub left_scalar: fn(A, &[A], &mut [O]) -> Result<(), NumericError>,
    /// Computes each left element with one right one.
    pub right_scalar: fn(&[A], A, &mut [O]) -> Result<(), NumericError>,
    /// Computes one element; `None` where the other forms fail, and say why.
    pub one: fn(A, A) -> Option<O>,
    /// Which of the basic operations of arithmetic it is, if it is one.
    pub arithmetic: Option<Arithmetic>,
    drive: Drive<A, O>,
}

/// The operations that a machine has an instruction for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

type Drive<A, O> =
    fn(&Binary<A, O>, &Broadcast<2>, &[A], &[A], &mut [O]) -> Result<(), NumericError>;

/// Which operand of a function of two is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The first operand.
    Left,
    /// The second operand.
    Right,
}

impl<A, O> Clone for Unary<A, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, O> Copy for Unary<A, O> {}

impl<A, O> fmt::Debug for Unary<A, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unary").finish_non_exhaustive()
    }
}

impl<A, O> Clone for Binary<A, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, O> Copy for Binary<A, O> {}

impl<A, O> fmt::Debug for Binary<A, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binary").finish_non_exhaustive()
    }
}

impl<A: Sync, O: Send> Unary<A, O> {
    pub(super) const fn of<F: UnaryOp<A, O>>() -> Self {
        Unary { slice: slice::<F, A, O>, one: |x| F::apply(&x) }
    }
}

impl<T: Plain> Unary<T> {
    /// Replaces each element of `buffer` by its result.
    pub fn in_place(&self, buffer: &mut [T]) {
        T::unary_in_place(self, buffer);
    }
}

impl<A: Clone + Sync, O: Send> Binary<A, O> {
    pub(super) const fn of<F: BinaryOp<A, O>>() -> Self {
        Binary {
            pairs: pairs::<F, A, O>,
            left_scalar: left_scalar::<F, A, O>,
            right_scalar: right_scalar::<F, A, O>,
            one: |left, right| F::apply(&left, &right).ok(),
            arithmetic: None,
            drive: drive::<A, O>,
        }
    }

    pub(super) const fn known_as(self, arithmetic: Option<Arithmetic>) -> Self {
        Binary { arithmetic, ..self }
    }

    /// Computes operands that broadcast as `plan` has it.
    ///
    /// # Errors
    /// [`NumericError::Length`] where a slice is not as long as its shape in the plan asks for,
    /// and the errors of the function.
    pub fn broadcast(
        &self,
        plan: &Broadcast<2>,
        left: &[A],
        right: &[A],
        out: &mut [O],
    ) -> Result<(), NumericError> {
        (self.drive)(self, plan, left, right, out)
    }
}

impl<T: Plain> Binary<T> {
    /// Replaces each element of `buffer`, the operand on `side`, by its result with `other`,
    /// which has as many elements or one.
    ///
    /// # Errors
    /// [`NumericError::Length`] where `other` has another number of elements, and the errors of
    /// the function, after which `buffer` holds nothing of use.
    pub fn in_place(&self, side: Side, buffer: &mut [T], other: &[T]) -> Result<(), NumericError> {
        T::binary_in_place(self, side, buffer, other)
    }
}

fn slice<F: UnaryOp<A, O>, A: Sync, O: Send>(input: &[A], out: &mut [O]) {
    let len = input.len().min(out.len());
    let (input, out) = (&input[..len], &mut out[..len]);
    if len <= TILE {
        return map::<F, A, O>(input, out);
    }
    for_each_chunk_mut(out, TILE, |i, out| map::<F, A, O>(&input[i * TILE..], out));
}

fn pairs<F: BinaryOp<A, O>, A: Sync, O: Send>(
    left: &[A],
    right: &[A],
    out: &mut [O],
) -> Result<(), NumericError> {
    let len = left.len().min(right.len()).min(out.len());
    let (left, right, out) = (&left[..len], &right[..len], &mut out[..len]);
    if len <= TILE {
        return zip::<F, A, O>(left, right, out);
    }
    try_for_each_chunk_mut(out, TILE, |i, out| {
        zip::<F, A, O>(&left[i * TILE..], &right[i * TILE..], out)
    })
}

fn left_scalar<F: BinaryOp<A, O>, A: Sync, O: Send>(
    left: A,
    right: &[A],
    out: &mut [O],
) -> Result<(), NumericError> {
    let len = right.len().min(out.len());
    let (right, out) = (&right[..len], &mut out[..len]);
    if len <= TILE {
        return map_right::<F, A, O>(&left, right, out);
    }
    try_for_each_chunk_mut(out, TILE, |i, out| map_right::<F, A, O>(&left, &right[i * TILE..], out))
}

fn right_scalar<F: BinaryOp<A, O>, A: Sync, O: Send>(
    left: &[A],
    right: A,
    out: &mut [O],
) -> Result<(), NumericError> {
    let len = left.len().min(out.len());
    let (left, out) = (&left[..len], &mut out[..len]);
    if len <= TILE {
        return map_left::<F, A, O>(left, &right, out);
    }
    try_for_each_chunk_mut(out, TILE, |i, out| map_left::<F, A, O>(&left[i * TILE..], &right, out))
}

// The loops are compiled once for each set of vector instructions. What they compute is made of
// IEEE operations one by one, so that the bits do not depend on the choice.
#[multiversion(targets = "simd")]
fn map<F: UnaryOp<A, O>, A, O>(input: &[A], out: &mut [O]) {
    for (x, o) in input.iter().zip(out) {
        *o = F::apply(x);
    }
}

#[multiversion(targets = "simd")]
fn zip<F: BinaryOp<A, O>, A, O>(
    left: &[A],
    right: &[A],
    out: &mut [O],
) -> Result<(), NumericError> {
    for ((x, y), o) in left.iter().zip(right).zip(out) {
        *o = F::apply(x, y)?;
    }
    Ok(())
}

#[multiversion(targets = "simd")]
fn map_right<F: BinaryOp<A, O>, A, O>(
    left: &A,
    right: &[A],
    out: &mut [O],
) -> Result<(), NumericError> {
    for (y, o) in right.iter().zip(out) {
        *o = F::apply(left, y)?;
    }
    Ok(())
}

#[multiversion(targets = "simd")]
fn map_left<F: BinaryOp<A, O>, A, O>(
    left: &[A],
    right: &A,
    out: &mut [O],
) -> Result<(), NumericError> {
    for (x, o) in left.iter().zip(out) {
        *o = F::apply(x, right)?;
    }
    Ok(())
}

fn drive<A: Clone + Sync, O: Send>(
    f: &Binary<A, O>,
    plan: &Broadcast<2>,
    left: &[A],
    right: &[A],
    out: &mut [O],
) -> Result<(), NumericError> {
    plan.check([left.len(), right.len()], out.len())?;
    let run = plan.run();
    let runs = TILE.div_ceil(run);
    try_for_each_chunk_mut(out, runs * run, |i, out| {
        for (out, [l, r]) in out.chunks_exact_mut(run).zip(plan.starts_from(i * runs)) {
            match plan.advances() {
                [true, false] => (f.right_scalar)(&left[l..l + run], right[r].clone(), out)?,
                [false, true] => (f.left_scalar)(left[l].clone(), &right[r..r + run], out)?,
                // Where neither operand advances, the run is one element long.
                _ => (f.pairs)(&left[l..l + run], &right[r..r + run], out)?,
            }
        }
        Ok(())
    })
}

/// An element type that is stored by value: numbers and `bool`, but not strings.
pub trait Plain: Element + Copy {
    #[doc(hidden)]
    fn unary_in_place(f: &Unary<Self>, buffer: &mut [Self]);

    #[doc(hidden)]
    fn binary_in_place(
        f: &Binary<Self>,
        side: Side,
        buffer: &mut [Self],
        other: &[Self],
    ) -> Result<(), NumericError>;
}

/// As trait methods of concrete types, the loops over chunks are compiled in this crate.
macro_rules! plain {
    ($($rust:ty),*) => {$(
        impl Plain for $rust {
            fn unary_in_place(f: &Unary<Self>, buffer: &mut [Self]) {
                unary_in_place(f, buffer);
            }

            fn binary_in_place(
                f: &Binary<Self>,
                side: Side,
                buffer: &mut [Self],
                other: &[Self],
            ) -> Result<(), NumericError> {
                binary_in_place(f, side, buffer, other)
            }
        }
    )*};
}

plain!(f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, bool);

/// How many operands are copied out of a buffer before their results overwrite them. The loops
/// read and write different memory, so the same ones serve in place as elsewhere.
const CHUNK: usize = 256;

fn unary_in_place<T: Plain>(f: &Unary<T>, buffer: &mut [T]) {
    for_each_chunk_mut(buffer, TILE, |_, tile| {
        let mut chunk = [T::default(); CHUNK];
        for part in tile.chunks_mut(CHUNK) {
            let operands = &mut chunk[..part.len()];
            operands.copy_from_slice(part);
            (f.slice)(operands, part);
        }
    });
}

fn binary_in_place<T: Plain>(
    f: &Binary<T>,
    side: Side,
    buffer: &mut [T],
    other: &[T],
) -> Result<(), NumericError> {
    let scalar = if let [only] = other { Some(*only) } else { None };
    if scalar.is_none() && other.len() != buffer.len() {
        return Err(NumericError::Length { expected: buffer.len(), actual: other.len() });
    }
    try_for_each_chunk_mut(buffer, TILE, |i, tile| {
        let mut chunk = [T::default(); CHUNK];
        let other = if scalar.is_some() { &[] } else { &other[i * TILE..] };
        for (i, part) in tile.chunks_mut(CHUNK).enumerate() {
            let operands = &mut chunk[..part.len()];
            operands.copy_from_slice(part);
            match (scalar, side) {
                (Some(other), Side::Left) => (f.right_scalar)(operands, other, part)?,
                (Some(other), Side::Right) => (f.left_scalar)(other, operands, part)?,
                (None, Side::Left) => (f.pairs)(operands, &other[i * CHUNK..], part)?,
                (None, Side::Right) => (f.pairs)(&other[i * CHUNK..], operands, part)?,
            }
        }
        Ok(())
    })
}
