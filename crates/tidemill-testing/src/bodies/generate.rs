use std::collections::BTreeSet;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tidemill_value::{DType, Shape, Value};

use super::program::{
    Binary, Block, Id, Input, Kind, Operation, Program, Slot, Source, Step, Unary,
};
use crate::random_graph::{forget, pick};
use crate::values::from_numbers;

/// The deepest nesting of bodies.
const DEPTH: usize = 3;

/// Floats with a larger bound go through `tanh`, so that values and derivatives stay moderate.
const LARGEST: f64 = 4.0;

/// Programs of a higher cost are not differentiated twice: that would take too long.
const MOST_COST_OF_TWICE: usize = 60;

/// The bound of loop states.
pub(super) const LARGEST_STATE: f64 = 2.0;

/// The bound of inputs and constants.
const LARGEST_LITERAL: f64 = 1.5;

/// The shapes of float inputs: few, so that many of them broadcast.
const SHAPES: &[&[usize]] =
    &[&[], &[], &[2], &[2], &[3], &[1], &[2, 2], &[2, 2], &[3, 2], &[1, 2], &[0], &[0, 2], &[4]];

/// Something in scope.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) slot: Slot,
    /// An inclusive bound on the absolute value of floats, an exclusive one on integers.
    pub(super) bound: f64,
}

/// The state that the makers of all blocks of a program share.
pub(super) struct Shared {
    pub(super) rng: Xoshiro256PlusPlus,
    next: Id,
    /// The number of random steps left to make. Blocks add more to compute their results.
    left: usize,
}

/// Makes one block.
pub(super) struct Maker<'a> {
    pub(super) shared: &'a mut Shared,
    pub(super) scope: Vec<Entry>,
    /// The number of entries at the start of the scope that are defined outside this block.
    pub(super) outside: usize,
    pub(super) steps: Vec<Step>,
    /// The deepest nesting of bodies in this block.
    pub(super) depth: usize,
    /// An upper bound on the number of runs of the block.
    pub(super) runs: usize,
}

