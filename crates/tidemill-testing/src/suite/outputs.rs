use tidemill_graph::{AttrKind, Expect, Graph, OpDef, Sample};
use tidemill_ops::lookup;
use tidemill_runtime::Rewriting;
use tidemill_value::Value;

use super::{Given, Knowledge, SampleNode};
use crate::values::{all_same, close, deep_copy};

/// The tolerance of a sample's float outputs, relative or absolute.
const TOLERANCE: f64 = 1e-5;

/// The ways to run a sample: all must give the same result.
const WAYS: [(Given, Rewriting); 4] = [
    (Given::Fed(Knowledge::Shapes), Rewriting::On),
    (Given::Fed(Knowledge::Shapes), Rewriting::Off),
    (Given::Constants, Rewriting::On),
    (Given::Constants, Rewriting::Off),
];

/// A sample gives its expected outputs, to the same bit whether its inputs are fed or constants,
/// and whether the run is rewritten or not; or it fails with the expected text.
pub fn check_outputs(op: &'static OpDef, sample: &Sample) -> Result<(), String> {
    let mut first: Option<Vec<Value>> = None;
    for (given, rewriting) in WAYS {
        let way = format!("given {given:?}, rewriting {rewriting:?}");
        let node = SampleNode::build(op, sample, given);
        let facts = node.as_ref().map(SampleNode::output_facts).unwrap_or_default();
        let run = node.and_then(|node| node.run(rewriting).map_err(|error| error.to_string()));
        let outputs = match (run, &sample.expect) {
            (Err(error), Expect::Error(message)) if error.contains(message) => continue,
            (Err(error), _) => return Err(format!("{way}: {error}")),
            (Ok(outputs), Expect::Error(message)) => {
                return Err(format!("{way}: it gives {outputs:?}, and no error with {message:?}"));
            }
            (Ok(outputs), _) => outputs,
        };
        if let Expect::Outputs(expected) = &sample.expect {
            let pairs = || outputs.iter().zip(expected);
            if outputs.len() != expected.len() || !pairs().all(|(l, r)| close(l, r, TOLERANCE)) {
                return Err(format!("{way}: it gives {outputs:?} instead of {expected:?}"));
            }
        }
        let typed = outputs.iter().zip(&facts).all(|(output, fact)| output.dtype() == fact.dtype);
        if outputs.len() != facts.len() || !typed {
            return Err(format!("{way}: it gives {outputs:?}, but was to give {facts:?}"));
        }
        let first = first.get_or_insert_with(|| outputs.clone());
        if !all_same(first, &outputs) {
            return Err(format!("{way}: it gives {outputs:?} instead of {first:?}"));
        }
    }
    Ok(())
}

/// A node that plans classify as infallible does not fail a run: a sample that fails does so when
/// it is built, or is known to be able to.
pub fn check_failures_are_expected(op: &'static OpDef, sample: &Sample) -> Result<(), String> {
    if !matches!(sample.expect, Expect::Error(_)) {
        return Ok(());
    }
    let inputs = sample.inputs.iter().map(Vec::len).sum();
    let partial = Knowledge::partial(inputs).into_iter().chain([Knowledge::Shapes]);
    for given in partial.map(Given::Fed).chain([Given::Constants]) {
        if SampleNode::build(op, sample, given).is_ok_and(|node| !node.may_fail()) {
            return Err(format!("given {given:?}, it fails though it cannot"));
        }
    }
    Ok(())
}

/// A run leaves fed values unchanged.
pub fn check_feeds_are_unchanged(op: &'static OpDef, sample: &Sample) -> Result<(), String> {
    for (given, rewriting) in WAYS {
        let Ok(node) = SampleNode::build(op, sample, given) else { continue };
        let before: Vec<Value> = node.feeds().iter().map(|(_, value)| deep_copy(value)).collect();
        // It need not succeed.
        let _ = node.run(rewriting);
        for ((_, after), before) in node.feeds().iter().zip(&before) {
            if !after.bits_eq(before) {
                return Err(format!("a run changed the fed value {before:?} to {after:?}"));
            }
        }
    }
    Ok(())
}

/// The graph of a sample reads back from its text.
pub fn check_text_form(op: &'static OpDef, sample: &Sample) -> Result<(), String> {
    let calls_host = op.attrs.iter().any(|attr| attr.kind == AttrKind::Function);
    for given in [Given::Fed(Knowledge::Shapes), Given::Fed(Knowledge::Nothing), Given::Constants] {
        let Ok(node) = SampleNode::build(op, sample, given) else { continue };
        let text = node.graph().to_text();
        match Graph::from_text(&text, &lookup).map(|graph| graph.to_text()) {
            Ok(again) if again == text => {}
            Ok(again) => return Err(format!("{text}reads back as\n{again}")),
            Err(_) if calls_host => {}
            Err(error) => return Err(format!("{text}does not read back: {error}")),
        }
    }
    Ok(())
}
