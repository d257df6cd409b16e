use std::fmt;

use smallvec::SmallVec;
use tidemill_value::Element;

use crate::pool::{TILE, for_each_chunk_mut, try_for_each_chunk_mut};
use crate::{Broadcast, NumericError};

/// The arithmetic of a function of one element.
pub(super) trait UnaryOp<A, O> {
    /// Whether the loop has a copy for each instruction set, and whether for AVX-512.
    const VECTOR: bool;
    const WIDE: bool;

    fn apply(x: &A) -> O;
}

/// The arithmetic of a function of two elements.
pub(super) trait BinaryOp<A, O> {
    /// Whether the loops have a copy for each instruction set, and whether for AVX-512.
    const VECTOR: bool;
    const WIDE: bool;
    /// True if there are loops for a scalar operand.
    const SCALARS: bool;

    fn apply(left: &A, right: &A) -> Result<O, NumericError>;
}

/// A function of one operand, from elements of type `A` to elements of type `O`.
///
/// Both forms compute the same bits.
pub struct Unary<A, O = A> {
    /// Computes one element.
    pub one: fn(A) -> O,
    map: Map<A, O>,
    drive: fn(Map<A, O>, &[A], &mut [O]),
}

/// A function of two operands, from elements of type `A` to elements of type `O`.
///
/// All forms compute the same bits. They fail only where integers are divided or raised to a
/// power; the output of a failed call is unspecified.
pub struct Binary<A, O = A> {
    /// Computes one element; `None` where the other forms fail, and say why.
    pub one: fn(A, A) -> Option<O>,
    loops: Loops<A, O>,
    drive: Drive<A, O>,
}

type Map<A, O> = fn(&[A], &mut [O]);
type Zip<A, O> = fn(&[A], &[A], &mut [O]) -> Result<(), NumericError>;
type ZipLeft<A, O> = fn(&A, &[A], &mut [O]) -> Result<(), NumericError>;
type ZipRight<A, O> = fn(&[A], &A, &mut [O]) -> Result<(), NumericError>;

/// The loops over a tile. All slices have the same length.
struct Loops<A, O> {
    pairs: Zip<A, O>,
    scalars: Option<ScalarLoops<A, O>>,
}

/// The loops for a scalar left or right operand.
struct ScalarLoops<A, O> {
    left: ZipLeft<A, O>,
    right: ZipRight<A, O>,
}

/// The operands of a function of two.
enum Operands<'a, A> {
    Pairs(&'a [A], &'a [A]),
    LeftScalar(&'a A, &'a [A]),
    RightScalar(&'a [A], &'a A),
    Broadcast(&'a Broadcast<2>, &'a [A], &'a [A]),
}

/// Divides the work into tiles. A pointer to it keeps it in this crate, compiled once per pair of
/// types.
type Drive<A, O> = fn(&Loops<A, O>, Operands<'_, A>, &mut [O]) -> Result<(), NumericError>;

/// One operand of a function of two.
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

impl<A, O> Clone for Loops<A, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, O> Copy for Loops<A, O> {}

impl<A, O> Clone for ScalarLoops<A, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, O> Copy for ScalarLoops<A, O> {}

impl<A, O> fmt::Debug for Binary<A, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binary").finish_non_exhaustive()
    }
}

impl<A: Sync, O: Send> Unary<A, O> {
    pub(super) const fn of<F: UnaryOp<A, O>>() -> Self {
        Unary { one: unary_one::<F, A, O>, map: map::<F, A, O>, drive: drive_unary::<A, O> }
    }

    /// Computes as many elements as the shorter slice has.
    pub fn slice(&self, input: &[A], out: &mut [O]) {
        let len = input.len().min(out.len());
        let (input, out) = (&input[..len], &mut out[..len]);
        if len <= TILE {
            return (self.map)(input, out);
        }
        (self.drive)(self.map, input, out);
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
        let scalars = if F::SCALARS {
            Some(ScalarLoops { left: map_right::<F, A, O>, right: map_left::<F, A, O> })
        } else {
            None
        };
        Binary {
            one: binary_one::<F, A, O>,
            loops: Loops { pairs: zip::<F, A, O>, scalars },
            drive: drive::<A, O>,
        }
    }

