use std::collections::BTreeSet;

use super::program::{Block, Id, Operation, Program, Step, Unary};

/// Says whether the results of a program are connected with `x`. A loop connects all its results with
/// all its inputs. The connections of a gradient taken by the program depend on the rules of
/// operations, which this does not know; `gradients` says whether to assume them.
pub(super) fn is_connected(program: &Program, x: Id, gradients: bool) -> bool {
    let unstopped = Reached::by(program, x, &[], gradients, &BTreeSet::new()).ids;
    let reached = Reached::by(program, x, &program.stops, gradients, &unstopped);
    program.main.results.iter().any(|id| reached.is_reached(*id))
}

struct Reached<'a> {
    x: Id,
    ids: BTreeSet<Id>,
    stops: &'a [Id],
    gradients: bool,
    /// The tensors that would be connected if none was stopped at: a gradient uses values from within
    /// the computation of its target, beyond a stop at the target.
    unstopped: &'a BTreeSet<Id>,
}

impl<'a> Reached<'a> {
    fn by(
        program: &Program,
        x: Id,
        stops: &'a [Id],
        gradients: bool,
        unstopped: &'a BTreeSet<Id>,
    ) -> Reached<'a> {
        let ids = BTreeSet::from([x]);
        let mut reached = Reached { x, ids, stops, gradients, unstopped };
        reached.block(&program.main);
        reached
    }

    fn block(&mut self, block: &Block) {
        for step in &block.steps {
            let outputs = self.step(step);
            let floats = step.outputs.iter().zip(outputs);
            let floats = floats.filter(|(slot, is)| *is && slot.shape().is_some());
            self.ids.extend(floats.map(|(slot, _)| slot.id));
        }
    }

    /// For each output, whether it is connected with `x`.
    fn step(&mut self, step: &Step) -> Vec<bool> {
        let outputs = step.outputs.len();
        match step.operation {
            Operation::Unary(Unary::Stop) | Operation::Cast => vec![false],
            Operation::Cond | Operation::Switch => {
                let mut reached = vec![false; outputs];
                for body in &step.bodies {
                    self.block(body);
                    for (reached, result) in reached.iter_mut().zip(&body.results) {
                        *reached |= self.is_reached(*result);
                    }
                }
                reached
            }
            _ => vec![self.is_used(step); outputs],
        }
    }

    /// Says whether the step or anything inside it uses something connected with `x`.
    fn is_used(&self, step: &Step) -> bool {
        if step.operation == Operation::Gradient && !self.gradients {
            return false;
        }
        let mut is_used = step.operands.iter().any(|id| self.is_reached(*id));
        if step.operation == Operation::Gradient {
            is_used |= step.operands.iter().any(|id| self.unstopped.contains(id));
        }
        for body in &step.bodies {
            is_used |= body.results.iter().any(|id| self.is_reached(*id));
            is_used |= body.steps.iter().any(|step| self.is_used(step));
        }
        is_used
    }

    fn is_reached(&self, id: Id) -> bool {
        id == self.x || (self.ids.contains(&id) && !self.stops.contains(&id))
    }
}
