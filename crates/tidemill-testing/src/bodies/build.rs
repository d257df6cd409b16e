use std::collections::BTreeMap;

use tidemill_autodiff::gradients;
use tidemill_graph::TensorRef;
use tidemill_ops::{
    Tensor, Variable, WhileLoop, cond, constant, foldl, foldr, less, logical_and, map_accumulate,
    map_fn, placeholder_of, reduce_sum, reshape, scan, scan_reverse, square, switch_case, variable,
    zeros_like,
};
use tidemill_value::Value;

use super::common::compute;
use super::program::{Block, Id, Input, Operation, Program, Sequence, Slot, Source, Step, While};

/// A program built with bodies in the default graph.
pub(super) struct Built {
    pub(super) env: Env,
    pub(super) feeds: Vec<(Tensor, Value)>,
}

/// The handles of everything in scope.
#[derive(Clone)]
pub(super) struct Env(BTreeMap<Id, Handle>);

#[derive(Clone, Copy)]
enum Handle {
    Tensor(Tensor),
    Variable(Variable),
}

/// Builds a program with bodies.
pub(super) fn build(program: &Program) -> Built {
    let mut env = Env(BTreeMap::new());
    let mut feeds = Vec::new();
    for input in &program.inputs {
        let handle = handle_of(input);
        if let (Source::Placeholder(_), Handle::Tensor(tensor)) = (&input.source, handle) {
            feeds.push((tensor, input.value.clone()));
        }
        env.0.insert(input.slot.id, handle);
    }
    env.compute(&program.main);
    Built { env, feeds }
}

fn handle_of(Input { slot, source, value }: &Input) -> Handle {
    let new_variable =
        || variable(&format!("v{}", slot.id), value.shape()).initializer(value.clone());
    match source {
        Source::Constant => Handle::Tensor(constant(value)),
        Source::Variable => Handle::Variable(new_variable().get()),
        Source::ResourceVariable => Handle::Variable(new_variable().resource(true).get()),
        Source::Placeholder(shape) => Handle::Tensor(placeholder_of(value.dtype(), shape.clone())),
    }
}

impl Env {
    /// The tensor of `id`; for a variable, a read of it.
    pub(super) fn tensor(&self, id: Id) -> Tensor {
        match self.0[&id] {
            Handle::Tensor(tensor) => tensor,
            Handle::Variable(variable) => variable.read(),
        }
    }

    /// The handle to differentiate by for `id`; for a variable, the variable itself.
    pub(super) fn reference(&self, id: Id) -> TensorRef {
        match self.0[&id] {
            Handle::Tensor(tensor) => tensor.into(),
            Handle::Variable(variable) => variable.into(),
        }
    }

    fn tensors(&self, ids: &[Id]) -> Vec<Tensor> {
        ids.iter().map(|&id| self.tensor(id)).collect()
    }

    fn bind(&mut self, slots: &[Slot], tensors: impl IntoIterator<Item = Tensor>) {
        let tensors = tensors.into_iter().map(Handle::Tensor);
        self.0.extend(slots.iter().map(|slot| slot.id).zip(tensors));
    }

    fn compute(&mut self, block: &Block) {
        for step in &block.steps {
            let outputs = self.step(step);
            self.bind(&step.outputs, outputs);
        }
    }

    /// The results of a body.
    fn call(&self, body: &Block, arguments: Vec<Tensor>) -> Vec<Tensor> {
        let mut env = self.clone();
        env.bind(&body.parameters, arguments);
        env.compute(body);
        env.tensors(&body.results)
    }

    /// The results of a body that are its next arguments, with static shapes: a loop must not lose
    /// static shapes of its state.
    fn call_again(&self, body: &Block, arguments: Vec<Tensor>, state: &[Slot]) -> Vec<Tensor> {
        let mut results = self.call(body, arguments);
        results.iter_mut().zip(state).for_each(|(result, slot)| *result = shaped(*result, slot));
        results
    }

