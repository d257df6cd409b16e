//! Converts a `GraphDef` to nodes of a graph.

mod attrs;
mod bodies;
mod error;
mod frames;
mod inline;
pub(crate) mod notes;
mod order;
mod source;
mod variables;
mod wiring;

use std::borrow::Cow;
use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use tidemill_formats::SplatBudget;
use tidemill_formats::proto::{AttrValue, GraphDef, NodeDef};
use tidemill_graph::{
    Arity, Attr, Graph, Location, NodeBuilder, NodeId, OpDef, OperationRef, Referent, TensorRef,
    default_graph,
};
use tidemill_ops::{Inspect, LookupError, Operation, Tensor, lookup};

use attrs::{NamedAttrs, NotedAttrs, argument_counts, read_attrs};
use bodies::{Bodies, Named};
pub use error::{ImportError, ImportErrorKind};
pub use source::GraphDefSource;
pub(crate) use variables::Variables;
use variables::record_variables;
pub(crate) use wiring::split_reference;
use wiring::{Source, Wires, connect, passes_handle};

/// Options of [`import_graph_def_with`].
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The name scope to import into, made unique. If it is empty, nodes keep exactly their names
    /// in the message, regardless of the current scope.
    pub prefix: String,
    /// Tensors of the graph that replace tensors of the message, by name: `x:0` or `x`, and `^x`
    /// for a control input.
    pub input_map: Vec<(String, Tensor)>,
}

/// The result of an import.
#[derive(Clone, Debug)]
pub struct Imported {
    graph: Graph,
    prefix: String,
    operations: Vec<Operation>,
}

impl Imported {
    /// The operations, in creation order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The graph they were added to.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The operation with the name `name` in the message.
    ///
    /// # Errors
    /// [`LookupError`] if there is none.
    pub fn operation(&self, name: &str) -> Result<Operation, LookupError> {
        self.graph.operation(&prefixed(&self.prefix, name))
    }

    /// The tensor with the name `name` in the message, such as `x:0` or `x`.
    ///
    /// # Errors
    /// [`LookupError`] if there is none.
    pub fn tensor(&self, name: &str) -> Result<Tensor, LookupError> {
        self.graph.tensor(&prefixed(&self.prefix, name))
    }
}

/// Adds the nodes of a `GraphDef` to the default graph, with their names.
///
/// It recognises variables and records them in the graph, with the nodes that initialize and read
/// them. Float variables are trainable.
///
/// # Errors
/// As [`import_graph_def_with`].
#[track_caller]
pub fn import_graph_def<'a>(
    graph_def: impl Into<GraphDefSource<'a>>,
) -> Result<Imported, ImportError> {
    import_graph_def_with(graph_def, &ImportOptions::default())
}

/// Adds the nodes of a `GraphDef`, given as a message or its bytes, to the default graph.
///
/// The nodes may stand in any order. They are added so that each follows its inputs, and otherwise
/// in their order. Attributes that have a default may be absent. Devices, and attributes that begin
/// with `_`, are ignored and kept for export. A call `c` of one of the message's functions is
/// inlined in the scope `c`.
///
/// # Errors
/// [`ImportError`], which names the node. Nothing is added to the graph then, unless another thread
/// was adding to it at the same time.
#[track_caller]
pub fn import_graph_def_with<'a>(
    graph_def: impl Into<GraphDefSource<'a>>,
    options: &ImportOptions,
) -> Result<Imported, ImportError> {
    let location = Location::caller();
    let graph_def = graph_def.into().decode()?;
    import(graph_def, options, Variables::Recognised, location)
}

/// Imports a message whose variables are listed, or to be recognised.
pub(crate) fn import(
    graph_def: Cow<'_, GraphDef>,
    options: &ImportOptions,
    variables: Variables<'_>,
    location: Location,
) -> Result<Imported, ImportError> {
    let graph = default_graph();
    let add = || import_into(&graph, graph_def, options, variables, location);
    graph.all_or_nothing(add)
}

