//! Converts the attributes of a message to those of a node.

use std::collections::BTreeMap;

use tidemill_formats::SplatBudget;
use tidemill_formats::proto::{AnyValue, AttrValue, DataType, DataTypeError, ListValue, Message};
use tidemill_graph::{ArgType, Arity, Attr, AttrKind, OpDef};
use tidemill_value::{ByteString, DType, PartialShape};

use super::error::ImportErrorKind;
use super::net::Attrs;

/// The attributes of a node, under the operation's names for them.
pub(super) type NamedAttrs = Vec<(&'static str, Attr)>;
/// The encoded values of attributes that the operation does not know, by name.
pub(super) type NotedAttrs = Vec<(String, Vec<u8>)>;

/// Reads the attributes of a node.
///
/// Attributes that begin with `_` are TensorFlow's own notes. They are returned as they are, and so are
/// unknown ones that are empty, false or zero, which say that what they stand for is not used.
///
/// # Errors
/// [`ImportErrorKind`] if the operation has no such attribute, or it has another kind.
pub(super) fn read_attrs(
    op: &'static OpDef,
    attrs: BTreeMap<String, AttrValue>,
    budget: &mut SplatBudget,
) -> Result<(NamedAttrs, NotedAttrs), ImportErrorKind> {
    let (mut known, mut notes) = (Vec::with_capacity(attrs.len()), Vec::new());
    for (name, value) in attrs {
        let kind = find_kind(op, &name).filter(|_| !name.starts_with('_'));
        match kind {
            None if name.starts_with('_') || is_empty(&value) => {
                notes.push((name, value.encode_to_vec()));
            }
            None => return Err(ImportErrorKind::UnknownAttr { name }),
            Some((name, kind)) => {
                known.push((name, read_attr(name, kind, value.value.as_ref(), budget)?));
            }
        }
    }
    Ok((known, notes))
}

/// An attribute of a valid message that we do not know or lack a data type for; `None` if there is
/// none.
pub(super) fn find_lacking(op: &'static OpDef, attrs: &Attrs) -> Option<ImportErrorKind> {
    let runs_bodies = op.execution.inputs_before_bodies().is_some();
    attrs.iter().filter(|(name, _)| !name.starts_with('_')).find_map(|(name, value)| {
        let Some((_, kind)) = find_kind(op, name) else {
            return (!is_empty(value))
                .then(|| ImportErrorKind::UnknownAttr { name: name.to_owned() });
        };
        let types = match (kind, value.value.as_ref()?) {
            (AttrKind::Type(_), AnyValue::Type(dtype)) => std::slice::from_ref(dtype),
            (AttrKind::Tensor, AnyValue::Tensor(tensor)) => std::slice::from_ref(&tensor.dtype),
            // The types of the inputs of bodies follow from the inputs.
            (AttrKind::Types, AnyValue::List(list)) if !runs_bodies => &list.r#type,
            _ => return None,
        };
        types.iter().find_map(|&dtype| match DataType::dtype(dtype) {
            Err(source @ DataTypeError::Unsupported { .. }) => {
                Some(ImportErrorKind::AttrType { name: name.to_owned(), source })
            }
            _ => None,
        })
    })
}

/// True if a value is empty, false or zero.
fn is_empty(value: &AttrValue) -> bool {
    match &value.value {
        None => true,
        Some(AnyValue::I(x)) => *x == 0,
        Some(AnyValue::F(x)) => *x == 0.0,
        Some(AnyValue::B(x)) => !x,
        Some(AnyValue::S(x)) => x.is_empty(),
        Some(AnyValue::List(list)) => list.len() == 0,
        _ => false,
    }
}

/// The kind of an attribute: as declared, or as implied by the arguments that it describes.
fn find_kind(op: &'static OpDef, name: &str) -> Option<(&'static str, AttrKind)> {
    if let Some(def) = op.attr(name) {
        return Some((def.name, def.kind));
    }
    op.inputs.iter().chain(op.outputs).find_map(|arg| match (arg.arity, arg.dtype) {
        (Arity::Count(count), _) if count == name => Some((count, AttrKind::Int)),
        (Arity::Types(types), _) if types == name => Some((types, AttrKind::Types)),
        (_, ArgType::Attr(attr)) if attr == name => Some((attr, AttrKind::Type(DType::ALL))),
        _ => None,
    })
}

fn read_attr(
    name: &'static str,
    kind: AttrKind,
    value: Option<&AnyValue>,
    budget: &mut SplatBudget,
) -> Result<Attr, ImportErrorKind> {
    let dtype = |number: &i32| {
        DataType::dtype(*number)
            .map_err(|source| ImportErrorKind::AttrType { name: name.to_owned(), source })
    };
    let shape_error = |source| ImportErrorKind::AttrShape { name: name.to_owned(), source };
    let empty = ListValue::default();
    let list = match value {
        Some(AnyValue::List(list)) => Some(list),
        None => Some(&empty),
        Some(_) => None,
    };
    // A list of one kind is a list of another only if it is empty.
    let list_of = |count: fn(&ListValue) -> usize| list.filter(|list| count(list) == list.len());
    match (kind, value) {
        (AttrKind::Int, Some(AnyValue::I(x))) => return Ok(Attr::Int(*x)),
        (AttrKind::Float, Some(AnyValue::F(x))) => return Ok(Attr::Float(*x)),
        (AttrKind::Bool, Some(AnyValue::B(x))) => return Ok(Attr::Bool(*x)),
        (AttrKind::Str, Some(AnyValue::S(x))) => return Ok(Attr::Str(x.as_slice().into())),
        (AttrKind::Type(_), Some(AnyValue::Type(x))) => return Ok(Attr::Type(dtype(x)?)),
        (AttrKind::Shape, Some(AnyValue::Shape(x))) => {
            return x.partial_shape().map(Attr::Shape).map_err(shape_error);
        }
        (AttrKind::Tensor, Some(AnyValue::Tensor(x))) => {
            let error = |source| {
                let (name, source) = (name.to_owned(), Box::new(source));
                ImportErrorKind::AttrTensor { name, source }
            };
            return x.value(budget).map(Attr::Tensor).map_err(error);
        }
        (AttrKind::Ints, _) => {
            if let Some(list) = list_of(|list| list.i.len()) {
                return Ok(Attr::from(list.i.as_slice()));
            }
        }
        (AttrKind::Strs, _) => {
            if let Some(list) = list_of(|list| list.s.len()) {
                let strings: Vec<ByteString> = list.s.iter().map(|s| s.as_slice().into()).collect();
                return Ok(Attr::from(strings));
            }
        }
        (AttrKind::Types, _) => {
            if let Some(list) = list_of(|list| list.r#type.len()) {
                let types: Vec<DType> = list.r#type.iter().map(dtype).collect::<Result<_, _>>()?;
                return Ok(Attr::from(types));
            }
        }
        (AttrKind::Shapes, _) => {
            if let Some(list) = list_of(|list| list.shape.len()) {
                let shapes = list.shape.iter().map(|shape| shape.partial_shape());
                let shapes: Vec<PartialShape> =
                    shapes.collect::<Result<_, _>>().map_err(shape_error)?;
                return Ok(Attr::from(shapes));
            }
        }
        _ => {}
    }
    Err(ImportErrorKind::AttrKind {
        name: name.to_owned(),
        expected: name_of(kind),
        actual: value.map_or("no value", AnyValue::kind),
    })
}

pub(super) const fn name_of(kind: AttrKind) -> &'static str {
    match kind {
        AttrKind::Int => "int",
        AttrKind::Float => "float",
        AttrKind::Bool => "bool",
        AttrKind::Str => "string",
        AttrKind::Type(_) => "type",
        AttrKind::Shape => "shape",
        AttrKind::Tensor => "tensor",
        AttrKind::Ints => "list(int)",
        AttrKind::Strs => "list(string)",
        AttrKind::Types => "list(type)",
        AttrKind::Shapes => "list(shape)",
        AttrKind::Function => "host function",
        AttrKind::Body => "func",
        AttrKind::Bodies => "list(func)",
    }
}

