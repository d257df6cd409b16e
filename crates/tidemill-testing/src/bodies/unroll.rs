use std::collections::BTreeMap;

use tidemill_autodiff::{GradientOptions, gradients_with};
use tidemill_graph::default_graph;
use tidemill_ops::{
    Tensor, constant, gather, identity, placeholder_of, reduce_sum, stack, zeros_like,
};
use tidemill_runtime::{Feeds, Session, SessionOptions};
use tidemill_value::{DType, Shape, Value};

use super::common::compute;
use super::program::{Block, Id, Kind, Operation, Program, Sequence, Slot, Step, Unary, While};
use crate::values::numbers;

/// A sum so near to zero is not certain to be above it.
const NARROW: f64 = 1e-6;

/// What a program computes, in the default graph, as plain nodes: loops that are unrolled, branches
/// that are taken, and placeholders in place of all floats that it begins with.
pub(super) struct Unrolled {
    /// What was computed before, from outside to inside.
    frames: Vec<BTreeMap<Id, Known>>,
    /// What stands for the parameters of the bodies around: gradients inside of these stop there.
    parameters: Vec<Tensor>,
    pub(super) feeds: Vec<(Tensor, Value)>,
    /// What gradients stop at, wherever it is.
    pub(super) stops: Vec<Tensor>,
    session: Session,
    /// Whether a bool depends on a number that is all but zero.
    pub(super) is_narrow: bool,
}

#[derive(Clone, Copy)]
enum Known {
    Float(Tensor),
    Int(i32),
    Bool(bool),
}

/// Unrolls a program.
pub(super) fn unroll(program: &Program) -> Unrolled {
    let options = SessionOptions { threads: Some(1), ..SessionOptions::default() };
    let session = Session::with_options(&default_graph(), options);
    let mut unrolled = Unrolled {
        frames: vec![BTreeMap::new()],
        parameters: Vec::new(),
        feeds: Vec::new(),
        stops: Vec::new(),
        session,
        is_narrow: false,
    };
    for input in &program.inputs {
        let known = unrolled.input(&input.slot, &input.value);
        unrolled.frames[0].insert(input.slot.id, known);
    }
    unrolled.compute(&program.main);
    unrolled
}

impl Unrolled {
    /// A float outside of all bodies.
    pub(super) fn tensor(&self, id: Id) -> Tensor {
        match self.frames[0][&id] {
            Known::Float(tensor) => tensor,
            Known::Int(_) | Known::Bool(_) => panic!("{id} is no float"),
        }
    }

    fn input(&mut self, slot: &Slot, value: &Value) -> Known {
        match slot.kind {
            Kind::Float(_) => {
                let tensor = placeholder_of(DType::F64, value.shape());
                self.feeds.push((tensor, value.clone()));
                Known::Float(tensor)
            }
            Kind::Int => Known::Int(numbers(value)[0] as i32),
            Kind::Bool => Known::Bool(numbers(value)[0] != 0.0),
        }
    }

    fn get(&self, id: Id) -> Known {
        let found = self.frames.iter().rev().find_map(|frame| frame.get(&id));
        *found.expect("a program uses what it has computed")
    }

    fn float(&self, id: Id) -> Tensor {
        self.get(id).to_tensor()
    }

    fn int(&self, id: Id) -> i32 {
        match self.get(id) {
            Known::Int(number) => number,
            Known::Bool(bool) => bool.into(),
            Known::Float(_) => panic!("{id} is a float"),
        }
    }

    fn compute(&mut self, block: &Block) {
        for step in &block.steps {
            let mut outputs = self.step(step);
            if !step.bodies.is_empty() {
                // What a step gives is its own, also where it is what it takes.
                outputs.iter_mut().for_each(|output| *output = output.alias());
            }
            let outputs = step.outputs.iter().map(|slot| slot.id).zip(outputs);
            self.frames.last_mut().expect("the outermost stays").extend(outputs);
        }
    }

    /// What a body gives.
    fn call(&mut self, body: &Block, arguments: &[Known]) -> Vec<Known> {
        let arguments: Vec<Known> = arguments.iter().map(|known| known.alias()).collect();
        let around = self.parameters.len();
        self.parameters.extend(arguments.iter().filter_map(|known| match known {
            Known::Float(tensor) => Some(*tensor),
            Known::Int(_) | Known::Bool(_) => None,
        }));
        let parameters = body.parameters.iter().map(|slot| slot.id);
        self.frames.push(parameters.zip(arguments).collect());
        self.compute(body);
        let results = body.results.iter().map(|&id| self.get(id)).collect();
        self.frames.pop();
        self.parameters.truncate(around);
        results
    }

    fn step(&mut self, step: &Step) -> Vec<Known> {
        let operands = &step.operands;
        match &step.operation {
            Operation::Affine { factor, term, modulus } => {
                vec![Known::Int((self.int(operands[0]) * factor + term) % modulus)]
            }
            Operation::SumInts { modulus } => {
                vec![Known::Int((self.int(operands[0]) + self.int(operands[1])) % modulus)]
            }
            Operation::Less(limit) => vec![Known::Bool(self.int(operands[0]) < *limit)],
            Operation::Even => vec![Known::Bool(self.int(operands[0]) % 2 == 0)],
            Operation::Positive => vec![Known::Bool(self.is_positive(operands[0]))],
            Operation::Literal(value) if value.dtype() == DType::I32 => {
                vec![Known::Int(numbers(value)[0] as i32)]
            }
            Operation::Gradient => self.gradient(operands),
            Operation::Cond => {
                let branch = if self.int(operands[0]) != 0 { 0 } else { 1 };
                self.call(&step.bodies[branch], &[])
            }
            Operation::Switch => {
                let branch = self.int(operands[0]) as usize;
                self.call(&step.bodies[branch.min(step.bodies.len() - 1)], &[])
            }
            Operation::While(form) => self.repeat(*form, step),
            Operation::Map => self.map(step),
            Operation::Sequence { form, elems } => self.sequence(*form, *elems, step),
            plain => {
                let operands: Vec<Tensor> = operands.iter().map(|&id| self.float(id)).collect();
                let result = compute(plain, &operands);
                if *plain == Operation::Unary(Unary::Stop) {
                    self.stops.push(result);
                }
                vec![Known::Float(result)]
            }
        }
    }

