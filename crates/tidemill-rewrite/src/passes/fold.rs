use smallvec::SmallVec;
use tidemill_graph::{Draw, Execution, KernelCx, NoHost, Operand, Subgraph};
use tidemill_value::{Memory, Value};

use crate::{GraphEdit, Pass, RewriteLog, WhyNot, sweep};

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

    fn run(&self, subgraph: Subgraph, log: &mut RewriteLog) -> Subgraph {
        sweep(subgraph, log, |edit| {
            let instr = edit.instr();
            if instr.op.execution != Execution::Kernel || instr.inputs.is_empty() {
                return;
            }
            edit.apply(self.name(), |edit| {
                let values = fold(edit)?;
                Ok(values.into_iter().map(|value| edit.add_constant(value)).collect())
            });
        })
    }
}

/// The outputs of a node whose inputs are constants.
fn fold(edit: &GraphEdit<'_>) -> Result<SmallVec<[Value; 1]>, WhyNot> {
    let instr = edit.instr();
    let inputs = instr.inputs.iter().map(|&input| edit.constant(input));
    let inputs: Option<SmallVec<[&Value; 4]>> = inputs.collect();
    let inputs = inputs.ok_or(WhyNot("an input is no constant"))?;
    if !edit.is_replaceable() {
        return Err(WhyNot("it has an effect"));
    }
    let budget = inputs.iter().map(|input| input.bytes()).sum::<usize>().max(SMALL);
    let sizes = instr.outputs.iter().map(|fact| {
        fact.shape.elements().and_then(|elements| elements.checked_mul(fact.dtype.size()))
    });
    let size = sizes.sum::<Option<usize>>().ok_or(WhyNot("the size of the result is unknown"))?;
    if size > budget {
        return Err(WhyNot("the result is large"));
    }
    let constants: Vec<Value> = inputs.into_iter().cloned().collect();
    let operands: SmallVec<[Operand; 4]> =
        (0..constants.len()).map(|i| Operand::constant(i as u32)).collect();
    let outputs: SmallVec<[u32; 2]> = (0..instr.outputs.len() as u32).collect();
    let mut slots = vec![None; outputs.len()];
    let kernel = edit.with_view(|view| instr.op.kernel_of(view));
    let kernel = kernel.map_err(|_| WhyNot("there is no kernel"))?;
    let run = kernel.run(&mut KernelCx {
        memory: &Memory::new(),
        slots: &mut slots,
        constants: &constants,
        inputs: &operands,
        outputs: &outputs,
        draw: Draw { session_seed: 0, key: 0, count: 0 },
        host: &NoHost,
    });
    run.map_err(|_| WhyNot("the kernel fails"))?;
    slots.into_iter().collect::<Option<_>>().ok_or(WhyNot("the kernel fails"))
}
