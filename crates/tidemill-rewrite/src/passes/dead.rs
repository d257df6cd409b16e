use tidemill_graph::{NodeId, Subgraph};

use crate::{Pass, RewriteLog};

/// Removes the nodes that nothing needs: those on no path to a fetch, a variable, an effect, or a
/// node that can fail.
pub struct DeadNodes;

impl Pass for DeadNodes {
    fn name(&self) -> &'static str {
        "dead nodes"
    }

    fn run(&self, mut subgraph: Subgraph, log: &mut RewriteLog) -> Subgraph {
        let live = live(&subgraph);
        if live.iter().all(|&live| live) {
            return subgraph;
        }
        let mut order: Vec<NodeId> = Vec::with_capacity(live.len());
        for (id, instr) in subgraph.instrs() {
            match live[id.index()] {
                true => order.push(id),
                false => log.applied(self.name(), instr.origin),
            }
        }
        subgraph.renumber(&order);
        subgraph
    }
}

fn live(subgraph: &Subgraph) -> Vec<bool> {
    let mut live = vec![false; subgraph.len()];
    let fetched = subgraph.fetches.iter().map(|fetch| fetch.node);
    let committed = subgraph.commits.iter().map(|commit| commit.value.node);
    for node in fetched.chain(committed).chain(subgraph.feeds.iter().copied()) {
        live[node.index()] = true;
    }
    // The node that a fallible node waits for decides whether it runs, so it must stay, too.
    for guarded in &subgraph.guarded {
        live[guarded.call.index()] |= subgraph.must_keep(subgraph.instr(guarded.node));
    }
    for (id, instr) in subgraph.instrs().rev() {
        if live[id.index()] || subgraph.must_keep(instr) {
            live[id.index()] = true;
            for input in &instr.inputs {
                live[input.node.index()] = true;
            }
        }
    }
    live
}
