use crate::node::argument_ranges;
use crate::{Execution, Instr, NodeId, NodeView, OpError, Region, Subgraph, TensorId};

impl Subgraph {
    /// Checks the invariants of a subgraph.
    ///
    /// # Errors
    /// The first rule that is broken: inputs exist and come before the instruction, their number is
    /// right for the operation, the outputs are as inferred or better known, regions take the inputs
    /// and give the outputs, and feeds, fetches and commits exist.
    pub fn verify(&self) -> Result<(), VerifyError> {
        for (id, instr) in self.instrs() {
            for &input in &instr.inputs {
                if input.node >= id || self.get_fact(input).is_none() {
                    return Err(VerifyError::Input { node: id, op: instr.op.name, input });
                }
            }
            let arguments = argument_ranges(instr.op.inputs, &instr.attrs);
            let expected = arguments.last().map_or(0, |range| range.end);
            let actual = instr.inputs.len();
            if expected != actual {
                let op = instr.op.name;
                return Err(VerifyError::InputCount { node: id, op, expected, actual });
            }
            match instr.op.execution.inputs_before_bodies() {
                Some(before) => self.verify_regions(id, instr, before)?,
                None => self.verify_outputs(id, instr)?,
            }
        }
        let tensors = self.fetches.iter().copied();
        let tensors = tensors.chain(self.commits.iter().map(|commit| commit.value));
        for tensor in tensors.chain(self.feeds.iter().map(|&feed| TensorId::new(feed, 0))) {
            self.get_fact(tensor).ok_or(VerifyError::Root { tensor })?;
        }
        Ok(())
    }

    fn verify_outputs(&self, id: NodeId, instr: &Instr) -> Result<(), VerifyError> {
        let facts = self.facts(&instr.inputs);
        let view = NodeView::new(instr.op, &instr.attrs, &facts, &[]);
        let op = instr.op.name;
        let inferred = match (instr.op.infer)(&view) {
            Ok(inferred) => inferred,
            // The run will report it.
            Err(_) if self.may_fail(instr) => return Ok(()),
            Err(source) => {
                return Err(VerifyError::Inference { node: id, op, source: source.into() });
            }
        };
        let agree = inferred.len() == instr.outputs.len()
            && inferred.iter().zip(&instr.outputs).all(|(l, r)| l.shape.merge(&r.shape).is_ok());
        if agree { Ok(()) } else { Err(VerifyError::Outputs { node: id, op }) }
    }

    fn verify_regions(&self, id: NodeId, instr: &Instr, before: usize) -> Result<(), VerifyError> {
        let op = instr.op.name;
        let is_loop = instr.op.execution == Execution::Loop;
        if instr.regions.is_empty() || (is_loop && instr.regions.len() != 2) {
            return Err(VerifyError::Regions { node: id, op, actual: instr.regions.len() });
        }
        let inputs = &instr.inputs[before.min(instr.inputs.len())..];
        for (i, region) in instr.regions.iter().enumerate() {
            let takes_inputs = region.subgraph.feeds.len() == inputs.len()
                && inputs.iter().enumerate().all(|(i, &input)| {
                    let parameter = region.subgraph.get_fact(region.parameter(i));
                    parameter.is_some_and(|fact| fact.dtype == self.fact(input).dtype)
                });
            // The condition of a loop gives the answer alone.
            let is_condition = is_loop && i == 0;
            if !takes_inputs || !(is_condition || gives_outputs(region, instr)) {
                return Err(VerifyError::Region { node: id, op, region: i });
            }
        }
        Ok(())
    }
}

fn gives_outputs(region: &Region, instr: &Instr) -> bool {
    let Region { subgraph, .. } = region;
    let mut pairs = subgraph.fetches.iter().zip(&instr.outputs);
    subgraph.fetches.len() == instr.outputs.len()
        && pairs.all(|(&fetch, output)| {
            let result = subgraph.get_fact(fetch);
            result.is_some_and(|fact| {
                fact.dtype == output.dtype && fact.shape.merge(&output.shape).is_ok()
            })
        })
}

/// A rule that a [`Subgraph`] breaks.
#[derive(Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum VerifyError {
    #[error("{op} ({node:?}) takes {input:?}, which does not come before it")]
    Input { node: NodeId, op: &'static str, input: TensorId },
    #[error("{op} ({node:?}) takes {expected} inputs, but has {actual}")]
    InputCount { node: NodeId, op: &'static str, expected: usize, actual: usize },
    #[error("{op} ({node:?}) cannot take its inputs: {source}")]
    Inference { node: NodeId, op: &'static str, source: Box<OpError> },
    #[error("{op} ({node:?}) does not have the outputs that its inputs imply")]
    Outputs { node: NodeId, op: &'static str },
    #[error("{op} ({node:?}) has {actual} regions")]
    Regions { node: NodeId, op: &'static str, actual: usize },
    #[error("region {region} of {op} ({node:?}) does not take its inputs and give its outputs")]
    Region { node: NodeId, op: &'static str, region: usize },
    #[error("{tensor:?} is fed, fetched or committed, but does not exist")]
    Root { tensor: TensorId },
}

tidemill_value::debug_as_report!(VerifyError);
