//! Calls kernels on their own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tidemill_graph::{Draw, Execution, Fact, Host, KernelCx, KernelError, Node, NodeView, Operand};
use tidemill_value::{Memory, Value};

/// Computes the outputs of a node by its own kernel. Nothing is overwritten: the kernel sees that
/// its inputs are needed afterwards.
///
/// An input is `None` if a variable has no value.
///
/// # Errors
/// Those of the kernel, and an error if there is none.
pub(crate) fn run_kernel(
    node: &Node,
    facts: &[Fact],
    inputs: Vec<Option<Value>>,
    draw: Draw,
    host: &dyn Host,
) -> Result<Vec<Value>, KernelError> {
    let view = NodeView::new(node.op, &node.attrs, facts, &node.outputs);
    let kernel = node.op.kernel_of(&view)?;
    let written = if node.op.execution == Execution::Write { node.op.written() } else { 0 };
    let states = (0..written).map(|i| node.op.state_slot(node.outputs.len(), i) as usize + 1);
    let count = states.fold(node.outputs.len(), usize::max);
    let (first, last) = (inputs.len() as u32, (inputs.len() + count) as u32);
    let operands: Vec<Operand> = (0..first).map(Operand::slot).collect();
    let outputs: Vec<u32> = (first..last).collect();
    let mut slots = inputs;
    slots.resize(last as usize, None);
    kernel.run(&mut KernelCx {
        memory: &Memory::new(),
        slots: &mut slots,
        constants: &[],
        inputs: &operands,
        outputs: &outputs,
        draw,
        host,
    })?;
    let outputs: Option<Vec<Value>> = slots.split_off(first as usize).into_iter().collect();
    outputs.ok_or(KernelError::Internal("a kernel left an output out"))
}

/// Keeps the lines that kernels print.
#[derive(Default)]
pub(crate) struct Printer {
    pub(crate) lines: RefCell<Vec<String>>,
    counts: RefCell<BTreeMap<u64, u64>>,
}

impl Host for Printer {
    fn print(&self, line: &str) {
        self.lines.borrow_mut().push(line.to_owned());
    }

    fn count(&self, key: u64) -> u64 {
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(key).or_default();
        *count += 1;
        *count - 1
    }
}
