use std::collections::BTreeSet;

use tidemill_value::{DType, Value};

use super::check::{Failed, check};
use super::program::{Block, Id, Kind, Operation, Program, Slot, Source, Step};

/// A program that is smaller and fails by the same rule: one that no single simplification makes
/// smaller still.
pub fn smallest(program: Program, failed: Failed) -> (Program, Failed) {
    let (mut program, mut failed) = (program, failed);
    loop {
        let smaller = simplified(&program).into_iter().find_map(|smaller| {
            let other = check(&smaller).err()?;
            (other.rule == failed.rule).then_some((smaller, other))
        });
        match smaller {
            Some(smaller) => (program, failed) = smaller,
            None => return (program, failed),
        }
    }
}

/// The programs that one simplification makes, the ones that leave most out first.
fn simplified(program: &Program) -> Vec<Program> {
    let mut all = Vec::new();
    for make in
        [less_differentiated, without_steps, with_literals, with_less_inside, with_plain_inputs]
    {
        make(program, &mut |mut smaller| {
            smaller.drop_unused();
            all.push(smaller);
        });
    }
    all
}

fn less_differentiated(program: &Program, give: &mut dyn FnMut(Program)) {
    let lists: [fn(&mut Program) -> &mut Vec<Id>; 3] =
        [|p| &mut p.main.results, |p| &mut p.by, |p| &mut p.stops];
    for (list, least) in lists.into_iter().zip([1, 1, 0]) {
        let mut smaller = program.clone();
        for i in 0..list(&mut smaller).len() {
            let mut smaller = program.clone();
            if list(&mut smaller).len() > least {
                list(&mut smaller).remove(i);
                give(smaller);
            }
        }
    }
    if program.twice {
        give(Program { twice: false, ..program.clone() });
    }
}

/// Puts operands of a step, or results of its bodies, in place of what it gives.
fn without_steps(program: &Program, give: &mut dyn FnMut(Program)) {
    for path in program.paths() {
        let step = program.step(&path);
        let mut orders: Vec<Vec<Id>> = vec![step.operands.clone()];
        orders.push(step.operands.iter().rev().copied().collect());
        for operands in orders {
            if let Some(others) = program.replacements(step, &operands) {
                let mut smaller = program.clone();
                smaller.remove(&path);
                smaller.replace(&others);
                give(smaller);
            }
        }
        // A branch, or the body of a loop, in place of the whole.
        for body in &step.bodies {
            if let Some(others) = program.replacements_of_body(step, body) {
                let mut smaller = program.clone();
                smaller.splice(&path, body);
                smaller.replace(&others);
                give(smaller);
            }
        }
    }
}

/// Puts constants in place of what a step gives.
fn with_literals(program: &Program, give: &mut dyn FnMut(Program)) {
    for path in program.paths() {
        let step = program.step(&path);
        if matches!(step.operation, Operation::Literal(_)) {
            continue;
        }
        let literals = step.outputs.iter().filter_map(literal).collect::<Vec<Step>>();
        if literals.len() == step.outputs.len() {
            let mut smaller = program.clone();
            smaller.exchange(&path, literals);
            give(smaller);
        }
    }
}

fn literal(slot: &Slot) -> Option<Step> {
    let value = match &slot.kind {
        Kind::Float(shape) => {
            let count = shape.iter().product();
            Value::from_vec(shape.clone(), vec![0.5; count]).ok()?
        }
        Kind::Int => Value::from(1),
        Kind::Bool => return None,
    };
    let (outputs, operation) = (vec![slot.clone()], Operation::Literal(value));
    Some(Step { outputs, operation, operands: Vec::new(), bodies: Vec::new() })
}

/// Leaves out states, elements and outputs, and makes loops shorter and plainer.
fn with_less_inside(program: &Program, give: &mut dyn FnMut(Program)) {
    for path in program.paths() {
        let mut changed = Vec::new();
        match &program.step(&path).operation {
            Operation::While(form) => {
                let mut plain = *form;
                (plain.limit, plain.tests_floats) = (None, false);
                if plain != *form {
                    let mut step = program.step(&path).clone();
                    step.operation = Operation::While(plain);
                    changed.push((step, Vec::new()));
                }
                let states = program.step(&path).operands.len() - 1;
                changed.extend((1..=states).map(|i| without_state(program.step(&path), i, i, i)));
            }
            Operation::Sequence { elems, .. } => {
                let states = program.step(&path).operands.len() - elems;
                if states > 1 {
                    let state = |i| without_state(program.step(&path), i + elems, i, i);
                    changed.extend((0..states).map(state));
                }
            }
            Operation::Cond | Operation::Switch | Operation::Map => {
                let outputs = program.step(&path).outputs.len();
                changed.extend((0..outputs).filter_map(|i| without_output(program, &path, i)));
            }
            Operation::Gradient => {
                let outputs = program.step(&path).outputs.len();
                for i in (0..outputs).filter(|_| outputs > 1) {
                    let mut step = program.step(&path).clone();
                    let slot = step.outputs.remove(i);
                    let x = step.operands.remove(i + 1);
                    changed.push((step, vec![(slot.id, x)]));
                }
            }
            _ => {}
        }
        for (step, others) in changed {
            let mut smaller = program.clone();
            smaller.exchange(&path, vec![step]);
            smaller.replace(&others);
            give(smaller);
        }
    }
}

/// A loop without one state: where it is among operands, outputs and results. What it begins with takes
/// its place.
fn without_state(
    step: &Step,
    operand: usize,
    output: usize,
    result: usize,
) -> (Step, Vec<(Id, Id)>) {
    let mut step = step.clone();
    let counts_first = matches!(step.operation, Operation::While(_));
    let initial = step.operands.remove(operand);
    let slot = step.outputs.remove(output);
    let parameter = step.bodies[0].parameters.remove(operand);
    step.bodies[0].results.remove(if counts_first { result - 1 } else { result });
    (step, vec![(slot.id, initial), (parameter.id, initial)])
}

