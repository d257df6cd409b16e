use tidemill_graph::{NodeId, Subgraph};

use crate::{Algebra, Cse, DeadNodes, Fold};

/// One kind of rewriting of a whole subgraph.
pub trait Pass: Sync {
    /// What reports call it.
    fn name(&self) -> &'static str;

    /// Rewrites a subgraph, and adds what it did to `rewrites`.
    fn run(&self, subgraph: Subgraph, rewrites: &mut Vec<Rewrite>) -> Subgraph;
}

/// Something that was rewritten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rewrite {
    /// The pass or rule.
    pub rule: &'static str,
    /// The node of the graph that was replaced.
    pub node: NodeId,
}

/// Passes, in order.
#[derive(Clone)]
pub struct Pipeline {
    passes: Vec<&'static dyn Pass>,
}

/// What one rewrite makes possible, the next round finds. It rarely takes more than two.
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

    /// Runs the passes, again and again until nothing changes, and tells what they did.
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
        (subgraph, rewrites)
    }
}