    /// Computes element by element, as many as the shortest slice has.
    ///
    /// # Errors
    /// Those of the function.
    pub fn pairs(&self, left: &[A], right: &[A], out: &mut [O]) -> Result<(), NumericError> {
        let len = left.len().min(right.len()).min(out.len());
        let (left, right, out) = (&left[..len], &right[..len], &mut out[..len]);
        if len <= TILE {
            return (self.loops.pairs)(left, right, out);
        }
        (self.drive)(&self.loops, Operands::Pairs(left, right), out)
    }

    /// Computes one left element with each right one, as many as the shorter slice has.
    ///
    /// # Errors
    /// Those of the function.
    pub fn left_scalar(&self, left: A, right: &[A], out: &mut [O]) -> Result<(), NumericError> {
        let len = right.len().min(out.len());
        let (right, out) = (&right[..len], &mut out[..len]);
        if len <= TILE {
            return self.loops.left_scalar(&left, right, out);
        }
        (self.drive)(&self.loops, Operands::LeftScalar(&left, right), out)
    }

    /// Computes each left element with one right one, as many as the shorter slice has.
    ///
    /// # Errors
    /// Those of the function.
    pub fn right_scalar(&self, left: &[A], right: A, out: &mut [O]) -> Result<(), NumericError> {
        let len = left.len().min(out.len());
        let (left, out) = (&left[..len], &mut out[..len]);
        if len <= TILE {
            return self.loops.right_scalar(left, &right, out);
        }
        (self.drive)(&self.loops, Operands::RightScalar(left, &right), out)
    }

    /// Computes operands that broadcast as planned.
    ///
    /// # Errors
    /// [`NumericError::Length`] if a slice is not as long as its shape in the plan, and the errors
    /// of the function.
    pub fn broadcast(
        &self,
        plan: &Broadcast<2>,
        left: &[A],
        right: &[A],
        out: &mut [O],
    ) -> Result<(), NumericError> {
        (self.drive)(&self.loops, Operands::Broadcast(plan, left, right), out)
    }
}

impl<T: Plain> Binary<T> {
    /// Replaces each element of `buffer`, the operand on `side`, by its result with `other`,
    /// which has as many elements or one.
    ///
    /// # Errors
    /// [`NumericError::Length`] if `other` has another number of elements, and the errors of the
    /// function, after which the contents of `buffer` are unspecified.
    pub fn in_place(&self, side: Side, buffer: &mut [T], other: &[T]) -> Result<(), NumericError> {
        T::binary_in_place(self, side, buffer, other)
    }
}

fn drive_unary<A: Sync, O: Send>(map: fn(&[A], &mut [O]), input: &[A], out: &mut [O]) {
    for_each_chunk_mut(out, TILE, |i, out| map(&input[i * TILE..][..out.len()], out));
}

fn drive<A: Clone + Sync, O: Send>(
    loops: &Loops<A, O>,
    operands: Operands<'_, A>,
    out: &mut [O],
) -> Result<(), NumericError> {
    if let Operands::Broadcast(plan, left, right) = operands {
        return drive_broadcast(loops, plan, left, right, out);
    }
    try_for_each_chunk_mut(out, TILE, |i, out| {
        let part = i * TILE..i * TILE + out.len();
        match operands {
            Operands::LeftScalar(left, right) => loops.left_scalar(left, &right[part], out),
            Operands::RightScalar(left, right) => loops.right_scalar(&left[part], right, out),
            Operands::Pairs(left, right) | Operands::Broadcast(_, left, right) => {
                (loops.pairs)(&left[part.clone()], &right[part], out)
            }
        }
    })
}

fn drive_broadcast<A: Clone + Sync, O: Send>(
    loops: &Loops<A, O>,
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
                [true, false] => loops.right_scalar(&left[l..l + run], &right[r], out)?,
                [false, true] => loops.left_scalar(&left[l], &right[r..r + run], out)?,
                // If neither operand advances, the run is one element long.
                _ => (loops.pairs)(&left[l..l + run], &right[r..r + run], out)?,
            }
        }
        Ok(())
    })
}

