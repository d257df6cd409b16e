//! Fuses element-wise steps with the step before, if its kernel can apply their functions to its output
//! while it computes.
//!
//! The output then passes through memory once. The functions are the same, so the bits are, too.

use smallvec::SmallVec;
use tidemill_graph::{Operand, Then};

use crate::plan::candidate::Candidate;
use crate::plan::step::{Action, Fused, Step};

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
