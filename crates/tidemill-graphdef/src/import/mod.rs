//! Converts a `GraphDef` to nodes of a graph.

mod attrs;
mod build;
mod error;
mod frames;
mod function;
mod inline;
mod library;
mod names;
mod net;
pub(crate) mod notes;
mod opaque;
mod order;
mod outputs;
mod plan;
mod source;
mod variables;
mod wiring;

use std::borrow::Cow;

use tidemill_formats::SplatBudget;
use tidemill_formats::proto::GraphDef;
use tidemill_graph::{Graph, Location, NodeId, OperationRef, Referent, default_graph};
use tidemill_ops::{Inspect, LookupError, Operation, Tensor};

use build::{Bodies, Budget};
pub use error::{ImportError, ImportErrorKind};
use library::Library;
use names::prefixed;
pub(crate) use names::{node_of, unused_name};
use net::Net;
use plan::Plan;
pub use source::GraphDefSource;
pub(crate) use variables::Variables;
use variables::record_variables;
use wiring::Given;

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
/// It recognizes variables and records them in the graph, with the nodes that initialize and read
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
/// The nodes may stand in any order. They are added in the order of the message, except that each
/// follows its inputs. Attributes that have a default may be absent. Devices, and attributes that
/// begin with `_`, are ignored and kept for export. A call `c` of one of the message's functions
/// is inlined in the scope `c`.
///
/// # Errors
/// [`ImportError`], which names the node. The graph is then as before, unless another thread has
/// added nodes to it during the import: then the nodes that the import has added stay.
#[track_caller]
pub fn import_graph_def_with<'a>(
    graph_def: impl Into<GraphDefSource<'a>>,
    options: &ImportOptions,
) -> Result<Imported, ImportError> {
    let location = Location::caller();
    let graph_def = graph_def.into().decode()?;
    import(graph_def, options, Variables::Recognized, location)
}

/// Imports a message whose variables are listed, or to be recognized.
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
    let GraphDef { node, library: functions, versions } = graph_def.into_owned();
    let producer = versions.as_ref().map_or(0, |versions| versions.producer);
    let mut library = Library::new(functions.as_ref(), producer);
    let (net, raised) = frames::raise(Net::of_graph(node)?, library.names())?;
    library.add(raised);
    let net = inline::inline(net, &library)?;
    let given = Given::new(graph, &net, &options.input_map)?;
    let plan = Plan::new(net, given, &mut SplatBudget::default(), &library)?;
    let prefix = match options.prefix.trim_end_matches('/') {
        "" => String::new(),
        prefix => graph.reserve_name(prefix),
    };
    let spent = Budget::default();
    let nodes = plan.build(graph, &prefix, &Bodies::new(&library, &spent, location))?.nodes;
    notes::keep(graph, functions, versions);
    record_variables(graph, &prefix, &nodes, variables)?;
    let operation = |&id: &NodeId| OperationRef::new(graph.key(), Referent::Node(id)).into();
    let operations = nodes.iter().map(operation).collect();
    Ok(Imported { graph: graph.clone(), prefix, operations })
}
