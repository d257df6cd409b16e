use smallvec::SmallVec;
use tidemill_graph::{Draw, Execution, KernelCx, NoHost, Operand, Subgraph};
use tidemill_value::{Memory, Value};

use crate::{GraphEdit, Pass, Replacement, Rewrite, sweep};

/// Computes nodes whose inputs are constants, by their own kernels.
///
/// A node whose kernel fails stays, and fails in the run. So does one whose result would take much
/// more memory than its inputs.
pub struct Fold;

/// Results of up to this many bytes are always worth it.
const SMALL: usize = 1 << 16;

impl Pass for Fold {
    fn name(&self) -> &'static str {
        "constant folding"
    }

    fn run(&self, subgraph: Subgraph, rewrites: &mut Vec<Rewrite>) -> Subgraph {
        sweep(subgraph, rewrites, |edit| {
            let values = fold(edit)?;
            let outputs = values.into_iter().map(|value| edit.add_constant(value)).collect();
            Some(Replacement { rule: "constant folding", outputs })
        })
    }
}

/// The outputs of a node whose inputs are constants.
fn fold(edit: &GraphEdit<'_>) -> Option<SmallVec<[Value; 1]>> {
    let node = edit.node();
    if node.op.execution != Execution::Kernel || node.inputs.is_empty() {
        return None;
    }
    let inputs: SmallVec<[&Value; 4]> =
        node.inputs.iter().map(|&input| edit.constant(input)).collect::<Option<_>>()?;
    let budget = inputs.iter().map(|input| input.bytes()).sum::<usize>().max(SMALL);
    let sizes = node.outputs.iter().map(|fact| {
        fact.shape.elements().and_then(|elements| elements.checked_mul(fact.dtype.size()))
    });
    if sizes.sum::<Option<usize>>()? > budget {
        return None;
    }
    let constants: Vec<Value> = inputs.into_iter().cloned().collect();
    let operands: SmallVec<[Operand; 4]> =
        (0..constants.len()).map(|i| Operand::constant(i as u32)).collect();
    let outputs: SmallVec<[u32; 2]> = (0..node.outputs.len() as u32).collect();
    let mut slots = vec![None; outputs.len()];
    let kernel = edit.with_view(|view| node.op.kernel_of(view)).ok()?;
    kernel
        .run(&mut KernelCx {
            memory: &Memory::new(),
            slots: &mut slots,
            constants: &constants,
            inputs: &operands,
            outputs: &outputs,
            draw: Draw { session_seed: 0, key: 0, count: 0 },
            host: &NoHost,
        })
        .ok()?;
    slots.into_iter().collect()
}
