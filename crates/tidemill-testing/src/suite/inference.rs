use tidemill_graph::{Elements, Expect, Fact, OpDef, Sample};
use tidemill_runtime::Rewriting;
use tidemill_value::Value;

use super::{Given, Knowledge, SampleNode};
use crate::values::all_same;

/// Inferred facts about the outputs hold for the computed values, however little is known about the
/// inputs; and the computed values do not depend on what is known.
pub fn check_inference(op: &'static OpDef, sample: &Sample) -> Result<(), String> {
    if matches!(sample.expect, Expect::Error(_)) {
        return Ok(());
    }
    let shapes = Given::Fed(Knowledge::Shapes);
    let expected = SampleNode::build(op, sample, shapes)?.run(Rewriting::Off);
    let expected = expected.map_err(|error| error.to_string())?;
    let inputs = sample.inputs.iter().map(Vec::len).sum();
    let partial = Knowledge::partial(inputs).into_iter().map(Given::Fed);
    for given in [shapes, Given::Constants].into_iter().chain(partial) {
        let fail = |message: String| Err(format!("given {given:?}: {message}"));
        let node = match SampleNode::build(op, sample, given) {
            Ok(node) => node,
            Err(error) => return fail(error),
        };
        for (fact, value) in node.output_facts().iter().zip(&expected) {
            if !holds(fact, value) {
                return fail(format!("it infers {fact:?}{:?} of {value:?}", fact.elements));
            }
        }
        for rewriting in [Rewriting::On, Rewriting::Off] {
            match node.run(rewriting) {
                Ok(outputs) if all_same(&outputs, &expected) => {}
                Ok(outputs) => return fail(format!("it gives {outputs:?} for {expected:?}")),
                Err(error) => return fail(error.to_string()),
            }
        }
    }
    Ok(())
}

/// True if the facts about a tensor hold for its value.
pub(crate) fn holds(fact: &Fact, value: &Value) -> bool {
    let element_holds = |(known, actual): (&Option<i64>, &Option<i64>)| {
        known.is_none_or(|known| Some(known) == *actual)
    };
    let elements_hold = |known: &Elements| {
        known.len() == value.elements()
            && Elements::of(value)
                .is_some_and(|actual| known.iter().zip(actual.iter()).all(element_holds))
    };
    fact.dtype == value.dtype()
        && fact.shape.admits(value.shape())
        && fact.elements.as_ref().is_none_or(elements_hold)
}
