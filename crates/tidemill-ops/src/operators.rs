//! Rust's operators on tensors and variables.

use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Rem, Sub};

use crate::operand::binary;
use crate::ops::{arithmetic, compare, math};
use crate::{Operand, Tensor, Variable};

/// Implements an operator between tensors, variables, numbers and values. Nodes get the same names
/// as those of TensorFlow's operators.
///
/// On the left, only `f64` and `i64` are numbers: with one type for each kind of literal, the
/// compiler knows at once that `1.0 - x` is a tensor.
macro_rules! binary_operator {
    ($trait:ident::$method:ident = $op:expr, $name:literal; $($number:ty),*) => {
        binary_operator!(@left $trait::$method = $op, $name; Tensor, Variable);
        $(
            impl $trait<Tensor> for $number {
                type Output = Tensor;

                #[track_caller]
                fn $method(self, right: Tensor) -> Tensor {
                    binary(&$op, $name, self, right)
                }
            }

            impl $trait<Variable> for $number {
                type Output = Tensor;

                #[track_caller]
                fn $method(self, right: Variable) -> Tensor {
                    binary(&$op, $name, self, right)
                }
            }
        )*
    };
    (@left $trait:ident::$method:ident = $op:expr, $name:literal; $($left:ty),*) => {$(
        impl<R: Into<Operand>> $trait<R> for $left {
            type Output = Tensor;

            #[track_caller]
            fn $method(self, right: R) -> Tensor {
                binary(&$op, $name, self, right)
            }
        }
    )*};
}

macro_rules! number_operators {
    ($($trait:ident::$method:ident = $op:expr, $name:literal;)*) => {$(
        binary_operator!($trait::$method = $op, $name;
            f64, i64);
    )*};
}

number_operators! {
    Add::add = arithmetic::ADD, "add";
    Sub::sub = arithmetic::SUB, "sub";
    Mul::mul = arithmetic::MUL, "mul";
    Div::div = arithmetic::DIV, "truediv";
    Rem::rem = arithmetic::FLOOR_MOD, "mod";
}

binary_operator!(BitAnd::bitand = compare::LOGICAL_AND, "and";);
binary_operator!(BitOr::bitor = compare::LOGICAL_OR, "or";);

macro_rules! unary_operators {
    ($($type:ty),*) => {$(
        impl Neg for $type {
            type Output = Tensor;

            #[track_caller]
            fn neg(self) -> Tensor {
                math::neg(self)
            }
        }

        impl Not for $type {
            type Output = Tensor;

            #[track_caller]
            fn not(self) -> Tensor {
                compare::logical_not(self)
            }
        }
    )*};
}

unary_operators!(Tensor, Variable);
