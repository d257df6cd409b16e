//! The parts of nodes that are not understood: what they lack, and what is known of their outputs.

use rustc_hash::FxHashMap;
use tidemill_formats::proto::{AnyValue, AttrValue, DataType, Message};
use tidemill_graph::opaque::{LACKS, OUTPUT_SHAPES, OUTPUT_TYPES, UNTYPED_OUTPUTS, opaque_op};
use tidemill_graph::{
    Access, Arg, ArgType, Arity, Attr, BuildErrorKind, Execution, Graph, NodeBuilder, OpDef,
    OpError, Role, TensorRef,
};
use tidemill_ops::lookup;
use tidemill_value::{DType, PartialShape};

use super::attrs::{NotedAttrs, find_lacking};
use super::error::ImportErrorKind;
use super::function::CALLS;
use super::library::Library;
use super::net::{Attrs, Net, NetNode, Port};
use super::outputs::{count_of_arity, outputs_of};

/// The limit on the outputs of all nodes of a net that are not understood. Their number follows from
/// references alone, which are short.
const MAX_OUTPUTS: usize = 1 << 20;

/// A node that is not understood.
pub(super) struct Opaque {
    pub(super) op: &'static OpDef,
    /// The reason.
    lacks: String,
    /// The data type of each output, if it is known.
    types: Vec<Option<DType>>,
    shapes: Vec<PartialShape>,
    /// Its attributes as the message has them.
    pub(super) attrs: NotedAttrs,
}

/// The use that a net makes of the outputs of its nodes.
pub(super) struct Uses {
    /// For each node, the number of outputs that are referred to.
    counts: Vec<usize>,
    /// The types that nodes of known operations take outputs of others as.
    types: FxHashMap<Port, DType>,
    /// The outputs that nodes which are not understood may still have.
    left: usize,
}

impl Uses {
    /// `lacking` says which nodes are not understood.
    pub(super) fn of(net: &Net, lacking: &[Option<String>]) -> Self {
        let mut uses = Uses {
            counts: vec![0; net.nodes.len()],
            types: FxHashMap::default(),
            left: MAX_OUTPUTS,
        };
        let ports = net.nodes.iter().flat_map(|node| &node.inputs).chain(&net.results);
        for port in ports {
            let count = &mut uses.counts[port.node];
            *count = (*count).max(port.slot as usize + 1);
        }
        let declared = net.results.iter().zip(&net.result_types);
        uses.types.extend(declared.filter_map(|(port, &number)| Some((*port, usable(number)?))));
        let known = net.nodes.iter().zip(lacking).filter(|(_, lacking)| lacking.is_none());
        for (node, _) in known {
            let Some(op) = lookup(&node.op) else { continue };
            if node.inputs.iter().any(|port| lacking[port.node].is_some()) {
                let types = input_types(op, &node.attrs, node.inputs.len());
                let typed = node.inputs.iter().zip(types);
                uses.types.extend(typed.filter_map(|(port, dtype)| Some((*port, dtype?))));
            }
        }
        uses
    }

    /// The parts of a node that is not understood.
    ///
    /// # Errors
    /// [`ImportErrorKind`] if it has more outputs than a node may have, or its operation no valid
    /// name.
    pub(super) fn opaque(
        &mut self,
        number: usize,
        node: &NetNode,
        attrs: &Attrs,
        lacks: String,
    ) -> Result<Opaque, ImportErrorKind> {
        let unknown = || ImportErrorKind::UnknownOp { op: node.op.clone() };
        let op = opaque_op(&node.op).ok_or_else(unknown)?;
        let own = match lookup(&node.op) {
            Some(op) => outputs_of(op, attrs).last().map_or(0, |(_, range)| range.end),
            // A fetch of the first output is to fail for what the node lacks, not for what it has.
            None => listed_types(attrs).map_or(1, |types| types.len()),
        };
        let count = own.max(self.counts[number]);
        self.left = self.left.checked_sub(count).ok_or_else(|| {
            let (count, limit) = (count as i64, MAX_OUTPUTS as i64);
            ImportErrorKind::Build(Box::new(OpError::Outputs { count, limit }.into()))
        })?;
        let mut types = output_types(&node.op, attrs, count);
        for (slot, dtype) in (0..).zip(&mut types) {
            // A type by which a node takes it is certain, unlike one guessed from an attribute.
            let taken = self.types.get(&Port { node: number, slot });
            *dtype = taken.copied().or(*dtype);
        }
        let attrs_of_file = attrs.iter().map(|(name, value)| (name.clone(), value.encode_to_vec()));
        let shapes = output_shapes(attrs, count);
        Ok(Opaque { op, lacks, types, shapes, attrs: attrs_of_file.collect() })
    }
}

