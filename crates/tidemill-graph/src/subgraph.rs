use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use tidemill_value::{DType, PartialShape};

use crate::append::infer_outputs;
use crate::arguments::Arguments;
use crate::bind::bind;
use crate::diagnosis::BuildErrorKind;
use crate::node::argument_ranges;
use crate::{
    Arg, AttrDef, AttrKind, Attrs, Effect, Execution, Fact, Fallible, Inferred, Kernel, KernelCx,
    KernelError, Node, NodeId, NodeView, OpDef, Role, TensorId,
};

/// The path of one run, extracted from its graph: what to compute for given feeds and fetches.
/// Its instructions are numbered in an order in which they can run, which keeps the graph's creation
/// order. It holds no control edges: the nodes that they require are in it, and effects happen in
/// its order. Reads and writes of variables are data edges: an instruction of
/// [`Execution::Variable`] gives the value at the start of the run, and a write gives the value it
/// leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Subgraph {
    instrs: Vec<Instr>,
    /// For each fed tensor, the instruction of type [`FEED`] that stands for it.
    pub feeds: Vec<NodeId>,
    /// The tensors to return, in order.
    pub fetches: Vec<TensorId>,
    /// The variables that the run writes, by ascending node.
    pub commits: Vec<Commit>,
    /// The instructions that wait for a branch although they may fail the run or are control inputs,
    /// ascending.
    pub guarded: Vec<Guarded>,
    /// True for the body of a loop, whose fetches are its feeds the next time.
    pub repeats: bool,
}

/// One instruction of a [`Subgraph`]: an operation, the tensors that it takes, and the facts known
/// about those that it gives.
#[derive(Clone, Debug)]
pub struct Instr {
    /// The operation.
    pub op: &'static OpDef,
    /// The attributes that do not have their default and are not inferred from the inputs. Bodies
    /// are not among them: the instruction runs its regions.
    pub attrs: Attrs,
    /// The tensors of the subgraph that it takes, in the order of the operation's arguments.
    pub inputs: SmallVec<[TensorId; 2]>,
    /// The facts known about its outputs.
    pub outputs: SmallVec<[Fact; 1]>,
    /// The paths through the bodies that it runs: the branches, or the condition and the body of a
    /// loop. Clones of the instruction share them.
    pub regions: Vec<Arc<Region>>,
    /// The node of the graph that it comes from.
    pub origin: NodeId,
}

/// The path through a body: what a plan runs.
#[derive(Clone, Debug, Default)]
pub struct Region {
    /// It has a feed for each parameter (variables are values there) and a fetch for each result.
    /// In a branch, a fetch for each variable that the branches write follows.
    pub subgraph: Subgraph,
    /// Whether a parameter is a variable whose previous value is needed.
    pub reads: SmallVec<[bool; 4]>,
    /// Whether an inner body may need the previous value of a parameter.
    pub may_read: SmallVec<[bool; 4]>,
}

/// An instruction that may fail a run, or whose node is a control input of another node on the path,
/// and that only one branch needs in the graph, by data or control. It runs only if that branch is
/// taken. The instructions that a rewrite adds in its place are guarded, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guarded {
    /// The instruction.
    pub node: NodeId,
    /// The instruction that runs the branch.
    pub call: NodeId,
    /// The number of the branch.
    pub branch: usize,
}

/// A variable and the value it has after the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commit {
    /// The node of the graph that names the variable.
    pub variable: NodeId,
    /// The value, in the subgraph.
    pub value: TensorId,
}

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

impl Instr {
    /// The instruction of a node, with inputs in the subgraph and without regions.
    pub fn of(node: &Node, inputs: impl IntoIterator<Item = TensorId>, origin: NodeId) -> Self {
        let runs_bodies = node.op.execution.inputs_before_bodies().is_some();
        Instr {
            op: node.op,
            attrs: if runs_bodies { node.attrs.without_bodies() } else { node.attrs.clone() },
            inputs: inputs.into_iter().collect(),
            outputs: node.outputs.clone(),
            regions: Vec::new(),
            origin,
        }
    }

