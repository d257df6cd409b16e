use std::borrow::Cow;

use smallvec::SmallVec;
use tidemill_value::DType;

use crate::arguments::Arguments;
use crate::diagnosis::BuildErrorKind;
use crate::{
    Arg, ArgType, Arity, Attr, AttrKind, Attrs, Execution, Fact, OpDef, OpError, Role, TensorId,
};

/// The limit of an attribute that counts outputs, so that none makes a node arbitrarily large.
const MAX_OUTPUTS: i64 = 1 << 16;

/// The attributes of a node and the types of its outputs, as derived from its inputs.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) attrs: Attrs,
    /// The data type of each output, and its role.
    pub(crate) output_types: SmallVec<[(DType, Role); 2]>,
}

type NamedAttrs = Vec<(Cow<'static, str>, Attr)>;

/// A type attribute that an input has bound.
struct Binding {
    attr: &'static str,
    dtype: DType,
    input: &'static str,
}

/// Checks inputs and attributes against the operation, and derives what follows from them.
///
/// Attributes equal to the default or to the type of an input are dropped: nodes store only what
/// cannot be derived.
pub(crate) fn bind(
    op: &'static OpDef,
    arguments: &Arguments<TensorId>,
    facts: &[Fact],
    mut attrs: NamedAttrs,
) -> Result<Bound, BuildErrorKind> {
    if arguments.len() != op.inputs.len() {
        let (expected, actual) = (op.inputs.len(), arguments.len());
        return Err(BuildErrorKind::InputCount { expected, actual });
    }
    let bindings = bind_inputs(op, arguments, facts, &mut attrs)?;
    check_bindings(op, &bindings, &attrs)?;
    attrs.retain(|(name, _)| bindings.iter().all(|binding| binding.attr != name.as_ref()));
    check_attrs(op, &bindings, &attrs)?;
    attrs.retain(|(name, attr)| {
        let default = op.attr(name).and_then(|def| def.default);
        default.is_none_or(|default| !default.to_attr().same(attr))
    });
    let output_types = output_types(op, &bindings, &attrs)?;
    Ok(Bound { attrs: attrs.into_iter().collect(), output_types })
}

fn bind_inputs(
    op: &'static OpDef,
    arguments: &Arguments<TensorId>,
    facts: &[Fact],
    attrs: &mut NamedAttrs,
) -> Result<SmallVec<[Binding; 2]>, BuildErrorKind> {
    let mut bindings: SmallVec<[Binding; 2]> = SmallVec::new();
    let mut counts: SmallVec<[(&str, usize); 2]> = SmallVec::new();
    for (arg, range) in op.inputs.iter().zip(arguments.ranges()) {
        let facts = &facts[range];
        let is_opaque = op.execution == Execution::Opaque;
        if !is_opaque && facts.iter().any(|fact| fact.role == Role::Unknown) {
            return Err(BuildErrorKind::UnknownType { input: arg.name });
        }
        match arg.arity {
            Arity::One if facts.len() != 1 => {
                let (expected, actual) = (1, facts.len());
                return Err(BuildErrorKind::InputCount { expected, actual });
            }
            Arity::One => {}
            Arity::Count(count) => {
                let actual = facts.len();
                match counts.iter().find(|(other, _)| *other == count) {
                    Some(&(_, expected)) if expected != actual => {
                        return Err(BuildErrorKind::InputCount { expected, actual });
                    }
                    Some(_) => {}
                    None => counts.push((count, actual)),
                }
                set(attrs, count, Attr::Int(facts.len() as i64));
            }
            Arity::Types(types) => {
                let dtypes: Vec<DType> = facts.iter().map(|fact| fact.dtype).collect();
                set(attrs, types, Attr::from(dtypes));
                let takes_variables = is_opaque || op.execution.inputs_before_bodies().is_some();
                if !takes_variables && facts.iter().any(|fact| fact.role == Role::Handle) {
                    return Err(BuildErrorKind::Handle { input: arg.name });
                }
                continue;
            }
        }
        for fact in facts {
            match (arg.role == Role::Handle, fact.role == Role::Handle) {
                (true, false) => return Err(BuildErrorKind::NotAHandle { input: arg.name }),
                (false, true) => return Err(BuildErrorKind::Handle { input: arg.name }),
                _ => bind_input(arg, fact.dtype, &mut bindings)?,
            }
        }
    }
    Ok(bindings)
}

fn bind_input(
    arg: &'static Arg,
    dtype: DType,
    bindings: &mut SmallVec<[Binding; 2]>,
) -> Result<(), BuildErrorKind> {
    match arg.dtype {
        ArgType::Any => Ok(()),
        ArgType::Is(expected) if expected == dtype => Ok(()),
        ArgType::Is(expected) => {
            Err(BuildErrorKind::DType { input: arg.name, dtype, allowed: vec![expected] })
        }
        ArgType::Attr(attr) => match bindings.iter().find(|binding| binding.attr == attr) {
            Some(binding) if binding.dtype == dtype => Ok(()),
            Some(binding) => Err(BuildErrorKind::DTypes {
                left: binding.input,
                left_dtype: binding.dtype,
                right: arg.name,
                right_dtype: dtype,
            }),
            None => {
                bindings.push(Binding { attr, dtype, input: arg.name });
                Ok(())
            }
        },
    }
}

fn set(attrs: &mut NamedAttrs, name: &'static str, attr: Attr) {
    attrs.retain(|(given, _)| given != name);
    attrs.push((Cow::Borrowed(name), attr));
}

/// Checks that the bound types are allowed, and agree with those given as attributes.
fn check_bindings(
    op: &'static OpDef,
    bindings: &[Binding],
    attrs: &NamedAttrs,
) -> Result<(), BuildErrorKind> {
    for binding in bindings {
        let Binding { attr, dtype, input } = *binding;
        let given = attrs.iter().find(|(name, _)| name == attr).map(|(_, attr)| attr);
        if let Some(Attr::Type(given)) = given
            && *given != dtype
        {
            return Err(BuildErrorKind::DType { input, dtype, allowed: vec![*given] });
        }
        if let Some(AttrKind::Type(allowed)) = op.attr(attr).map(|def| def.kind)
            && !allowed.contains(&dtype)
        {
            return Err(BuildErrorKind::DType { input, dtype, allowed: allowed.to_vec() });
        }
    }
    Ok(())
}

/// Checks that the attributes given are of their kinds, and that none is missing.
fn check_attrs(
    op: &'static OpDef,
    bindings: &[Binding],
    attrs: &NamedAttrs,
) -> Result<(), BuildErrorKind> {
    for (name, attr) in attrs {
        let Some(def) = op.attr(name) else { continue };
        if let (AttrKind::Type(allowed), Attr::Type(dtype)) = (def.kind, attr)
            && !allowed.contains(dtype)
        {
            let (input, allowed) = (def.name, allowed.to_vec());
            return Err(BuildErrorKind::DType { input, dtype: *dtype, allowed });
        }
        if !def.admits(attr) {
            return Err(BuildErrorKind::UnknownAttr { name: name.to_string(), kind: attr.kind() });
        }
    }
    let missing = op.attrs.iter().find(|def| {
        def.default.is_none()
            && bindings.iter().all(|binding| binding.attr != def.name)
            && attrs.iter().all(|(name, _)| name != def.name)
    });
    match missing {
        Some(def) => Err(OpError::MissingAttr { name: def.name }.into()),
        None => Ok(()),
    }
}

fn output_types(
    op: &'static OpDef,
    bindings: &[Binding],
    attrs: &NamedAttrs,
) -> Result<SmallVec<[(DType, Role); 2]>, BuildErrorKind> {
    let mut types = SmallVec::new();
    let given = |name: &str| attrs.iter().find(|(given, _)| given == name).map(|(_, attr)| attr);
    for output in op.outputs {
        let role = output.output_role();
        let dtype = || match output.dtype {
            ArgType::Is(dtype) => Some(dtype),
            ArgType::Any => None,
            ArgType::Attr(name) => match bindings.iter().find(|binding| binding.attr == name) {
                Some(binding) => Some(binding.dtype),
                None => match given(name)
                    .cloned()
                    .or_else(|| Some(op.attr(name)?.default?.to_attr()))?
                {
                    Attr::Type(dtype) => Some(dtype),
                    _ => None,
                },
            },
        };
        match output.arity {
            Arity::One => {
                let name = output.name;
                types.push((dtype().ok_or(OpError::MissingAttr { name })?, role));
            }
            Arity::Count(name) => {
                let dtype = dtype().ok_or(OpError::MissingAttr { name: output.name })?;
                let Some(Attr::Int(count)) = given(name) else {
                    return Err(OpError::MissingAttr { name }.into());
                };
                if *count > MAX_OUTPUTS {
                    return Err(OpError::Outputs { count: *count, limit: MAX_OUTPUTS }.into());
                }
                types.extend((0..*count).map(|_| (dtype, role)));
            }
            Arity::Types(name) => {
                let Some(Attr::Types(dtypes)) = given(name) else {
                    return Err(OpError::MissingAttr { name }.into());
                };
                types.extend(dtypes.iter().map(|&dtype| (dtype, role)));
            }
        }
    }
    Ok(types)
}