impl Opaque {
    /// The attributes of its node in the graph.
    pub(super) fn give_attrs(&self, builder: NodeBuilder) -> NodeBuilder {
        let untyped = self.types.iter().zip(0..).filter(|(dtype, _)| dtype.is_none());
        let untyped: Vec<i64> = untyped.map(|(_, slot)| slot).collect();
        let types: Vec<DType> =
            self.types.iter().map(|dtype| dtype.unwrap_or(DType::Variant)).collect();
        builder
            .attr(LACKS, self.lacks.as_str())
            .attr(OUTPUT_TYPES, types)
            .attr(UNTYPED_OUTPUTS, untyped)
            .attr(OUTPUT_SHAPES, Attr::Shapes(self.shapes.as_slice().into()))
    }
}

/// What a node lacks to be understood, if anything.
pub(super) fn lacks(node: &NetNode, library: &Library<'_>) -> Option<String> {
    let kind = match lookup(&node.op) {
        Some(op) => find_lacking(op, &node.attrs)?,
        None => match node.attr("f") {
            Some(AnyValue::Func(function)) if CALLS.contains(&node.op.as_str()) => {
                ImportErrorKind::UnknownFunction { function: function.name.clone() }
            }
            _ => ImportErrorKind::UnknownOp { op: node.op.clone() },
        },
    };
    Some(with_producer(&kind, library))
}

/// An error, with the version of the format in which the file was written, which dates what we lack.
fn with_producer(kind: &ImportErrorKind, library: &Library<'_>) -> String {
    match library.producer() {
        0 => kind.to_string(),
        producer => format!("{kind} (the file's producer version is {producer})"),
    }
}

/// What a node of a known operation lacks that cannot be built for a reason that does not make the
/// message invalid.
///
/// # Errors
/// The error, if it does.
pub(super) fn lacks_to_build(
    graph: &Graph,
    inputs: &[TensorRef],
    kind: ImportErrorKind,
    library: &Library<'_>,
) -> Result<String, ImportErrorKind> {
    let is_lacking = match &kind {
        ImportErrorKind::UnknownFunction { .. } => true,
        ImportErrorKind::Build(kind) => matches!(
            **kind,
            BuildErrorKind::NotAVariable { .. }
                | BuildErrorKind::NotAHandle { .. }
                | BuildErrorKind::UnknownType { .. }
        ),
        _ => false,
    };
    if is_lacking {
        return Ok(with_producer(&kind, library));
    }
    let reader = graph.read();
    let opaque = inputs
        .iter()
        .filter_map(|input| input.id().ok())
        .find(|input| reader.node(input.node).op.execution == Execution::Opaque);
    match opaque {
        Some(input) => Ok(format!("its input `{}` is not understood", reader.tensor_name(input))),
        None => Err(kind),
    }
}

/// True if a node of this operation may turn out to be one that is not understood only when it is
/// built, whatever its inputs are.
pub(super) fn depends_on_inputs(op: &OpDef) -> bool {
    let names_variable = |arg: &Arg| arg.access != Access::Read || arg.role == Role::Handle;
    op.execution.inputs_before_bodies().is_some() || op.inputs.iter().any(names_variable)
}

