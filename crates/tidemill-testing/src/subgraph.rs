//! Subgraphs on their own: made from whole graphs, and evaluated node by node.

use std::collections::BTreeMap;

use tidemill_graph::{
    Attr, Commit, Draw, Execution, Graph, Instr, KernelError, NodeId, NodeView, Subgraph, TensorId,
};
use tidemill_value::Value;

use crate::kernel::{Printer, run_kernel};

/// The results of evaluating a subgraph.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// The values of the fetches, in order.
    pub fetches: Vec<Value>,
    /// The values to commit, in order.
    pub commits: Vec<Value>,
    /// The printed lines.
    pub lines: Vec<String>,
}

/// A node of a subgraph that failed: its origin in the graph, and the error.
pub type FailedOrigin = (NodeId, KernelError);

/// Evaluates every instruction of a subgraph, in order, by its own kernel. `feeds` are the values of its
/// feeds, in order; `variable` returns the initial value of a variable of the graph.
///
/// # Errors
/// The first that fails.
pub fn evaluate(
    subgraph: &Subgraph,
    feeds: &[Value],
    variable: impl Fn(NodeId) -> Option<Value>,
) -> Result<Evaluation, FailedOrigin> {
    let host = Printer::default();
    let mut values: BTreeMap<TensorId, Value> = BTreeMap::new();
    for (&feed, value) in subgraph.feeds.iter().zip(feeds) {
        values.insert(TensorId::new(feed, 0), value.clone());
    }
    for (id, instr) in subgraph.instrs() {
        let Instr { op, attrs, inputs, outputs, origin, .. } = instr;
        let outputs = match (op.execution, attrs.get("value")) {
            (Execution::Placeholder, _) => continue,
            (Execution::Variable, _) => variable(*origin).into_iter().collect(),
            (Execution::Constant, Some(Attr::Tensor(value))) => vec![value.clone()],
            _ => {
                let facts = subgraph.facts(inputs);
                let view = NodeView::new(op, attrs, &facts, outputs);
                let inputs = inputs.iter().map(|input| values.get(input).cloned()).collect();
                let draw = Draw { session_seed: 0, key: origin.index() as u64, count: 0 };
                run_kernel(&view, inputs, outputs.len(), draw, &host)
                    .map_err(|error| (*origin, error))?
            }
        };
        let tensors = (0..).map(|slot| TensorId::new(id, slot));
        values.extend(tensors.zip(outputs));
    }
    let value = |tensor: &TensorId| values.get(tensor).cloned();
    Ok(Evaluation {
        fetches: subgraph.fetches.iter().filter_map(value).collect(),
        commits: subgraph.commits.iter().filter_map(|commit| value(&commit.value)).collect(),
        lines: host.lines.take(),
    })
}

/// All of a graph as a subgraph whose fetches are the tensors that no node takes. Placeholders
/// become feeds, and reads of a variable give its value at the start.
pub fn subgraph_of(graph: &Graph) -> Subgraph {
    let reader = graph.read();
    let mut subgraph = Subgraph::default();
    let mut lowered: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    let mut written: BTreeMap<NodeId, TensorId> = BTreeMap::new();
    for (id, node) in reader.nodes() {
        if node.outputs.is_empty() && node.op.is_pure() {
            continue;
        }
        let new = match node.op.execution {
            Execution::Placeholder => {
                let feed = subgraph.push_feed(&node.outputs[0], id);
                subgraph.feeds.push(feed);
                feed
            }
            _ => {
                let input = |input: &TensorId| TensorId::new(lowered[&input.node], input.slot);
                let mut instr = Instr::of(node, node.inputs.iter().map(input), id);
                subgraph.add_state(&mut instr);
                subgraph.push(instr)
            }
        };
        lowered.insert(id, new);
        for (i, variable) in reader.written_by(id) {
            let slot = node.op.state_slot(node.outputs.len(), i);
            written.insert(variable, TensorId::new(new, slot));
        }
        let outputs = (0..node.outputs.len() as u32).map(|slot| (slot, TensorId::new(id, slot)));
        let unused = outputs.filter(|(_, tensor)| reader.tensor_consumers(*tensor).is_empty());
        subgraph.fetches.extend(unused.map(|(slot, _)| TensorId::new(new, slot)));
    }
    let is_variable = |id: &NodeId| reader.node(*id).op.execution == Execution::Variable;
    let written = written.into_iter().filter(|(target, _)| is_variable(target));
    subgraph.commits = written.map(|(variable, value)| Commit { variable, value }).collect();
    subgraph
}
