use tidemill_graph::{Execution, Instr, Region, Subgraph};

use crate::{Algebra, Cse, DeadNodes, Fold, GraphEdit, Pass, RewriteLog, sweep};

/// Passes, in order.
#[derive(Clone)]
pub struct Pipeline {
    passes: Vec<&'static dyn Pass>,
}

/// The next round finds what a rewrite makes possible. More than two are rarely needed.
const ROUNDS: usize = 4;

impl Pipeline {
    /// The passes that runs use unless told otherwise. All of them are exact.
    pub fn standard() -> Self {
        Pipeline::of([&DeadNodes as &dyn Pass, &Fold, &Algebra, &Cse])
    }

    /// These passes.
    pub fn of(passes: impl IntoIterator<Item = &'static dyn Pass>) -> Self {
        Pipeline { passes: passes.into_iter().collect() }
    }

    /// Runs the passes repeatedly until nothing changes, and records the changes.
    pub fn run(&self, mut subgraph: Subgraph, log: &mut RewriteLog) -> Subgraph {
        let of_other_subgraphs = log.take_refusals();
        for _ in 0..ROUNDS {
            let before = log.count();
            // An instruction that a rule refused in an earlier round may be gone.
            log.take_refusals();
            for pass in &self.passes {
                subgraph = pass.run(subgraph, log);
                debug_assert_eq!(subgraph.verify(), Ok(()), "after {}", pass.name());
            }
            if log.count() == before {
                break;
            }
        }
        log.add_refusals(of_other_subgraphs);
        let has_regions = subgraph.instrs().any(|(_, instr)| !instr.regions.is_empty());
        match has_regions {
            true => sweep(subgraph, log, |edit| self.run_inside(edit)),
            false => subgraph,
        }
    }

    /// Runs the passes on the regions of an instruction, where a parameter that is given a constant
    /// becomes that constant.
    fn run_inside(&self, edit: &mut GraphEdit<'_>) {
        let constants = constant_arguments(edit);
        for i in 0..edit.instr().regions.len() {
            let replaced = edit.replace_region(i, |mut region, log| {
                region.subgraph.fix_parameters(&constants);
                Region { subgraph: self.run(region.subgraph, log), ..region }
            });
            debug_assert_eq!(replaced, Ok(()));
        }
        constants.iter().for_each(|_| edit.applied_inside("constant argument"));
    }
}

/// The parameters of the regions of an instruction that always have the value of a constant.
fn constant_arguments(edit: &GraphEdit<'_>) -> Vec<(usize, Instr)> {
    let instr = edit.instr();
    let Some(before) = instr.op.execution.inputs_before_bodies() else { return Vec::new() };
    let repeats = instr.op.execution == Execution::Loop;
    let is_passed_on = |i: usize| {
        let body = instr.regions.last();
        body.is_some_and(|body| body.subgraph.fetches[i] == body.parameter(i))
    };
    let inputs = instr.inputs.iter().skip(before).enumerate();
    inputs
        .map(|(i, &input)| (i, edit.producer(input)))
        .filter(|(_, input)| input.op.execution == Execution::Constant)
        .filter(|(i, _)| !repeats || is_passed_on(*i))
        .map(|(i, constant)| (i, constant.clone()))
        .collect()
}
