use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tidemill_graph::{NodeId, Subgraph, TensorId};

/// The users of each tensor of a subgraph: a list of the inputs that take it, and the number of
/// times that the run returns it.
///
/// Inputs are numbered across all instructions, as are outputs. The lists are linked both ways, so
/// that an input leaves its list, and a list joins another, without a search.
pub(crate) struct Uses {
    /// The number of the first output of each instruction.
    first_output: Vec<u32>,
    /// The number of the first input of each instruction.
    first_input: Vec<u32>,
    /// For each output, the first input in its list.
    heads: Vec<u32>,
    links: Vec<Link>,
    /// The tensors that are fetched or committed, and how often.
    returned: FxHashMap<TensorId, u32>,
}

/// An input in the list of those that take the same tensor.
struct Link {
    reader: NodeId,
    next: u32,
    previous: u32,
}

/// The end of a list.
const NONE: u32 = u32::MAX;

impl Uses {
    pub(crate) fn new(subgraph: &Subgraph) -> Self {
        let mut uses = Uses {
            first_output: Vec::with_capacity(subgraph.len()),
            first_input: Vec::with_capacity(subgraph.len()),
            heads: Vec::with_capacity(subgraph.len()),
            links: Vec::new(),
            returned: FxHashMap::default(),
        };
        for (id, instr) in subgraph.instrs() {
            uses.push(id, &instr.inputs, instr.outputs.len());
        }
        let commits = subgraph.commits.iter().map(|commit| commit.value);
        for tensor in subgraph.fetches.iter().copied().chain(commits) {
            *uses.returned.entry(tensor).or_default() += 1;
        }
        uses
    }

    /// Adds the next instruction.
    pub(crate) fn push(&mut self, id: NodeId, inputs: &[TensorId], outputs: usize) {
        self.first_output.push(self.heads.len() as u32);
        self.first_input.push(self.links.len() as u32);
        self.heads.resize(self.heads.len() + outputs, NONE);
        for &input in inputs {
            let (number, tensor) = (self.links.len() as u32, self.number(input));
            let next = std::mem::replace(&mut self.heads[tensor], number);
            self.links.push(Link { reader: id, next, previous: NONE });
            if let Some(next) = self.links.get_mut(next as usize) {
                next.previous = number;
            }
        }
    }

    /// Takes back the last instruction, whose outputs nothing takes.
    pub(crate) fn pop(&mut self, id: NodeId, inputs: &[TensorId]) {
        self.unlink(id, inputs);
        self.links.truncate(self.first_input[id.index()] as usize);
        self.heads.truncate(self.first_output[id.index()] as usize);
        self.first_input.pop();
        self.first_output.pop();
    }

    /// Takes the inputs of an instruction out of their lists.
    pub(crate) fn unlink(&mut self, id: NodeId, inputs: &[TensorId]) {
        for (number, &input) in (self.first_input[id.index()]..).zip(inputs) {
            let Link { next, previous, .. } = self.links[number as usize];
            match self.links.get_mut(previous as usize) {
                Some(previous) => previous.next = next,
                None => {
                    let tensor = self.number(input);
                    self.heads[tensor] = next;
                }
            }
            if let Some(next) = self.links.get_mut(next as usize) {
                next.previous = previous;
            }
        }
    }

    /// Moves the users of `old` to `new`, and returns whether the run returns `old`. `change` gets
    /// each reader, and the position of its input.
    pub(crate) fn redirect(
        &mut self,
        old: TensorId,
        new: TensorId,
        mut change: impl FnMut(NodeId, usize),
    ) -> bool {
        let (from, to) = (self.number(old), self.number(new));
        let first = std::mem::replace(&mut self.heads[from], NONE);
        let mut last = NONE;
        let mut next = first;
        while let Some(link) = self.links.get(next as usize) {
            change(link.reader, (next - self.first_input[link.reader.index()]) as usize);
            (last, next) = (next, link.next);
        }
        if let Some(end) = self.links.get_mut(last as usize) {
            let other = std::mem::replace(&mut self.heads[to], first);
            end.next = other;
            if let Some(other) = self.links.get_mut(other as usize) {
                other.previous = last;
            }
        }
        let returned = self.returned.remove(&old);
        if let Some(times) = returned {
            *self.returned.entry(new).or_default() += times;
        }
        returned.is_some()
    }

    /// The instructions that take a tensor, ascending: each as often as it takes it.
    pub(crate) fn readers(&self, tensor: TensorId) -> SmallVec<[NodeId; 4]> {
        let mut readers: SmallVec<[NodeId; 4]> = self.each_reader(tensor).collect();
        readers.sort_unstable();
        readers
    }

    /// The instructions that take a tensor, in no particular order.
    pub(crate) fn each_reader(&self, tensor: TensorId) -> impl Iterator<Item = NodeId> {
        let mut next = self.heads[self.number(tensor)];
        std::iter::from_fn(move || {
            let link = self.links.get(next as usize)?;
            next = link.next;
            Some(link.reader)
        })
    }

    /// The number of times that the run returns a tensor: as a fetch, or as the value of a variable.
    pub(crate) fn returns(&self, tensor: TensorId) -> usize {
        self.returned.get(&tensor).map_or(0, |&times| times as usize)
    }

    fn number(&self, tensor: TensorId) -> usize {
        (self.first_output[tensor.node.index()] + tensor.slot) as usize
    }
}