    /// Whether a run of it draws random numbers.
    pub fn draws(&self) -> bool {
        let draws = |region: &Arc<Region>| region.subgraph.instrs().any(|(_, instr)| instr.draws());
        self.op.effect == Effect::Random || self.regions.iter().any(draws)
    }
}

impl Region {
    /// A parameter.
    pub fn parameter(&self, parameter: usize) -> TensorId {
        TensorId::new(self.subgraph.feeds[parameter], 0)
    }

    /// Whether anything needs the value of a parameter.
    pub fn needs(&self, parameter: usize) -> bool {
        let feed = self.parameter(parameter);
        self.subgraph.fetches.contains(&feed)
            || self.subgraph.instrs().any(|(_, instr)| instr.inputs.contains(&feed))
    }
}

impl Subgraph {
    /// Appends an instruction whose inputs are already in the subgraph.
    pub fn push(&mut self, instr: Instr) -> NodeId {
        let id = NodeId::new(self.instrs.len());
        self.instrs.push(instr);
        id
    }

    /// Appends the instruction that stands for a fed tensor, of node `origin`.
    pub fn push_feed(&mut self, fact: &Fact, origin: NodeId) -> NodeId {
        let attrs =
            [("dtype".into(), fact.dtype.into()), ("shape".into(), fact.shape.clone().into())];
        self.push(Instr {
            op: &FEED,
            attrs: attrs.into_iter().collect(),
            inputs: SmallVec::new(),
            outputs: smallvec![Fact {
                list: fact.list.clone(),
                ..Fact::new(fact.dtype, fact.shape.clone())
            }],
            regions: Vec::new(),
            origin,
        })
    }

    /// Appends the instruction that stands for the value, given by `start`, of a variable whose
    /// shape may differ from the declared one.
    pub fn push_current(&mut self, start: TensorId) -> TensorId {
        let dtype = self.fact(start).dtype;
        let current = self.push(Instr {
            op: &CURRENT,
            attrs: [("T".into(), dtype.into())].into_iter().collect(),
            inputs: smallvec![start],
            outputs: smallvec![Fact::new(dtype, PartialShape::unknown())],
            regions: Vec::new(),
            origin: self.instr(start.node).origin,
        });
        TensorId::new(current, 0)
    }

    /// The instruction of an operation whose arguments are in the subgraph. The operation determines
    /// the data types and shapes of the outputs.
    ///
    /// # Errors
    /// [`BuildErrorKind`] if the operation does not take these arguments or attributes.
    pub fn typed(
        &self,
        op: &'static OpDef,
        attrs: &Attrs,
        arguments: &[&[TensorId]],
        origin: NodeId,
    ) -> Result<Instr, BuildErrorKind> {
        let arguments: Arguments<TensorId> =
            arguments.iter().map(|tensors| tensors.iter().copied()).collect();
        let mut facts = self.facts(&arguments.inputs);
        for (arg, range) in op.inputs.iter().zip(arguments.ranges()) {
            if arg.role != Role::Handle {
                // The node of a variable has its value as output.
                facts[range].iter_mut().for_each(|fact| fact.role = Role::Value);
            }
        }
        let attrs = attrs.shared().unwrap_or_default().to_vec();
        let bound = bind(op, &arguments, &facts, attrs)?;
        let outputs = infer_outputs(op, &bound, &facts)?;
        let (attrs, inputs) = (bound.attrs, arguments.inputs);
        Ok(Instr { op, attrs, inputs, outputs, regions: Vec::new(), origin })
    }

