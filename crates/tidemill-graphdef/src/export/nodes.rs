//! Nodes of a message, and the functions that it has in place of the bodies they run.
//!
//! A node needs the functions of its bodies, and a function the nodes of its body.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use tidemill_formats::proto::{
    AnyValue, ArgDef, AttrValue, DataType, FunctionDef, FunctionDefLibrary, ListValue, Message,
    NameAttrList, NodeDef, OpDef, TensorProto,
};
use tidemill_graph::{
    Arity, Attr, Body, Fact, GraphReader, HANDLE_PARAMETER, Node, NodeId, PARAMETER, REF_PARAMETER,
    Role, TensorId,
};

use super::error::{ExportError, MAX_BYTES};
use crate::import::unused_name;

/// A node of a graph, or of the body of a function.
pub(super) fn to_node_def(
    reader: &GraphReader<'_>,
    id: NodeId,
    node: &Node,
    inside: Option<&Inside>,
    functions: &mut Functions,
) -> Result<NodeDef, ExportError> {
    let inputs = references(reader, &node.inputs, inside);
    let controls = node.control_inputs.iter().map(|control| format!("^{}", reader.name(*control)));
    let too_large = |bytes| {
        let node = reader.name(id).to_owned();
        ExportError::TooLarge { bytes, node, node_bytes: bytes }
    };
    let types = types_with_handles(reader, id, node)?;
    let attr = |(name, attr): (&str, Attr)| {
        // Checked before its bytes are in memory twice.
        if let Attr::Tensor(value) = &attr
            && let bytes = TensorProto::content_len(value)
            && bytes > MAX_BYTES
        {
            return Err(too_large(bytes));
        }
        if let Some(types) = types.iter().find(|(of, _)| *of == name) {
            return Ok((name.to_owned(), AttrValue { value: Some(types.1.clone()) }));
        }
        if let Some(value) = functions.attr(&attr)? {
            return Ok((name.to_owned(), AttrValue { value: Some(value) }));
        }
        let host_function =
            || ExportError::HostFunction { node: reader.name(id).to_owned(), op: node.op.name };
        let value = Some(to_any_value(&attr).ok_or_else(host_function)?);
        Ok((name.to_owned(), AttrValue { value }))
    };
    let mut attrs: BTreeMap<String, AttrValue> =
        reader.all_attrs(node).into_iter().map(attr).collect::<Result<_, ExportError>>()?;
    let note = reader.node_note(id);
    if inside.is_none() && note.is_some_and(|note| note.outputs.len() > 1) {
        let name = reader.name(id).to_owned();
        return Err(ExportError::OutputOrder { node: name, op: node.op.name });
    }
    let kept = note.into_iter().flat_map(|note| &note.attrs);
    attrs.extend(kept.filter_map(|(name, bytes)| {
        Some((name.clone(), AttrValue::decode(bytes.as_slice()).ok()?))
    }));
    Ok(NodeDef {
        name: reader.name(id).to_owned(),
        op: node.op.name.to_owned(),
        input: inputs.into_iter().chain(controls).collect(),
        device: note.map(|note| note.device.to_string()).unwrap_or_default(),
        attr: attrs,
    })
}

