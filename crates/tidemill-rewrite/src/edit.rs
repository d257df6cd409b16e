use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use tidemill_graph::{
    Attr, Attrs, Execution, Fact, Instr, NodeId, NodeView, OpDef, Region, Subgraph, TensorId,
};
use tidemill_ops::ops::constant;
use tidemill_value::Value;

use crate::log::{RewriteLog, WhyNot};
use crate::workspace::Workspace;

/// The tensors that take the place of the outputs of an instruction, one for each.
pub type Outputs = SmallVec<[TensorId; 1]>;

/// One instruction of a subgraph that is being rewritten.
///
/// Everything before it has been rewritten. Instructions are added, replaced, and given other
/// regions through it alone.
pub struct GraphEdit<'a> {
    work: &'a mut Workspace,
    log: &'a mut RewriteLog,
    id: NodeId,
}

impl GraphEdit<'_> {
    /// The number of the instruction while the subgraph is being rewritten.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The instruction.
    pub fn instr(&self) -> &Instr {
        self.work.subgraph.instr(self.id)
    }

    /// Input `i`.
    ///
    /// # Errors
    /// [`WhyNot`] if there is none.
    pub fn input(&self, i: usize) -> Result<TensorId, WhyNot> {
        self.instr().inputs.get(i).copied().ok_or(WhyNot("it lacks an input"))
    }

    /// The facts known about a tensor.
    pub fn fact(&self, tensor: TensorId) -> &Fact {
        self.work.subgraph.fact(tensor)
    }

    /// The facts known about output `i` of the instruction.
    ///
    /// # Errors
    /// [`WhyNot`] if there is none.
    pub fn output_fact(&self, i: usize) -> Result<&Fact, WhyNot> {
        self.instr().outputs.get(i).ok_or(WhyNot("it lacks an output"))
    }

    /// The instruction that has a tensor as output.
    pub fn producer(&self, tensor: TensorId) -> &Instr {
        self.work.subgraph.instr(tensor.node)
    }

    /// The instruction that has a tensor as output, if it is of type `op`.
    pub fn produced_by(&self, tensor: TensorId, op: &OpDef) -> Option<&Instr> {
        Some(self.producer(tensor)).filter(|instr| instr.op == op)
    }

    /// The value of a tensor, if it is a constant.
    pub fn constant(&self, tensor: TensorId) -> Option<&Value> {
        let instr = self.producer(tensor);
        match (instr.op.execution, instr.attrs.get("value")) {
            (Execution::Constant, Some(Attr::Tensor(value))) => Some(value),
            _ => None,
        }
    }

    /// The instructions that take a tensor, ascending: each as often as it takes it.
    pub fn readers(&self, tensor: TensorId) -> SmallVec<[NodeId; 4]> {
        self.work.uses().readers(tensor)
    }

    /// The number of times that the run returns a tensor: as a fetch, or as the value of a variable.
    pub fn returns(&self, tensor: TensorId) -> usize {
        self.work.uses().returns(tensor)
    }

    /// The number of inputs that take a tensor, plus the number of times that the run returns it.
    pub fn uses(&self, tensor: TensorId) -> usize {
        let uses = self.work.uses();
        uses.each_reader(tensor).count() + uses.returns(tensor)
    }

    /// True if another instruction computes the same as this one.
    pub(crate) fn is_same_as(&self, id: NodeId) -> bool {
        let (instr, other) = (self.instr(), self.work.subgraph.instr(id));
        other.op == instr.op
            && other.inputs == instr.inputs
            && other.attrs.same(&instr.attrs)
            && instr.regions.is_empty()
    }

    /// True if a run of the instruction can fail.
    pub fn may_fail(&self) -> bool {
        self.work.subgraph.may_fail(self.instr())
    }

    /// A view of the instruction for inference and kernels.
    pub fn with_view<R>(&self, read: impl FnOnce(&NodeView<'_>) -> R) -> R {
        let Instr { op, attrs, inputs, outputs, .. } = self.instr();
        read(&NodeView::new(op, attrs, &self.work.subgraph.facts(inputs), outputs))
    }

    /// True if nothing but the outputs shows whether the instruction runs, so that other tensors can
    /// take their place.
    pub fn is_replaceable(&self) -> bool {
        let op = self.instr().op;
        op.is_pure() || op.execution == Execution::Constant
    }

    /// Adds an instruction of one output before this one, and returns that output. The operation
    /// determines its data type and shape.
    ///
    /// # Errors
    /// [`WhyNot`] if the operation does not take these arguments or attributes.
    pub fn add(
        &mut self,
        op: &'static OpDef,
        attrs: &Attrs,
        arguments: &[&[TensorId]],
    ) -> Result<TensorId, WhyNot> {
        let origin = self.instr().origin;
        let instr = self.work.subgraph.typed(op, attrs, arguments, origin);
        let instr =
            instr.map_err(|_| WhyNot("an operation does not take what it would be given"))?;
        match instr.outputs.len() {
            1 => Ok(self.push(instr)),
            _ => Err(WhyNot("an operation has more than one output")),
        }
    }

    /// Adds a constant before this instruction.
    pub fn add_constant(&mut self, value: Value) -> TensorId {
        let fact = Fact::of(&value);
        let attrs = [("dtype".into(), value.dtype().into()), ("value".into(), value.into())];
        self.push(Instr {
            op: &constant::OP,
            attrs: attrs.into_iter().collect(),
            inputs: SmallVec::new(),
            outputs: smallvec![fact],
            regions: Vec::new(),
            origin: self.instr().origin,
        })
    }

    fn push(&mut self, instr: Instr) -> TensorId {
        TensorId::new(self.work.add_before(self.id, instr), 0)
    }

    /// Tries a rule, whose tensors then take the place of the outputs, and returns whether it
    /// applied. If it did not, whatever it added is gone, too.
    pub fn apply(
        &mut self,
        rule: &'static str,
        rewrite: impl FnOnce(&mut Self) -> Result<Outputs, WhyNot>,
    ) -> bool {
        let first_new = self.work.subgraph.len();
        let outputs = rewrite(self).and_then(|outputs| {
            self.check(&outputs, first_new)?;
            Ok(outputs)
        });
        match outputs {
            Ok(outputs) => {
                self.log.applied(rule, self.instr().origin);
                self.work.replace(self.id, &outputs, first_new);
                true
            }
            Err(why_not) => {
                self.work.take_back(first_new);
                self.log.refused(rule, why_not);
                false
            }
        }
    }

    /// Checks that tensors can take the place of the outputs: they come before, and have the data
    /// types and shapes.
    fn check(&self, outputs: &[TensorId], first_new: usize) -> Result<(), WhyNot> {
        let instr = self.instr();
        if self.work.is_replaced(self.id) {
            return Err(WhyNot("it is replaced already"));
        }
        if !self.is_replaceable() {
            return Err(WhyNot("it has an effect"));
        }
        if outputs.len() != instr.outputs.len() {
            return Err(WhyNot("the number of outputs would change"));
        }
        for (&tensor, fact) in outputs.iter().zip(&instr.outputs) {
            if tensor.node >= self.id && tensor.node.index() < first_new {
                return Err(WhyNot("the replacement comes later"));
            }
            if !fits(self.fact(tensor), fact) {
                return Err(WhyNot("the data type or the shape would change"));
            }
        }
        Ok(())
    }

    /// Replaces region `i`, the path through a body, by one that takes the same parameters and gives
    /// the same results. `change` gets the present one.
    ///
    /// # Errors
    /// [`WhyNot`] if the new region takes or gives something else. The present one then stays.
    pub fn replace_region(
        &mut self,
        i: usize,
        change: impl FnOnce(Region, &mut RewriteLog) -> Region,
    ) -> Result<(), WhyNot> {
        let region = self.instr().regions.get(i).ok_or(WhyNot("it lacks a region"))?;
        let region = Region::clone(region);
        let origin = self.instr().origin;
        let new = self.log.within(origin, |log| change(region, log));
        let present = &mut self.work.subgraph.instr_mut(self.id).regions[i];
        if !takes_and_gives_the_same(&new.subgraph, &present.subgraph) {
            return Err(WhyNot("the region would take or give something else"));
        }
        *present = Arc::new(new);
        Ok(())
    }

    /// Records that a rule was applied to the regions of the instruction.
    pub(crate) fn applied_inside(&mut self, rule: &'static str) {
        self.log.applied(rule, self.work.subgraph.instr(self.id).origin);
    }
}

