use tidemill_graph::{BodyPath, Execution, Node, Subgraph, TensorId};

use crate::{Algebra, Cse, DeadNodes, Fold, Pass, Rewrite};

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

    /// Runs the passes repeatedly until nothing changes, and returns the changes.
    pub fn run(&self, mut subgraph: Subgraph) -> (Subgraph, Vec<Rewrite>) {
        let mut rewrites = Vec::new();
        for _ in 0..ROUNDS {
            let before = rewrites.len();
            for pass in &self.passes {
                subgraph = pass.run(subgraph, &mut rewrites);
                debug_assert_eq!(subgraph.verify(), Ok(()), "after {}", pass.name());
            }
            if rewrites.len() == before {
                break;
            }
        }
        self.run_inside(&mut subgraph, &mut rewrites);
        (subgraph, rewrites)
    }

    /// Runs the passes on the bodies of nodes, where a parameter that is given a constant becomes
    /// that constant.
    fn run_inside(&self, subgraph: &mut Subgraph, rewrites: &mut Vec<Rewrite>) {
        subgraph.change_paths(|outer, id| {
            let node = outer.node(id);
            let origin = outer.origin(id);
            let before = node.op.execution.inputs_before_bodies().unwrap_or(0);
            let inputs = &node.inputs[before.min(node.inputs.len())..];
            let repeats = node.op.execution == Execution::Loop;
            let is_passed_on = |i: usize| {
                let body = node.paths().last().map(|path| &path.subgraph);
                body.is_some_and(|body| body.fetches[i] == TensorId::new(body.feeds[i], 0))
            };
            let constants: Vec<(usize, &Node)> = inputs
                .iter()
                .enumerate()
                .map(|(i, input)| (i, outer.node(input.node)))
                .filter(|(_, input)| input.op.execution == Execution::Constant)
                .filter(|(i, _)| !repeats || is_passed_on(*i))
                .collect();
            let rewritten = node.paths().iter().map(|path| {
                let mut inner = path.subgraph.clone();
                for &(i, constant) in &constants {
                    inner.fix_parameter(i, constant.clone());
                }
                let (subgraph, done) = self.run(inner);
                rewrites
                    .extend(done.into_iter().map(|rewrite| Rewrite { node: origin, ..rewrite }));
                BodyPath { subgraph, ..path.clone() }
            });
            rewritten.collect()
        });
    }
}
