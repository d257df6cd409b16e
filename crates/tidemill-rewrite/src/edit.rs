use smallvec::{SmallVec, smallvec};
use tidemill_graph::{
    Attr, Attrs, Commit, Execution, Fact, Guarded, Node, NodeId, NodeView, OpDef, Role, Subgraph,
    TensorId,
};
use tidemill_ops::ops::constant;
use tidemill_value::Value;

use crate::Rewrite;

/// The tensors to use in place of a node's outputs, and the rule that justifies it.
#[derive(Clone, PartialEq, Debug)]
pub struct Replacement {
    /// The rule.
    pub rule: &'static str,
    /// One tensor for each output.
    pub outputs: SmallVec<[TensorId; 1]>,
}

/// One node of a subgraph that is being rewritten, and everything before it.
///
/// New nodes are added, and a replacement is made, through it alone.
pub struct GraphEdit<'a> {
    done: &'a mut Subgraph,
    node: &'a Node,
    origin: NodeId,
}

impl GraphEdit<'_> {
    /// The node. Its inputs are tensors of the rewritten part.
    pub fn node(&self) -> &Node {
        self.node
    }

    /// Input `i`.
    pub fn input(&self, i: usize) -> Option<TensorId> {
        self.node.inputs.get(i).copied()
    }

    /// The facts known about a tensor.
    pub fn fact(&self, tensor: TensorId) -> &Fact {
        self.done.fact(tensor)
    }

    /// The facts known about output `i` of the node.
    pub fn output_fact(&self, i: usize) -> Option<&Fact> {
        self.node.outputs.get(i)
    }

    /// The node that has a tensor as output.
    pub fn producer(&self, tensor: TensorId) -> &Node {
        self.done.node(tensor.node)
    }

    /// The node that has a tensor as output, if it is of type `op`.
    pub fn produced_by(&self, tensor: TensorId, op: &OpDef) -> Option<&Node> {
        Some(self.producer(tensor)).filter(|node| node.op == op)
    }

    /// The value of a tensor, if it is a constant.
    pub fn constant(&self, tensor: TensorId) -> Option<&Value> {
        let node = self.producer(tensor);
        match (node.op.execution, node.attrs.get("value")) {
            (Execution::Constant, Some(Attr::Tensor(value))) => Some(value),
            _ => None,
        }
    }

    /// The id that the node will have in the rewritten part, if it stays and nothing is added
    /// before it.
    pub(crate) fn next_id(&self) -> NodeId {
        self.done.next_id()
    }

    /// True if a node of the rewritten part computes the same as this one.
    pub(crate) fn is_same_as(&self, id: NodeId) -> bool {
        let other = self.done.node(id);
        other.op == self.node.op
            && other.inputs == self.node.inputs
            && other.attrs.same(&self.node.attrs)
    }

    /// A view of the node for inference and kernels.
    pub fn with_view<R>(&self, read: impl FnOnce(&NodeView<'_>) -> R) -> R {
        let facts = self.done.input_facts(self.node);
        read(&NodeView::new(self.node.op, &self.node.attrs, &facts, &self.node.outputs))
    }

    /// Adds a node of one output before this one; `None` if its inputs do not fit.
    pub fn add(
        &mut self,
        op: &'static OpDef,
        attrs: Attrs,
        inputs: impl IntoIterator<Item = TensorId>,
    ) -> Option<TensorId> {
        let inputs: SmallVec<[TensorId; 2]> = inputs.into_iter().collect();
        let facts: SmallVec<[Fact; 4]> =
            inputs.iter().map(|&input| self.fact(input).clone()).collect();
        let inferred = (op.infer)(&NodeView::new(op, &attrs, &facts, &[])).ok()?;
        let [inferred] = inferred.into_iter().collect::<Vec<_>>().try_into().ok()?;
        let dtype = self.node.outputs.first()?.dtype;
        let outputs = smallvec![inferred.into_fact(dtype, Role::Value)];
        let node = Node { op, attrs, inputs, control_inputs: SmallVec::new(), outputs };
        Some(TensorId::new(self.done.push(node, self.origin), 0))
    }

    /// Adds a constant before this node.
    pub fn add_constant(&mut self, value: Value) -> TensorId {
        let fact = Fact::of(&value);
        let attrs = [("dtype".into(), value.dtype().into()), ("value".into(), value.into())];
        let node = Node {
            op: &constant::OP,
            attrs: attrs.into_iter().collect(),
            inputs: SmallVec::new(),
            control_inputs: SmallVec::new(),
            outputs: smallvec![fact],
        };
        TensorId::new(self.done.push(node, self.origin), 0)
    }

    /// True if a replacement has the types and shapes of the outputs it replaces.
    fn admits(&self, replacement: &Replacement) -> bool {
        let pairs = replacement.outputs.iter().zip(&self.node.outputs);
        replacement.outputs.len() == self.node.outputs.len()
            && pairs.into_iter().all(|(&tensor, fact)| {
                let new = self.fact(tensor);
                new.dtype == fact.dtype && new.shape.merge(&fact.shape).is_ok()
            })
    }
}

