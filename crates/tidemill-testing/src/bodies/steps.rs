//! The steps of random programs.

use rand::RngExt;
use tidemill_value::Shape;

use super::generate::{Entry, LARGEST_STATE, Maker, broadcast};
use super::program::{Binary, Block, Id, Kind, Operation, Sequence, Slot, Step, Unary, While};
use crate::random_graph::pick;

/// A block that runs this often runs no loops.
const MOST_RUNS: usize = 12;

/// Steps without bodies.
impl Maker<'_> {
    pub(super) fn unary(&mut self) {
        const FUNCTIONS: &[Unary] = &[
            Unary::Tanh,
            Unary::Sin,
            Unary::Sigmoid,
            Unary::Softplus,
            Unary::Square,
            Unary::Square,
            Unary::Neg,
            Unary::Identity,
        ];
        let (x, function) = (self.float(), pick(FUNCTIONS, &mut self.shared.rng));
        self.unary_of(function, x);
    }

    pub(super) fn stop(&mut self) {
        let x = self.float();
        self.unary_of(Unary::Stop, x);
    }

    pub(super) fn literal_step(&mut self) {
        let shape = self.float().slot.shape().cloned().unwrap_or_else(Shape::scalar);
        self.literal(shape);
    }

    pub(super) fn binary(&mut self) {
        const FUNCTIONS: &[Binary] =
            &[Binary::Add, Binary::Sub, Binary::Mul, Binary::Mul, Binary::Mul, Binary::Quotient];
        let x = self.float();
        let fits = |entry: &Entry| Some(broadcast(x.slot.shape()?, entry.slot.shape()?)).flatten();
        let Some(y) = self.find(|entry| fits(entry).is_some()) else { return };
        let Some(shape) = fits(&y) else { return };
        let function = pick(FUNCTIONS, &mut self.shared.rng);
        let bound = match function {
            Binary::Add | Binary::Sub => x.bound + y.bound,
            Binary::Mul => x.bound * y.bound,
            Binary::Quotient => x.bound,
        };
        let operands = [x.slot.id, y.slot.id];
        self.add(Operation::Binary(function), &operands, Kind::Float(shape), bound);
    }

    pub(super) fn sum_all(&mut self) {
        let x = self.float();
        self.sum_of(x);
    }

    pub(super) fn sum_rows(&mut self) {
        let Some((x, shape)) = self.rows() else { return };
        let bound = x.bound * shape[0] as f64;
        self.add(Operation::SumRows, &[x.slot.id], Kind::Float(shape[1..].into()), bound);
    }

    pub(super) fn stack(&mut self) {
        let x = self.float();
        let Some(shape) = x.slot.shape().filter(|shape| shape.len() < 2) else { return };
        let Some(y) = self.find(|entry| entry.slot.shape() == Some(shape)) else { return };
        let stacked: Shape = std::iter::once(2).chain(shape.iter().copied()).collect();
        let bound = x.bound.max(y.bound);
        self.add(Operation::Stack, &[x.slot.id, y.slot.id], Kind::Float(stacked), bound);
    }

    pub(super) fn row(&mut self) {
        let Some((x, shape)) = self.rows().filter(|(_, shape)| shape[0] > 0) else { return };
        let (rows, index) = (shape[0] as i32, self.int(5));
        let kind = Kind::Float(shape[1..].into());
        self.add(Operation::Row { rows }, &[x.slot.id, index], kind, x.bound);
    }

    pub(super) fn matmul(&mut self) {
        let is_matrix = |entry: &Entry| entry.slot.shape().is_some_and(|shape| shape.len() == 2);
        let Some(x) = self.find(is_matrix) else { return };
        let Some(inner) = x.slot.shape().map(|shape| shape[1]) else { return };
        let fits = |entry: &Entry| {
            is_matrix(entry) && entry.slot.shape().is_some_and(|shape| shape[0] == inner)
        };
        let Some(y) = self.find(fits) else { return };
        let (Some(left), Some(right)) = (x.slot.shape(), y.slot.shape()) else { return };
        let shape = Shape::from([left[0], right[1]]);
        let bound = x.bound * y.bound * inner as f64;
        self.add(Operation::Matmul, &[x.slot.id, y.slot.id], Kind::Float(shape), bound);
    }

    pub(super) fn select(&mut self) {
        let Some(which) = self.find(|entry| entry.slot.kind == Kind::Bool) else { return };
        let x = self.float();
        let Some(y) = self.find(|entry| entry.slot.kind == x.slot.kind) else { return };
        let operands = [which.slot.id, x.slot.id, y.slot.id];
        self.add(Operation::Select, &operands, x.slot.kind, x.bound.max(y.bound));
    }

    pub(super) fn cast(&mut self) {
        let x = self.int(5);
        self.add(Operation::Cast, &[x], Kind::Float(Shape::scalar()), 4.0);
    }

    pub(super) fn integer(&mut self) {
        let (x, y, modulus) = (self.int(5), self.int(5), self.shared.rng.random_range(2..=5));
        self.add(Operation::SumInts { modulus }, &[x, y], Kind::Int, modulus.into());
    }

    pub(super) fn gradient(&mut self) {
        // Rather of what is computed here, so that there is a way.
        let last = self.scope[self.outside..].iter().rev().find(|e| e.slot.shape().is_some());
        let y = last.cloned().unwrap_or_else(|| self.float());
        let mut operands = vec![y.slot.id];
        let mut outputs = Vec::new();
        for _ in 0..self.shared.rng.random_range(1..=2) {
            let used = self.used();
            let is_used =
                |entry: &Entry| entry.slot.shape().is_some() && used.contains(&entry.slot.id);
            let x = if self.chance(0.8) { self.find(is_used) } else { None };
            let x = x.unwrap_or_else(|| self.float());
            operands.push(x.slot.id);
            outputs.push(self.shared.slot(x.slot.kind));
        }
        let (operation, bodies) = (Operation::Gradient, Vec::new());
        self.steps.push(Step { outputs: outputs.clone(), operation, operands, bodies });
        for slot in outputs {
            let gradient = self.bounded(Entry { slot, bound: f64::INFINITY }, LARGEST_STATE);
            self.scope.push(gradient);
        }
    }

    /// A float that has rows, and its shape.
    fn rows(&mut self) -> Option<(Entry, Shape)> {
        let entry = self.find(|entry| entry.slot.shape().is_some_and(|shape| !shape.is_empty()))?;
        let shape = entry.slot.shape()?.clone();
        Some((entry, shape))
    }
}

