use std::cell::OnceCell;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tidemill_graph::{Fact, Guarded, Instr, NodeId, Subgraph, TensorId};

use crate::uses::Uses;

/// A subgraph that is being rewritten in place. Added instructions are at its end and replaced ones
/// where they were, until it is [finished](Workspace::finish).
pub(crate) struct Workspace {
    pub(crate) subgraph: Subgraph,
    /// The number of instructions at the beginning.
    len: usize,
    /// For each added instruction, the one before which it belongs; ascending.
    added_before: Vec<NodeId>,
    is_replaced: Vec<bool>,
    /// Whether an instruction has inputs of which something else is known than at the beginning.
    has_news: Vec<bool>,
    /// The facts that were known about the outputs of the current instruction, if that may have
    /// changed.
    known_before: Option<SmallVec<[Fact; 1]>>,
    /// The replacements of tensors that the run returns.
    returned: FxHashMap<TensorId, TensorId>,
    /// The added instructions that wait for a branch.
    guarded: Vec<Guarded>,
    /// Made when it is first needed.
    uses: OnceCell<Uses>,
}

impl Workspace {
    pub(crate) fn new(subgraph: Subgraph) -> Self {
        let len = subgraph.len();
        Workspace {
            subgraph,
            len,
            added_before: Vec::new(),
            is_replaced: vec![false; len],
            has_news: vec![false; len],
            known_before: None,
            returned: FxHashMap::default(),
            guarded: Vec::new(),
            uses: OnceCell::new(),
        }
    }

    pub(crate) fn uses(&self) -> &Uses {
        self.uses.get_or_init(|| Uses::new(&self.subgraph))
    }

    /// Turns to an instruction, and infers its facts again if it has news.
    pub(crate) fn begin(&mut self, id: NodeId) {
        let instr = self.subgraph.instr(id);
        if self.has_news[id.index()] && instr.regions.is_empty() {
            let outputs = self.subgraph.infer_again(instr, &instr.attrs);
            let before = std::mem::replace(&mut self.subgraph.instr_mut(id).outputs, outputs);
            self.known_before = Some(before);
        }
    }

    /// Passes on what has become known about the outputs of an instruction, if it stays.
    pub(crate) fn end(&mut self, id: NodeId) {
        let Some(before) = self.known_before.take() else { return };
        for (slot, before) in (0..).zip(&before) {
            let tensor = TensorId::new(id, slot);
            if self.subgraph.fact(tensor) != before {
                let uses = self.uses.get_or_init(|| Uses::new(&self.subgraph));
                uses.each_reader(tensor).for_each(|reader| self.has_news[reader.index()] = true);
            }
        }
    }

    pub(crate) fn is_replaced(&self, id: NodeId) -> bool {
        self.is_replaced[id.index()]
    }

    /// Adds an instruction before `place`.
    pub(crate) fn add_before(&mut self, place: NodeId, instr: Instr) -> NodeId {
        let (inputs, outputs) = (instr.inputs.clone(), instr.outputs.len());
        let id = self.subgraph.push(instr);
        if let Some(uses) = self.uses.get_mut() {
            uses.push(id, &inputs, outputs);
        }
        self.added_before.push(place);
        id
    }

    /// Takes back the instructions that were added last, from number `first` on.
    pub(crate) fn take_back(&mut self, first: usize) {
        if let Some(uses) = self.uses.get_mut() {
            for (id, instr) in self.subgraph.instrs().rev().take(self.subgraph.len() - first) {
                uses.pop(id, &instr.inputs);
            }
        }
        self.added_before.truncate(first - self.len);
        self.subgraph.truncate(first);
    }

    /// Puts tensors in the place of the outputs of the current instruction. The instructions from
    /// number `first_new` on were added for them.
    pub(crate) fn replace(&mut self, id: NodeId, outputs: &[TensorId], first_new: usize) {
        let uses = self.uses.take();
        let mut uses = uses.unwrap_or_else(|| Uses::new(&self.subgraph));
        let Workspace { subgraph, has_news, known_before, .. } = self;
        let instr = subgraph.instr(id);
        uses.unlink(id, &instr.inputs);
        let before = known_before.take().unwrap_or_else(|| instr.outputs.clone());
        for (slot, (&new, before)) in (0..).zip(outputs.iter().zip(&before)) {
            let old = TensorId::new(id, slot);
            let is_news = subgraph.fact(new) != before;
            let is_returned = uses.redirect(old, new, |reader, input| {
                subgraph.instr_mut(reader).inputs[input] = new;
                has_news[reader.index()] |= is_news;
            });
            if is_returned {
                self.returned.insert(old, new);
            }
        }
        self.uses = OnceCell::from(uses);
        self.is_replaced[id.index()] = true;
        // Instructions that existed before also serve others.
        if let Ok(i) = self.subgraph.guarded.binary_search_by_key(&id, |guarded| guarded.node) {
            let waits = self.subgraph.guarded[i];
            let added = self.subgraph.instrs().skip(first_new);
            self.guarded.extend(added.map(|(node, _)| Guarded { node, ..waits }));
        }
    }

    /// The rewritten subgraph.
    pub(crate) fn finish(mut self) -> Subgraph {
        if self.added_before.is_empty() && !self.is_replaced.contains(&true) {
            return self.subgraph;
        }
        let replacement = |tensor: &mut TensorId| {
            while let Some(&new) = self.returned.get(tensor) {
                *tensor = new;
            }
        };
        self.subgraph.fetches.iter_mut().for_each(replacement);
        self.subgraph.commits.iter_mut().for_each(|commit| replacement(&mut commit.value));
        let order = self.order();
        self.subgraph.guarded.append(&mut self.guarded);
        self.subgraph.renumber(&order);
        self.subgraph.guarded.sort_unstable_by_key(|guarded| guarded.node);
        self.subgraph
    }

    /// The instructions that stay, in the order in which they can run.
    fn order(&self) -> Vec<NodeId> {
        let mut added = self.subgraph.instrs().skip(self.len).zip(&self.added_before).peekable();
        let mut order = Vec::with_capacity(self.subgraph.len());
        for (id, _) in self.subgraph.instrs().take(self.len) {
            while let Some(((new, _), _)) = added.next_if(|(_, place)| **place == id) {
                order.push(new);
            }
            if !self.is_replaced[id.index()] {
                order.push(id);
            }
        }
        order
    }
}
