use tidemill_graph::{Execution, Instr, Region, Subgraph};

use crate::{Algebra, Cse, DeadNodes, Fold, GraphEdit, Pack, Pass, RewriteLog, sweep};

/// Passes, in order.
#[derive(Clone)]
pub struct Pipeline {
    passes: Vec<&'static dyn Pass>,
    /// Those that run once, at the end.
    last: Vec<&'static dyn Pass>,
}

/// The next round finds what a rewrite makes possible. More than two are rarely needed.
const ROUNDS: usize = 4;

impl Pipeline {
    /// The passes that runs use unless told otherwise. All of them are exact.
    pub fn standard() -> Self {
        let passes = Pipeline::of([&DeadNodes as &dyn Pass, &Fold, &Algebra, &Cse]);
        Pipeline { last: vec![&Pack, &Cse, &DeadNodes], ..passes }
    }

    /// These passes.
    pub fn of(passes: impl IntoIterator<Item = &'static dyn Pass>) -> Self {
        Pipeline { passes: passes.into_iter().collect(), last: Vec::new() }
    }

    /// Runs the passes repeatedly until nothing changes, then those that come last, and records the
    /// changes.
    pub fn run(&self, mut subgraph: Subgraph, log: &mut RewriteLog) -> Subgraph {
        let of_other_subgraphs = log.take_refusals();
        for _ in 0..ROUNDS {
            let before = log.count();
            // An instruction that a rule refused in an earlier round may be gone.
            log.take_refusals();
            for &pass in &self.passes {
                subgraph = run_pass(pass, subgraph, log);
            }
            if log.count() == before {
                break;
            }
        }
        let before = log.count();
        for &pass in &self.last {
            subgraph = run_pass(pass, subgraph, log);
            // The others clean up after the first.
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

fn run_pass(pass: &dyn Pass, subgraph: Subgraph, log: &mut RewriteLog) -> Subgraph {
    let subgraph = pass.run(subgraph, log);
    debug_assert_eq!(subgraph.verify(), Ok(()), "after {}", pass.name());
    subgraph
}

/// The parameters of the regions of an instruction that always have the value of a constant.
fn constant_arguments(edit: &GraphEdit<'_>) -> Vec<(usize, Instr)> {
    let instr = edit.instr();
    let Some(before) = instr.op.execution.inputs_before_bodies() else { return Vec::new() };
    let body = instr.regions.last().filter(|_| instr.op.execution == Execution::Loop);
    let is_passed_on = |i: usize| body.is_none_or(|body| body.subgraph.is_unchanging(i));
    let inputs = instr.inputs.iter().skip(before).enumerate();
    inputs
        .map(|(i, &input)| (i, edit.producer(input)))
        .filter(|(_, input)| input.op.execution == Execution::Constant)
        .filter(|(i, _)| is_passed_on(*i))
        .map(|(i, constant)| (i, constant.clone()))
        .collect()
}
