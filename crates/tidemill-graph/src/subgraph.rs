use smallvec::{SmallVec, smallvec};
use tidemill_value::{DType, PartialShape};

use crate::node::argument_ranges;
use crate::{
    Arg, AttrDef, AttrKind, BodyPath, Effect, Execution, Fact, Fallible, Inferred, Kernel,
    KernelCx, KernelError, Node, NodeId, NodeView, OpDef, OpError, Subgraph, TensorId,
};

/// The placeholder in a [`Subgraph`] for a fed tensor.
pub static FEED: OpDef = OpDef::new("_Feed", "The value that is fed for a tensor.")
    .outputs(&[Arg::of("value", "dtype")])
    .attrs(&[AttrDef::types("dtype", DType::ANY), AttrDef::new("shape", AttrKind::Shape)])
    .execution(Execution::Placeholder)
    .fallible(Fallible::Never)
    .infer(|node| Inferred::one(node.shape_attr("shape")?))
    .not_differentiable();

/// The value, in a run, of a variable whose shape may differ from the declared one.
pub(crate) static CURRENT: OpDef = OpDef::new("_Current", "A variable's value, of whatever shape.")
    .inputs(&[Arg::of("ref", "T")])
    .outputs(&[Arg::of("value", "T")])
    .attrs(&[AttrDef::types("T", DType::ANY)])
    .fallible(Fallible::Never)
    .infer(|_| Inferred::one(PartialShape::unknown()))
    .kernel(|_| Ok(Box::new(Current)))
    .not_differentiable();

struct Current;

impl Kernel for Current {
    fn run(&self, cx: &mut KernelCx<'_>) -> Result<(), KernelError> {
        let value = cx.take(0)?;
        cx.set(0, value);
        Ok(())
    }
}

impl Subgraph {
    /// Appends a node whose inputs are already in the subgraph. `origin` is the node of the graph
    /// that it comes from.
    pub fn push(&mut self, node: Node, origin: NodeId) -> NodeId {
        let id = self.next_id();
        self.nodes.push(node);
        self.origins.push(origin);
        id
    }

    /// The number that the next node will have.
    pub fn next_id(&self) -> NodeId {
        NodeId::new(self.nodes.len())
    }

    /// Appends the node that stands for a fed tensor, of node `origin`.
    pub fn push_feed(&mut self, fact: &Fact, origin: NodeId) -> NodeId {
        let attrs =
            [("dtype".into(), fact.dtype.into()), ("shape".into(), fact.shape.clone().into())];
        let node = Node {
            op: &FEED,
            attrs: attrs.into_iter().collect(),
            inputs: SmallVec::new(),
            control_inputs: SmallVec::new(),
            outputs: smallvec![Fact {
                list: fact.list.clone(),
                ..Fact::new(fact.dtype, fact.shape.clone())
            }],
        };
        self.push(node, origin)
    }

    /// Appends the node that stands for the value, given by `start`, of a variable whose shape may
    /// differ from the declared one.
    pub fn push_current(&mut self, start: TensorId) -> TensorId {
        let dtype = self.fact(start).dtype;
        let node = Node {
            op: &CURRENT,
            attrs: [("T".into(), dtype.into())].into_iter().collect(),
            inputs: smallvec![start],
            control_inputs: SmallVec::new(),
            outputs: smallvec![Fact::new(dtype, PartialShape::unknown())],
        };
        let origin = self.origin(start.node);
        TensorId::new(self.push(node, origin), 0)
    }

    /// Replaces the paths through the bodies of nodes. `change` gets a node, with its paths, and
    /// its inputs.
    pub fn change_paths(&mut self, mut change: impl FnMut(&Subgraph, NodeId) -> Vec<BodyPath>) {
        let with_paths = self.nodes().filter(|(_, node)| !node.paths().is_empty());
        let ids: Vec<NodeId> = with_paths.map(|(id, _)| id).collect();
        for id in ids {
            let paths = change(self, id);
            self.nodes[id.index()].set_paths(paths);
        }
    }