/// The number of copies that replace a scalar operand if there is no loop for one.
const COPIES: usize = 64;

impl<A: Clone, O> Loops<A, O> {
    fn left_scalar(&self, left: &A, right: &[A], out: &mut [O]) -> Result<(), NumericError> {
        if let Some(scalars) = &self.scalars {
            return (scalars.left)(left, right, out);
        }
        let copies = copies(left, right.len());
        for (right, out) in right.chunks(COPIES).zip(out.chunks_mut(COPIES)) {
            (self.pairs)(&copies[..right.len()], right, out)?;
        }
        Ok(())
    }

    fn right_scalar(&self, left: &[A], right: &A, out: &mut [O]) -> Result<(), NumericError> {
        if let Some(scalars) = &self.scalars {
            return (scalars.right)(left, right, out);
        }
        let copies = copies(right, left.len());
        for (left, out) in left.chunks(COPIES).zip(out.chunks_mut(COPIES)) {
            (self.pairs)(left, &copies[..left.len()], out)?;
        }
        Ok(())
    }
}

fn copies<A: Clone>(element: &A, needed: usize) -> SmallVec<[A; COPIES]> {
    SmallVec::from_elem(element.clone(), needed.min(COPIES))
}

// Pointers to functions are less code than pointers to closures, which have a shim each.
fn unary_one<F: UnaryOp<A, O>, A, O>(x: A) -> O {
    F::apply(&x)
}

fn binary_one<F: BinaryOp<A, O>, A, O>(left: A, right: A) -> Option<O> {
    F::apply(&left, &right).ok()
}

vectorized! {
    if F::VECTOR, wide if F::WIDE;
    fn map<F, A, O>(input: &[A], out: &mut [O])
    where [F: UnaryOp<A, O>]
    {
        for (x, o) in input.iter().zip(out) {
            *o = F::apply(x);
        }
    }
}

vectorized! {
    if F::VECTOR, wide if F::WIDE;
    fn zip<F, A, O>(left: &[A], right: &[A], out: &mut [O]) -> Result<(), NumericError>
    where [F: BinaryOp<A, O>]
    {
        for ((x, y), o) in left.iter().zip(right).zip(out) {
            *o = F::apply(x, y)?;
        }
        Ok(())
    }
}

vectorized! {
    if F::VECTOR, wide if F::WIDE;
    fn map_right<F, A, O>(left: &A, right: &[A], out: &mut [O]) -> Result<(), NumericError>
    where [F: BinaryOp<A, O>]
    {
        for (y, o) in right.iter().zip(out) {
            *o = F::apply(left, y)?;
        }
        Ok(())
    }
}

vectorized! {
    if F::VECTOR, wide if F::WIDE;
    fn map_left<F, A, O>(left: &[A], right: &A, out: &mut [O]) -> Result<(), NumericError>
    where [F: BinaryOp<A, O>]
    {
        for (x, o) in left.iter().zip(out) {
            *o = F::apply(x, right)?;
        }
        Ok(())
    }
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
            #[inline(never)]
            fn unary_in_place(f: &Unary<Self>, buffer: &mut [Self]) {
                unary_in_place(f, buffer);
            }

            #[inline(never)]
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

plain!(f32, f64, i32, i64, u64, bool);

/// The number of operands copied out of a buffer before their results overwrite them. The loops
/// read and write different memory, so the same ones serve in place.
const CHUNK: usize = 256;

fn unary_in_place<T: Plain>(f: &Unary<T>, buffer: &mut [T]) {
    for_each_chunk_mut(buffer, TILE, |_, tile| {
        let mut chunk = [T::default(); CHUNK];
        for part in tile.chunks_mut(CHUNK) {
            let operands = &mut chunk[..part.len()];
            operands.copy_from_slice(part);
            f.slice(operands, part);
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
                (Some(other), Side::Left) => f.right_scalar(operands, other, part)?,
                (Some(other), Side::Right) => f.left_scalar(other, operands, part)?,
                (None, Side::Left) => f.pairs(operands, &other[i * CHUNK..], part)?,
                (None, Side::Right) => f.pairs(&other[i * CHUNK..], operands, part)?,
            }
        }
        Ok(())
    })
}
