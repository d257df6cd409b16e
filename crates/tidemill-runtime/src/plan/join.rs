//! Fuses steps that compute single numbers into one step.
//!
//! Such a step takes a few nanoseconds; finding its inputs, calling it and storing its output takes
//! several times as long. A joined step keeps the intermediate numbers in registers of its own. It
//! calls the same functions in the same order, so it gives the same bits.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tidemill_graph::Operand;
use tidemill_kernels::elementwise::{self, AnyBinary, AnyUnary};
use tidemill_value::{BinaryOp, DType, ScalarOp};

use crate::plan::candidate::Candidate;
use crate::plan::fused::{Function, Instruction, Number, Program, REGISTERS};
use crate::plan::step::{Action, Fused, Step};

/// A function of single numbers of one type.
enum NumberFunction {
    F32(Function<f32>),
    F64(Function<f64>),
}

impl NumberFunction {
    fn of((function, dtype): (ScalarOp, DType)) -> Option<Self> {
        match function {
            ScalarOp::Unary(function) => match elementwise::unary_loops(function, dtype)? {
                AnyUnary::F32(found) => Some(NumberFunction::F32(Function::Unary(found.one))),
                AnyUnary::F64(found) => Some(NumberFunction::F64(Function::Unary(found.one))),
                _ => None,
            },
            ScalarOp::Binary(function) => match elementwise::binary_loops(function, dtype)? {
                AnyBinary::F32(found) => Some(NumberFunction::F32(binary(function, found.one))),
                AnyBinary::F64(found) => Some(NumberFunction::F64(binary(function, found.one))),
                _ => None,
            },
            ScalarOp::Predicate(_) | ScalarOp::Compare(_) | ScalarOp::Select | ScalarOp::Cast => {
                None
            }
        }
    }
}

/// A function of two numbers. A program computes basic arithmetic without a call.
fn binary<T>(function: BinaryOp, one: fn(T, T) -> Option<T>) -> Function<T> {
    match function {
        BinaryOp::Add => Function::Add,
        BinaryOp::Sub => Function::Sub,
        BinaryOp::Mul => Function::Mul,
        BinaryOp::Div => Function::Div,
        _ => Function::Binary(one),
    }
}

/// Joins neighboring steps that compute single numbers of one type.
pub(crate) fn join(steps: impl IntoIterator<Item = Candidate>) -> Vec<Step> {
    let mut fused = Vec::new();
    let mut singles: Block<f32> = Block::default();
    let mut doubles: Block<f64> = Block::default();
    for Candidate { step, scalar, .. } in steps {
        let function = match &step.action {
            Action::Kernel(_) if step.turn.is_none() && step.lazy.is_none() => {
                scalar.and_then(NumberFunction::of)
            }
            _ => None,
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
    /// The registers of the constants and slots that the steps have used, with their current
    /// values.
    registers: FxHashMap<Operand, u8>,
    /// The slots whose current values come from these steps.
    computed: Vec<u32>,
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
    /// Whether one more step could exceed the registers.
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

    /// Appends the joined steps so far to `steps`, and begins anew.
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
            // Numbers hold no memory to free.
            clear: SmallVec::new(),
            node: last.node,
            random: None,
            lazy: None,
            turn: None,
            action: Action::Fused(Fused {
                kernel: Box::new(program),
                nodes: block.steps.iter().map(|step| step.node).collect(),
                is_led: false,
            }),
        });
    }
}