fn dtype_of(value: Option<&AttrValue>, i: usize) -> Option<DType> {
    let number = match value?.value.as_ref()? {
        AnyValue::Type(number) => number,
        AnyValue::List(list) => list.r#type.get(i)?,
        _ => return None,
    };
    usable(*number)
}

/// A data type by which a tensor is known. Lists of tensors and data sets have the same type.
fn usable(number: i32) -> Option<DType> {
    DataType::dtype(number).ok().filter(|dtype| *dtype != DType::Variant)
}

/// The data type of tensor `i` of an argument, if the attributes give it.
fn type_of(arg: &Arg, attrs: &Attrs, i: usize) -> Option<DType> {
    match (arg.arity, arg.dtype) {
        (Arity::Types(name), _) => dtype_of(attrs.get(name), i),
        (_, ArgType::Attr(name)) => dtype_of(attrs.get(name), 0),
        (_, ArgType::Is(dtype)) => Some(dtype).filter(|dtype| *dtype != DType::Variant),
        (_, ArgType::Any) => None,
    }
}

/// The data types of the inputs of a node of a known operation, as far as its attributes give them.
fn input_types(op: &'static OpDef, attrs: &Attrs, inputs: usize) -> Vec<Option<DType>> {
    let mut types = Vec::with_capacity(inputs);
    for arg in op.inputs {
        let names_variable = arg.role == Role::Handle || arg.access != Access::Read;
        let count = count_of_arity(arg.arity, attrs).min(inputs - types.len());
        types.extend((0..count).map(|i| type_of(arg, attrs, i).filter(|_| !names_variable)));
    }
    types.resize(inputs, None);
    types
}

/// The data types of the outputs of a node, as far as its attributes give them.
fn output_types(op: &str, attrs: &Attrs, count: usize) -> Vec<Option<DType>> {
    let mut types = Vec::with_capacity(count);
    if let Some(op) = lookup(op) {
        for (arg, range) in outputs_of(op, attrs) {
            let names_variable = arg.role == Role::Handle || arg.access != Access::Read;
            let slots = range.len().min(count - types.len());
            types.extend((0..slots).map(|i| type_of(arg, attrs, i).filter(|_| !names_variable)));
        }
        types.resize(count, None);
        return types;
    }
    types.extend((0..count).map(|slot| guessed_type(attrs, slot)));
    types
}

/// The data type that an output of an unknown operation probably has: from an attribute with one of the
/// usual names, or else from the only type among the attributes.
pub(super) fn guessed_type(attrs: &Attrs, slot: usize) -> Option<DType> {
    const NAMES: &[&str] = &["dtype", "out_type", "output_type", "Tout"];
    if let Some(listed) = listed_types(attrs) {
        return usable(*listed.get(slot)?);
    }
    let is_type = |value: &&AttrValue| matches!(value.value, Some(AnyValue::Type(_)));
    let mut all = attrs.values().filter(is_type);
    let only = all.next().filter(|_| all.next().is_none());
    dtype_of(NAMES.iter().find_map(|name| attrs.get(*name).filter(is_type)).or(only), 0)
}

/// The data types of the outputs of an unknown operation, if an attribute with one of the usual names
/// lists them.
fn listed_types(attrs: &Attrs) -> Option<&[i32]> {
    const LISTS: &[&str] = &["Tout", "output_types", "component_types"];
    LISTS.iter().find_map(|name| match attrs.get(*name)?.value.as_ref()? {
        AnyValue::List(list) => Some(list.r#type.as_slice()),
        _ => None,
    })
}

/// The shapes that TensorFlow has noted, if it has noted one for each output.
fn output_shapes(attrs: &Attrs, count: usize) -> Vec<PartialShape> {
    let noted = attrs.get("_output_shapes").and_then(|attr| attr.value.as_ref());
    let Some(AnyValue::List(list)) = noted.filter(|_| count > 0) else { return Vec::new() };
    let shapes: Option<Vec<PartialShape>> =
        list.shape.iter().map(|shape| shape.partial_shape().ok()).collect();
    shapes.filter(|shapes| shapes.len() == count).unwrap_or_default()
}
