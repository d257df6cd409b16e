//! Fuses element-wise steps with the step before, if its kernel can apply their functions to its output
//! while it computes.
//!
//! The output then passes through memory once. The functions are the same, so the bits are, too.

use smallvec::SmallVec;
use tidemill_graph::{Fact, Instr, Operand, Subgraph, Then};
use tidemill_value::{DType, ScalarOp};

use crate::plan::join::Candidate;
use crate::plan::step::{Action, Fused, Step};

/// The function of an element-wise instruction that cannot fail, and whose output has a known shape.
pub(crate) struct Function {
    function: ScalarOp,
    dtype: DType,
    /// For each input, whether the output has its shape, and the other input is a single element, a row,
    /// or of the same shape.
    takes: SmallVec<[bool; 2]>,
}

impl Function {
    pub(crate) fn of(subgraph: &Subgraph, instr: &Instr) -> Option<Self> {
        let function = instr.op.scalar?;
        let is_simple = matches!(function, ScalarOp::Unary(_) | ScalarOp::Binary(_));
        let [output] = &instr.outputs[..] else { return None };
        // Steps that compute single numbers are fused in another way.
        let is_array = output.shape.is_known() && output.shape.rank() != Some(0);
        if !is_simple || !is_array || subgraph.must_keep(instr) {
            return None;
        }
        let inputs: SmallVec<[&Fact; 2]> =
            instr.inputs.iter().map(|&input| subgraph.fact(input)).collect();
        let has_shape_of_output =
            |fact: &Fact| fact.shape.is_known() && fact.shape == output.shape;
        let takes = (0..inputs.len()).map(|i| {
            let mut others = inputs.iter().enumerate().filter(|(other, _)| *other != i);
            has_shape_of_output(inputs[i])
                && others.all(|(_, other)| has_shape_of_output(other) || is_row(other, output))
        });
        Some(Function { function, dtype: output.dtype, takes: takes.collect() })
    }
}

/// True if a tensor is a single element, or one for each place on the last axis of another one.
fn is_row(fact: &Fact, of: &Fact) -> bool {
    let (Some(shape), Some(of)) = (fact.shape.known(), of.shape.known()) else { return false };
    match (shape.split_last(), of.last()) {
        (None, _) => true,
        (Some((last, before)), Some(columns)) => {
            shape.len() <= of.len()
                && before.iter().all(|&extent| extent == 1)
                && (last == columns || *last == 1)
        }
        (Some(_), None) => false,
    }
}

/// Fuses each step with those that follow it immediately, as far as its kernel can.
pub(crate) fn follow(steps: impl IntoIterator<Item = Candidate>) -> Vec<Candidate> {
    let mut fused: Vec<Candidate> = Vec::new();
    for next in steps {
        let joined = fused.last().and_then(|last| joined(last, &next));
        match (joined, fused.last_mut()) {
            (Some(step), Some(last)) => last.step = step,
            _ => fused.push(next),
        }
    }
    fused
}

/// One step for two, the second of which takes the only output of the first.
fn joined(first: &Candidate, next: &Candidate) -> Option<Step> {
    let function = next.function.as_ref()?;
    let is_alone = |step: &Step| step.turn.is_none() && step.lazy.is_none();
    let (Candidate { step: first, is_certain, .. }, next) = (first, &next.step);
    let &[output] = &first.outputs[..] else { return None };
    if !is_certain || !is_alone(first) || !is_alone(next) {
        return None;
    }
    let (kernel, nodes) = match &first.action {
        Action::Kernel(kernel) => (kernel, &[first.node][..]),
        Action::Fused(fused) => (&fused.kernel, &fused.nodes[..]),
        Action::Check(_) | Action::Call(_) => return None,
    };
    let taken = next.inputs.iter().position(|&input| input == Operand::slot(output).last_use())?;
    if !function.takes[taken] {
        return None;
    }
    let others = next.inputs.iter().enumerate().filter(|(i, _)| *i != taken);
    let others: SmallVec<[Operand; 1]> = others.map(|(_, &other)| other).collect();
    let then = Then {
        function: function.function,
        other: others.first().map(|_| first.inputs.len()),
        is_second: taken == 1,
    };
    let kernel = kernel.then(then, function.dtype)?;
    let clear = first.clear.iter().chain(&next.clear).copied();
    let clear = clear.filter(|slot| *slot != output && !next.outputs.contains(slot)).collect();
    Some(Step {
        action: Action::Fused(Fused {
            kernel,
            nodes: nodes.iter().copied().chain([next.node]).collect(),
            is_led: true,
        }),
        inputs: first.inputs.iter().copied().chain(others).collect(),
        outputs: next.outputs.clone(),
        clear,
        node: first.node,
        random: None,
        lazy: None,
        turn: None,
    })
}