fn import_into(
    graph: &Graph,
    graph_def: Cow<'_, GraphDef>,
    options: &ImportOptions,
    variables: Variables<'_>,
    location: Location,
) -> Result<Imported, ImportError> {
    let has_library = graph_def.library.is_some();
    let graph_def = frames::raise(graph_def)?;
    let functions = graph_def.library.clone().unwrap_or_default();
    let library = inline::Library::new(&functions);
    let graph_def = library.inline(graph_def)?.into_owned();
    let mut map = InputMap::new(graph, &options.input_map)?;
    let versions = graph_def.versions.clone();
    let mut budget = SplatBudget::default();
    let plan = Plan::new(graph_def, &mut map, &mut budget)?;
    map.check_all_taken()?;
    let prefix = match options.prefix.trim_end_matches('/') {
        "" => String::new(),
        prefix => graph.reserve_name(prefix),
    };
    let spent = bodies::Budget::default();
    let nodes = plan.build(graph, &prefix, &Bodies::new(&library, &spent, location))?;
    notes::keep(graph, has_library.then_some(functions), versions);
    record_variables(graph, &prefix, &nodes, variables)?;
    let operation = |&id: &NodeId| OperationRef::new(graph.key(), Referent::Node(id)).into();
    let operations = nodes.iter().map(operation).collect();
    Ok(Imported { graph: graph.clone(), prefix, operations })
}

fn prefixed(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}

/// The tensors that replace tensors of the message.
#[derive(Debug)]
struct InputMap {
    /// By name and output. A control input has its `^`.
    tensors: FxHashMap<(String, u32), (TensorRef, bool)>,
}

impl InputMap {
    fn new(graph: &Graph, map: &[(String, Tensor)]) -> Result<Self, ImportError> {
        let entry = |(name, tensor): &(String, Tensor)| {
            let tensor = TensorRef::from(*tensor);
            let is_valid = tensor.graph() == graph.key()
                && tensor.id().is_ok_and(|id| graph.read().fact(id).is_some());
            let (node, slot) = split_reference(name);
            match is_valid {
                true => Ok(((node.to_owned(), slot), (tensor, false))),
                false => Err(ImportError::InvalidMapping { name: name.clone() }),
            }
        };
        Ok(InputMap { tensors: map.iter().map(entry).collect::<Result<_, _>>()? })
    }

    /// Tensors by the names of nodes.
    fn of(names: &[String], tensors: &[TensorRef]) -> Self {
        let named = names.iter().zip(tensors);
        let entry = |(name, tensor): (&String, &TensorRef)| ((name.clone(), 0), (*tensor, false));
        InputMap { tensors: named.map(entry).collect() }
    }

    /// The replacement of a reference, if there is one.
    fn take(&mut self, (name, slot): (&str, u32)) -> Option<TensorRef> {
        if self.tensors.is_empty() {
            return None;
        }
        let (tensor, is_taken) = self.tensors.get_mut(&(name.to_owned(), slot))?;
        *is_taken = true;
        Some(*tensor)
    }

    fn check_all_taken(self) -> Result<(), ImportError> {
        let unused = self.tensors.into_iter().filter(|(_, (_, is_taken))| !is_taken);
        let mut names: Vec<String> =
            unused.map(|((name, slot), _)| format!("{name}:{slot}")).collect();
        names.sort();
        if names.is_empty() { Ok(()) } else { Err(ImportError::UnusedMapping { names }) }
    }
}

/// A message whose nodes can be added one after the other.
struct Plan {
    nodes: Vec<NodeDef>,
    /// The parts that each node is built from; nodes that only pass on handles are not built.
    parts: Vec<Option<Parts>>,
    order: Vec<usize>,
}

/// The parts that a node is built from.
struct Parts {
    op: &'static OpDef,
    attrs: NamedAttrs,
    notes: NotedAttrs,
    /// The number of inputs of each argument.
    counts: Vec<usize>,
    wires: Wires,
    /// The functions that it runs.
    functions: Vec<Named>,
}

