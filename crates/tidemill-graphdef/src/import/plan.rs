//! A net whose nodes are read and in order.

use tidemill_formats::SplatBudget;
use tidemill_formats::proto::{AnyValue, NameAttrList};
use tidemill_graph::{AttrKind, OpDef};
use tidemill_ops::lookup;

use super::attrs::{NamedAttrs, NotedAttrs, argument_counts, name_of, read_attrs};
use super::error::{ImportError, ImportErrorKind};
use super::library::Library;
use super::net::{Attrs, Net, NetNode, cycle_error};
use super::opaque::{Opaque, Uses, depends_on_inputs, lacks};
use super::order;
use super::wiring::{Given, passes_handle, skip_handles};

/// A net whose nodes can be added one after the other.
pub(super) struct Plan {
    pub(super) net: Net,
    /// The tensors of the graph that its nodes take.
    pub(super) given: Given,
    /// The parts of each node; `None` for nodes that are not built: those that only pass on handles,
    /// and those outside the net.
    pub(super) nodes: Vec<Option<Planned>>,
    pub(super) order: Vec<usize>,
    pub(super) uses: Uses,
}

/// A node to build.
pub(super) enum Planned {
    /// Of a known operation.
    Known(Parts),
    /// Not understood.
    Opaque(Opaque),
}

/// The parts of a node to build.
pub(super) struct Parts {
    pub(super) op: &'static OpDef,
    pub(super) attrs: NamedAttrs,
    pub(super) notes: NotedAttrs,
    /// The number of inputs of each argument.
    pub(super) counts: Vec<usize>,
    /// The functions that it runs.
    pub(super) functions: Vec<Named>,
    /// The attributes of the message, if building it may show that it is not understood.
    pub(super) original: Option<Attrs>,
}

impl Plan {
    pub(super) fn new(
        mut net: Net,
        mut given: Given,
        budget: &mut SplatBudget,
        library: &Library<'_>,
    ) -> Result<Self, ImportError> {
        given.check(&net)?;
        skip_handles(&mut net, &mut given);
        let order = order::sort(net.nodes.len(), |node| given.needs(&net.nodes[node]));
        let order = order.map_err(|cycle| cycle_error(&net.nodes, &cycle))?;
        let is_built = |node: &NetNode| !node.is_outside && !passes_handle(node);
        let lacking = net.nodes.iter().map(|node| lacks(node, library).filter(|_| is_built(node)));
        let lacking: Vec<Option<String>> = lacking.collect();
        let in_doubt = nodes_in_doubt(&net, &given, &order, &lacking);
        let mut uses = Uses::of(&net, &lacking);
        let nodes = net.nodes.iter_mut().zip(lacking).zip(0..).map(|((node, lacks), number)| {
            let planned = match lacks {
                _ if !is_built(node) => return Ok(None),
                Some(lacks) => {
                    let attrs = std::mem::take(&mut node.attrs);
                    uses.opaque(number, node, &attrs, lacks).map(Planned::Opaque)
                }
                None => read_node(node, in_doubt[number], budget, library).map(Planned::Known),
            };
            planned.map(Some).map_err(|kind| node.error(kind))
        });
        let nodes = nodes.collect::<Result<_, _>>()?;
        given.check_all_taken()?;
        Ok(Plan { net, given, nodes, order, uses })
    }
}

/// For each node, whether it takes a tensor that comes from one that is not understood, and so may not
/// be understood either.
fn nodes_in_doubt(
    net: &Net,
    given: &Given,
    order: &[usize],
    lacking: &[Option<String>],
) -> Vec<bool> {
    let mut in_doubt: Vec<bool> = lacking.iter().map(Option::is_some).collect();
    if in_doubt.contains(&true) {
        for &node in order {
            let mut taken = net.nodes[node].inputs.iter();
            in_doubt[node] |=
                taken.any(|port| in_doubt[port.node] && !given.outputs.contains_key(port));
        }
    }
    in_doubt
}

/// Reads the attributes of a node, which loses them: the bytes of a constant are freed as soon as
/// its value exists.
fn read_node(
    node: &mut NetNode,
    in_doubt: bool,
    budget: &mut SplatBudget,
    library: &Library<'_>,
) -> Result<Parts, ImportErrorKind> {
    let unknown = || ImportErrorKind::UnknownOp { op: node.op.clone() };
    let op = lookup(&node.op).ok_or_else(unknown)?;
    let mut attrs = std::mem::take(&mut node.attrs);
    let original = (in_doubt || depends_on_inputs(op)).then(|| attrs.clone());
    let functions = take_functions(op, &mut attrs)?;
    // Control flow of TensorFlow 1 is converted, so it cannot be kept as it is.
    let mut named = functions.iter().flat_map(|named| &named.functions);
    let is_converted = named.any(|function| library.is_raised(&function.name));
    let original = original.filter(|_| !is_converted);
    let (attrs, notes) = read_attrs(op, attrs, budget)?;
    let counts = match functions.is_empty() {
        true => argument_counts(op, &attrs, node.inputs.len())?,
        false => counts(op, node.inputs.len())?,
    };
    Ok(Parts { op, attrs, notes, counts, functions, original })
}

/// An attribute that names functions.
pub(super) struct Named {
    pub(super) attr: &'static str,
    pub(super) kind: AttrKind,
    pub(super) functions: Vec<NameAttrList>,
}

/// Takes the functions that a node runs out of its attributes, with the types that follow from them.
///
/// # Errors
/// [`ImportErrorKind`] if an attribute is missing or not a function.
fn take_functions(op: &'static OpDef, attrs: &mut Attrs) -> Result<Vec<Named>, ImportErrorKind> {
    if op.execution.inputs_before_bodies().is_none() {
        return Ok(Vec::new());
    }
    let of_bodies =
        op.attrs.iter().filter(|def| matches!(def.kind, AttrKind::Body | AttrKind::Bodies));
    let named = of_bodies.map(|def| {
        let value =
            attrs.remove(def.name).ok_or(ImportErrorKind::MissingAttr { name: def.name })?;
        let functions = match (def.kind, value.value) {
            (AttrKind::Body, Some(AnyValue::Func(function))) => vec![function],
            (AttrKind::Bodies, Some(AnyValue::List(list))) if list.func.len() == list.len() => {
                list.func
            }
            (_, value) => {
                return Err(ImportErrorKind::AttrKind {
                    name: def.name.to_owned(),
                    expected: name_of(def.kind),
                    actual: value.as_ref().map_or("no value", AnyValue::kind),
                });
            }
        };
        Ok(Named { attr: def.name, kind: def.kind, functions })
    });
    let named = named.collect::<Result<_, _>>()?;
    let types = op.attrs.iter().filter(|def| def.kind == AttrKind::Types);
    types.for_each(|def| drop(attrs.remove(def.name)));
    Ok(named)
}

/// The number of inputs of each argument of a node with bodies.
///
/// # Errors
/// [`ImportErrorKind::InputCount`]
fn counts(op: &'static OpDef, inputs: usize) -> Result<Vec<usize>, ImportErrorKind> {
    let before = op.execution.inputs_before_bodies().unwrap_or(0);
    let rest = inputs
        .checked_sub(before)
        .ok_or(ImportErrorKind::InputCount { expected: before, actual: inputs })?;
    Ok(std::iter::repeat_n(1, before).chain([rest]).collect())
}
