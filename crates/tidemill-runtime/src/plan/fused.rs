//! The kernel of several nodes that compute single numbers: a short program over registers.

use std::ops::{Add, Div, Mul, Sub};

use smallvec::SmallVec;
use tidemill_graph::{Kernel, KernelCx, KernelError};
use tidemill_value::{Element, Scalar};

/// The most numbers that a program holds.
pub(crate) const REGISTERS: usize = 256;

/// The registers of a short program.
const FEW: usize = 32;

/// The program of a joined step.
pub(crate) struct Program<T> {
    pub(crate) registers: usize,
    /// The registers that the inputs go to.
    pub(crate) inputs: SmallVec<[u8; 4]>,
    pub(crate) code: Vec<Instruction<T>>,
    /// The registers that the outputs come from.
    pub(crate) outputs: SmallVec<[u8; 4]>,
}

pub(crate) struct Instruction<T> {
    pub(crate) function: Function<T>,
    pub(crate) operands: [u8; 2],
    pub(crate) result: u8,
}

/// A function of one or two numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Function<T> {
    Unary(fn(T) -> T),
    /// `None` if it fails.
    Binary(fn(T, T) -> Option<T>),
    Add,
    Sub,
    Mul,
    Div,
}

/// A number whose basic operations the machine computes.
pub(crate) trait Number:
    Element
    + Copy
    + Into<Scalar>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
}

impl Number for f32 {}
impl Number for f64 {}

impl<T: Number> Kernel for Program<T> {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        // Clearing all registers takes longer than a short program does.
        if self.registers <= FEW { self.run_in::<FEW>(cx) } else { self.run_in::<REGISTERS>(cx) }
    }
}

impl<T: Number> Program<T> {
    fn run_in<const N: usize>(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        // All registers are below N; the remainder tells the compiler so.
        let at = |register: u8| usize::from(register) % N;
        let mut registers = [T::default(); N];
        for (i, &register) in self.inputs.iter().enumerate() {
            let input = cx.input(i)?;
            registers[at(register)] = match input.as_scalar() {
                Some(number) => number,
                None => input.to_scalar()?,
            };
        }
        for &Instruction { function, operands: [left, right], result } in &self.code {
            let (left, right) = (registers[at(left)], registers[at(right)]);
            registers[at(result)] = match function {
                Function::Add => left + right,
                Function::Sub => left - right,
                Function::Mul => left * right,
                Function::Div => left / right,
                Function::Unary(function) => function(left),
                Function::Binary(function) => function(left, right)
                    .ok_or(KernelError::Internal("a function of numbers failed"))?,
            };
        }
        for (i, &register) in self.outputs.iter().enumerate() {
            cx.set_scalar(i, registers[at(register)]);
        }
        Ok(())
    }
}
