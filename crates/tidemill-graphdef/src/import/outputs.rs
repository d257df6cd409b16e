//! The number of tensors that arguments and outputs have, as the attributes of a message give it.

use std::ops::Range;

use tidemill_formats::proto::{AnyValue, ArgDef};
use tidemill_graph::{Arg, Arity, OpDef};

use super::net::Attrs;

/// The number of tensors that an attribute gives, as a number or a list of types. Without the
/// attribute it is one.
fn count(attrs: &Attrs, name: &str) -> usize {
    match attrs.get(name).and_then(|attr| attr.value.as_ref()) {
        Some(AnyValue::I(count)) => usize::try_from(*count).unwrap_or(0),
        Some(AnyValue::List(list)) => list.r#type.len(),
        _ => 1,
    }
}

/// The number of tensors of an argument of a function with these attributes.
pub(super) fn count_of(arg: &ArgDef, attrs: &Attrs) -> usize {
    count(attrs, if arg.number_attr.is_empty() { &arg.type_list_attr } else { &arg.number_attr })
}

/// The number of tensors of an argument of a node with these attributes.
pub(super) fn count_of_arity(arity: Arity, attrs: &Attrs) -> usize {
    match arity {
        Arity::One => 1,
        Arity::Count(name) | Arity::Types(name) => count(attrs, name),
    }
}

/// The outputs of a node with these attributes, each with the numbers of its tensors.
pub(super) fn outputs_of<'a>(
    op: &OpDef,
    attrs: &'a Attrs,
) -> impl Iterator<Item = (&'static Arg, Range<usize>)> + use<'a> {
    op.outputs.iter().scan(0_usize, |end, arg| {
        let start = *end;
        *end = start.saturating_add(count_of_arity(arg.arity, attrs));
        Some((arg, start..*end))
    })
}
