//! A message whose nodes are read and in order.

use std::collections::BTreeMap;

use tidemill_formats::SplatBudget;
use tidemill_formats::proto::{AnyValue, AttrValue, GraphDef, NameAttrList, NodeDef};
use tidemill_graph::{AttrKind, OpDef};
use tidemill_ops::lookup;

use super::attrs::{NamedAttrs, NotedAttrs, argument_counts, name_of, read_attrs};
use super::error::{ImportError, ImportErrorKind, node_error};
use super::inline::Attrs;
use super::order;
use super::wiring::{InputMap, Wires, connect, passes_handle};

/// A message whose nodes can be added one after the other.
pub(super) struct Plan {
    pub(super) nodes: Vec<NodeDef>,
    /// The parts of each node; `None` for nodes that only pass on handles, which are not built.
    pub(super) parts: Vec<Option<Parts>>,
    pub(super) order: Vec<usize>,
}

/// The parts of a node to build.
pub(super) struct Parts {
    pub(super) op: &'static OpDef,
    pub(super) attrs: NamedAttrs,
    pub(super) notes: NotedAttrs,
    /// The number of inputs of each argument.
    pub(super) counts: Vec<usize>,
    pub(super) wires: Wires,
    /// The functions that it runs.
    pub(super) functions: Vec<Named>,
}

impl Plan {
    pub(super) fn new(
        mut graph_def: GraphDef,
        map: &mut InputMap,
        budget: &mut SplatBudget,
    ) -> Result<Self, ImportError> {
        let wires = connect(&graph_def, map)
            .map_err(|(index, kind)| node_error(&graph_def.node[index], kind))?;
        let order = order::sort(&wires).map_err(|cycle| {
            let name = |index: &usize| graph_def.node[*index].name.clone();
            let first = cycle.first().copied().unwrap_or_default();
            let kind = ImportErrorKind::Cycle { cycle: cycle.iter().map(name).collect() };
            node_error(&graph_def.node[first], kind)
        })?;
        let parts = graph_def.node.iter_mut().zip(wires).map(|(node, wires)| {
            if passes_handle(node) {
                return Ok(None);
            }
            // A constant's bytes are freed as soon as its value exists.
            let attrs = std::mem::take(&mut node.attr);
            let parts = read_node(&node.op, attrs, wires, budget);
            parts.map(Some).map_err(|kind| node_error(node, kind))
        });
        let parts: Vec<Option<Parts>> = parts.collect::<Result<_, _>>()?;
        Ok(Plan { nodes: graph_def.node, parts, order })
    }
}

fn read_node(
    op: &str,
    mut attrs: BTreeMap<String, AttrValue>,
    wires: Wires,
    budget: &mut SplatBudget,
) -> Result<Parts, ImportErrorKind> {
    let op = lookup(op).ok_or_else(|| ImportErrorKind::UnknownOp { op: op.to_owned() })?;
    let functions = take_functions(op, &mut attrs)?;
    let (attrs, notes) = read_attrs(op, attrs, budget)?;
    let counts = match functions.is_empty() {
        true => argument_counts(op, &attrs, wires.inputs.len())?,
        false => counts(op, wires.inputs.len())?,
    };
    Ok(Parts { op, attrs, notes, counts, wires, functions })
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
