use std::collections::BTreeSet;

use tidemill_value::Value;

use super::check::{Failed, check};
use super::program::{Block, Id, Kind, Operation, Program, Slot, Source, Step, While};
use crate::values::numbers;

/// Shrinks a failing program greedily: no single simplification of the result breaks the same rule.
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

/// The programs one simplification away.
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

/// The steps to put in place of one, and the values to take in place of its own.
type Inlined = (Vec<Step>, Vec<(Id, Id)>);

/// Replaces a step by its operands, or by one of its bodies inline.
fn without_steps(program: &Program, give: &mut dyn FnMut(Program)) {
    for path in program.paths() {
        let step = program.step(&path);
        let backward: Vec<Id> = step.operands.iter().rev().copied().collect();
        let mut changes: Vec<Inlined> = Vec::new();
        for operands in [&step.operands, &backward] {
            let others = program.replacements(step, operands);
            changes.extend(others.map(|others| (Vec::new(), others)));
        }
        for body in &step.bodies {
            let others = program.replacements_of_body(step, body);
            changes.extend(others.map(|others| (body.steps.clone(), others)));
        }
        for (steps, others) in changes {
            let mut smaller = program.clone();
            smaller.exchange(&path, steps);
            smaller.replace(&others);
            give(smaller);
        }
    }
}

/// Replaces a step by constants.
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

/// A simpler step, and replacements for the values that it no longer defines.
type Change = (Step, Vec<(Id, Id)>);

/// Removes states and outputs, and simplifies the forms of loops.
fn with_less_inside(program: &Program, give: &mut dyn FnMut(Program)) {
    for path in program.paths() {
        let step = program.step(&path);
        let changes = match &step.operation {
            Operation::While(form) => lesser_loops(step, *form),
            Operation::Sequence { elems, .. } => lesser_sequences(step, *elems),
            Operation::Cond | Operation::Switch | Operation::Map => {
                let without = |i| without_output(program, step, i);
                (0..step.outputs.len()).filter_map(without).collect()
            }
            Operation::Gradient => lesser_gradients(step),
            _ => Vec::new(),
        };
        for (step, others) in changes {
            let mut smaller = program.clone();
            smaller.exchange(&path, vec![step]);
            smaller.replace(&others);
            give(smaller);
        }
    }
}

fn lesser_loops(step: &Step, form: While) -> Vec<Change> {
    let mut changes: Vec<Change> =
        (1..step.operands.len()).map(|i| without_state(step, i, i, i - 1)).collect();
    let plain = While { limit: None, tests_floats: false };
    if plain != form {
        changes.push((Step { operation: Operation::While(plain), ..step.clone() }, Vec::new()));
    }
    changes
}

fn lesser_sequences(step: &Step, elems: usize) -> Vec<Change> {
    let states = step.operands.len() - elems;
    let without = |i| without_state(step, elems + i, i, i);
    (0..states).filter(|_| states > 1).map(without).collect()
}

fn lesser_gradients(step: &Step) -> Vec<Change> {
    let without = |i: usize| {
        let mut lesser = step.clone();
        let (slot, x) = (lesser.outputs.remove(i), lesser.operands.remove(i + 1));
        (lesser, vec![(slot.id, x)])
    };
    (0..step.outputs.len()).filter(|_| step.outputs.len() > 1).map(without).collect()
}

/// Removes a state of a loop, given its positions; its initial value replaces it.
fn without_state(step: &Step, operand: usize, output: usize, result: usize) -> Change {
    let mut step = step.clone();
    let initial = step.operands.remove(operand);
    let slot = step.outputs.remove(output);
    let parameter = step.bodies[0].parameters.remove(operand);
    step.bodies[0].results.remove(result);
    (step, vec![(slot.id, initial), (parameter.id, initial)])
}

/// Removes an output that nothing uses.
fn without_output(program: &Program, step: &Step, i: usize) -> Option<Change> {
    if step.outputs.len() == 1 || program.used().contains(&step.outputs[i].id) {
        return None;
    }
    let mut step = step.clone();
    step.outputs.remove(i);
    for body in &mut step.bodies {
        body.results.remove(i);
    }
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
        let number = if input.slot.kind == Kind::Int { numbers(&input.value)[0] as i32 } else { 0 };
        if number > 0 {
            let mut smaller = program.clone();
            smaller.inputs[i].value = Value::from(number - 1);
            give(smaller);
        }
    }
}

/// The position of a step: alternately the index of a step and that of one of its bodies.
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

    /// Replaces a step by others.
    fn exchange(&mut self, path: &[usize], steps: Vec<Step>) {
        let (block, i) = self.block_mut(path);
        block.steps.splice(i..=i, steps);
    }

    /// Replaces each output of a step by an operand of the same kind, if there is one.
    fn replacements(&self, step: &Step, operands: &[Id]) -> Option<Vec<(Id, Id)>> {
        let slots = self.slots();
        let other = |slot: &Slot| {
            let fits = operands.iter().find(|id| slots[*id].kind == slot.kind);
            fits.map(|&other| (slot.id, other))
        };
        step.outputs.iter().map(other).collect()
    }

    /// Replaces each output of a step by a result of the body, and each parameter of the body by an
    /// operand, if there are any of the same kinds.
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

    /// Replaces all uses of ids by others.
    fn replace(&mut self, others: &[(Id, Id)]) {
        let replace = |id: &mut Id| {
            // Replacements chain, but never in a circle: each leads to something defined earlier.
            while let Some((_, other)) = others.iter().find(|(old, _)| old == id) {
                *id = *other;
            }
        };
        self.main.visit_mut(&mut |block| {
            block.results.iter_mut().for_each(replace);
            block.steps.iter_mut().flat_map(|step| &mut step.operands).for_each(replace);
        });
        self.by.iter_mut().chain(&mut self.stops).for_each(replace);
        self.by.sort_unstable();
        self.by.dedup();
    }

    /// The ids that anything uses.
    fn used(&self) -> BTreeSet<Id> {
        let mut used: BTreeSet<Id> = self.by.iter().chain(&self.stops).copied().collect();
        self.main.visit(&mut |block| {
            used.extend(&block.results);
            used.extend(block.steps.iter().flat_map(|step| &step.operands));
        });
        used
    }

    /// Removes unused inputs and steps.
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
