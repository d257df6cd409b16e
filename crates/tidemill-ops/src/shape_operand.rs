//! The arguments of builder functions that take a shape.

use tidemill_value::{PartialShape, Shape, Value};

use crate::index::shape_tensor;
use crate::{Operand, Tensor, Variable};

/// The shape of a new tensor: extents, or a tensor of integers, such as `shape(x)`, that gives them
/// in a run.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the shape of a tensor",
    label = "not a shape",
    note = "a shape is a list of extents, as in `[2, 3]` or `[rows, 3]`, or a tensor of integers, \
            such as `shape(x)`"
)]
pub trait IntoShape {
    /// The extents.
    fn into_operand(self) -> Operand;
}

/// The shape for [`reshape`](crate::reshape): extents, one of which may be inferred, or a tensor of
/// integers, in which -1 is the inferred one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a shape to reshape to",
    label = "not a shape to reshape to",
    note = "extents of type `usize` are written in `shape![..]`: `reshape(x, shape![?, n])`, where \
            `?` is the extent that follows from the others",
    note = "a list of `i32` or `i64`, as in `[-1, 3]`, and a tensor of integers are shapes as well"
)]
pub trait IntoNewShape {
    /// The extents, with -1 for the inferred one.
    fn into_operand(self) -> Operand;
}

fn of_extents(extents: &[usize]) -> Operand {
    Operand::Value(Ok(shape_tensor(extents)))
}

impl<const N: usize> IntoShape for [usize; N] {
    fn into_operand(self) -> Operand {
        of_extents(&self)
    }
}

macro_rules! into_shape {
    ($trait:ident; $($extents:ty),*; $($operand:ty),*) => {
        $(impl $trait for $extents {
            fn into_operand(self) -> Operand {
                of_extents(&self)
            }
        })*
        $(impl $trait for $operand {
            fn into_operand(self) -> Operand {
                self.into()
            }
        })*
    };
}

into_shape!(IntoShape; &[usize], Vec<usize>, Shape, &Shape; Tensor, &Tensor, Variable, &Variable, Value);
into_shape!(IntoNewShape; Shape, &Shape; Tensor, &Tensor, Variable, &Variable, Value, PartialShape, Vec<i32>, Vec<i64>, Operand);

impl<const N: usize> IntoNewShape for [i32; N] {
    fn into_operand(self) -> Operand {
        self.into()
    }
}

/// Implements the conversion from arrays of at least one element, so that the type of `[]` stays
/// clear.
macro_rules! into_new_shape_from_array {
    ($($rank:literal)*) => {$(
        #[diagnostic::do_not_recommend]
        impl IntoNewShape for [i64; $rank] {
            fn into_operand(self) -> Operand {
                self.into()
            }
        }
    )*};
}

into_new_shape_from_array!(1 2 3 4 5 6 7 8);
