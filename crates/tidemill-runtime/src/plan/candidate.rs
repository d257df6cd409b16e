//! Steps that may be fused with others.

use smallvec::SmallVec;
use tidemill_graph::{Fact, Instr, Subgraph};
use tidemill_value::{DType, ScalarOp};

use crate::plan::step::Step;

/// A step. If its inputs and outputs are single numbers and it cannot fail, the function that it
/// computes, and their type.
pub(crate) struct Candidate {
    pub(crate) step: Step,
    pub(crate) scalar: Option<(ScalarOp, DType)>,
    /// The element-wise function that it computes, if it is nothing else.
    pub(crate) function: Option<Function>,
    /// True if it cannot fail.
    pub(crate) is_certain: bool,
}

/// The function of an element-wise instruction that cannot fail, and whose output has a known shape.
pub(crate) struct Function {
    pub(crate) function: ScalarOp,
    pub(crate) dtype: DType,
    /// For each input, whether the output has its shape, and the other input is a single element, a row,
    /// or of the same shape.
    pub(crate) takes: SmallVec<[bool; 2]>,
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
        let has_shape_of_output = |fact: &Fact| fact.shape.is_known() && fact.shape == output.shape;
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