/// The number of inputs of each argument.
///
/// # Errors
/// [`ImportErrorKind`] if the attributes do not give it, or the number of inputs differs.
pub(super) fn argument_counts(
    op: &'static OpDef,
    attrs: &NamedAttrs,
    inputs: usize,
) -> Result<Vec<usize>, ImportErrorKind> {
    let attr = |name: &'static str| {
        let attr = attrs.iter().find(|(given, _)| *given == name).map(|(_, attr)| attr);
        attr.ok_or(ImportErrorKind::MissingAttr { name })
    };
    let count = |arity| match arity {
        Arity::One => Ok(1),
        Arity::Count(name) => match attr(name)? {
            // A negative number, or one that is too large, is not the number of inputs.
            Attr::Int(count) => Ok(usize::try_from(*count).unwrap_or(usize::MAX)),
            _ => Err(ImportErrorKind::MissingAttr { name }),
        },
        Arity::Types(name) => match attr(name)? {
            Attr::Types(types) => Ok(types.len()),
            _ => Err(ImportErrorKind::MissingAttr { name }),
        },
    };
    let counts: Vec<usize> =
        op.inputs.iter().map(|arg| count(arg.arity)).collect::<Result<_, _>>()?;
    let expected = counts.iter().fold(0usize, |sum, count| sum.saturating_add(*count));
    match expected == inputs {
        true => Ok(counts),
        false => Err(ImportErrorKind::InputCount { expected, actual: inputs }),
    }
}