    /// Replaces a value that is given as a parameter by the constant `node`.
    pub fn fix_parameter(&mut self, parameter: usize, node: Node) {
        let old = self.feeds[parameter];
        let fact = self.node(old).outputs[0].clone();
        let feed = self.push_feed(&fact, self.origin(old));
        for fetch in self.fetches.iter_mut().filter(|fetch| fetch.node == old) {
            fetch.node = feed;
        }
        self.feeds[parameter] = feed;
        self.nodes[old.index()] = node;
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes, in the order in which they can run.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(i, node)| (NodeId::new(i), node))
    }

    /// The nodes, by value, each with the node of the graph that it comes from.
    pub fn into_nodes(self) -> impl ExactSizeIterator<Item = (NodeId, Node)> {
        self.origins.into_iter().zip(self.nodes)
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The node of the graph that a node comes from.
    pub fn origin(&self, id: NodeId) -> NodeId {
        self.origins[id.index()]
    }

    /// The facts known about a tensor.
    pub fn fact(&self, tensor: TensorId) -> &Fact {
        &self.node(tensor.node).outputs[tensor.slot as usize]
    }

    /// The facts known about the inputs of a node.
    pub fn input_facts(&self, node: &Node) -> SmallVec<[Fact; 4]> {
        node.inputs.iter().map(|&input| self.fact(input).clone()).collect()
    }

    /// Adds to a write the outputs for the values that it leaves behind without one, as its last
    /// outputs.
    pub fn add_state(&self, node: &mut Node) {
        let (outputs, written) = (node.outputs.len(), node.op.written());
        let last = written.checked_sub(1).map(|i| node.op.state_slot(outputs, i) as usize);
        if node.op.execution != Execution::Write || last.is_none_or(|last| last < outputs) {
            return;
        }
        let facts = self.input_facts(node);
        let inferred = (node.op.infer)(&NodeView::new(node.op, &node.attrs, &facts, &[]));
        let inferred = inferred.unwrap_or_default();
        for (i, variable) in facts.iter().take(written).enumerate() {
            let slot = node.op.state_slot(outputs, i) as usize;
            if slot >= outputs {
                let state = inferred.get(slot).map(|state| state.shape.clone());
                let shape = state.unwrap_or_else(PartialShape::unknown);
                node.outputs.push(Fact::new(variable.dtype, shape));
            }
        }
    }

    /// Infers the facts about the outputs of a node again, with inputs in the subgraph. If the
    /// inputs contradict each other, so that a run will fail, nothing is known.
    pub fn infer_again(&self, node: &mut Node) {
        if !node.paths().is_empty() {
            return;
        }
        let facts = self.input_facts(node);
        let inferred = (node.op.infer)(&NodeView::new(node.op, &node.attrs, &facts, &[]));
        let mut inferred = inferred.unwrap_or_default().into_iter();
        for fact in &mut node.outputs {
            let Inferred { shape, elements, list } =
                inferred.next().unwrap_or_else(|| PartialShape::unknown().into());
            (fact.shape, fact.elements, fact.list) = (shape, elements, list);
        }
    }

    /// True if a node must stay even if nothing needs its outputs.
    pub fn must_keep(&self, node: &Node) -> bool {
        node.op.effect != Effect::None
            || may_fail(node, node.inputs.iter().map(|&input| self.fact(input)))
    }

    /// Checks the invariants of a subgraph.
    ///
    /// # Errors
    /// The first rule that is broken: inputs exist and come before the node, their number is right
    /// for the operation, the outputs are as inferred or better known, and feeds, fetches and
    /// commits exist.
    pub fn verify(&self) -> Result<(), VerifyError> {
        for (id, node) in self.nodes() {
            for &input in &node.inputs {
                if input.node >= id || self.get_fact(input).is_none() {
                    return Err(VerifyError::Input { node: id, op: node.op.name, input });
                }
            }
            let arguments = argument_ranges(node.op.inputs, &node.attrs);
            let expected = arguments.last().map_or(0, |range| range.end);
            let actual = node.inputs.len();
            if expected != actual {
                let op = node.op.name;
                return Err(VerifyError::InputCount { node: id, op, expected, actual });
            }
            self.verify_outputs(id, node)?;
        }
        let tensors = self.fetches.iter().copied();
        let tensors = tensors.chain(self.commits.iter().map(|commit| commit.value));
        for tensor in tensors.chain(self.feeds.iter().map(|&feed| TensorId::new(feed, 0))) {
            self.get_fact(tensor).ok_or(VerifyError::Root { tensor })?;
        }
        Ok(())
    }

    fn get_fact(&self, tensor: TensorId) -> Option<&Fact> {
        self.nodes.get(tensor.node.index())?.outputs.get(tensor.slot as usize)
    }

    fn verify_outputs(&self, id: NodeId, node: &Node) -> Result<(), VerifyError> {
        let facts = self.input_facts(node);
        let view = NodeView::new(node.op, &node.attrs, &facts, &[]);
        let inferred = match (node.op.infer)(&view) {
            Ok(inferred) => inferred,
            // The run will report it.
            Err(_) if may_fail(node, facts.iter()) => return Ok(()),
            Err(source) => {
                let (op, source) = (node.op.name, source.into());
                return Err(VerifyError::Inference { node: id, op, source });
            }
        };
        // The values that branches leave in variables come after the inferred outputs.
        let has_states = matches!(node.op.execution, Execution::Branch(_));
        let agree = (inferred.len() == node.outputs.len()
            || (has_states && inferred.len() < node.outputs.len()))
            && inferred.iter().zip(&node.outputs).all(|(l, r)| l.shape.merge(&r.shape).is_ok());
        if agree { Ok(()) } else { Err(VerifyError::Outputs { node: id, op: node.op.name }) }
    }
}