/// Steps with bodies.
impl Maker<'_> {
    pub(super) fn control(&mut self) {
        if self.depth == 0 {
            return;
        }
        let may_repeat = self.runs <= MOST_RUNS;
        match self.shared.rng.random_range(0..13) {
            0..4 => self.branches(Operation::Cond, 2),
            4 => {
                let count = self.shared.rng.random_range(1..=3);
                self.branches(Operation::Switch, count);
            }
            _ if !may_repeat => {}
            5..9 => self.while_loop(),
            9..11 => self.map(),
            _ => self.sequence(),
        }
    }

    /// Adds a step whose outputs can be used.
    fn call(
        &mut self,
        operation: Operation,
        operands: Vec<Id>,
        bodies: Vec<Block>,
        kinds: &[Kind],
    ) {
        let slots = kinds.iter().map(|kind| self.shared.slot(kind.clone()));
        let outputs: Vec<Slot> = slots.collect();
        let bound = |slot: &Slot| if slot.shape().is_some() { LARGEST_STATE } else { 5.0 };
        let entries = outputs.iter().map(|slot| Entry { slot: slot.clone(), bound: bound(slot) });
        self.scope.extend(entries);
        self.steps.push(Step { outputs, operation, operands, bodies });
    }

    /// A body that takes `parameters` and gives results of these kinds.
    fn body(&mut self, parameters: Vec<Entry>, results: &[Kind], runs: usize) -> Block {
        let outside = self.scope.len();
        let mut scope = self.scope.clone();
        scope.extend(parameters.iter().cloned());
        let (depth, runs) = (self.depth - 1, self.runs * runs);
        let mut maker =
            Maker { shared: self.shared, scope, outside, steps: Vec::new(), depth, runs };
        let count = maker.shared.rng.random_range(1..=3);
        (0..count).for_each(|_| maker.step());
        let mut results: Vec<Id> = results.iter().map(|kind| maker.result(kind)).collect();
        maker.absorb(&mut results);
        let parameters = parameters.into_iter().map(|entry| entry.slot).collect();
        Block { parameters, steps: maker.steps, results }
    }

    /// Lets one of the results depend on all that would be computed in vain.
    fn absorb(&mut self, results: &mut [Id]) {
        let entry = |id: &Id| self.scope.iter().find(|entry| entry.slot.id == *id).cloned();
        let entries = results.iter().enumerate().filter_map(|(i, id)| Some((i, entry(id)?)));
        let mut floats = entries.filter(|(_, entry)| entry.slot.shape().is_some());
        let Some((i, entry)) = floats.next() else { return };
        let entry = self.absorbing(entry, results);
        results[i] = self.bounded(entry, LARGEST_STATE).slot.id;
    }

    fn result(&mut self, kind: &Kind) -> Id {
        match kind {
            Kind::Float(shape) => self.float_of(shape, LARGEST_STATE),
            Kind::Int => self.int(5),
            Kind::Bool => self.bool(),
        }
    }

    fn bool(&mut self) -> Id {
        let found = self.find(|entry| entry.slot.kind == Kind::Bool);
        found.map_or_else(
            || {
                let x = self.int(5);
                self.add(Operation::Even, &[x], Kind::Bool, 0.0).slot.id
            },
            |entry| entry.slot.id,
        )
    }

    /// The kinds of some things that there are.
    fn kinds(&mut self, most: usize) -> Vec<Kind> {
        let count = self.shared.rng.random_range(1..=most);
        let mut kinds: Vec<Kind> = (0..count).map(|_| self.float().slot.kind).collect();
        if self.chance(0.3) {
            kinds.push(if self.chance(0.7) { Kind::Int } else { Kind::Bool });
        }
        kinds
    }

    fn branches(&mut self, operation: Operation, count: usize) {
        let which = if operation == Operation::Cond { self.predicate() } else { self.int(4) };
        let kinds = self.kinds(2);
        let bodies = (0..count).map(|_| self.body(Vec::new(), &kinds, 1)).collect();
        self.call(operation, vec![which], bodies, &kinds);
    }

    /// Things to begin a state with, and the parameters that stand for the state.
    fn state(&mut self, kinds: &[Kind]) -> (Vec<Id>, Vec<Entry>) {
        let initial = kinds.iter().map(|kind| self.result(kind)).collect();
        let parameter = |kind: &Kind| Entry {
            slot: self.shared.slot(kind.clone()),
            bound: if matches!(kind, Kind::Float(_)) { LARGEST_STATE } else { 5.0 },
        };
        (initial, kinds.iter().map(parameter).collect())
    }

    fn while_loop(&mut self) {
        let most = if self.runs == 1 { 5 } else { 4 };
        let mut operands = vec![self.int(most)];
        let mut kinds = self.kinds(3);
        let (initial, state) = self.state(&kinds);
        operands.extend(initial);
        kinds.insert(0, Kind::Int);
        let counter = Entry { slot: self.shared.slot(Kind::Int), bound: most.into() };
        let parameters = std::iter::once(counter).chain(state).collect();
        let body = self.body(parameters, &kinds[1..], most as usize - 1);
        let limit = self.chance(0.15).then(|| self.shared.rng.random_range(0..4));
        let form = While { limit, tests_floats: self.chance(0.2) };
        self.call(Operation::While(form), operands, vec![body], &kinds);
    }

    /// Floats of one number of rows, and the parameters that stand for the rows.
    fn elems(&mut self) -> Option<(usize, Vec<Id>, Vec<Entry>)> {
        let (first, shape) = self.rows()?;
        let rows = shape[0];
        let mut elems = vec![first];
        if self.chance(0.3) {
            let has_rows = |entry: &Entry| {
                entry.slot.shape().is_some_and(|shape| shape.first() == Some(&rows))
            };
            elems.extend(self.find(has_rows));
        }
        let mut parameters = Vec::new();
        for elem in &elems {
            let shape = elem.slot.shape().map(|shape| Shape::from(&shape[1..]));
            let slot = self.shared.slot(Kind::Float(shape?));
            parameters.push(Entry { slot, bound: elem.bound });
        }
        Some((rows, elems.iter().map(|elem| elem.slot.id).collect(), parameters))
    }

    /// The kinds of some floats of at most one axis.
    fn small_kinds(&mut self, most: usize) -> Vec<Kind> {
        let shapes = self.scope.iter().filter_map(|entry| entry.slot.shape());
        let shapes: Vec<Shape> = shapes.filter(|shape| shape.len() < 2).cloned().collect();
        let count = self.shared.rng.random_range(1..=most);
        let pick = |_| match shapes.len() {
            0 => Shape::scalar(),
            count => shapes[self.shared.rng.random_range(0..count)].clone(),
        };
        (0..count).map(pick).map(Kind::Float).collect()
    }

    fn map(&mut self) {
        let Some((rows, elems, parameters)) = self.elems() else { return };
        let kinds = self.small_kinds(2);
        let body = self.body(parameters, &kinds, rows.max(1));
        self.call(Operation::Map, elems, vec![body], &along(rows, &kinds));
    }

    fn sequence(&mut self) {
        let Some((rows, mut operands, mut parameters)) = self.elems() else { return };
        const FORMS: &[Sequence] = &[
            Sequence::Scan,
            Sequence::ScanReverse,
            Sequence::Foldl,
            Sequence::Foldr,
            Sequence::MapAccumulate,
        ];
        let form = pick(FORMS, &mut self.shared.rng);
        let elems = operands.len();
        let is_scan = matches!(form, Sequence::Scan | Sequence::ScanReverse);
        let mut kinds = if is_scan { self.small_kinds(2) } else { self.kinds(2) };
        let (initial, state) = self.state(&kinds);
        operands.extend(initial);
        parameters.extend(state);
        let mut given = kinds.clone();
        if form == Sequence::MapAccumulate {
            let more = self.small_kinds(2);
            given.extend(along(rows, &more));
            kinds.extend(more);
        } else if is_scan {
            given = along(rows, &kinds);
        }
        let body = self.body(parameters, &kinds, rows.max(1));
        self.call(Operation::Sequence { form, elems }, operands, vec![body], &given);
    }
}

/// Floats of these kinds along a new first axis.
fn along(rows: usize, kinds: &[Kind]) -> Vec<Kind> {
    let along = |kind: &Kind| match kind {
        Kind::Float(shape) => {
            Kind::Float(std::iter::once(rows).chain(shape.iter().copied()).collect())
        }
        other => other.clone(),
    };
    kinds.iter().map(along).collect()
}
