//! Turns the fetches and feeds of a run into a signature.

use smallvec::SmallVec;
use tidemill_graph::{
    Execution, Graph, InsideBody, Node, NodeId, OperationRef, Referent, Role, TensorId, TensorRef,
    diagnose,
};
use tidemill_ops::{Inspect, LookupError, Tensor, Variable};

use crate::lower::signature::Signature;
use crate::report::describe;
use crate::report::error::{FeedErrorKind, RunError};
use crate::session::feeds::{FeedKey, Feeds};
use crate::session::fetch::{FetchItem, FetchList};

/// The request of a run.
pub(crate) struct Request {
    pub(crate) signature: Signature,
    /// For each feed of the signature, its number among the given ones.
    pub(crate) order: SmallVec<[u32; 4]>,
}

/// Finds the nodes behind handles and names.
///
/// # Errors
/// [`RunError`] if the graph is empty, a handle is invalid or of another graph, a name unknown, or
/// a tensor cannot be fed.
pub(crate) fn resolve(
    graph: &Graph,
    fetches: FetchList,
    feeds: &Feeds,
) -> Result<Request, RunError> {
    if fetches.0.is_empty() && feeds.values.is_empty() && graph.is_empty() {
        return Err(RunError::EmptyGraph);
    }
    let mut signature = Signature::default();
    for fetch in fetches.0 {
        match fetch {
            FetchItem::Tensor(tensor) => signature.fetches.push(value_id(graph, tensor)?),
            FetchItem::Variable(variable) => {
                signature.fetches.push(variable_id(graph, variable)?);
            }
            FetchItem::Operation(operation) => {
                signature.targets.push(node_id(graph, operation.into())?);
            }
            FetchItem::Name(name) => {
                signature.fetches.push(value_id(graph, find(graph, &name)?)?);
            }
        }
    }
    let mut fed: SmallVec<[(TensorId, u32); 4]> = SmallVec::new();
    for ((key, _), i) in feeds.values.iter().zip(0..) {
        let tensor = match key {
            FeedKey::Tensor(tensor) => tensor_id(graph, *tensor)?,
            FeedKey::Variable(variable) => variable_id(graph, *variable)?,
            FeedKey::Name(name) => tensor_id(graph, find_feed(graph, name)?)?,
        };
        fed.push((tensor, i));
    }
    fed.sort_by_key(|(tensor, _)| *tensor);
    if let Some(pair) = fed.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(describe::feed(&graph.read(), pair[0].0, FeedErrorKind::Twice));
    }
    let (feeds, order) = fed.into_iter().unzip();
    signature.feeds = feeds;
    Ok(Request { signature, order })
}

fn find(graph: &Graph, name: &str) -> Result<Tensor, RunError> {
    if graph.is_empty() {
        return Err(RunError::EmptyGraph);
    }
    Ok(graph.tensor(name)?)
}

fn find_feed(graph: &Graph, name: &str) -> Result<Tensor, RunError> {
    find(graph, name).map_err(|error| match error {
        RunError::Lookup(LookupError::NoOperation { name, near }) => {
            let reader = graph.read();
            let is_placeholder = |node: &Node| node.op.execution == Execution::Placeholder;
            let placeholders = reader.nodes().filter(|(_, node)| is_placeholder(node));
            let placeholders = placeholders.map(|(id, _)| reader.name(id).to_owned()).collect();
            RunError::FeedName { name, near, placeholders }
        }
        other => other,
    })
}

fn tensor_id(graph: &Graph, tensor: Tensor) -> Result<TensorId, RunError> {
    let slot = TensorRef::from(tensor).slot();
    Ok(TensorId::new(node_id(graph, tensor.into())?, slot))
}

/// A tensor to fetch, which must not be the handle of a variable, because that is not a value.
fn value_id(graph: &Graph, tensor: Tensor) -> Result<TensorId, RunError> {
    let id = tensor_id(graph, tensor)?;
    let reader = graph.read();
    match reader.fact(id).is_some_and(|fact| fact.role == Role::Handle) {
        true => Err(RunError::Handle { tensor: reader.tensor_name(id) }),
        false => Ok(id),
    }
}

/// The shared read of a variable.
fn variable_id(graph: &Graph, variable: Variable) -> Result<TensorId, RunError> {
    let node = node_id(graph, variable.into())?;
    let reader = graph.read();
    Ok(reader.variable(node).map_or(TensorId::new(node, 0), |record| record.read))
}

fn node_id(graph: &Graph, operation: OperationRef) -> Result<NodeId, RunError> {
    match operation.referent() {
        Referent::Poison(_) => {
            let (causes, path) = diagnose(operation);
            Err(RunError::Invalid { path, causes })
        }
        Referent::Node(node) if operation.graph() == graph.key() => Ok(node),
        Referent::Node(_) => Err(foreign(graph, operation)),
    }
}

/// The error of a handle of another graph than the session's.
fn foreign(graph: &Graph, operation: OperationRef) -> RunError {
    match Graph::find(operation.graph()) {
        Err(gone) => RunError::GraphGone(Box::new(gone)),
        Ok(other) => {
            if let Some(inside) = InsideBody::of(operation, graph.key()) {
                return RunError::InsideBody(Box::new(inside));
            }
            let Referent::Node(node) = operation.referent() else { return RunError::EmptyGraph };
            RunError::ForeignGraph {
                site: describe::site(&other.read(), node),
                actual: operation.graph(),
                expected: graph.key(),
                is_empty: graph.is_empty(),
            }
        }
    }
}