/// True if a run of a node can fail, given the facts about its inputs.
pub fn may_fail<'a>(node: &'a Node, inputs: impl Iterator<Item = &'a Fact>) -> bool {
    // The contents of a list are known only in the run.
    let is_unknown = |fact: &Fact| !fact.shape.is_known() || fact.dtype == DType::Variant;
    match node.op.fallible {
        Fallible::Never => false,
        Fallible::Values | Fallible::Checked => true,
        Fallible::Shapes => inputs.chain(&node.outputs).any(is_unknown),
        Fallible::Elements(arguments) => {
            let ranges: SmallVec<[_; 4]> = argument_ranges(node.op.inputs, &node.attrs).collect();
            let counts = |i: usize| arguments.iter().any(|&argument| ranges[argument].contains(&i));
            let is_known =
                |fact: &Fact| fact.elements.as_ref().is_some_and(|e| e.known().is_some());
            let mut inputs = inputs.enumerate();
            inputs.any(|(i, fact)| is_unknown(fact) || (counts(i) && !is_known(fact)))
                || node.outputs.iter().any(is_unknown)
        }
        Fallible::Integers => {
            inputs.chain(&node.outputs).any(|fact| fact.dtype.is_integer() || is_unknown(fact))
        }
    }
}

/// A rule that a [`Subgraph`] breaks.
#[derive(Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum VerifyError {
    #[error("{op} ({node:?}) takes {input:?}, which does not come before it")]
    Input { node: NodeId, op: &'static str, input: TensorId },
    #[error("{op} ({node:?}) takes {expected} inputs, but has {actual}")]
    InputCount { node: NodeId, op: &'static str, expected: usize, actual: usize },
    #[error("{op} ({node:?}) cannot take its inputs: {source}")]
    Inference { node: NodeId, op: &'static str, source: Box<OpError> },
    #[error("{op} ({node:?}) does not have the outputs that its inputs imply")]
    Outputs { node: NodeId, op: &'static str },
    #[error("{tensor:?} is fed, fetched or committed, but does not exist")]
    Root { tensor: TensorId },
}

tidemill_value::debug_as_report!(VerifyError);
