//! Functions applied to the elements of a result right after they are computed, while a cache holds
//! them.

use std::any::Any;

use tidemill_value::{DType, ScalarOp, Value};

use crate::elementwise::{
    AnyBinary, AnyUnary, Binary, Plain, Side, Unary, binary_loops, unary_loops,
};
use crate::{NumericError, with_binary, with_unary};

/// A function of the elements of a result of floats.
#[derive(Clone, Copy, Debug)]
pub struct Stage(Function);

#[derive(Clone, Copy, Debug)]
enum Function {
    Unary(AnyUnary),
    /// The element is the operand on this side.
    Binary(AnyBinary, Side),
}

impl Stage {
    /// A function of elements of this type. Of two operands, the element is the one on `side`.
    pub fn new(function: ScalarOp, dtype: DType, side: Side) -> Option<Self> {
        match function {
            _ if !matches!(dtype, DType::F32 | DType::F64) => None,
            ScalarOp::Unary(function) => {
                unary_loops(function, dtype).map(|loops| Stage(Function::Unary(loops)))
            }
            ScalarOp::Binary(function) => {
                binary_loops(function, dtype).map(|loops| Stage(Function::Binary(loops, side)))
            }
            _ => None,
        }
    }
}

/// Functions to apply one after the other, each with its other operand if it has one: a single
/// element, a row, or as many elements as the result.
/// There are at most [`MOST`].
pub type Epilogue<'a> = &'a [(Stage, Option<&'a Value>)];

/// The most functions of an epilogue.
pub const MOST: usize = 4;

/// The number of elements that a function takes at a time.
pub(crate) const SCRATCH: usize = 512;

/// The epilogue of the result that some computation contributes to, and the number of elements of the
/// result before its own.
pub(crate) type Then<'a, T> = Option<(&'a Finish<'a, T>, usize)>;

/// An epilogue of a result of one type.
#[doc(hidden)]
pub struct Finish<'a, T> {
    columns: usize,
    /// True if an operand is a row.
    by_rows: bool,
    stages: [Option<Applied<'a, T>>; MOST],
}

enum Applied<'a, T> {
    Unary(Unary<T>),
    Binary(Binary<T>, Side, Other<'a, T>),
}

/// The other operand of a function.
#[derive(Clone, Copy)]
enum Other<'a, T> {
    One(T),
    Row(&'a [T]),
    All(&'a [T]),
}

impl<'a, T: Plain> Finish<'a, T> {
    /// An epilogue for a result of so many elements and columns.
    pub(crate) fn new(
        epilogue: Epilogue<'a>,
        elements: usize,
        columns: usize,
    ) -> Result<Self, NumericError> {
        if epilogue.len() > MOST {
            return Err(NumericError::Length { expected: MOST, actual: epilogue.len() });
        }
        let mut finish = Finish { columns, by_rows: false, stages: [const { None }; MOST] };
        for (&(Stage(function), value), stage) in epilogue.iter().zip(&mut finish.stages) {
            let of_another_type = NumericError::UnsupportedDType { dtype: T::DTYPE };
            *stage = Some(match function {
                Function::Unary(any) => {
                    Applied::Unary(with_unary!(any, f => same(f)).ok_or(of_another_type)?)
                }
                Function::Binary(any, side) => {
                    let f = with_binary!(any, f => same(f)).ok_or(of_another_type)?;
                    let value =
                        value.ok_or(NumericError::Length { expected: elements, actual: 0 })?;
                    let other = match value.as_slice::<T>()? {
                        [one] => Other::One(*one),
                        all if all.len() == elements => Other::All(all),
                        row if row.len() == columns => Other::Row(row),
                        other => {
                            let (expected, actual) = (elements, other.len());
                            return Err(NumericError::Length { expected, actual });
                        }
                    };
                    finish.by_rows |= matches!(other, Other::Row(_));
                    Applied::Binary(f, side, other)
                }
            });
        }
        Ok(finish)
    }

    /// Applies it to some whole rows, the first of which begins with this element of the result.
    pub(crate) fn rows(&self, first: usize, rows: &mut [T]) -> Result<(), NumericError> {
        let mut scratch = [T::default(); SCRATCH];
        let len = if self.by_rows { self.columns.max(1) } else { rows.len().max(1) };
        for (i, row) in rows.chunks_mut(len).enumerate() {
            self.part(first + i * len, row, &mut scratch)?;
        }
        Ok(())
    }

    /// Applies it to a part of a row that begins with this element of the result.
    pub(crate) fn part(
        &self,
        first: usize,
        part: &mut [T],
        scratch: &mut [T; SCRATCH],
    ) -> Result<(), NumericError> {
        for (i, out) in part.chunks_mut(SCRATCH).enumerate() {
            let first = first + i * SCRATCH;
            for stage in self.stages.iter().flatten() {
                // The loops read and write different memory.
                let x = &mut scratch[..out.len()];
                x.copy_from_slice(out);
                match *stage {
                    Applied::Unary(f) => f.slice(x, out),
                    Applied::Binary(f, Side::Left, Other::One(one)) => {
                        f.right_scalar(x, one, out)?
                    }
                    Applied::Binary(f, Side::Right, Other::One(one)) => {
                        f.left_scalar(one, x, out)?
                    }
                    Applied::Binary(f, side, Other::Row(other) | Other::All(other)) => {
                        let is_row = matches!(stage, Applied::Binary(_, _, Other::Row(_)));
                        let first = if is_row { first % self.columns } else { first };
                        let other = &other[first..][..x.len()];
                        match side {
                            Side::Left => f.pairs(x, other, out)?,
                            Side::Right => f.pairs(other, x, out)?,
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// A function, if it is of type `F`.
fn same<F: Copy + 'static>(f: impl Any) -> Option<F> {
    (&f as &dyn Any).downcast_ref().copied()
}