    fn step(&self, step: &Step) -> Vec<Tensor> {
        let operands = self.tensors(&step.operands);
        let bodies = &step.bodies;
        match &step.operation {
            Operation::Gradient => self.gradient(&step.operands),
            Operation::Cond => cond(
                operands[0],
                || self.call(&bodies[0], Vec::new()),
                || self.call(&bodies[1], Vec::new()),
            ),
            Operation::Switch => self.switch(operands[0], bodies),
            Operation::While(form) => self.repeat(*form, step, operands),
            Operation::Map => map_fn(operands, |parts| {
                let results = self.call(&bodies[0], parts);
                let rows = step.outputs[0].shape().map_or(0, |shape| shape[0]);
                // Without rows, no run can infer their shape.
                let shaped = |(x, slot): (Tensor, &Slot)| if rows == 0 { row(x, slot) } else { x };
                results.into_iter().zip(&step.outputs).map(shaped).collect()
            }),
            Operation::Sequence { form, elems } => self.sequence(*form, *elems, step, operands),
            other => vec![compute(other, &operands)],
        }
    }

    fn gradient(&self, operands: &[Id]) -> Vec<Tensor> {
        let y = reduce_sum(self.tensor(operands[0]), ..);
        let xs = operands[1..].iter().map(|&x| self.reference(x));
        let found = gradients([y], xs).into_iter().zip(&operands[1..]);
        found.map(|(found, &x)| found.unwrap_or_else(|| zeros_like(self.tensor(x)))).collect()
    }

    fn switch(&self, index: Tensor, bodies: &[Block]) -> Vec<Tensor> {
        let branch = |i: usize| move || self.call(&bodies[i], Vec::new());
        match bodies.len() {
            1 => switch_case(index, [branch(0)]),
            2 => switch_case(index, [branch(0), branch(1)]),
            _ => switch_case(index, [branch(0), branch(1), branch(2)]),
        }
    }

    fn repeat(&self, form: While, step: &Step, operands: Vec<Tensor>) -> Vec<Tensor> {
        let (count, body) = (operands[0], &step.bodies[0]);
        let mut state = operands;
        state[0] = constant(0);
        let options = match form.limit {
            Some(limit) => WhileLoop::new().maximum_iterations(limit),
            None => WhileLoop::new(),
        };
        let floats = |state: &[Tensor]| -> Vec<Tensor> {
            let slots = step.outputs.iter().zip(state).filter(|(slot, _)| slot.shape().is_some());
            slots.map(|(_, tensor)| *tensor).collect()
        };
        options.run(
            state,
            |state| {
                let goes_on = less(state[0], count);
                let tested = if form.tests_floats { floats(&state) } else { Vec::new() };
                tested.into_iter().fold(goes_on, |goes_on, x| {
                    logical_and(goes_on, less(reduce_sum(square(x), ..), 1e6))
                })
            },
            |state| {
                let next = state[0] + 1;
                let results = self.call_again(body, state, &step.outputs[1..]);
                std::iter::once(next).chain(results).collect()
            },
        )
    }

    fn sequence(
        &self,
        form: Sequence,
        elems: usize,
        step: &Step,
        mut operands: Vec<Tensor>,
    ) -> Vec<Tensor> {
        let body = &step.bodies[0];
        let initial = operands.split_off(elems);
        let states = &body.parameters[elems..];
        let next = |state: Vec<Tensor>, parts: Vec<Tensor>| {
            self.call_again(body, parts.into_iter().chain(state).collect(), states)
        };
        match form {
            Sequence::Scan => scan(operands, initial, next),
            Sequence::ScanReverse => scan_reverse(operands, initial, next),
            Sequence::Foldl => foldl(operands, initial, next),
            Sequence::Foldr => foldr(operands, initial, next),
            Sequence::MapAccumulate => {
                let (last, given) = map_accumulate(operands, initial, |state, parts| {
                    let mut state = next(state, parts);
                    let given = state.split_off(states.len());
                    let slots = &step.outputs[states.len()..];
                    (state, given.into_iter().zip(slots).map(|(x, slot)| row(x, slot)).collect())
                });
                [last, given].concat()
            }
        }
    }
}

/// The tensor with the static shape of `slot`.
fn shaped(tensor: Tensor, slot: &Slot) -> Tensor {
    with_shape(tensor, slot.shape().map_or(&[], |shape| shape))
}

/// A row of the float in `slot`, with a static shape.
fn row(tensor: Tensor, slot: &Slot) -> Tensor {
    with_shape(tensor, slot.shape().map_or(&[], |shape| &shape[1..]))
}

fn with_shape(tensor: Tensor, shape: &[usize]) -> Tensor {
    if tensor.shape().is_known() {
        return tensor;
    }
    let dims: Vec<i32> = shape.iter().map(|&dim| dim as i32).collect();
    reshape(tensor, Value::from(dims))
}