/// The attribute in a message; a function of the host program has none.
fn to_any_value(attr: &Attr) -> Option<AnyValue> {
    let number = |dtype| i32::from(DataType::from(dtype));
    let list = |list| Some(AnyValue::List(list));
    match attr {
        Attr::Int(x) => Some(AnyValue::I(*x)),
        Attr::Float(x) => Some(AnyValue::F(*x)),
        Attr::Bool(x) => Some(AnyValue::B(*x)),
        Attr::Str(x) => Some(AnyValue::S(x.to_vec())),
        Attr::Type(x) => Some(AnyValue::Type(number(*x))),
        Attr::Shape(x) => Some(AnyValue::Shape(x.into())),
        Attr::Tensor(x) => Some(AnyValue::Tensor(x.into())),
        Attr::Ints(x) => list(ListValue { i: x.to_vec(), ..ListValue::default() }),
        Attr::Strs(x) => {
            let strings = x.iter().map(|string| string.to_vec()).collect();
            list(ListValue { s: strings, ..ListValue::default() })
        }
        Attr::Types(x) => {
            let types = x.iter().map(|dtype| number(*dtype)).collect();
            list(ListValue { r#type: types, ..ListValue::default() })
        }
        Attr::Shapes(x) => {
            list(ListValue { shape: x.iter().map(Into::into).collect(), ..ListValue::default() })
        }
        Attr::Function(_) | Attr::Body(_) | Attr::Bodies(_) => None,
    }
}

/// The functions of a message so far.
pub(super) struct Functions {
    library: Option<FunctionDefLibrary>,
    /// The names of those made from bodies.
    made: FxHashSet<String>,
    /// The names by the addresses of the bodies.
    names: FxHashMap<usize, String>,
}

/// The arguments of the function that nodes are in, by their nodes.
pub(super) struct Inside(FxHashMap<NodeId, String>);

impl Functions {
    /// These functions, to which those of bodies are added.
    pub(super) fn new(library: Option<FunctionDefLibrary>) -> Self {
        Functions { library, made: FxHashSet::default(), names: FxHashMap::default() }
    }

    pub(super) fn into_library(self) -> Option<FunctionDefLibrary> {
        self.library
    }

    /// The value in a message of an attribute that holds bodies.
    ///
    /// # Errors
    /// [`ExportError`] if the nodes of a body have no form in messages.
    fn attr(&mut self, attr: &Attr) -> Result<Option<AnyValue>, ExportError> {
        match attr {
            Attr::Body(body) => Ok(Some(AnyValue::Func(self.name(body)?))),
            Attr::Bodies(bodies) => {
                let func = bodies.iter().map(|body| self.name(body)).collect::<Result<_, _>>()?;
                Ok(Some(AnyValue::List(ListValue { func, ..ListValue::default() })))
            }
            _ => Ok(None),
        }
    }

    fn name(&mut self, body: &Arc<Body>) -> Result<NameAttrList, ExportError> {
        let address = Arc::as_ptr(body).addr();
        let name = match self.names.get(&address) {
            Some(name) => name.clone(),
            None => {
                let name = unused_name(&mut self.made, body.name());
                self.names.insert(address, name.clone());
                let function = self.function(&name, body)?;
                let library = self.library.get_or_insert_default();
                let named = |other: &FunctionDef| {
                    other.signature.as_ref().is_some_and(|signature| signature.name == name)
                };
                // The function that the body was imported from.
                library.function.retain(|other| !named(other));
                library.function.push(function);
                name
            }
        };
        Ok(NameAttrList { name, ..NameAttrList::default() })
    }

    fn function(&mut self, name: &str, body: &Body) -> Result<FunctionDef, ExportError> {
        let reader = body.graph().read();
        let nodes = body.parameters().iter().map(|parameter| parameter.node);
        let named = nodes.enumerate().map(|(i, node)| (node, format!("arg{i}")));
        let inside = Inside(named.collect());
        let facts = body.parameter_facts();
        let input_arg = facts.iter().enumerate().map(|(i, fact)| arg(format!("arg{i}"), fact));
        let facts = body.result_facts();
        let output_arg = facts.iter().enumerate().map(|(i, fact)| arg(format!("result{i}"), fact));
        let results = references(&reader, body.results(), Some(&inside)).into_iter();
        let mut effects: Vec<NodeId> = body.effects().to_vec();
        effects.retain(|node| !inside.0.contains_key(node));
        let controls: Vec<String> = effects.iter().map(|&id| reader.name(id).to_owned()).collect();
        let signature = OpDef {
            name: name.to_owned(),
            input_arg: input_arg.collect(),
            output_arg: output_arg.collect(),
            is_stateful: body.is_stateful(),
            control_output: controls.clone(),
            ..OpDef::default()
        };
        let ret = results.enumerate().map(|(i, result)| (format!("result{i}"), result)).collect();
        let unused = behind_dropped_parameters(&reader, &inside);
        let is_member = |id: &NodeId| !inside.0.contains_key(id) && !unused.contains(id);
        let members = reader.nodes().filter(|(id, _)| is_member(id));
        let node_def = members
            .map(|(id, node)| to_node_def(&reader, id, node, Some(&inside), self))
            .collect::<Result<_, _>>()?;
        Ok(FunctionDef {
            signature: Some(signature),
            node_def,
            ret,
            control_ret: controls.into_iter().map(|name| (name.clone(), name)).collect(),
            ..FunctionDef::default()
        })
    }
}

/// The parameters that a body has dropped because no result needs them, and the nodes that take them.
fn behind_dropped_parameters(reader: &GraphReader<'_>, inside: &Inside) -> FxHashSet<NodeId> {
    let is_parameter =
        |node: &Node| [&PARAMETER, &REF_PARAMETER, &HANDLE_PARAMETER].contains(&node.op);
    let mut dropped = FxHashSet::default();
    for (id, node) in reader.nodes().filter(|(id, _)| !inside.0.contains_key(id)) {
        let mut inputs = node.inputs.iter().map(|input| input.node);
        if is_parameter(node) || inputs.any(|input| dropped.contains(&input)) {
            dropped.insert(id);
        }
    }
    dropped
}

fn arg(name: String, fact: &Fact) -> ArgDef {
    ArgDef { name, r#type: type_of(fact), ..ArgDef::default() }
}

fn type_of(fact: &Fact) -> i32 {
    match fact.role {
        Role::Handle => DataType::Resource.into(),
        // Only nodes that are not understood take such a tensor, and they keep their own attributes.
        Role::Unknown => DataType::Invalid.into(),
        Role::Value | Role::Ref => DataType::from(fact.dtype).into(),
    }
}

/// The references by which nodes name tensors.
fn references(
    reader: &GraphReader<'_>,
    tensors: &[TensorId],
    inside: Option<&Inside>,
) -> Vec<String> {
    let reference = |tensor: &TensorId| match inside {
        None if tensor.slot == 0 => reader.name(tensor.node).to_owned(),
        None => reader.tensor_name(*tensor),
        Some(inside) => inside.0.get(&tensor.node).cloned().unwrap_or_else(|| {
            let argument = reader.node(tensor.node).output_argument(tensor.slot);
            let argument = named_output(reader, *tensor).or(argument);
            let (argument, index) = argument.unwrap_or(("output", 0));
            format!("{}:{argument}:{index}", reader.name(tensor.node))
        }),
    };
    tensors.iter().map(reference).collect()
}

/// The name of an output of an opaque node in the function that it was read from, and the tensor's
/// position among those that the name stands for.
fn named_output<'a>(reader: &'a GraphReader<'_>, tensor: TensorId) -> Option<(&'a str, usize)> {
    let mut position = tensor.slot as usize;
    for (name, count) in &reader.node_note(tensor.node)?.outputs {
        match position.checked_sub(*count) {
            None => return Some((name, position)),
            Some(rest) => position = rest,
        }
    }
    None
}

/// The type attributes of a node that runs bodies, in which variables have the type of handles.
/// # Errors
/// [`ExportError::RefVariable`]
fn types_with_handles(
    reader: &GraphReader<'_>,
    id: NodeId,
    node: &Node,
) -> Result<Vec<(&'static str, AnyValue)>, ExportError> {
    let Some(before) = node.op.execution.inputs_before_bodies() else { return Ok(Vec::new()) };
    let takes_ref = node.bodies().any(|body| {
        let facts = body.parameter_facts();
        facts.iter().any(|fact| fact.role == Role::Ref)
    });
    if takes_ref {
        let node_name = reader.name(id).to_owned();
        return Err(ExportError::RefVariable { node: node_name, op: node.op.name });
    }
    let facts = reader.input_facts(node);
    let types = facts.iter().skip(before).map(type_of).collect();
    let list = AnyValue::List(ListValue { r#type: types, ..ListValue::default() });
    let argument = node.op.inputs.iter().find_map(|arg| match arg.arity {
        Arity::Types(name) => Some(name),
        _ => None,
    });
    Ok(argument.map(|name| (name, list)).into_iter().collect())
}