/// Rebuilds a subgraph, node by node. `rewrite` may replace each node that has no effect; the
/// nodes after it then use the replacement, and so do fetches and commits.
pub fn sweep(
    subgraph: Subgraph,
    rewrites: &mut Vec<Rewrite>,
    mut rewrite: impl FnMut(&mut GraphEdit<'_>) -> Option<Replacement>,
) -> Subgraph {
    let mut done = Subgraph::default();
    let mut renamed = Renamed::default();
    let (feeds, fetches, commits, guarded) = (
        subgraph.feeds.clone(),
        subgraph.fetches.clone(),
        subgraph.commits.clone(),
        subgraph.guarded.clone(),
    );
    let mut waiting = guarded.iter().peekable();
    let mut guarded = Vec::new();
    for (i, (origin, mut node)) in subgraph.into_nodes().enumerate() {
        let waits = waiting.next_if(|guarded| guarded.node.index() == i);
        let first_new = done.len();
        let known_before = node.outputs.clone();
        let inputs_changed = node.inputs.iter().any(|input| renamed.is_other(*input));
        for input in &mut node.inputs {
            *input = renamed.get(*input);
        }
        if inputs_changed {
            done.infer_again(&mut node);
        }
        let replaceable = node.op.is_pure() || node.op.execution == Execution::Constant;
        if replaceable {
            let mut edit = GraphEdit { done: &mut done, node: &node, origin };
            if let Some(replacement) = rewrite(&mut edit).filter(|r| edit.admits(r)) {
                rewrites.push(Rewrite { rule: replacement.rule, node: origin });
                // Nodes that existed before also serve others.
                if let Some(waits) = waits {
                    let new = done.nodes().skip(first_new);
                    guarded.extend(new.map(|(node, _)| Guarded { node, ..*waits }));
                }
                let first =
                    replacement.outputs.first().map_or(done.next_id(), |output| output.node);
                renamed.push(&done, &known_before, first, replacement.outputs);
                continue;
            }
        }
        let outputs = node.outputs.len();
        let id = done.push(node, origin);
        let outputs = (0..outputs).map(|slot| TensorId::new(id, slot as u32));
        renamed.push(&done, &known_before, id, outputs);
        guarded.extend(waits.map(|waits| Guarded { node: id, ..*waits }));
    }
    done.feeds = feeds.iter().map(|&feed| renamed.get(TensorId::new(feed, 0)).node).collect();
    done.fetches = fetches.iter().map(|&fetch| renamed.get(fetch)).collect();
    done.commits = commits
        .iter()
        .map(|commit| Commit { value: renamed.get(commit.value), ..*commit })
        .collect();
    for guarded in &mut guarded {
        guarded.call = renamed.nodes[guarded.call.index()];
    }
    done.guarded = guarded;
    done
}

/// The new places of the tensors of a subgraph.
#[derive(Default)]
struct Renamed {
    first_output: Vec<u32>,
    /// The new id of each node, or the id of its replacement.
    nodes: Vec<NodeId>,
    tensors: Vec<TensorId>,
    /// True for tensors whose known facts have changed.
    is_other: Vec<bool>,
}

impl Renamed {
    /// Adds the new tensors of the next node, given the facts known about its outputs before.
    fn push(
        &mut self,
        done: &Subgraph,
        known_before: &[Fact],
        node: NodeId,
        outputs: impl IntoIterator<Item = TensorId>,
    ) {
        self.first_output.push(self.tensors.len() as u32);
        self.nodes.push(node);
        for (tensor, before) in outputs.into_iter().zip(known_before) {
            self.tensors.push(tensor);
            self.is_other.push(done.fact(tensor) != before);
        }
    }

    fn get(&self, old: TensorId) -> TensorId {
        self.tensors[self.number(old)]
    }

    fn is_other(&self, old: TensorId) -> bool {
        self.is_other[self.number(old)]
    }

    fn number(&self, tensor: TensorId) -> usize {
        (self.first_output[tensor.node.index()] + tensor.slot) as usize
    }
}