fn takes_and_gives_the_same(new: &Subgraph, old: &Subgraph) -> bool {
    let agree = |(left, right): (TensorId, TensorId)| fits(new.fact(left), old.fact(right));
    let parameter = |&feed: &NodeId| TensorId::new(feed, 0);
    let mut parameters = new.feeds.iter().map(parameter).zip(old.feeds.iter().map(parameter));
    let mut results = new.fetches.iter().copied().zip(old.fetches.iter().copied());
    new.feeds.len() == old.feeds.len()
        && new.fetches.len() == old.fetches.len()
        && parameters.all(agree)
        && results.all(agree)
}

/// True if a tensor has the data type of another and may have its shape.
fn fits(new: &Fact, old: &Fact) -> bool {
    new.dtype == old.dtype && new.shape.merge(&old.shape).is_ok()
}

/// Visits the instructions of a subgraph in order. `rewrite` may replace each, if it has no effect,
/// or its regions; the instructions after it then take the replacement, and so do fetches and
/// commits.
pub fn sweep(
    subgraph: Subgraph,
    log: &mut RewriteLog,
    mut rewrite: impl FnMut(&mut GraphEdit<'_>),
) -> Subgraph {
    let ids: Vec<NodeId> = subgraph.instrs().map(|(id, _)| id).collect();
    let mut work = Workspace::new(subgraph);
    for id in ids {
        work.begin(id);
        rewrite(&mut GraphEdit { work: &mut work, log, id });
        work.end(id);
    }
    work.finish()
}
