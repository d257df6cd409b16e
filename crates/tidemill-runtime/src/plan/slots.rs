//! The slots of the values of a run.

use smallvec::SmallVec;
use tidemill_graph::{Instr, NodeId, Operand, Subgraph, TensorId};

use crate::plan::schedule::{Schedule, Task};

/// Assigns values to slots, which are reused when nothing needs their value any more.
pub(crate) struct Slots {
    /// The number of the first output of each node.
    first_output: Vec<u32>,
    operands: Vec<Option<Operand>>,
    /// The last position in the schedule that needs each tensor.
    last_use: Vec<Option<u32>>,
    pub(crate) free: Vec<u32>,
    pub(crate) count: u32,
    /// True if slots may be reused.
    pub(crate) reuses: bool,
}

/// The position of values that are needed after the last step.
const END: u32 = u32::MAX;

impl Slots {
    pub(crate) fn new(subgraph: &Subgraph, schedule: &Schedule, unchanging: &[NodeId]) -> Self {
        let mut first_output = Vec::with_capacity(subgraph.len());
        let mut count = 0u32;
        for (_, instr) in subgraph.instrs() {
            first_output.push(count);
            count += instr.outputs.len() as u32;
        }
        let mut slots = Slots {
            first_output,
            operands: vec![None; count as usize],
            last_use: vec![None; count as usize],
            free: Vec::new(),
            count: 0,
            reuses: true,
        };
        let mut outlives = vec![false; subgraph.len()];
        unchanging.iter().for_each(|id| outlives[id.index()] = true);
        for task in &schedule.order[..schedule.prologue] {
            outlives[task.node().index()] = true;
        }
        for (position, &task) in schedule.order.iter().enumerate() {
            // A write needs the inputs of its check, and comes later.
            let Task::Run(id) = task else { continue };
            for &input in &subgraph.instr(id).inputs {
                let number = slots.number(input);
                // Values computed the first time are needed in later iterations.
                let again = outlives[input.node.index()] && position >= schedule.prologue;
                let last_use = if again { END } else { position as u32 };
                slots.last_use[number] = slots.last_use[number].max(Some(last_use));
            }
        }
        let commits = subgraph.commits.iter().map(|commit| commit.value);
        for tensor in subgraph.fetches.iter().copied().chain(commits) {
            let number = slots.number(tensor);
            slots.last_use[number] = Some(END);
        }
        slots
    }

    fn number(&self, tensor: TensorId) -> usize {
        (self.first_output[tensor.node.index()] + tensor.slot) as usize
    }

    pub(crate) fn is_needed(&self, tensor: TensorId) -> bool {
        self.last_use[self.number(tensor)].is_some()
    }

    pub(crate) fn is_last_use(&self, tensor: TensorId, position: usize) -> bool {
        self.last_use[self.number(tensor)] == Some(position as u32)
    }

    pub(crate) fn place(&mut self, tensor: TensorId, operand: Operand) {
        let number = self.number(tensor);
        self.operands[number] = Some(operand);
    }

    pub(crate) fn allocate(&mut self, tensor: TensorId) -> u32 {
        let free = if self.reuses { self.free.pop() } else { None };
        let slot = free.unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        self.place(tensor, Operand::slot(slot));
        slot
    }

    /// The place of a tensor. Every tensor has its place before a later node asks for it.
    pub(crate) fn operand(&self, tensor: TensorId) -> Operand {
        self.operands[self.number(tensor)].unwrap_or(Operand::slot(0))
    }
}

/// The places of an instruction's inputs; adds the slots that nothing needs after it to `clear`.
pub(crate) fn plan_inputs(
    instr: &Instr,
    position: usize,
    slots: &Slots,
    clear: &mut SmallVec<[u32; 2]>,
) -> SmallVec<[Operand; 3]> {
    let occurrences = |input| instr.inputs.iter().filter(|other| **other == input).count();
    instr
        .inputs
        .iter()
        .map(|&input| {
            let operand = slots.operand(input);
            if operand.is_constant() || !slots.is_last_use(input, position) {
                return operand;
            }
            let slot = operand.index() as u32;
            if !clear.contains(&slot) {
                clear.push(slot);
            }
            // An input that the node takes twice must still be there the second time.
            if occurrences(input) == 1 { operand.last_use() } else { operand }
        })
        .collect()
}