    /// Replaces values that are given as parameters by constants, and infers again what follows from
    /// them: with their shapes, an instruction may turn out to fail.
    pub fn fix_parameters(&mut self, constants: &[(usize, Instr)]) {
        let mut is_news = vec![false; self.instrs.len()];
        for (parameter, constant) in constants {
            let old = self.feeds[*parameter];
            let Instr { outputs, origin, .. } = self.instr(old);
            let (fact, origin) = (outputs[0].clone(), *origin);
            let feed = self.push_feed(&fact, origin);
            for fetch in self.fetches.iter_mut().filter(|fetch| fetch.node == old) {
                fetch.node = feed;
            }
            self.feeds[*parameter] = feed;
            self.instrs[old.index()] = Instr { origin, ..constant.clone() };
            is_news[old.index()] = true;
        }
        for i in 0..is_news.len() {
            let instr = &self.instrs[i];
            let has_news = instr.inputs.iter().any(|input| is_news[input.node.index()]);
            if has_news && instr.regions.is_empty() {
                let outputs = self.infer_again(instr, &instr.attrs);
                is_news[i] = outputs != instr.outputs;
                self.instrs[i].outputs = outputs;
            }
        }
    }

    /// Keeps the instructions of `order`, in that order, and renumbers them. Whatever else refers to
    /// them follows; the guards of instructions that go, go too.
    pub fn renumber(&mut self, order: &[NodeId]) {
        let mut new_ids: Vec<Option<NodeId>> = vec![None; self.instrs.len()];
        for (i, id) in order.iter().enumerate() {
            new_ids[id.index()] = Some(NodeId::new(i));
        }
        let mut old: Vec<Option<Instr>> =
            std::mem::take(&mut self.instrs).into_iter().map(Some).collect();
        self.instrs = order.iter().filter_map(|id| old[id.index()].take()).collect();
        let renumber = |id: &mut NodeId| *id = new_ids[id.index()].unwrap_or(*id);
        let inputs = self.instrs.iter_mut().flat_map(|instr| &mut instr.inputs);
        let values = self.commits.iter_mut().map(|commit| &mut commit.value);
        for tensor in inputs.chain(&mut self.fetches).chain(values) {
            renumber(&mut tensor.node);
        }
        self.feeds.iter_mut().for_each(renumber);
        let guarded = std::mem::take(&mut self.guarded).into_iter().filter_map(|guarded| {
            let (node, call) = (new_ids[guarded.node.index()]?, new_ids[guarded.call.index()]?);
            Some(Guarded { node, call, ..guarded })
        });
        self.guarded = guarded.collect();
    }

    /// Whether feed `i` is the same each time that the body of a loop runs.
    pub fn is_unchanging(&self, i: usize) -> bool {
        let next = self.feeds.get(i).map(|&feed| TensorId::new(feed, 0));
        self.repeats && next.is_some() && self.fetches.get(i).copied() == next
    }

    /// The number of instructions.
    pub fn len(&self) -> usize {
        self.instrs.len()
    }

    /// Returns true if it has no instructions.
    pub fn is_empty(&self) -> bool {
        self.instrs.is_empty()
    }

    /// The instructions, in the order in which they can run.
    pub fn instrs(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Instr)> + ExactSizeIterator {
        self.instrs.iter().enumerate().map(|(i, instr)| (NodeId::new(i), instr))
    }

    /// An instruction.
    pub fn instr(&self, id: NodeId) -> &Instr {
        &self.instrs[id.index()]
    }

    /// An instruction, to change. [`Subgraph::verify`] has the rules to keep.
    pub fn instr_mut(&mut self, id: NodeId) -> &mut Instr {
        &mut self.instrs[id.index()]
    }

