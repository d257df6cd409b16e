use tidemill_graph::{Commit, Guarded, NodeId, Subgraph, TensorId};

use crate::{Pass, Rewrite};

/// Removes the nodes that nothing needs: those on no path to a fetch, a variable, an effect, or a
/// node that can fail.
pub struct DeadNodes;

impl Pass for DeadNodes {
    fn name(&self) -> &'static str {
        "dead nodes"
    }

    fn run(&self, subgraph: Subgraph, rewrites: &mut Vec<Rewrite>) -> Subgraph {
        let live = live(&subgraph);
        if live.iter().all(|&live| live) {
            return subgraph;
        }
        let (feeds, fetches, commits, guarded) = (
            subgraph.feeds.clone(),
            subgraph.fetches.clone(),
            subgraph.commits.clone(),
            subgraph.guarded.clone(),
        );
        let mut done = Subgraph::default();
        let mut new_ids: Vec<Option<NodeId>> = Vec::with_capacity(live.len());
        for ((origin, mut node), live) in subgraph.into_nodes().zip(live) {
            if !live {
                rewrites.push(Rewrite { rule: self.name(), node: origin });
                new_ids.push(None);
                continue;
            }
            for input in &mut node.inputs {
                *input = renamed(&new_ids, *input);
            }
            new_ids.push(Some(done.push(node, origin)));
        }
        let tensor = |old| renamed(&new_ids, old);
        done.feeds = feeds.into_iter().map(|feed| tensor(TensorId::new(feed, 0)).node).collect();
        done.fetches = fetches.into_iter().map(tensor).collect();
        done.commits = commits
            .into_iter()
            .map(|commit| Commit { value: tensor(commit.value), ..commit })
            .collect();
        let kept = guarded.into_iter().filter_map(|guarded| {
            let (node, call) = (new_ids[guarded.node.index()]?, new_ids[guarded.call.index()]?);
            Some(Guarded { node, call, ..guarded })
        });
        done.guarded = kept.collect();
        done
    }
}

/// A tensor under its node's new number. Live tensors have one.
fn renamed(new_ids: &[Option<NodeId>], old: TensorId) -> TensorId {
    TensorId { node: new_ids[old.node.index()].unwrap_or(old.node), ..old }
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
        live[guarded.call.index()] |= subgraph.must_keep(subgraph.node(guarded.node));
    }
    for (id, node) in subgraph.nodes().rev() {
        if live[id.index()] || subgraph.must_keep(node) {
            live[id.index()] = true;
            for input in &node.inputs {
                live[input.node.index()] = true;
            }
        }
    }
    live
}
