//! Random graphs, and random runs of them.

mod arrays;
mod grow;
mod layers;
mod patterns;
mod random_values;
mod runs;
mod state;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tidemill_graph::Graph;

use crate::Run;
use grow::Grower;
pub use random_values::random_value_of;
pub(crate) use random_values::{forget, pick};

/// A random graph and a sequence of runs of it, both functions of a seed.
#[derive(Debug)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// The graph.
    pub graph: Graph,
    /// The runs, in order.
    pub runs: Vec<Run>,
}

impl Scenario {
    /// The graph and runs of a seed. The graph has at least `nodes` nodes, and few more; a smaller
    /// graph of the same seed is the beginning of a larger one.
    pub fn new(seed: u64, nodes: usize) -> Self {
        let graph = Graph::new();
        let _default = graph.as_default();
        let mut grower = Grower::new(Xoshiro256PlusPlus::seed_from_u64(seed));
        while graph.len() < nodes {
            grower.step();
        }
        grower.finish();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(!seed);
        let runs = runs::random_runs(&graph, &mut rng);
        Scenario { seed, graph, runs }
    }

    /// The number of nodes to make for a seed: from 5 to 60.
    pub fn size_of(seed: u64) -> usize {
        Xoshiro256PlusPlus::seed_from_u64(seed.rotate_left(32)).random_range(5..=60)
    }

    /// The graph and the first runs as text, for a failure that the last of them shows.
    pub fn describe(&self, runs: usize) -> String {
        let mut text = format!("seed {}\n{}", self.seed, self.graph.to_text());
        for (i, run) in self.runs.iter().take(runs).enumerate() {
            let fetches: Vec<String> = run.fetches.iter().map(|fetch| fetch.name()).collect();
            let targets: Vec<String> = run.targets.iter().map(|target| target.name()).collect();
            text += &format!("run {i}: fetch {fetches:?}, run {targets:?}\n");
            for (tensor, value) in &run.feeds {
                text += &format!("    feed {} = {value:?}\n", tensor.name());
            }
        }
        text
    }
}
