//! Fuses steps that compute single numbers into one step.
//!
//! Such a step takes a few nanoseconds; to find its inputs, call it and put its output away takes
//! several times as long. A joined step keeps the numbers between in registers of its own. It
//! calls the same functions in the same order, so that it gives the same bits.

use std::ops::{Add, Div, Mul, Sub};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tidemill_graph::{Function, Kernel, KernelCx, KernelError, NumberFunction, Operand};
use tidemill_value::{Element, Scalar};

use crate::plan::Step;

/// More numbers than this a joined step does not hold.
const REGISTERS: usize = 256;

/// The registers of a short program.
const FEW: usize = 32;

/// Joins neighbouring steps that compute single numbers of one type.
pub(crate) fn fuse(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut fused = Vec::new();
    let mut singles: Block<f32> = Block::default();
    let mut doubles: Block<f64> = Block::default();
    for step in steps {
        let function = if step.numbers && step.turn.is_none() && step.lazy.is_none() {
            step.kernel.number_function()
        } else {
            None
        };
        if !matches!(function, Some(NumberFunction::F32(_))) || singles.is_full() {
            singles.flush(&mut fused);
        }
        if !matches!(function, Some(NumberFunction::F64(_))) || doubles.is_full() {
            doubles.flush(&mut fused);
        }
        match function {
            Some(NumberFunction::F32(function)) => singles.push(step, function),
            Some(NumberFunction::F64(function)) => doubles.push(step, function),
            None => fused.push(step),
        }
    }
    singles.flush(&mut fused);
    doubles.flush(&mut fused);
    fused
}

/// Steps that are being joined.
struct Block<T> {
    steps: Vec<Step>,
    program: Program<T>,
    inputs: SmallVec<[Operand; 3]>,
    /// The registers of the constants and slots that the steps have met, with their present
    /// values.
    registers: FxHashMap<Operand, u8>,
    /// The slots that have their present values from these steps.
    computed: Vec<u32>,
}

/// What a joined step does.
struct Program<T> {
    registers: usize,
    /// The registers that the inputs go to.
    inputs: SmallVec<[u8; 4]>,
    code: Vec<Instruction<T>>,
    /// The registers that the outputs come from.
    outputs: SmallVec<[u8; 4]>,
}

struct Instruction<T> {
    function: Function<T>,
    operands: [u8; 2],
    result: u8,
}

impl<T> Default for Block<T> {
    fn default() -> Self {
        let program = Program {
            registers: 0,
            inputs: SmallVec::new(),
            code: Vec::new(),
            outputs: SmallVec::new(),
        };
        Block {
            steps: Vec::new(),
            program,
            inputs: SmallVec::new(),
            registers: FxHashMap::default(),
            computed: Vec::new(),
        }
    }
}

impl<T: Number> Block<T> {
    /// Whether there may not be the registers for one step more.
    fn is_full(&self) -> bool {
        self.program.registers + 3 > REGISTERS
    }

    fn push(&mut self, step: Step, function: Function<T>) {
        let mut operands = [0; 2];
        for (register, operand) in operands.iter_mut().zip(&step.inputs) {
            *register = self.register_of(operand.without_last_use());
        }
        let result = self.allocate();
        self.program.code.push(Instruction { function, operands, result });
        for &output in &step.outputs {
            self.registers.insert(Operand::slot(output), result);
            self.computed.push(output);
        }
        for &slot in &step.clear {
            self.registers.remove(&Operand::slot(slot));
            self.computed.retain(|&computed| computed != slot);
        }
        self.steps.push(step);
    }

    fn register_of(&mut self, operand: Operand) -> u8 {
        if let Some(&register) = self.registers.get(&operand) {
            return register;
        }
        let register = self.allocate();
        self.registers.insert(operand, register);
        self.inputs.push(operand);
        self.program.inputs.push(register);
        register
    }

    fn allocate(&mut self) -> u8 {
        self.program.registers += 1;
        (self.program.registers - 1) as u8
    }

    /// Adds what has been joined so far to `steps`, and begins anew.
    fn flush(&mut self, steps: &mut Vec<Step>) {
        let block = std::mem::take(self);
        let [.., last] = &block.steps[..] else { return };
        if block.steps.len() == 1 {
            steps.extend(block.steps);
            return;
        }
        let mut program = block.program;
        let register = |slot: &u32| block.registers[&Operand::slot(*slot)];
        program.outputs = block.computed.iter().map(register).collect();
        steps.push(Step {
            inputs: block.inputs,
            outputs: block.computed.into(),
            // Numbers hold no memory that would have to be freed.
            clear: SmallVec::new(),
            node: last.node,
            joined: block.steps.iter().map(|step| step.node).collect(),
            random: None,
            numbers: false,
            lazy: None,
            turn: None,
            kernel: Box::new(program),
            call: None,
        });
    }
}

/// A number of which the machine itself computes the basic operations.
trait Number:
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
        // To clear all registers takes longer than a short program does.
        if self.registers <= FEW { self.run_in::<FEW>(cx) } else { self.run_in::<REGISTERS>(cx) }
    }
}

impl<T: Number> Program<T> {
    fn run_in<const N: usize>(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        // All numbers are below N; the remainder says so to the compiler.
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