type Action = fn(&mut Maker<'_>);

/// The kinds of steps, with weights.
const ACTIONS: &[(u32, Action)] = &[
    (6, |maker| maker.unary()),
    (9, |maker| maker.binary()),
    (2, |maker| maker.stop()),
    (3, |maker| maker.literal_step()),
    (1, |maker| maker.sum_all()),
    (1, |maker| maker.sum_rows()),
    (2, |maker| maker.stack()),
    (2, |maker| maker.row()),
    (1, |maker| maker.matmul()),
    (1, |maker| maker.select()),
    (2, |maker| maker.cast()),
    (2, |maker| maker.integer()),
    (4, |maker| maker.gradient()),
    (14, |maker| maker.control()),
];

impl Program {
    /// The random program of a seed.
    pub fn new(seed: u64) -> Program {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let left = rng.random_range(3..=10);
        let mut shared = Shared { rng, next: 0, left };
        let inputs = inputs(&mut shared);
        let entry = |input: &Input| Entry {
            slot: input.slot.clone(),
            bound: if input.slot.shape().is_some() { LARGEST_LITERAL } else { 5.0 },
        };
        let scope = inputs.iter().map(entry).collect();
        let mut maker = Maker {
            shared: &mut shared,
            scope,
            outside: 0,
            steps: Vec::new(),
            depth: DEPTH,
            runs: 1,
        };
        maker.control();
        while maker.shared.left > 0 {
            maker.step();
        }
        let results = maker.results_of_program();
        let (by, stops) = maker.differentiated(&inputs);
        let main = Block { parameters: Vec::new(), steps: maker.steps, results };
        let twice = main.cost() <= MOST_COST_OF_TWICE && shared.rng.random_bool(0.4);
        Program { seed, inputs, main, by, stops, twice }
    }
}

fn inputs(shared: &mut Shared) -> Vec<Input> {
    let floats = shared.rng.random_range(2..=4);
    let mut inputs: Vec<Input> = (0..floats).map(|_| shared.float_input()).collect();
    for kind in [Kind::Int, Kind::Int, Kind::Bool] {
        if shared.rng.random_bool(0.6) {
            inputs.push(shared.other_input(kind));
        }
    }
    inputs
}

impl Shared {
    pub(super) fn slot(&mut self, kind: Kind) -> Slot {
        self.next += 1;
        Slot { id: self.next, kind }
    }

    fn source(&mut self, shape: &[usize]) -> Source {
        match self.rng.random_range(0..7) {
            0..2 => Source::Constant,
            2 => Source::Variable,
            3 => Source::ResourceVariable,
            4..6 => Source::Placeholder(shape.into()),
            _ => Source::Placeholder(forget(shape, &mut self.rng)),
        }
    }

    fn float_input(&mut self) -> Input {
        let shape: Shape = pick(SHAPES, &mut self.rng).into();
        let source = self.source(&shape);
        let value = self.value(&shape);
        Input { slot: self.slot(Kind::Float(shape)), source, value }
    }

    fn other_input(&mut self, kind: Kind) -> Input {
        let number = match kind {
            Kind::Bool => self.rng.random_range(0..2),
            _ => self.rng.random_range(0..5),
        };
        let value = from_numbers(&[], &[f64::from(number)], kind.dtype());
        let source = match kind {
            Kind::Bool if self.rng.random_bool(0.5) => Source::Constant,
            Kind::Bool => Source::Placeholder(Shape::scalar().into()),
            _ => self.source(&[]),
        };
        Input { slot: self.slot(kind), source, value }
    }

    fn value(&mut self, shape: &Shape) -> Value {
        let number = |_| self.rng.random_range(-LARGEST_LITERAL..LARGEST_LITERAL);
        let numbers: Vec<f64> = (0..shape.iter().product()).map(number).collect();
        from_numbers(shape, &numbers, DType::F64)
    }
}

impl Maker<'_> {
    pub(super) fn step(&mut self) {
        if self.shared.left == 0 {
            return;
        }
        self.shared.left -= 1;
        let total = ACTIONS.iter().map(|(weight, _)| weight).sum();
        let mut left = self.shared.rng.random_range(0..total);
        for (weight, action) in ACTIONS {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return action(self),
            }
        }
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.shared.rng.random_bool(probability)
    }

    /// Adds a step with one result.
    pub(super) fn add(
        &mut self,
        operation: Operation,
        operands: &[Id],
        kind: Kind,
        bound: f64,
    ) -> Entry {
        let slot = self.shared.slot(kind);
        let operands = operands.to_vec();
        let outputs = vec![slot.clone()];
        self.steps.push(Step { outputs, operation, operands, bodies: Vec::new() });
        let entry = self.bounded(Entry { slot, bound }, LARGEST);
        self.scope.push(entry.clone());
        entry
    }

    /// The entry, or its `tanh` if its bound is above `largest`.
    pub(super) fn bounded(&mut self, entry: Entry, largest: f64) -> Entry {
        let is_float = entry.slot.shape().is_some();
        if !is_float || entry.bound <= largest {
            return entry;
        }
        let slot = self.shared.slot(entry.slot.kind);
        let (operation, operands) = (Operation::Unary(Unary::Tanh), vec![entry.slot.id]);
        let outputs = vec![slot.clone()];
        self.steps.push(Step { outputs, operation, operands, bodies: Vec::new() });
        Entry { slot, bound: 1.0 }
    }

    /// A random entry that `admits`, with a preference for this block and for late entries.
    pub(super) fn find(&mut self, admits: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let all: Vec<&Entry> = self.scope.iter().filter(|entry| admits(entry)).collect();
        let inside = self.scope[self.outside..].iter().filter(|entry| admits(entry)).count();
        let range = match inside > 0 && self.shared.rng.random_bool(0.6) {
            true => all.len() - inside..all.len(),
            false => 0..all.len(),
        };
        if range.is_empty() {
            return None;
        }
        let mut index = || self.shared.rng.random_range(range.clone());
        Some(all[index().max(index())].clone())
    }

    pub(super) fn float(&mut self) -> Entry {
        let found = self.find(|entry| entry.slot.shape().is_some());
        found.unwrap_or_else(|| self.literal(Shape::scalar()))
    }

    /// A random integer below `bound`.
    pub(super) fn int(&mut self, bound: i32) -> Id {
        let is_int = |entry: &Entry| entry.slot.kind == Kind::Int;
        let fitting = self.find(|entry| is_int(entry) && entry.bound <= f64::from(bound));
        if let Some(entry) = fitting.filter(|_| self.shared.rng.random_bool(0.8)) {
            return entry.slot.id;
        }
        match self.find(is_int).filter(|_| self.shared.rng.random_bool(0.7)) {
            Some(entry) => self.affine(entry.slot.id, bound).slot.id,
            None => {
                let number = self.shared.rng.random_range(0..bound);
                let literal = Operation::Literal(Value::from(number));
                self.add(literal, &[], Kind::Int, f64::from(number + 1)).slot.id
            }
        }
    }

    fn affine(&mut self, x: Id, modulus: i32) -> Entry {
        let rng = &mut self.shared.rng;
        let (factor, term) = (rng.random_range(1..=3), rng.random_range(0..=3));
        let operation = Operation::Affine { factor, term, modulus };
        self.add(operation, &[x], Kind::Int, f64::from(modulus))
    }

    /// A random condition: a bool, or an integer, which is true unless it is zero.
    pub(super) fn predicate(&mut self) -> Id {
        let bool = self.find(|entry| entry.slot.kind == Kind::Bool);
        if let Some(entry) = bool.filter(|_| self.shared.rng.random_bool(0.4)) {
            return entry.slot.id;
        }
        match self.shared.rng.random_range(0..8) {
            0..3 => {
                let (x, limit) = (self.int(5), self.shared.rng.random_range(1..4));
                self.add(Operation::Less(limit), &[x], Kind::Bool, 0.0).slot.id
            }
            3..5 => {
                let x = self.int(5);
                self.add(Operation::Even, &[x], Kind::Bool, 0.0).slot.id
            }
            5..7 => {
                let x = self.float();
                self.add(Operation::Positive, &[x.slot.id], Kind::Bool, 0.0).slot.id
            }
            _ => self.int(2),
        }
    }

    pub(super) fn literal(&mut self, shape: Shape) -> Entry {
        let value = self.shared.value(&shape);
        self.add(Operation::Literal(value), &[], Kind::Float(shape), LARGEST_LITERAL)
    }

    /// The ids that the steps so far use.
    pub(super) fn used(&self) -> BTreeSet<Id> {
        let mut used = BTreeSet::new();
        let mut look = |steps: &[Step]| used.extend(steps.iter().flat_map(|step| &step.operands));
        look(&self.steps);
        let bodies = self.steps.iter().flat_map(|step| &step.bodies);
        bodies.for_each(|body| body.visit(&mut |body| look(&body.steps)));
        used
    }

    /// A float of this shape with a bound of at most `largest`.
    pub(super) fn float_of(&mut self, shape: &Shape, largest: f64) -> Id {
        let used = self.used();
        let fits = |entry: &Entry| entry.slot.shape() == Some(shape);
        let is_unused = |entry: &Entry| fits(entry) && !used.contains(&entry.slot.id);
        // An unused entry makes less of the program dead.
        let unused = if self.chance(0.7) { self.find(is_unused) } else { None };
        let entry = match unused.or_else(|| self.find(fits)) {
            Some(entry) => entry,
            None => {
                let x = self.float();
                let sum = self.sum_of(x);
                let literal = self.literal(shape.clone());
                let bound = sum.bound + literal.bound;
                let operands = [sum.slot.id, literal.slot.id];
                let kind = Kind::Float(shape.clone());
                self.add(Operation::Binary(Binary::Add), &operands, kind, bound)
            }
        };
        let entry = match self.chance(0.15) {
            true => self.unary_of(Unary::Stop, entry),
            false => entry,
        };
        let bounded = self.bounded(entry, largest);
        self.scope.push(bounded.clone());
        bounded.slot.id
    }

    pub(super) fn unary_of(&mut self, function: Unary, x: Entry) -> Entry {
        let bound = match function {
            Unary::Tanh | Unary::Sin | Unary::Sigmoid => 1.0,
            Unary::Softplus => x.bound + 0.7,
            Unary::Square => x.bound * x.bound,
            Unary::Neg | Unary::Identity | Unary::Stop => x.bound,
        };
        self.add(Operation::Unary(function), &[x.slot.id], x.slot.kind, bound)
    }

    pub(super) fn sum_of(&mut self, x: Entry) -> Entry {
        let elements = x.slot.shape().map_or(1, |shape| shape.iter().product());
        let bound = x.bound * elements as f64;
        self.add(Operation::SumAll, &[x.slot.id], Kind::Float(Shape::scalar()), bound)
    }

    /// Combines a float with all unused floats but `results`, so that little of the program is dead.
    pub(super) fn absorbing(&mut self, mut entry: Entry, results: &[Id]) -> Entry {
        for other in self.unused() {
            if results.contains(&other.slot.id) {
                continue;
            }
            let (Some(shape), Some(others)) = (entry.slot.shape().cloned(), other.slot.shape())
            else {
                continue;
            };
            let fits = broadcast(&shape, others).as_ref() == Some(&shape);
            let other = if fits { other } else { self.sum_of(other) };
            let (function, bound) = match self.chance(0.6) {
                true => (Binary::Add, entry.bound + other.bound),
                false => (Binary::Mul, entry.bound * other.bound),
            };
            let operands = [entry.slot.id, other.slot.id];
            entry = self.add(Operation::Binary(function), &operands, Kind::Float(shape), bound);
        }
        entry
    }

    /// The floats that this block computes and does not use.
    fn unused(&self) -> Vec<Entry> {
        let used = self.used();
        let made = self.steps.iter().flat_map(|step| &step.outputs).map(|slot| slot.id);
        let made: BTreeSet<Id> = made.collect();
        let is_unused = |entry: &&Entry| {
            let Slot { id, kind } = &entry.slot;
            matches!(kind, Kind::Float(_)) && made.contains(id) && !used.contains(id)
        };
        self.scope.iter().filter(is_unused).cloned().collect()
    }

    fn results_of_program(&mut self) -> Vec<Id> {
        let mut results: Vec<Id> = self.unused().iter().map(|entry| entry.slot.id).collect();
        while results.is_empty() || self.chance(0.2) {
            results.push(self.float().slot.id);
        }
        results
    }

    /// The floats to differentiate by, and those to stop gradients at.
    fn differentiated(&mut self, inputs: &[Input]) -> (Vec<Id>, Vec<Id>) {
        let floats = inputs.iter().filter(|input| input.slot.shape().is_some());
        let mut by: Vec<Id> = floats.map(|input| input.slot.id).collect();
        if self.chance(0.3) {
            by.push(self.float().slot.id);
        }
        by.sort_unstable();
        by.dedup();
        let stop = if self.chance(0.15) { Some(self.float().slot.id) } else { None };
        // `stop_gradients` takes tensors; a variable is not one, only its reads are.
        let is_variable = |id: &Id| {
            let input = inputs.iter().find(|input| input.slot.id == *id);
            input.is_some_and(|x| matches!(x.source, Source::Variable | Source::ResourceVariable))
        };
        (by, stop.into_iter().filter(|stop| !is_variable(stop)).collect())
    }
}

/// The shape that two shapes broadcast to.
pub(super) fn broadcast(left: &[usize], right: &[usize]) -> Option<Shape> {
    let rank = left.len().max(right.len());
    let at = |shape: &[usize], i: usize| {
        (i + shape.len()).checked_sub(rank).map_or(1, |index| shape[index])
    };
    let dim = |i: usize| match (at(left, i), at(right, i)) {
        (l, r) if l == r => Some(l),
        (1, other) | (other, 1) => Some(other),
        _ => None,
    };
    (0..rank).map(dim).collect::<Option<Vec<usize>>>().map(Shape::from)
}