    fn is_positive(&mut self, id: Id) -> bool {
        let sum = reduce_sum(self.float(id), ..);
        let feeds = self.feeds.iter().fold(Feeds::new(), |feeds, (x, value)| feeds.feed(*x, value));
        let sum = self.session.run_with(sum, feeds).map(|sum| numbers(&sum)[0]);
        let sum = sum.unwrap_or_else(|error| panic!("{error}"));
        self.is_narrow |= sum.abs() < NARROW;
        sum > 0.0
    }

    fn gradient(&self, operands: &[Id]) -> Vec<Known> {
        let y = reduce_sum(self.float(operands[0]), ..);
        let xs: Vec<Tensor> = operands[1..].iter().map(|&x| self.float(x)).collect();
        let stop_gradients = self.parameters.clone();
        let options = GradientOptions { stop_gradients, ..GradientOptions::default() };
        let found = gradients_with([y], xs.iter().copied(), options).into_iter().zip(&xs);
        found.map(|(found, &x)| Known::Float(found.unwrap_or_else(|| zeros_like(x)))).collect()
    }

    fn repeat(&mut self, form: While, step: &Step) -> Vec<Known> {
        let count = self.int(step.operands[0]);
        let limit = form.limit.map_or(count, |limit| limit as i32);
        let count = count.min(limit);
        let mut state: Vec<Known> = step.operands[1..].iter().map(|&id| self.get(id)).collect();
        for i in 0..count {
            let arguments: Vec<Known> = std::iter::once(Known::Int(i)).chain(state).collect();
            state = self.call(&step.bodies[0], &arguments);
        }
        std::iter::once(Known::Int(count)).chain(state).collect()
    }

    fn map(&mut self, step: &Step) -> Vec<Known> {
        let elems: Vec<Tensor> = step.operands.iter().map(|&id| self.float(id)).collect();
        let mut given: Vec<Vec<Known>> = vec![Vec::new(); step.outputs.len()];
        for i in 0..rows(elems[0]) {
            let results = self.call(&step.bodies[0], &parts(&elems, i));
            given.iter_mut().zip(results).for_each(|(given, result)| given.push(result));
        }
        given.iter().zip(&step.outputs).map(|(rows, slot)| stacked(rows, slot)).collect()
    }

    fn sequence(&mut self, form: Sequence, elems: usize, step: &Step) -> Vec<Known> {
        let (parts_of, initial) = step.operands.split_at(elems);
        let elems: Vec<Tensor> = parts_of.iter().map(|&id| self.float(id)).collect();
        let mut state: Vec<Known> = initial.iter().map(|&id| self.get(id)).collect();
        let states = state.len();
        let given_from = match form {
            Sequence::MapAccumulate => states,
            _ => 0,
        };
        let mut given: Vec<Vec<Known>> = Vec::new();
        let mut order: Vec<i32> = (0..rows(elems[0])).collect();
        if form.is_from_the_end() {
            order.reverse();
        }
        for i in order {
            let mut arguments = parts(&elems, i);
            arguments.extend(&state);
            let results = self.call(&step.bodies[0], &arguments);
            state = results[..states].to_vec();
            given.push(results[given_from..].to_vec());
        }
        if form.is_from_the_end() {
            given.reverse();
        }
        let along = |slots: &[Slot]| -> Vec<Known> {
            let column = |i: usize| given.iter().map(|row| row[i]).collect::<Vec<Known>>();
            slots.iter().enumerate().map(|(i, slot)| stacked(&column(i), slot)).collect()
        };
        match form {
            Sequence::Foldl | Sequence::Foldr => state,
            Sequence::Scan | Sequence::ScanReverse => along(&step.outputs),
            Sequence::MapAccumulate => [state, along(&step.outputs[states..])].concat(),
        }
    }
}

impl Known {
    /// The same by another name.
    fn alias(self) -> Known {
        match self {
            Known::Float(tensor) => Known::Float(identity(tensor)),
            known => known,
        }
    }

    fn to_tensor(self) -> Tensor {
        match self {
            Known::Float(tensor) => tensor,
            Known::Int(number) => constant(number),
            Known::Bool(bool) => constant(bool),
        }
    }
}

fn rows(tensor: Tensor) -> i32 {
    let dims = tensor.shape().dims().and_then(|dims| dims.first()?.known());
    dims.expect("the shapes of plain nodes are known") as i32
}

fn parts(elems: &[Tensor], i: i32) -> Vec<Known> {
    elems.iter().map(|&elem| Known::Float(gather(elem, i, 0))).collect()
}

fn stacked(rows: &[Known], slot: &Slot) -> Known {
    let rows: Vec<Tensor> = rows.iter().map(|row| row.to_tensor()).collect();
    let shape = slot.shape().cloned().unwrap_or_else(Shape::scalar);
    Known::Float(match rows.is_empty() {
        true => constant(Value::zeros(DType::F64, shape).expect("a small shape")),
        false => stack(rows, 0),
    })
}
