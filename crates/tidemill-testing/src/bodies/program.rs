use std::collections::BTreeMap;

use tidemill_value::{DType, PartialShape, Shape, Value};

/// The number of something that a program computes; each has its own.
pub(super) type Id = usize;

/// A random program: what it begins with, what it computes of that, and what to differentiate.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) seed: u64,
    pub(super) inputs: Vec<Input>,
    /// Its results are floats. The loss is a weighted sum of all their elements.
    pub(super) main: Block,
    /// The floats, outside of all bodies, to differentiate the loss by.
    pub(super) by: Vec<Id>,
    /// The floats, outside of all bodies, that gradients stop at.
    pub(super) stops: Vec<Id>,
    /// Whether to differentiate a weighted sum of the gradients as well.
    pub(super) twice: bool,
}

/// What a program begins with.
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
    /// A placeholder declared with this shape.
    Placeholder(PartialShape),
}

/// One of the things that a program computes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slot {
    pub(super) id: Id,
    pub(super) kind: Kind,
}

/// All floats are `float64`; integers are single `int32`, never negative.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Float(Shape),
    Int,
    Bool,
}

/// What is computed one after the other: the program itself, or a body.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) parameters: Vec<Slot>,
    pub(super) steps: Vec<Step>,
    pub(super) results: Vec<Id>,
}

/// An operation. Its bodies may use what was computed before it, outside of them too.
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
    /// A function of one float, of the same shape.
    Unary(Unary),
    /// A function of two floats whose shapes broadcast.
    Binary(Binary),
    /// The product of two matrices.
    Matmul,
    /// The sum of all elements.
    SumAll,
    /// The sum along the first axis.
    SumRows,
    /// Two floats of one shape along a new first axis.
    Stack,
    /// The row of a float whose number is an integer, modulo this many.
    Row { rows: i32 },
    /// The first of two floats of one shape where a bool is true, otherwise the second.
    Select,
    /// An integer as a float.
    Cast,
    /// `(i * factor + term) % modulus`.
    Affine { factor: i32, term: i32, modulus: i32 },
    /// `(i + j) % modulus`.
    SumInts { modulus: i32 },
    /// Whether an integer is less than this.
    Less(i32),
    /// Whether an integer is even.
    Even,
    /// Whether the sum of a float is above zero.
    Positive,
    /// The gradients of the sum of the first operand by each other one, zeros where there is none.
    Gradient,
    /// The first body where a bool is true, or an integer is not zero; otherwise the second.
    Cond,
    /// The body whose number is an integer; where there is none, the last.
    Switch,
    /// The body as often as the first operand says; the others are the first state. The body takes
    /// how often it has run before, which is also the first output, and the state.
    While(While),
    /// The body for each part of the operands.
    Map,
    /// The body for each part of the first `elems` operands, with a state that the others begin.
    Sequence { form: Sequence, elems: usize },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct While {
    /// The most iterations.
    pub(super) limit: Option<i64>,
    /// Whether the condition asks too whether the floats of the state are bounded, as they are.
    pub(super) tests_floats: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sequence {
    /// Gives the states after each part.
    Scan,
    ScanReverse,
    /// Gives the last state.
    Foldl,
    Foldr,
    /// The results of the body are the next state, and then others, given for each part.
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
    /// All that the program computes, inside of bodies too.
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
    /// About how many steps a run takes.
    pub(super) fn cost(&self) -> usize {
        let body = |step: &Step, body: &Block| match step.operation {
            Operation::Cond | Operation::Switch => body.cost(),
            _ => 3 * body.cost(),
        };
        let cost = |step: &Step| 1 + step.bodies.iter().map(|b| body(step, b)).sum::<usize>();
        self.steps.iter().map(cost).sum()
    }

    /// Calls `look` with the block and all that are inside of it.
    pub(super) fn visit(&self, look: &mut impl FnMut(&Block)) {
        look(self);
        self.steps.iter().flat_map(|step| &step.bodies).for_each(|body| body.visit(look));
    }

    /// Calls `change` with the block and all that are inside of it.
    pub(super) fn visit_mut(&mut self, change: &mut impl FnMut(&mut Block)) {
        change(self);
        self.steps.iter_mut().flat_map(|step| &mut step.bodies).for_each(|b| b.visit_mut(change));
    }
}

// TRIAGE
impl Program {
    pub fn tame(&mut self, mode: u64) {
        if mode & 1 != 0 {
            for input in &mut self.inputs {
                if input.source == Source::Constant && input.slot.shape().is_some() {
                    input.source = Source::Placeholder(input.value.shape().into());
                }
            }
        }
        if mode & 2 != 0 {
            let by = self.by.clone();
            self.stops.retain(|s| !by.contains(s));
        }
        if mode & 4 != 0 {
            for input in &mut self.inputs {
                if matches!(input.source, Source::Variable | Source::ResourceVariable) {
                    input.source = Source::Placeholder(input.value.shape().into());
                }
            }
        }
    }
}
impl Program {
    pub fn triage_cost(&self) -> (usize, usize, bool) {
        fn nodes(b: &Block) -> usize {
            b.steps.iter().map(|s| 1 + s.bodies.iter().map(nodes).sum::<usize>()).sum()
        }
        fn unrolled(b: &Block) -> usize {
            b.steps
                .iter()
                .map(|s| {
                    1 + s
                        .bodies
                        .iter()
                        .map(|b| {
                            unrolled(b)
                                * match s.operation {
                                    Operation::While(_) => 4,
                                    Operation::Map | Operation::Sequence { .. } => 3,
                                    _ => 1,
                                }
                        })
                        .sum::<usize>()
                })
                .sum()
        }
        (nodes(&self.main), unrolled(&self.main), self.twice)
    }
}