    /// Removes the instructions after the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.instrs.truncate(len);
    }

    /// The facts known about a tensor.
    pub fn fact(&self, tensor: TensorId) -> &Fact {
        &self.instr(tensor.node).outputs[tensor.slot as usize]
    }

    pub(crate) fn get_fact(&self, tensor: TensorId) -> Option<&Fact> {
        self.instrs.get(tensor.node.index())?.outputs.get(tensor.slot as usize)
    }

    /// The facts known about some tensors.
    pub fn facts(&self, tensors: &[TensorId]) -> SmallVec<[Fact; 4]> {
        tensors.iter().map(|&tensor| self.fact(tensor).clone()).collect()
    }

    /// Adds to a write the outputs for the values that it leaves behind without one, as its last
    /// outputs.
    pub fn add_state(&self, instr: &mut Instr) {
        let Instr { op, attrs, inputs, outputs, .. } = instr;
        let (count, written) = (outputs.len(), op.written());
        let last = written.checked_sub(1).map(|i| op.state_slot(count, i) as usize);
        if op.execution != Execution::Write || last.is_none_or(|last| last < count) {
            return;
        }
        let facts = self.facts(inputs);
        let inferred = (op.infer)(&NodeView::new(op, attrs, &facts, &[])).unwrap_or_default();
        for (i, variable) in facts.iter().take(written).enumerate() {
            let slot = op.state_slot(count, i) as usize;
            if slot >= count {
                let state = inferred.get(slot).map(|state| state.shape.clone());
                let shape = state.unwrap_or_else(PartialShape::unknown);
                outputs.push(Fact::new(variable.dtype, shape));
            }
        }
    }

    /// The facts about the outputs of an instruction that follow from those about its inputs now. If
    /// the inputs contradict each other, so that a run will fail, nothing is known but the data
    /// types. `attrs` are the instruction's attributes or, if inference is to see its bodies, which
    /// an instruction's attributes omit, those of its node.
    pub fn infer_again(&self, instr: &Instr, attrs: &Attrs) -> SmallVec<[Fact; 1]> {
        let facts = self.facts(&instr.inputs);
        let inferred = (instr.op.infer)(&NodeView::new(instr.op, attrs, &facts, &[]));
        let mut inferred = inferred.unwrap_or_default().into_iter();
        let outputs = instr.outputs.iter().map(|fact| {
            let inferred = inferred.next().unwrap_or_else(|| PartialShape::unknown().into());
            inferred.into_fact(fact.dtype, fact.role)
        });
        outputs.collect()
    }

    /// True if an instruction must stay even if nothing needs its outputs.
    pub fn must_keep(&self, instr: &Instr) -> bool {
        instr.op.effect != Effect::None || self.may_fail(instr)
    }

    /// True if a run of an instruction can fail.
    pub fn may_fail(&self, instr: &Instr) -> bool {
        let inputs = instr.inputs.iter().map(|&input| self.fact(input));
        may_fail((instr.op, &instr.attrs), inputs, &instr.outputs)
    }
}

/// True if a run of an operation can fail, given the facts about its inputs and outputs.
pub fn may_fail<'a>(
    (op, attrs): (&OpDef, &Attrs),
    inputs: impl Iterator<Item = &'a Fact>,
    outputs: &'a [Fact],
) -> bool {
    // The contents of a list are known only in the run.
    let is_unknown = |fact: &Fact| !fact.shape.is_known() || fact.dtype == DType::Variant;
    match op.fallible {
        Fallible::Never => false,
        Fallible::Values | Fallible::Checked => true,
        Fallible::Shapes => inputs.chain(outputs).any(is_unknown),
        Fallible::Elements(arguments) => {
            let ranges: SmallVec<[_; 4]> = argument_ranges(op.inputs, attrs).collect();
            let counts = |i: usize| arguments.iter().any(|&argument| ranges[argument].contains(&i));
            let is_known =
                |fact: &Fact| fact.elements.as_ref().is_some_and(|e| e.known().is_some());
            inputs.enumerate().any(|(i, fact)| is_unknown(fact) || (counts(i) && !is_known(fact)))
                || outputs.iter().any(is_unknown)
        }
        Fallible::Integers => {
            inputs.chain(outputs).any(|fact| fact.dtype.is_integer() || is_unknown(fact))
        }
    }
}
