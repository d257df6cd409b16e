use std::collections::BTreeSet;

use super::program::{Block, Id, Operation, Program, Step, Unary};

/// Whether a way along which floats are computed may lead from `x` to the results of a program. A
/// way through a loop leads from all that it takes to all that it gives.
pub(super) fn is_connected(program: &Program, x: Id) -> bool {
    let mut reached = Reached { x, ids: BTreeSet::from([x]), stops: &program.stops };
    reached.block(&program.main);
    program.main.results.iter().any(|id| reached.is_reached(*id))
}

struct Reached<'a> {
    x: Id,
    ids: BTreeSet<Id>,
    stops: &'a [Id],
}

impl Reached<'_> {
    fn block(&mut self, block: &Block) {
        for step in &block.steps {
            let outputs = self.step(step);
            let floats = step.outputs.iter().zip(outputs);
            let floats = floats.filter(|(slot, is)| *is && slot.shape().is_some());
            self.ids.extend(floats.map(|(slot, _)| slot.id));
        }
    }

    /// Which outputs are reached.
    fn step(&mut self, step: &Step) -> Vec<bool> {
        match step.operation {
            Operation::Unary(Unary::Stop) | Operation::Cast => vec![false],
            Operation::Cond | Operation::Switch => {
                let mut reached = vec![false; step.outputs.len()];
                for body in &step.bodies {
                    self.block(body);
                    let results = body.results.iter().map(|id| self.is_reached(*id));
                    reached
                        .iter_mut()
                        .zip(results)
                        .for_each(|(reached, result)| *reached |= result);
                }
                reached
            }
            _ => {
                let mut is_reached = step.operands.iter().any(|id| self.is_reached(*id));
                for body in &step.bodies {
                    body.visit(&mut |body| {
                        let used = body.steps.iter().flat_map(|step| &step.operands);
                        let mut used = used.chain(&body.results);
                        is_reached |= used.any(|id| self.is_reached(*id));
                    });
                }
                vec![is_reached; step.outputs.len()]
            }
        }
    }

    fn is_reached(&self, id: Id) -> bool {
        id == self.x || (self.ids.contains(&id) && !self.stops.contains(&id))
    }
}
