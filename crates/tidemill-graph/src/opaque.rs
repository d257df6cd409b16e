//! Nodes of a file that are not understood: an operation, attribute or data type is unknown.
//!
//! Such a node is valid. It can be fed and written to a file again, but not run.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use smallvec::SmallVec;
use tidemill_value::PartialShape;

use crate::{
    Arg, Attr, AttrDef, AttrKind, Attrs, Effect, Execution, Fallible, Gradient, GradientError,
    Inferred, NodeView, OpDef, OpError,
};

/// The attribute of an opaque node that says what is not understood, a string.
pub const LACKS: &str = "_lacks";
/// The attribute with the data types of its outputs.
pub const OUTPUT_TYPES: &str = "_output_types";
/// The attribute with the numbers of the outputs whose types are unknown, ascending.
pub const UNTYPED_OUTPUTS: &str = "_untyped_outputs";
/// The attribute with the shapes of its outputs, or none if they are unknown.
pub const OUTPUT_SHAPES: &str = "_output_shapes";

const INPUT_TYPES: &str = "_input_types";

/// A description is never freed, because nodes refer to it, so their number and size are limited.
const MAX_OPS: usize = 1 << 16;
const MAX_NAME: usize = 256;

static KNOWN: Mutex<Option<HashMap<&'static str, &'static OpDef>>> = Mutex::new(None);

/// The description of an operation that is not understood, which takes and returns any number of
/// tensors.
///
/// Its nodes need the attributes [`LACKS`] and [`OUTPUT_TYPES`]. `None` if the name is longer than
/// any operation's, or the process has met too many such operations.
pub fn opaque_op(name: &str) -> Option<&'static OpDef> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(op) = known.get(name) {
        return Some(op);
    }
    if name.len() > MAX_NAME || known.len() == MAX_OPS {
        return None;
    }
    let name: &'static str = Box::leak(name.into());
    let op: &'static OpDef = Box::leak(Box::new(describe(name)));
    known.insert(name, op);
    Some(op)
}

fn describe(name: &'static str) -> OpDef {
    const INPUTS: &[Arg] = &[Arg::mixed("input", INPUT_TYPES)];
    const OUTPUTS: &[Arg] = &[Arg::mixed("output", OUTPUT_TYPES)];
    const ATTRS: &[AttrDef] = &[
        AttrDef::new(LACKS, AttrKind::Str),
        AttrDef::new(INPUT_TYPES, AttrKind::Types),
        AttrDef::new(OUTPUT_TYPES, AttrKind::Types),
        AttrDef::new(UNTYPED_OUTPUTS, AttrKind::Ints),
        AttrDef::new(OUTPUT_SHAPES, AttrKind::Shapes),
    ];
    let op = OpDef::new(name, "Stands for a node of a file that is not understood.")
        .inputs(INPUTS)
        .outputs(OUTPUTS)
        .attrs(ATTRS)
        .execution(Execution::Opaque)
        .effect(Effect::Host)
        .fallible(Fallible::Values)
        .infer(infer)
        .kernel(|node| Err(error(node)));
    OpDef { gradient: Gradient::Rule(|cx| Err(GradientError::Op(error(cx.node())))), ..op }
}

fn infer(node: &NodeView<'_>) -> Result<SmallVec<[Inferred; 1]>, OpError> {
    let count = match node.attrs().get(OUTPUT_TYPES) {
        Some(Attr::Types(types)) => types.len(),
        _ => 0,
    };
    let shapes: &[PartialShape] = match node.attrs().get(OUTPUT_SHAPES) {
        Some(Attr::Shapes(shapes)) => shapes,
        _ => &[],
    };
    let shape = |i: usize| shapes.get(i).cloned().unwrap_or_else(PartialShape::unknown);
    Ok((0..count).map(|i| Inferred::from(shape(i))).collect())
}

/// The error of running a node, or differentiating through it.
fn error(node: &NodeView<'_>) -> OpError {
    OpError::Opaque { op: node.op().name, lacks: lacks(node.attrs()) }
}

/// What an opaque node with these attributes lacks.
pub fn lacks(attrs: &Attrs) -> String {
    match attrs.get(LACKS) {
        Some(Attr::Str(text)) => text.to_string(),
        _ => String::new(),
    }
}

/// True if the type of an output of an opaque node is unknown.
pub(crate) fn is_untyped(attrs: &Attrs, slot: usize) -> bool {
    match attrs.get(UNTYPED_OUTPUTS) {
        Some(Attr::Ints(slots)) => slots.binary_search(&(slot as i64)).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::opaque_op;

    #[test]
    fn an_operation_has_one_description_that_equals_no_other() {
        let op = opaque_op("NoSuchOp").unwrap();
        assert!(std::ptr::eq(op, opaque_op("NoSuchOp").unwrap()));
        assert!(*op != crate::OpDef::new("NoSuchOp", "is known by now"));
        assert!(opaque_op(&"x".repeat(1000)).is_none());
    }
}
