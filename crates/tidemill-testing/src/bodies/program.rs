use std::collections::BTreeMap;

use tidemill_value::{DType, PartialShape, Shape, Value};

/// Identifies a value of a program, in all its blocks.
pub(super) type Id = usize;

/// A random program with bodies, and the gradients to take of it.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) seed: u64,
    pub(super) inputs: Vec<Input>,
    /// Its results are floats; the loss is a weighted sum of their elements.
    pub(super) main: Block,
    /// The floats of the main block to differentiate the loss by.
    pub(super) by: Vec<Id>,
    /// The floats of the main block that gradients stop at.
    pub(super) stops: Vec<Id>,
    /// Also differentiate a weighted sum of the gradients.
    pub(super) twice: bool,
}

/// An input of a program.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) slot: Slot,
    pub(super) source: Source,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Constant,
    Variable,
    ResourceVariable,
    /// A placeholder declared with this shape, parts of which may be unknown.
    Placeholder(PartialShape),
}

/// The declaration of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slot {
    pub(super) id: Id,
    pub(super) kind: Kind,
}

/// Floats are `float64`. Integers are `int32` scalars and never negative. Bools are scalars.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Float(Shape),
    Int,
    Bool,
}

/// A sequence of steps: the main block or a body.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) parameters: Vec<Slot>,
    pub(super) steps: Vec<Step>,
    pub(super) results: Vec<Id>,
}

/// An operation. Its bodies may use all values defined before it, in any enclosing block.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) outputs: Vec<Slot>,
    pub(super) operation: Operation,
    pub(super) operands: Vec<Id>,
    pub(super) bodies: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operation {
    /// A constant.
    Literal(Value),
    /// An elementwise function of a float.
    Unary(Unary),
    /// An elementwise function of two floats, which broadcast.
    Binary(Binary),
    /// The product of two matrices.
    Matmul,
    /// The sum of all elements.
    SumAll,
    /// The sum along the first axis.
    SumRows,
    /// Two floats of one shape along a new first axis.
    Stack,
    /// A row of a float, by its number modulo `rows`.
    Row { rows: i32 },
    /// A bool selects one of two floats of one shape.
    Select,
    /// Converts an integer to a float.
    Cast,
    /// `(i * factor + term) % modulus`.
    Affine { factor: i32, term: i32, modulus: i32 },
    /// `(i + j) % modulus`.
    SumInts { modulus: i32 },
    /// Compares an integer with a number.
    Less(i32),
    /// Tests an integer for evenness.
    Even,
    /// Tests the sum of a float: the condition depends on the data.
    Positive,
    /// The gradients of the sum of the first operand with respect to the others, with zeros instead of `None`.
    Gradient,
    /// A bool or an integer selects one of two bodies.
    Cond,
    /// An integer selects a body.
    Switch,
    /// A loop. The first operand is the number of iterations, the others are the initial state. The
    /// body takes a counter and the state, and returns the state; the outputs are both.
    While(While),
    /// Maps the body over the rows of the operands.
    Map,
    /// Runs the body over the rows of the first `elems` operands with a state, initially the others.
    Sequence { form: Sequence, elems: usize },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct While {
    /// The maximum number of iterations.
    pub(super) limit: Option<i64>,
    /// The condition also tests that the floats of the state are small, which they are.
    pub(super) tests_floats: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sequence {
    /// Returns the states of all rows.
    Scan,
    ScanReverse,
    /// Returns the last state.
    Foldl,
    Foldr,
    /// Returns the last state, and the further results of the body for all rows.
    MapAccumulate,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unary {
    Tanh,
    Sin,
    Sigmoid,
    Softplus,
    Square,
    Neg,
    Identity,
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    /// `x / (1 + square(y))`.
    Quotient,
}

impl Slot {
    pub(super) fn shape(&self) -> Option<&Shape> {
        match &self.kind {
            Kind::Float(shape) => Some(shape),
            Kind::Int | Kind::Bool => None,
        }
    }
}

impl Kind {
    pub(super) fn dtype(&self) -> DType {
        match self {
            Kind::Float(_) => DType::F64,
            Kind::Int => DType::I32,
            Kind::Bool => DType::Bool,
        }
    }
}

impl Sequence {
    pub(super) fn is_from_the_end(self) -> bool {
        matches!(self, Sequence::ScanReverse | Sequence::Foldr)
    }
}

impl Program {
    /// The declarations of all values, in bodies too.
    pub(super) fn slots(&self) -> BTreeMap<Id, Slot> {
        let mut slots: BTreeMap<Id, Slot> = BTreeMap::new();
        slots.extend(self.inputs.iter().map(|input| (input.slot.id, input.slot.clone())));
        self.main.visit(&mut |block| {
            let outputs = block.steps.iter().flat_map(|step| &step.outputs);
            slots
                .extend(block.parameters.iter().chain(outputs).map(|slot| (slot.id, slot.clone())));
        });
        slots
    }
}

impl Block {
    /// An estimate of the number of steps in a run.
    pub(super) fn cost(&self) -> usize {
        let body = |step: &Step, body: &Block| match step.operation {
            Operation::Cond | Operation::Switch => body.cost(),
            _ => 3 * body.cost(),
        };
        let cost = |step: &Step| 1 + step.bodies.iter().map(|b| body(step, b)).sum::<usize>();
        self.steps.iter().map(cost).sum()
    }

    /// Calls `look` with the block and all blocks inside it.
    pub(super) fn visit(&self, look: &mut impl FnMut(&Block)) {
        look(self);
        self.steps.iter().flat_map(|step| &step.bodies).for_each(|body| body.visit(look));
    }

    /// Calls `change` with the block and all blocks inside it.
    pub(super) fn visit_mut(&mut self, change: &mut impl FnMut(&mut Block)) {
        change(self);
        self.steps.iter_mut().flat_map(|step| &mut step.bodies).for_each(|b| b.visit_mut(change));
    }
}