/// A step without one of its outputs, if nothing uses that.
fn without_output(program: &Program, path: &[usize], i: usize) -> Option<(Step, Vec<(Id, Id)>)> {
    let mut step = program.step(path).clone();
    if step.outputs.len() == 1 || program.used().contains(&step.outputs[i].id) {
        return None;
    }
    step.outputs.remove(i);
    step.bodies.iter_mut().for_each(|body| {
        body.results.remove(i);
    });
    Some((step, Vec::new()))
}

fn with_plain_inputs(program: &Program, give: &mut dyn FnMut(Program)) {
    for (i, input) in program.inputs.iter().enumerate() {
        let plain = Source::Placeholder(input.value.shape().into());
        if input.source != plain {
            let mut smaller = program.clone();
            smaller.inputs[i].source = plain;
            give(smaller);
        }
        let least = i32::from(input.value != Value::from(0));
        if input.value.dtype() == DType::I32 && least > 0 {
            let number = crate::values::numbers(&input.value)[0] as i32;
            let mut smaller = program.clone();
            smaller.inputs[i].value = Value::from(number - 1);
            give(smaller);
        }
    }
}

/// Where a step is: the numbers of the step, of one of its bodies, of a step of that, and so on.
type Path = Vec<usize>;

impl Program {
    fn paths(&self) -> Vec<Path> {
        fn collect(block: &Block, prefix: &[usize], paths: &mut Vec<Path>) {
            for (i, step) in block.steps.iter().enumerate() {
                let path = [prefix, &[i]].concat();
                paths.push(path.clone());
                for (j, body) in step.bodies.iter().enumerate() {
                    collect(body, &[path.as_slice(), &[j]].concat(), paths);
                }
            }
        }
        let mut paths = Vec::new();
        collect(&self.main, &[], &mut paths);
        paths
    }

    fn step(&self, path: &[usize]) -> &Step {
        let (last, bodies) = path.split_last().expect("a path has a step");
        let mut block = &self.main;
        for pair in bodies.chunks(2) {
            block = &block.steps[pair[0]].bodies[pair[1]];
        }
        &block.steps[*last]
    }

    fn block_mut(&mut self, path: &[usize]) -> (&mut Block, usize) {
        let (last, bodies) = path.split_last().expect("a path has a step");
        let mut block = &mut self.main;
        for pair in bodies.chunks(2) {
            block = &mut block.steps[pair[0]].bodies[pair[1]];
        }
        (block, *last)
    }

    fn remove(&mut self, path: &[usize]) {
        self.exchange(path, Vec::new());
    }

    fn exchange(&mut self, path: &[usize], steps: Vec<Step>) {
        let (block, i) = self.block_mut(path);
        block.steps.splice(i..=i, steps);
    }

    fn splice(&mut self, path: &[usize], body: &Block) {
        self.exchange(path, body.steps.clone());
    }

    /// For each output of a step, an operand of its kind.
    fn replacements(&self, step: &Step, operands: &[Id]) -> Option<Vec<(Id, Id)>> {
        let slots = self.slots();
        let other = |slot: &Slot| {
            let fits = operands.iter().find(|id| slots[*id].kind == slot.kind);
            fits.map(|&other| (slot.id, other))
        };
        step.outputs.iter().map(other).collect()
    }

    /// For each output of a step, a result of a body, if that is to be put in its place: parameters
    /// become operands.
    fn replacements_of_body(&self, step: &Step, body: &Block) -> Option<Vec<(Id, Id)>> {
        let slots = self.slots();
        let mut others = Vec::new();
        for parameter in &body.parameters {
            let fits = step.operands.iter().find(|id| slots[*id].kind == parameter.kind);
            others.push((parameter.id, *fits?));
        }
        for slot in &step.outputs {
            let fits = body.results.iter().find(|id| slots[*id].kind == slot.kind);
            others.push((slot.id, *fits?));
        }
        Some(others)
    }

    /// Puts others in the place of what is used.
    fn replace(&mut self, others: &[(Id, Id)]) {
        let replace = |id: &mut Id| {
            // One replacement may lead to another, never in a circle.
            while let Some((_, other)) = others.iter().find(|(old, _)| old == id) {
                *id = *other;
            }
        };
        self.main.visit_mut(&mut |block| {
            block.results.iter_mut().for_each(replace);
            block.steps.iter_mut().flat_map(|step| &mut step.operands).for_each(replace);
        });
        self.by.iter_mut().chain(&mut self.stops).for_each(replace);
        self.by.dedup();
    }

    /// All that something uses.
    fn used(&self) -> BTreeSet<Id> {
        let mut used: BTreeSet<Id> = self.by.iter().chain(&self.stops).copied().collect();
        self.main.visit(&mut |block| {
            used.extend(&block.results);
            used.extend(block.steps.iter().flat_map(|step| &step.operands));
        });
        used
    }

    /// Drops inputs and steps that nothing uses.
    fn drop_unused(&mut self) {
        loop {
            let used = self.used();
            let mut dropped = false;
            self.main.visit_mut(&mut |block| {
                let before = block.steps.len();
                block.steps.retain(|step| step.outputs.iter().any(|slot| used.contains(&slot.id)));
                dropped |= block.steps.len() < before;
            });
            let before = self.inputs.len();
            self.inputs.retain(|input| used.contains(&input.slot.id));
            if !dropped && self.inputs.len() == before {
                return;
            }
        }
    }
}