impl Plan {
    fn new(
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
            // The bytes of a constant are freed as soon as its value exists.
            let attrs = std::mem::take(&mut node.attr);
            let parts = read_node(&node.op, attrs, wires, budget);
            parts.map(Some).map_err(|kind| node_error(node, kind))
        });
        let parts: Vec<Option<Parts>> = parts.collect::<Result<_, _>>()?;
        Ok(Plan { nodes: graph_def.node, parts, order })
    }

    fn build(
        mut self,
        graph: &Graph,
        prefix: &str,
        bodies: &Bodies<'_>,
    ) -> Result<Vec<NodeId>, ImportError> {
        let mut built: Vec<Option<NodeId>> = vec![None; self.parts.len()];
        let mut nodes = Vec::with_capacity(self.parts.len());
        let mut devices = notes::Devices::default();
        for index in self.order {
            let Some(mut parts) = self.parts[index].take() else { continue };
            let node = &self.nodes[index];
            let note = devices.note(node, std::mem::take(&mut parts.notes), prefix);
            let name = prefixed(prefix, &node.name);
            let id = build_node(graph, name, parts, &built, bodies)
                .map_err(|kind| node_error(node, kind))?;
            if let Some(note) = note {
                graph.note_node(id, note);
            }
            built[index] = Some(id);
            nodes.push(id);
        }
        Ok(nodes)
    }
}

fn node_error(node: &NodeDef, kind: ImportErrorKind) -> ImportError {
    ImportError::Node { node: node.name.clone(), op: node.op.clone(), kind: Box::new(kind) }
}

fn read_node(
    op: &str,
    mut attrs: BTreeMap<String, AttrValue>,
    wires: Wires,
    budget: &mut SplatBudget,
) -> Result<Parts, ImportErrorKind> {
    let op = lookup(op).ok_or_else(|| ImportErrorKind::UnknownOp { op: op.to_owned() })?;
    let functions = bodies::take_functions(op, &mut attrs)?;
    let (attrs, notes) = read_attrs(op, attrs, budget)?;
    let counts = match functions.is_empty() {
        true => argument_counts(op, &attrs, wires.inputs.len())?,
        false => bodies::counts(op, wires.inputs.len())?,
    };
    Ok(Parts { op, attrs, notes, counts, wires, functions })
}

fn build_node(
    graph: &Graph,
    name: String,
    parts: Parts,
    built: &[Option<NodeId>],
    bodies: &Bodies<'_>,
) -> Result<NodeId, ImportErrorKind> {
    let key = graph.key();
    let tensor = |source: &Source| match *source {
        Source::Mapped(tensor) => Some(tensor),
        // The inputs of a node were added before it.
        Source::Node { index, slot } => {
            Some(OperationRef::new(key, Referent::Node(built[index]?)).output(slot))
        }
    };
    let inputs: Vec<TensorRef> = parts.wires.inputs.iter().filter_map(tensor).collect();
    check_listed_types(graph, &parts, &inputs)?;
    let mut builder = NodeBuilder::new(parts.op).graph(key).exact_name(name);
    let given = inputs.clone();
    let mut rest = inputs.into_iter();
    for (arg, count) in parts.op.inputs.iter().zip(parts.counts) {
        let tensors = rest.by_ref().take(count);
        builder = match arg.arity {
            Arity::One => tensors.fold(builder, NodeBuilder::input),
            Arity::Count(_) | Arity::Types(_) => builder.inputs(tensors),
        };
    }
    let controls = parts.wires.controls.iter().filter_map(tensor);
    builder = controls.fold(builder, |builder, tensor| builder.control(tensor.operation()));
    let attrs = parts.attrs.into_iter();
    let attrs = attrs.chain(bodies.attrs(graph, parts.op, &parts.functions, &given)?);
    builder = attrs.fold(builder, |builder, (name, attr)| builder.attr(name, attr));
    builder.try_node(bodies.location()).map_err(|kind| ImportErrorKind::Build(Box::new(kind)))
}

/// Checks the inputs of mixed types against the attribute that lists their types, which nodes do
/// not keep.
fn check_listed_types(
    graph: &Graph,
    parts: &Parts,
    inputs: &[TensorRef],
) -> Result<(), ImportErrorKind> {
    let reader = graph.read();
    let mut start = 0;
    for (arg, &count) in parts.op.inputs.iter().zip(&parts.counts) {
        if let Arity::Types(name) = arg.arity
            && let Some((attr, Attr::Types(types))) =
                parts.attrs.iter().find(|(given, _)| *given == name)
        {
            let inputs = inputs.iter().enumerate().skip(start);
            for ((input, tensor), &expected) in inputs.zip(types.iter()) {
                let fact = tensor.id().ok().and_then(|id| reader.fact(id));
                if let Some(actual) = fact.map(|fact| fact.dtype).filter(|x| *x != expected) {
                    return Err(ImportErrorKind::InputType { input, attr, expected, actual });
                }
            }
        }
        start += count;
    }
    Ok(())
}
